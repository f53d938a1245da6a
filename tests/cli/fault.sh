# fault.sh - a disk that fails at any moment: nothing half-written is taken for a result, the next
# run repairs it; and a run that hangs ends soon after a signal.
. tests/cli/lib.sh
shim=$tmp/fault.so
if nm "$lp" 2>/dev/null | grep -q __asan_init; then
    skip "writes that fail" "the sanitizer's library must come first"
    finish
    exit 0
fi
if ! "${CC:-gcc}" -shared -fPIC -O1 -D_GNU_SOURCE -o "$shim" tests/cli/fault.c -ldl 2>"$tmp/check.out"; then
    bad "the library that makes writes fail" "$(head -c 300 "$tmp/check.out")"
    finish
    exit 0
fi
image "$tmp/a.png" cones 60 70 1
new="--min_size 20 --save_h5 --threads 1 --quiet"
seg 0 "new settings" $new --savedir "$tmp/ref" "$tmp/a.png"
seg 0 "old settings" --quiet --save_star --savedir "$tmp/old" "$tmp/a.png"
cp "$tmp/old/a_autopick.star" "$tmp/ref" # no new result: stays
sums "$tmp/ref" >"$tmp/ref.sums"
# faulty K ERRNO DIR ARGS...: a run whose K-th call fails; $fired and $code say what came of it.
faulty() {
    rm -f "$tmp/mark"
    at=$1 no=$2 to=$3
    shift 3
    FAULT_AT=$at FAULT_ERRNO=$no FAULT_MARK="$tmp/mark" LD_PRELOAD="$shim" \
        "$lp" segment --model "$model" $new "$@" --json --savedir "$to" "$tmp/a.png" >"$tmp/out" 2>"$tmp/err"
    code=$?
    if [ -e "$tmp/mark" ]; then fired=1; else fired=0; fi
}
# Disk full (28) and errors of the disk (5) in turn, in a new folder and over results of other
# settings; and kill -9, with other settings over results that the next run would take for its own,
# were their record still there.
k=1 fired=1
while [ $fired -eq 1 ] && [ $k -le 200 ]; do
    d=$tmp/d
    rm -rf "$d"
    if [ $((k % 2)) -eq 0 ]; then e=28; else e=5; fi
    case $((k % 3)) in
    0) faulty $k $e "$d" ;;
    1)
        cp -rp "$tmp/old" "$d"
        faulty $k $e "$d"
        ;;
    2)
        cp -rp "$tmp/ref" "$d"
        export FAULT_KILL=1
        faulty $k $e "$d" --min_size 25
        unset FAULT_KILL
        ;;
    esac
    what="call $k fails"
    why=
    if [ $fired -eq 1 -a $((k % 3)) -eq 2 ]; then
        [ $code -eq 137 ] || why="killed, but exit code $code"
    elif [ $fired -eq 1 ]; then
        # What only the log, the lists or the lock of a run needs may fail in other ways, but is said.
        [ $code -eq 1 ] || [ $code -eq 0 ] || why="exit code $code"
        # Some file systems cannot flush folders: only an error of the disk counts.
        [ $code -ne 0 ] || grep -q 'log of records has gaps' "$tmp/err" || [ "$(cat "$tmp/mark")" = folder -a $e -eq 28 ] ||
            why="exit code 0: $(cat "$tmp/mark" "$tmp/err" | head -c 200)"
    fi
    [ ! -d "$d" ] || "$tool" intact "$d" >"$tmp/check.out" 2>&1 || why="not whole: $(head -c 200 "$tmp/check.out")"
    [ $code -eq 137 ] || [ -z "$(find "$d" -name '.*.tmp' 2>/dev/null)" ] || why="temporary files: $(find "$d" -name '.*.tmp' | tr '\n' ' ')"
    "$lp" segment --model "$model" $new --savedir "$d" "$tmp/a.png" >"$tmp/out2" 2>&1 || why="the next run: $(head -c 200 "$tmp/out2")"
    [ -z "$(find "$d" -name '.*.tmp')" ] || why="temporary files after the next run: $(find "$d" -name '.*.tmp' | tr '\n' ' ')"
    [ -e "$d/a_autopick.star" ] || cp "$tmp/old/a_autopick.star" "$d"
    sums "$d" | cmp -s - "$tmp/ref.sums" || why="after the next run: other bytes"
    if [ -z "$why" ]; then ok "$what"; else bad "$what" "$why"; fi
    k=$((k + 1))
done
check "every call failed once" test $fired -eq 0 -a $k -gt 30

# Folders that cannot be written to, or have something else in the way.
mkdir "$tmp/way"
echo text >"$tmp/way/.lipopose"
seg 1 "a file in the way of the records" --savedir "$tmp/way" "$tmp/a.png"
one_line "a file in the way of the records: one line"
mkdir -p "$tmp/way2/.lipopose/a.json"
seg 1 "a folder in the way of a record" --savedir "$tmp/way2" "$tmp/a.png"
says "a folder in the way of a record: named" ".lipopose/a.json"
if [ "$(id -u)" -ne 0 ]; then
    cp -rp "$tmp/ref" "$tmp/ro"
    chmod a-w "$tmp/ro/.lipopose"
    seg 1 "records that cannot be written" --min_size 25 --savedir "$tmp/ro" "$tmp/a.png"
    chmod u+w "$tmp/ro/.lipopose"
else
    skip "records that cannot be written" "root writes everywhere"
fi

# hangs NAME SIGNAL NUMBER DIR FAULT...: a call never returns; the signal ends the run within 10 s.
hangs() {
    what=$1 signal=$2 code=$((128 + $3)) d=$4
    shift 4
    rm -f "$tmp/mark"
    env --default-signal=$signal "$@" FAULT_HANG=1 FAULT_MARK="$tmp/mark" LD_PRELOAD="$shim" \
        "$lp" segment --model "$model" --savedir "$d" "$tmp/a.png" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    until_true 60 test -e "$tmp/mark"
    kill -$signal $pid
    gone() { ! kill -0 $pid; }
    if until_true 10 gone; then ok "$what: ends within 10 s"; else bad "$what: ends within 10 s" "it is there"; fi
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    got=$?
    if [ $got -eq $code ]; then ok "$what: exit code"; else bad "$what: exit code" "$got"; fi
}
for sig in TERM:15 USR1:10; do
    hangs "hangs, SIG${sig%:*}" ${sig%:*} ${sig#*:} "$tmp/hang" FAULT_AT=12
    says "hangs, SIG${sig%:*}: said" "stopped by signal ${sig#*:} with 0 images done; a rerun goes on"
    check "hangs, SIG${sig%:*}: summary" grep -q "^0 images" "$tmp/out"
done
# So does one that hangs with the lock that all workers want.
hangs "hangs in the log" TERM 15 "$tmp/hang2" FAULT_AT=1 FAULT_NAME=records_
says "hangs in the log: said" "stopped by signal 15"
seg 0 "after the hang" --savedir "$tmp/hang" "$tmp/a.png"
no_leftovers "after the hang: no temporary files" "$tmp/hang"
finish
