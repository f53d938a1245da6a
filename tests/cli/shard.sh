# shard.sh - several runs into one folder: parts of a list, what was done before, two at once, and
# one table of all.
. tests/cli/lib.sh
in=$tmp/in
mkdir -p "$in/sub"
for i in 1 2 3 4 5 6 7 8; do image "$in/i$i.tif" cones 90 100 $i; done
image "$in/sub/i1.tif" cones 90 100 9
image "$in/stack.mrc" cones 90 100 3 3
head -c 200 "$in/i1.tif" >"$in/bad.tif"
deep="--look_one_level_down"
seg 1 "all at once" $deep --savedir "$tmp/ref" "$in"
sums "$tmp/ref" >"$tmp/ref.sums"
same() { sums "$2" | cmp - "$tmp/ref.sums" >"$tmp/diff" 2>&1; check "$1" test ! -s "$tmp/diff"; }

# Shards.
for i in 3 1 2; do seg 1 "shard $i/3" $deep --shard $i/3 --savedir "$tmp/s" "$in"; done >"$tmp/lines"
# The damaged one is in one of them only.
grep -v "not ok shard ./3: exit code 0" "$tmp/lines"
check "shards: one has the damaged image" test "$(grep -c '^ok' "$tmp/lines")" -eq 1
same "shards: together all, with the same bytes" "$tmp/s"
check "shards: each image once" sh -c "cat '$tmp'/s/.lipopose/records_*of3.jsonl '$tmp'/s/sub/.lipopose/records_*of3.jsonl | grep -o '\"file\":\"[^\"]*\",\"page\":[0-9]*' | sort | uniq -d | wc -l | grep -qx 0"
cp -rp "$in" "$tmp/moved"
for i in 1 2 3; do
    "$lp" segment --quiet --model "$model" $deep --shard $i/3 --savedir "$tmp/s_$i" "$in" 2>/dev/null
    (cd "$tmp/moved" && "$lp" segment --quiet --model "$model" $deep --shard $i/3 --savedir "$tmp/m_$i" . 2>/dev/null)
    check "shard $i/3: the same images from another place" sh -c "[ \"\$(cd '$tmp/s_$i' && find . -name '*.csv' | sort)\" = \"\$(cd '$tmp/m_$i' && find . -name '*.csv' | sort)\" ]"
done
# From the queue.
(
    export SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=14 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=3
    "$lp" segment --model "$model" $deep --savedir "$tmp/q" "$in" >"$tmp/out" 2>"$tmp/err"
    "$lp" segment --model "$model" --savedir "$tmp/q1" "$in/i1.tif" >"$tmp/out1" 2>"$tmp/err1"
    "$lp" segment --model "$model" --shard none --savedir "$tmp/q2" "$in" >"$tmp/out2" 2>"$tmp/err2"
)
says "from Slurm: said" "shard 2/3 (SLURM_ARRAY_TASK_ID): "
check "from Slurm: the images of 2/3" sh -c "[ \"\$(cd '$tmp/q' && find . -name '*.csv' | sort)\" = \"\$(cd '$tmp/s_2' && find . -name '*.csv' | sort)\" ]"
check "from Slurm: a single file is done by any task" test -s "$tmp/q1/i1_particles.csv"
check "from Slurm: --shard none does all" test "$(ls "$tmp/q2" | grep -c csv)" -eq 11
(PBS_ARRAY_INDEX=3 && export PBS_ARRAY_INDEX && "$lp" segment --model "$model" "$in" >"$tmp/out" 2>"$tmp/err")
check "from PBS: exit code 2" test $? -eq 2
says "from PBS: says what to give" '--shard $PBS_ARRAY_INDEX/N'
seg 2 "bad shard" --shard 4/3 "$in"
one_line "bad shard: one line"
seg 0 "empty shard" --shard 999999/1000000 --savedir "$tmp/none" "$in"
seg 2 "calibration has no shards" --diameters 20,30 --calibrate "$in" --shard 1/2 --savedir "$tmp/none" "$in"

# What was done before.
ran() { check "$1" grep -q "^$2 images\{0,1\}: .*; $3 done before" "$tmp/out"; }
cp -rp "$tmp/ref" "$tmp/r"
seg 1 "again" $deep --savedir "$tmp/r" "$in"
ran "again: nothing left" 0 12
seg 1 "again with --json" --json $deep --savedir "$tmp/r" "$in"
check "again with --json: a record for each" "$tool" json 12 1 <"$tmp/out"
check "again with --json: marked" test "$(grep -c '"skipped":true' "$tmp/out")" -eq 12
rm "$tmp/r/i2_overlay.png" "$tmp/r/.lipopose/i3.json"
echo '{"half' >"$tmp/r/.lipopose/i4.json"
touch "$in/i5.tif"
image "$in/i6.tif" cones 90 100 66
rm "$tmp/r/stack_p0002_cp_masks.tif"
seg 1 "after changes" $deep --savedir "$tmp/r" "$in"
ran "after changes: six again" 6 6
image "$in/i6.tif" cones 90 100 6
seg 1 "changed back" $deep --savedir "$tmp/r" "$in"
same "changed back: the same bytes" "$tmp/r"
seg 1 "other settings" $deep --min_size 20 --savedir "$tmp/r" "$in"
check "other settings: all again" grep -q "^12 images" "$tmp/out"
seg 1 "other machine" $deep --min_size 20 --threads 1 --batch_size 1 --backend cpu --savedir "$tmp/r" "$in"
ran "threads, batches and backend are no settings" 0 12
seg 1 "the same in other words" $deep --min-size=20 --diameter 30 --savedir "$tmp/r/" "$in/"
ran "the same in other words" 0 12
seg 1 "one more file of each" $deep --min_size 20 --save_star --savedir "$tmp/r" "$in"
check "one more file of each: all again" grep -q "^12 images" "$tmp/out"
"$tool" model "$tmp/other.h5" && printf x >>"$tmp/other.h5"
run 1 "other bytes of a model" segment --model "$tmp/other.h5" $deep --min_size 20 --save_star --savedir "$tmp/r" "$in"
check "other bytes of a model: all again" grep -q "^12 images" "$tmp/out"
seg 1 "--overwrite" $deep --overwrite --savedir "$tmp/ref" "$in"
check "--overwrite: all again" grep -q "^12 images" "$tmp/out"
same "--overwrite: the same bytes" "$tmp/ref"
# A clock that jumps: inputs from the future and from 1970, records too.
touch -d '2100-01-01' "$in/i1.tif"
touch -d '1970-01-01' "$in/i2.tif"
seg 1 "other times" $deep --savedir "$tmp/ref" "$in"
ran "other times: two again" 2 10
touch -d '1980-01-01' "$tmp"/ref/.lipopose/i1.json
touch -d '2099-01-01' "$tmp"/ref/.lipopose/i2.json
seg 1 "records of other times" $deep --savedir "$tmp/ref" "$in"
ran "records of other times" 0 12
# A file that could not be read, and now can; as a stack.
cp "$in/stack.mrc" "$tmp/whole.mrc"
head -c 100 "$tmp/whole.mrc" >"$in/stack.mrc"
seg 1 "a damaged stack" --savedir "$tmp/st" "$in/stack.mrc"
cp "$tmp/whole.mrc" "$in/stack.mrc"
seg 0 "the stack repaired" --savedir "$tmp/st" "$in/stack.mrc"
run 0 "the stack repaired: gather" gather "$tmp/st"
rm "$tmp/st/.lipopose/stack_p0002.json"
run 1 "a page without record" gather "$tmp/st"
says "a page without record: named" "missing: stack page 2"
seg 0 "all pages again" --savedir "$tmp/st" "$in/stack.mrc"
mv "$in/stack.mrc" "$tmp/away.mrc"
seg 1 "a stack that is away" --savedir "$tmp/st" "$in/stack.mrc"
mv "$tmp/away.mrc" "$in/stack.mrc"
seg 0 "the stack is back" --savedir "$tmp/st" "$in/stack.mrc"
run 0 "the stack is back: gather" gather "$tmp/st"
# A page that is not there says nothing of the results of those that are.
seg 0 "one image" --savedir "$tmp/page" "$in/i1.tif"
seg 1 "its second page" --savedir "$tmp/page" --page 2 "$in/i1.tif"
seg 0 "one image again" --savedir "$tmp/page" "$in/i1.tif"
ran "one image again" 0 1
# merge makes results that are not segment's.
seg 0 "many diameters" --diameters 20,25,30 --savedir "$tmp/mm" "$in/i1.tif" "$in/i2.tif"
run 0 "merge" merge --quiet --threshold 15 "$tmp/mm/i1_lipopose.h5"
run 0 "merge: gather" gather "$tmp/mm"
says "merge: gather tells of two settings" "2 different settings"
seg 0 "after merge" --diameters 20,25,30 --savedir "$tmp/mm" "$in/i1.tif" "$in/i2.tif"
ran "after merge: that one again" 1 1

# Two runs with the same images at the same time.
for i in 1 2 3; do "$lp" segment --model "$model" --json $deep --diameter 9 --savedir "$tmp/two" "$in" >"$tmp/two_$i" 2>/dev/null & done
wait
check "three at once: each image once" sh -c "cat '$tmp'/two_? | grep '\"status\":\"ok\"' | grep '\"skipped\":false' | wc -l | grep -qx 12"
for i in 1 2 3; do check "three at once: $i knows of all" "$tool" json 12 1 <"$tmp/two_$i"; done
# One that hangs while it works holds its images; killed, it gives them back.
"$lp" segment --model "$model" --quiet --threads 1 --diameter 3 --savedir "$tmp/hang" "$in/i1.tif" 2>/dev/null &
pid=$!
until_true 60 test -e "$tmp/hang/.lipopose/lock"
kill -STOP $pid
"$lp" segment --model "$model" --threads 1 --diameter 3 --savedir "$tmp/hang" "$in/i1.tif" >"$tmp/out" 2>"$tmp/err" &
pid2=$!
until_true 60 grep -q waiting "$tmp/err"
check "one that hangs: the other waits" kill -0 $pid2
kill -9 $pid
wait $pid 2>/dev/null
wait $pid2
check "one that hangs and is killed: the other does its image" test $? -eq 0
check "one that hangs and is killed: done" grep -q "^1 image" "$tmp/out"
says "one that hangs: said" "waiting for images that another process is working on"

# Neither a network nor a home is needed.
if unshare -n true 2>/dev/null; then
    (unset HOME; exec unshare -n "$lp" segment --quiet --model "$model" $deep --savedir "$tmp/alone" "$in") 2>"$tmp/err"
    check "without network and HOME: one image fails" test $? -eq 1
    same "without network and HOME: the same bytes" "$tmp/alone"
else
    skip "without network" "may not leave it"
fi

# What killed runs leave is removed by the next, other files are not.
d=$tmp/left
mkdir -p "$d/.lipopose"
for f in .i1_cp_masks.tif.123-abcdef.tmp .i1_particles.csv.1-000000.tmp .lipopose/.i1.json.77-zzzzz1.tmp; do : >"$d/$f"; done
for f in .i1_notes.txt.123-abcdef.tmp .i9_cp_masks.tif.123-abcdef.tmp .i1_cp_masks.tif.tmp .i1_cp_masks.tif.x-abcdef.tmp; do : >"$d/$f"; done
seg 0 "leftovers" --savedir "$d" "$in/i1.tif"
check "leftovers: those of the image are gone" test "$(find "$d" -name '.i1*' | wc -l)" -eq 3
check "leftovers: others stay" test "$(find "$d" -name '*.tmp' | wc -l)" -eq 4

# Those of a folder below are another image's.
mkdir -p "$tmp/in2/sub" "$d/sub/.lipopose"
rm -f "$d/.lipopose/i1.json"; cp "$in/i1.tif" "$tmp/in2"
cp "$in/i2.tif" "$tmp/in2/sub"
: >"$d/sub/.lipopose/.i1.json.77-zzzzz1.tmp"
seg 0 "leftovers of another folder" $deep --savedir "$d" "$tmp/in2"
check "leftovers of another folder stay" test -e "$d/sub/.lipopose/.i1.json.77-zzzzz1.tmp"

# Another folder's image of the same name.
mkdir "$tmp/other" "$tmp/owned"
cp "$in/i1.tif" "$tmp/other/i1.tif"
seg 0 "the first folder" --savedir "$tmp/owned" "$in/i1.tif"
sums "$tmp/owned" >"$tmp/before"
seg 1 "another folder's image" --savedir "$tmp/owned" "$tmp/other/i1.tif"
says "another folder's image: says whose results they are" "replace those of $in/i1.tif"
sums "$tmp/owned" >"$tmp/after"
check "another folder's image: nothing is replaced" cmp "$tmp/before" "$tmp/after"
seg 0 "another folder's image, --overwrite" --overwrite --savedir "$tmp/owned" "$tmp/other/i1.tif"
seg 1 "and back" --savedir "$tmp/owned" "$in/i1.tif"
rm -r "$tmp/other"
seg 0 "a folder that moved" --savedir "$tmp/owned" "$in/i1.tif"

# gather.
run 1 "gather" gather "$tmp/two"
says "gather: the failed one" "failed: bad.tif: "
one_line "gather: nothing else"
check "gather: folders too" grep -q '^sub/i1.tif,1,1,' "$tmp/two/lipopose_gathered.csv"
check "gather: pages" grep -q '^stack.mrc,3,1,' "$tmp/two/lipopose_gathered.csv"
check "gather: all rows" sh -c "[ \$(wc -l <'$tmp/two/lipopose_gathered.csv') -eq \$(( \$(cat '$tmp'/two/*_particles.csv '$tmp'/two/sub/*_particles.csv | wc -l) - 12 + 1)) ]"
cp "$tmp/two/lipopose_gathered.json" "$tmp/first.json"
run 1 "gather again" gather --quiet --savedir "$tmp/g" "$tmp/two/"
check "gather again: the same" cmp "$tmp/first.json" "$tmp/g/lipopose_gathered.json"
check "gather --quiet: no summary" test ! -s "$tmp/out"
rm "$in/bad.tif" "$tmp/two/.lipopose/bad.json" "$tmp"/two/.lipopose/inputs_*
run 0 "gather: all is there" gather "$tmp/two"
check "gather: all is there: nothing said" test ! -s "$tmp/err"
rm "$tmp/two/i1_cp_masks.tif" "$tmp/two/.lipopose/i2.json" "$tmp/two/.lipopose/i3.json" "$tmp/two/i3_particles.csv"
echo "id,other" >"$tmp/two/i4_particles.csv"
seg 0 "another shard's list" --shard 999999/1000000 --savedir "$tmp/two" "$in"
run 1 "gather: damages" gather "$tmp/two"
says "gather: a result is gone" "not joined: i1.tif: some of its results are gone"
says "gather: no record" "missing: i2"
says "gather: a table without record" "not joined: i2: has a table, but no finished run's record"
says "gather: nothing of it" "missing: i3"
says "gather: other columns" "not joined: i4.tif: its table has other columns"
check "gather: what is left" grep -q "^8 of 12 images" "$tmp/out"
run 2 "gather: no results" gather "$in"
run 1 "gather: no folder" gather "$tmp/nowhere"
run 2 "gather: which folder" gather
run 2 "gather: two folders" gather "$tmp/two" "$tmp/ref"
no_leftovers "no temporary files" "$tmp/two" "$tmp/ref" "$tmp/r"
finish
