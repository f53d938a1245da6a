# kill.sh - a run that is stopped: by the user, by the queue, by force.
. tests/cli/lib.sh
in=$tmp/in
mkdir "$in"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do image "$in/i$i.tif" cones 300 300 $i; done
all="--save_png --save_outlines --save_txt --save_rois --save_flows --save_h5"
seg 0 "undisturbed" $all --savedir "$tmp/ref" "$in"
sums "$tmp/ref" >"$tmp/ref.sums"

# Complete files of a stopped run are those of the undisturbed one.
same_as_ref() { # DIR
    for f in "$1"/*; do
        [ -e "$f" ] || continue
        cmp "$f" "$tmp/ref/$(basename "$f")" || return 1
    done
}

first_csv() { ls "$d"/*.csv; }
# Runs in the background whose signals act as on a terminal.
for s in INT:130 TERM:143 HUP:129 USR1:138; do
    sig=${s%:*} code=${s#*:} d=$tmp/sig_$sig
    env --default-signal=$sig "$lp" segment --model "$model" --threads 1 --diameter 6 $all --savedir "$d" "$in" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    until_true 60 first_csv
    kill -$sig $pid
    wait $pid
    got=$?
    if [ $got -eq $code ]; then ok "SIG$sig: exit code $code"; else bad "SIG$sig: exit code $code" "$got: $(tail -n 2 "$tmp/err")"; fi
    check "SIG$sig: first image is there" sh -c "ls '$d' | grep -q csv"
    check "SIG$sig: not all are there" sh -c "[ \$(ls '$d' | grep -c csv) -lt 12 ]"
    check "SIG$sig: what is there is whole" "$tool" intact "$d"
    no_leftovers "SIG$sig: no temporary files" "$d"
    says "SIG$sig: said" "stopped by signal"
done
# A queue may send its signal more than once.
d=$tmp/twice
env --default-signal=TERM "$lp" segment --model "$model" --threads 1 --diameter 6 $all --savedir "$d" "$in" >"$tmp/out" 2>"$tmp/err" &
pid=$!
until_true 60 first_csv
kill -TERM $pid
sleep 0.01
kill -TERM $pid 2>/dev/null
wait $pid
check "two SIGTERM: exit code 143" test $? -eq 143
says "two SIGTERM: said" "stopped by signal"
env --ignore-signal=HUP "$lp" segment --model "$model" --threads 1 $all --savedir "$tmp/nohup" "$in" >"$tmp/out" 2>"$tmp/err" &
pid=$!
sleep 0.3
kill -HUP $pid
wait $pid
check "nohup: exit code 0" test $? -eq 0
sums "$tmp/nohup" | cmp - "$tmp/ref.sums" >"$tmp/diff" 2>&1
check "nohup: everything is done" test ! -s "$tmp/diff"

# kill -9 at twelve moments, results growing in one folder.
d=$tmp/killed
killed=0
for ms in 05 10 15 20 25 30 40 50 60 70 80 95; do
    "$lp" segment --model "$model" --quiet $all --savedir "$d" "$in" >/dev/null 2>&1 &
    pid=$!
    sleep 0.$ms
    kill -9 $pid 2>/dev/null && killed=$((killed + 1))
    wait $pid 2>/dev/null
    mkdir -p "$d"
    "$tool" intact "$d" >"$tmp/k.out" 2>&1 || { bad "kill -9 after 0.$ms s: files are whole" "$(head -n 1 "$tmp/k.out")"; continue; }
    same_as_ref "$d" >"$tmp/k.out" 2>&1 || { bad "kill -9 after 0.$ms s: files are right" "$(head -n 1 "$tmp/k.out")"; continue; }
    ok "kill -9 after 0.$ms s"
done
check "kill -9 hit at least four times" test $killed -ge 4
seg 0 "after kill -9: run again" $all --savedir "$d" "$in"
find "$d" -name '.*.tmp' -delete
sums "$d" | cmp - "$tmp/ref.sums" >"$tmp/diff" 2>&1
check "after kill -9: everything is done" test ! -s "$tmp/diff"
finish
