# watch.sh - folders that fill while a run goes on.
. tests/cli/lib.sh
src=$tmp/src in=$tmp/in out=$tmp/results
mkdir -p "$src" "$in" "$tmp/in2/sub"
for i in 1 2 3 4 5 6; do image "$src/i$i.mrc" cones 90 100 $i; done
image "$src/s1.tif" cones 90 100 7
image "$src/s2.png" cones 90 100 8
seg 0 "all at once" --savedir "$tmp/ref" "$src"
sums "$tmp/ref" >"$tmp/ref.sums"

# watch ARGS: in the background, signals as on a terminal; output in out and err.
watch() {
    : >"$tmp/out"
    : >"$tmp/err"
    env --default-signal=TERM "$lp" segment --model "$model" --watch --watch_settle 0.4 --savedir "$out" "$@" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
}
# until_ NAME COMMAND: within 60 s.
until_() {
    nm=$1
    shift
    until_true 60 "$@"
    check "$nm" "$@"
}
ends() { # NAME CODE
    gone() { ! kill -0 $pid; }
    if until_true 10 gone; then ok "$1: within 10 s"; else bad "$1: within 10 s" "it goes on"; fi
    kill -9 $pid 2>/dev/null
    wait $pid
    got=$?
    check "$1: exit code $2" test $got -eq "$2"
}
whole() { test -s "$out/.lipopose/$1.json"; }

watch "$in" "$tmp/in2" --look_one_level_down
until_ "an empty folder is waited for" grep -q "watching $in and 1 more: 0 done, waiting" "$tmp/err"
cp "$src/i1.mrc" "$in/.i1.part"
mv "$in/.i1.part" "$in/i1.mrc"
until_ "renamed into place" whole i1
# In pieces: never settled long enough until whole.
: >"$in/i2.mrc"
bytes=$(wc -c <"$src/i2.mrc")
for k in 0 1 2 3 4 5 6 7 8 9; do
    tail -c +$((k * (bytes / 10) + 1)) "$src/i2.mrc" | head -c $((k == 9 ? bytes : bytes / 10)) >>"$in/i2.mrc"
    sleep 0.15
done
until_ "written in pieces" whole i2
check "written in pieces: not read before it was whole" sh -c "! grep -q 'lipopose:.*i2.mrc' '$tmp/err'"
head -c 3000 "$src/i3.mrc" >"$in/i3.mrc"
until_ "damaged: named" grep -q "lipopose: .*i3.mrc" "$tmp/err"
until_ "damaged: recorded" grep -q '"status":"failed"' "$out/.lipopose/i3.json"
cp "$src/i3.mrc" "$in/i3.mrc"
until_ "repaired: done" grep -q '"status":"ok"' "$out/.lipopose/i3.json"
cp "$src/s1.tif" "$tmp/in2/sub/s1.tif"
until_ "in a folder of the second folder" test -s "$out/sub/.lipopose/s1.json"
cp "$src/i1.mrc" "$in/i1.tiff"
until_ "the same results as another file: said" grep -q "i1.tiff is left out: it would write the same files as $in/i1.mrc" "$tmp/err"
mv "$in" "$tmp/away"
until_ "a folder that is away: said" grep -q "$in: no such folder; waiting for it" "$tmp/err"
cp "$src/i4.mrc" "$tmp/away"
mv "$tmp/away" "$in"
until_ "a folder that is back: said" grep -q "$in: is there again" "$tmp/err"
until_ "a folder that is back: its new image" whole i4
check "said once" test "$(grep -c 'waiting for it' "$tmp/err")" -eq 1
check "left out: said once" test "$(grep -c 'left out' "$tmp/err")" -eq 1
check "it goes on" kill -0 $pid
kill -TERM $pid
ends "TERM while it waits" 143
says "TERM: said" "stopped by signal 15 with 5 images done"

# Killed and started again: nothing is done twice, what came meanwhile is done.
rm "$in/i1.tiff"
watch "$in" --overwrite
until_ "before kill -9" grep -q "i1.mrc: " "$tmp/err"
kill -9 $pid
wait $pid 2>/dev/null
cp "$src/i5.mrc" "$src/i6.mrc" "$src/s2.png" "$in"
watch "$in" --watch_timeout 1 --json
ends "a watch that has a timeout" 0
check "after kill -9: a record for each" "$tool" json 7 0 <"$tmp/out"
run 0 "after kill -9: gather" gather "$out"
watch "$in" --watch_timeout 1
ends "again" 0
check "again: nothing left" grep -q "^0 images: .*; 7 done before" "$tmp/out"
mv "$out"/sub/s1_* "$out"
rm -r "$out/sub" "$out"/lipopose_gathered.*
sums "$out" | cmp - "$tmp/ref.sums" >"$tmp/diff" 2>&1
check "the same bytes as at once" test ! -s "$tmp/diff"
no_leftovers "no temporary files" "$out"

# A stack that could not be opened at first is in order once its pages are done.
out=$tmp/stack
mkdir "$tmp/in3"
printf 'II*' >"$tmp/in3/st.tif"
image "$src/st.tif" cones 90 100 9 3
watch "$tmp/in3" --watch_timeout 4
until_ "a damaged stack: named" grep -q "lipopose: .*st.tif" "$tmp/err"
cp "$src/st.tif" "$tmp/in3/st.tif"
ends "a stack that was repaired" 0
check "a stack that was repaired: counts" grep -q "^3 images: " "$tmp/out"

# An image that stays damaged fails the watch; gather names it, and what nobody did.
out=$tmp/two
rm "$in"/i[3456].mrc
head -c 3000 "$src/i3.mrc" >"$in/i3.mrc"
touch "$in/i3.mrc"
watch "$in" --watch_timeout 1 --shard 1/2
ends "shard 1/2" 1 >"$tmp/lines"
watch "$in" --watch_timeout 1 --shard 2/2
ends "shard 2/2" 1 >>"$tmp/lines"
grep -v "exit code 1" "$tmp/lines"
check "shards: the damaged one is in one" test "$(grep -c '^ok.*exit code 1' "$tmp/lines")" -eq 1
run 1 "shards: gather" gather "$out"
says "shards: gather names it" "failed: i3.mrc"
check "shards: together all" grep -q "^3 of 4 images" "$tmp/out"
rm "$out/.lipopose/i1.json"
run 1 "one that was not done" gather "$out"
says "one that was not done: named" "missing: i1"

seg 2 "a file" --watch "$src/i1.mrc"
one_line "a file: one line"
seg 2 "a folder that is not there" --watch "$tmp/nowhere"
seg 2 "bad settle" --watch --watch_settle 0 "$in"
seg 2 "bad timeout" --watch --watch_timeout -1 "$in"
finish
