# many.sh - mixed images of odd kinds, some damaged: bench/many.sh with few of them.
. tests/cli/lib.sh
export TMPDIR="$tmp"
sh bench/many.sh 220 20 >"$tmp/many" 2>&1
check "the damaged ones are named, all others done" test $? -eq 0
grep WRONG "$tmp/many" | while read -r line; do bad "many" "$line"; done
check "so many" grep -q "^220 files, 11 damaged" "$tmp/many"
check "memory is reported" grep -qE "peak memory: [0-9.]+ MiB at the 200th image, [0-9.]+ MiB at the last" "$tmp/many"
check "nothing is left" sh -c "! ls -d '$tmp'/lipopose-many-* 2>/dev/null | grep ."
# Damaged files that come first do not tell how many can be worked on at a time.
mkdir "$tmp/first"
for i in 1 2 3 4 5; do echo "not an image" >"$tmp/first/a$i.tif"; done
for i in 1 2 3; do image "$tmp/first/b$i.tif" cones 60 70 $i; done
seg 1 "damaged ones first" --threads 2 --savedir "$tmp/first_out" "$tmp/first"
says "damaged ones first: still two at a time" "2 images at a time"
finish
