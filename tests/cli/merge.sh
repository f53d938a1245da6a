# merge.sh - many diameters, and merging a saved run again.
. tests/cli/lib.sh
image "$tmp/a.png" cones 150 160 1
image "$tmp/b.tif" cones 100 120 2 2

for d in "" 20:150 0:100:5 150:20:5 20:150:0 20:150:x1 nan,30 1:500:1 -5,30; do
    seg 2 "--diameters '$d'" --diameters="$d" "$tmp/a.png"
    one_line "--diameters '$d': one line"
done
seg 2 "--diameter and --diameters" --diameter 30 --diameters 20,30 "$tmp/a.png"
for o in "--threshold 1" "--merge votes" "--levels 2,1"; do
    seg 2 "$o without --diameters" $o "$tmp/a.png"
    says "$o without --diameters: said" "goes with --diameters"
done
seg 2 "--merge unknown" --diameters 20,30 --merge best "$tmp/a.png"
seg 2 "--threshold negative" --diameters 20,30 --threshold -1 "$tmp/a.png"
for o in "--threshold 20.1" "--threshold 1000" "--levels 30,25" "--merge scale --threshold 21"; do
    seg 2 "segment $o" --diameters 20,30 $o "$tmp/a.png"
    one_line "segment $o: one line"
    says "segment $o: said" "from 0 to 20"
    for c in "merge x_lipopose.h5" "view x_lipopose.h5" "eval --truth $tmp --pred $tmp"; do
        run 2 "${c%% *} $o" $c $o
        one_line "${c%% *} $o: one line"
        says "${c%% *} $o: said" "from 0 to 20"
    done
done
seg 2 "--levels rising" --diameters 20,30 --levels 1,2 "$tmp/a.png"
seg 1 "a diameter too small" --quiet --diameters 0.001,30 --savedir "$tmp/small" "$tmp/a.png"
one_line "a diameter too small: one line"
says "a diameter too small: a minimum" "the smallest possible is"
seg 1 "a diameter too large" --quiet --diameters 30,90000 --savedir "$tmp/small" "$tmp/a.png"
says "a diameter too large: which" "at diameter 90000"

seg 0 "three methods: scale" --diameters 20:45:x1.2 --savedir "$tmp/o" "$tmp/a.png" "$tmp/b.tif"
check "masks, table, picture and run of each page" sh -c "cd '$tmp/o' && ls a_cp_masks.tif a_overlay.png a_particles.csv a_lipopose.h5 b_p0001_lipopose.h5 b_p0002_particles.csv"
check "the columns of merging" sh -c "head -1 '$tmp/o/a_particles.csv' | grep -q 'support,n_diameters,diameter_min_px,diameter_max_px,level'"
check "every result can be read" "$tool" intact "$tmp/o"
for m in votes affinity; do
    seg 0 "three methods: $m" --diameters 20:45:x1.2 --merge $m --flow_threshold 0.8 --cellprob_threshold -1 --savedir "$tmp/$m" "$tmp/a.png"
    run 0 "merge --merge $m" merge --merge $m --savedir "$tmp/again_$m" "$tmp/o/a_lipopose.h5"
    for f in a_cp_masks.tif a_particles.csv a_overlay.png; do
        check "merge --merge $m: $f is segment's" cmp "$tmp/$m/$f" "$tmp/again_$m/$f"
    done
done
seg 0 "votes have Cellpose's masks" --diameters 20:45:x1.2 --merge votes --savedir "$tmp/strict" "$tmp/a.png"
seg 0 "votes have Cellpose's masks: named" --diameters 20:45:x1.2 --merge votes --flow_threshold 0.4 --cellprob_threshold 0 --savedir "$tmp/named" "$tmp/a.png"
check "votes have Cellpose's masks: the same" cmp "$tmp/strict/a_cp_masks.tif" "$tmp/named/a_cp_masks.tif"
check "votes have Cellpose's masks: not those of scale" sh -c "! cmp -s '$tmp/strict/a_cp_masks.tif' '$tmp/votes/a_cp_masks.tif'"
seg 0 "other order, other threads" --diameters "$(echo 20 24 28.8 34.56 41.472 | awk '{ print $5","$2","$1","$4","$3 }')" \
    --threads 1 --savedir "$tmp/order" "$tmp/a.png"
check "other order, other threads: same masks" cmp "$tmp/o/a_cp_masks.tif" "$tmp/order/a_cp_masks.tif"

cp -r "$tmp/o" "$tmp/o2"
run 0 "merge beside the run" merge --threshold 0.3 "$tmp/o2/a_lipopose.h5" "$tmp/o2/b_p0002_lipopose.h5"
check "merge beside the run: says what it wrote" grep -qF "results: $tmp/o2/a_cp_masks.tif, _overlay.png, _particles.csv" "$tmp/out"
run 0 "merge --no_overlay" merge --no_overlay --save_star --savedir "$tmp/no" "$tmp/o/a_lipopose.h5"
check "merge --no_overlay: says what it wrote" grep -qx "[^:]*: [0-9]* particles; results: $tmp/no/a_cp_masks.tif, _autopick.star, _particles.csv" "$tmp/out"
run 0 "merge with the default gives segment's" merge "$tmp/o2/a_lipopose.h5" "$tmp/o2/b_p0002_lipopose.h5"
check "merge with the default gives segment's: all files" diff -r -x .lipopose "$tmp/o" "$tmp/o2"
n0=$("$tool" labels "$tmp/o/a_cp_masks.tif")
check "it found something" test "$n0" -gt 3
run 0 "merge with a high threshold" merge --threshold 20 --savedir "$tmp/none" "$tmp/o/a_lipopose.h5"
check "merge with a high threshold: nothing" test "$("$tool" labels "$tmp/none/a_cp_masks.tif")" -eq 0
run 0 "merge by votes with a high threshold" merge --merge votes --threshold 1000 --savedir "$tmp/none" "$tmp/o/a_lipopose.h5"
mv "$tmp/a.png" "$tmp/moved.png"
run 0 "the image has moved" merge --savedir "$tmp/moved" "$tmp/o/a_lipopose.h5"
says "the image has moved: said" "give --image FILE"
check "the image has moved: same masks" cmp "$tmp/o/a_cp_masks.tif" "$tmp/moved/a_cp_masks.tif"
check "the image has moved: no picture" test ! -e "$tmp/moved/a_overlay.png"
run 0 "--image" merge --image "$tmp/moved.png" --savedir "$tmp/moved2" "$tmp/o/a_lipopose.h5"
check "--image: same picture" cmp "$tmp/o/a_overlay.png" "$tmp/moved2/a_overlay.png"

run 2 "merge without files" merge
one_line "merge without files: one line"
run 2 "merge: unknown method" merge --merge best "$tmp/o/a_lipopose.h5"
run 2 "merge: outline of 1" merge --outline 1 "$tmp/o/a_lipopose.h5"
run 0 "merge: larger outlines" merge --outline 0 --savedir "$tmp/outer" "$tmp/o/a_lipopose.h5"
run 2 "merge: threshold nan" merge --threshold nan "$tmp/o/a_lipopose.h5"
run 1 "merge: no such file" merge "$tmp/none.h5"
one_line "merge: no such file: one line"
run 1 "merge: an image" merge "$tmp/moved.png"
one_line "merge: an image: one line"
run 1 "merge: a model" merge "$model"
one_line "merge: a model: one line"
seg 0 "a run at one diameter" --save_h5 --savedir "$tmp/one" "$tmp/moved.png"
run 1 "merge: a run at one diameter" merge "$tmp/one/moved_lipopose.h5"
says "merge: a run at one diameter: advice" "segment with --diameters"
run 1 "merge: one bad file, one good" merge --quiet --savedir "$tmp/two" "$model" "$tmp/o/a_lipopose.h5"
check "merge: the good one is done" cmp "$tmp/o/a_cp_masks.tif" "$tmp/two/a_cp_masks.tif"
no_leftovers "no temporary files" "$tmp/o" "$tmp/o2" "$tmp/two"
finish
