# stale.sh - a run leaves nothing beside its results that is an older run's, and touches nothing else.
. tests/cli/lib.sh
image "$tmp/a.png" cones 120 130 1
image "$tmp/b.png" cones 120 130 2
# What other programs and people have there.
theirs() {
    mkdir -p "$1"
    printf '1\t2\t30\t30\n' >"$1/a.box"
    printf 'image_name\tx_coord\ty_coord\tscore\nother\t1\t2\t1\n' >"$1/a_topaz.txt"
    for f in a_notes.txt a.eman a_cp_masks.npy a_lipopose.h5.bak a2_lipopose.h5 a_seg.npy x_rois.zip b_cp_masks.tif; do echo "$f" >"$1/$f"; done
}
all="--save_png --save_outlines --save_txt --save_rois --save_geojson --save_star --save_box --save_cbox --save_topaz"
usual="a_cp_masks.tif a_overlay.png a_particles.csv"
# has NAME DIR FILES: exactly these, beside the records.
has() { check "$1" test "$(ls -A "$2" | grep -v '^\.lipopose$' | LC_ALL=C sort | tr '\n' ' ')" = "$(printf '%s\n' $3 | LC_ALL=C sort | tr '\n' ' ')"; }

seg 0 "all kinds" $all --save_flows --save_h5 --savedir "$tmp/o" "$tmp/a.png"
check "all kinds: nothing to remove" sh -c "! grep -q 'older run' '$tmp/err'"
seg 0 "all kinds again" $all --save_flows --save_h5 --savedir "$tmp/o" "$tmp/a.png"
check "all kinds again: nothing to remove" sh -c "! grep -q 'older run' '$tmp/err'"
check "all kinds: 15 files" test "$(ls "$tmp/o" | wc -l)" -eq 15
cp -rp "$tmp/o" "$tmp/p"
seg 0 "one diameter over all kinds" --diameter 25 --savedir "$tmp/o" "$tmp/a.png"
check "one diameter over all kinds: the saved run goes" test ! -e "$tmp/o/a_lipopose.h5"
check "one diameter over all kinds: the others stay" test "$(ls "$tmp/o" | wc -l)" -eq 14
says "one diameter over all kinds: said" "$tmp/o/a: removed what an older run left: _lipopose.h5; from before, not of this run: _cp_masks.png, "
seg 0 "quiet" --quiet --diameter 25 --no_overlay --savedir "$tmp/p" "$tmp/a.png"
check "quiet: nothing said" test ! -s "$tmp/err"
check "quiet: the saved run and the overlay go" test ! -e "$tmp/p/a_lipopose.h5" -a ! -e "$tmp/p/a_overlay.png"

# Other options of coordinates: boxes of odd size, y turned, many diameters.
seg 0 "many diameters" --diameters 20,25,30 --threshold 1 $all --box_size 33 --flip_y --savedir "$tmp/m" "$tmp/a.png" "$tmp/b.png"
run 0 "view" view --quiet "$tmp/m/a_lipopose.h5"
cp -rp "$tmp/m" "$tmp/m2"
cp -rp "$tmp/m" "$tmp/m3"
run 0 "merge" merge --threshold 15 --save_star "$tmp/m/a_lipopose.h5"
says "merge: said" "from before, not of this run: _cp_masks.png"
check "merge: keeps the run, its page and the other image" sh -c "cd '$tmp/m' && cmp a_lipopose.h5 ../m2/a_lipopose.h5 && cmp a_view.html ../m2/a_view.html && for f in b*; do cmp \$f ../m2/\$f || exit 1; done"
mv "$tmp/a.png" "$tmp/moved.png"
run 0 "merge without the image" merge "$tmp/m/a_lipopose.h5"
check "merge without the image: no older picture" test ! -e "$tmp/m/a_overlay.png" -a -e "$tmp/m/a_view.html"
mv "$tmp/moved.png" "$tmp/a.png"
# Into a folder with an older run of the image.
cp "$tmp/m2/a_lipopose.h5" "$tmp/m3/copy.h5"
run 0 "merge beside a copy" merge --savedir "$tmp/m3" "$tmp/m2/a_lipopose.h5"
check "merge beside a copy: it stays" cmp "$tmp/m3/copy.h5" "$tmp/m3/a_lipopose.h5"
cp "$tmp/m2/b_lipopose.h5" "$tmp/m3/a_lipopose.h5"
run 0 "merge beside another run" merge --savedir "$tmp/m3" "$tmp/m2/a_lipopose.h5"
check "merge beside another run: it goes, with its page" test ! -e "$tmp/m3/a_lipopose.h5" -a ! -e "$tmp/m3/a_view.html"
seg 0 "one diameter over many" --savedir "$tmp/m2" "$tmp/a.png"
check "one diameter over many: neither run nor page" test ! -e "$tmp/m2/a_lipopose.h5" -a ! -e "$tmp/m2/a_view.html"
rm "$tmp"/m2/b*
mkdir "$tmp/truth"
cp "$tmp/m2/a_cp_masks.tif" "$tmp/truth/a.tif"
run 0 "eval" eval --truth "$tmp/truth" --pred "$tmp/m2"
check "eval: no older run is swept" sh -c "! grep -q 'best F1' '$tmp/out'"

# Files of others, with and without an older run.
theirs "$tmp/t"
cp -rp "$tmp/t" "$tmp/t0"
for i in 1 2; do
    seg 0 "among other files, $i" --save_star --savedir "$tmp/t" "$tmp/a.png"
    check "among other files, $i: nothing of theirs is touched" sh -c "cd '$tmp/t0' && for f in *; do cmp \$f ../t/\$f || exit 1; done"
done

# Calibration: labels in the folder of the results are read before anything goes.
seg 0 "labels" --save_star --savedir "$tmp/cal" "$tmp/a.png" "$tmp/b.png"
seg 0 "calibrate over the labels" --diameters 20,25,30 --calibrate "$tmp/cal" --savedir "$tmp/cal" "$tmp/a.png" "$tmp/b.png"
has "calibrate over the labels: its files" "$tmp/cal" "$usual a_autopick.star b_autopick.star a_lipopose.h5 b_lipopose.h5 lipopose_settings.json $(echo $usual | sed 's/a_/b_/g')"
# A run that fails removes nothing.
seg 0 "before a failure" $all --savedir "$tmp/f" "$tmp/a.png"
rm "$tmp/f/a_particles.csv"
mkdir "$tmp/f/a_particles.csv"
ls "$tmp/f" >"$tmp/before"
seg 1 "a failure" --diameter 25 --savedir "$tmp/f" "$tmp/a.png"
check "a failure: nothing is removed" sh -c "ls '$tmp/f' | cmp - '$tmp/before'"
no_leftovers "no temporary files" "$tmp"
finish
