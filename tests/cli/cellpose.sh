# cellpose.sh - command lines as they are written for `cellpose`: no sub-command, Cellpose's defaults.
. tests/cli/lib.sh
mkdir "$tmp/in"
image "$tmp/in/a.tif" cones 60 70 1
image "$tmp/in/empty.tif" flat 50 40 2
image "$tmp/stack.tif" cones 60 70 3 3
echo "no image" >"$tmp/in/bad.tif"

# Everything at once: one bad file, one without particles.
run 1 "cellpose's command line" --dir "$tmp/in" --pretrained_model "$model" --diameter 30. --chan 0 --chan2 0 \
    --save_tif --save_png --save_txt --save_outlines --save_flows --save_rois --verbose --use_gpu --savedir "$tmp/out1"
says "one bad file: named" "bad.tif"
for x in a empty; do
    for e in _cp_masks.tif _cp_masks.png _cp_outlines.txt _outlines_cp_masks.png _flows_cp_masks.tif _dP_cp_masks.tif \
        _rois.zip _seg.npy _particles.csv _overlay.png; do
        check "$x$e is in savedir" test -e "$tmp/out1/$x$e"
    done
done
check "nothing beside the images" test "$(ls -A "$tmp/in" | tr '\n' ' ')" = "a.tif bad.tif empty.tif "
check "without particles: no outlines as text" test ! -s "$tmp/out1/empty_cp_outlines.txt"
check "_seg.npy: 23 bytes per pixel and the rest" test "$(($(wc -c <"$tmp/out1/a_seg.npy") - 23 * 60 * 70))" -lt 3000
check "_seg.npy is numpy's" sh -c "head -c 200 '$tmp/out1/a_seg.npy' | grep -qa NUMPY"
check "_seg.npy names the image" grep -qaF "$tmp/in/a.tif" "$tmp/out1/a_seg.npy"

# _seg.npy: by default here, only when asked for in segment.
rm "$tmp/in/bad.tif"
run 0 "--no_npy" --dir "$tmp/in" --pretrained_model "$model" --diameter 30 --no_npy --savedir "$tmp/out2"
check "--no_npy: none" sh -c "! ls '$tmp'/out2/*.npy"
check "masks without an option for them" test -s "$tmp/out2/a_cp_masks.tif"
run 0 "without --no_npy again" --dir "$tmp/in" --pretrained_model "$model" --diameter 30 --savedir "$tmp/out2"
check "an output asked for later is written" cmp "$tmp/out1/a_seg.npy" "$tmp/out2/a_seg.npy"
seg 0 "segment" --savedir "$tmp/out3" "$tmp/in"
check "segment: no _seg.npy" sh -c "! ls '$tmp'/out3/*.npy"
seg 0 "segment --save_npy" --save_npy --savedir "$tmp/out3" "$tmp/in"
check "segment --save_npy: the same" cmp "$tmp/out1/a_seg.npy" "$tmp/out3/a_seg.npy"
seg 0 "segment --save_npy, done" --save_npy --savedir "$tmp/out3" "$tmp/in"
check "segment --save_npy, done: nothing is computed" sh -c "! grep -q '^\[' '$tmp/err'"
seg 0 "segment --save_npy of many diameters" --diameters 20,30 --save_npy --savedir "$tmp/out4" "$tmp/in/a.tif"
check "many diameters: no flows" sh -c "test -s '$tmp/out4/a_seg.npy' && ! grep -qa flows '$tmp/out4/a_seg.npy'"

# --diameter 0 of a model that cannot estimate it.
run 0 "--diameter 0" --dir "$tmp/in" --pretrained_model "$model" --diameter 0 --no_npy --savedir "$tmp/out5"
says "--diameter 0: said" "no size model to estimate diameters: 30 px"
check "--diameter 0: the training's" cmp "$tmp/out5/a_cp_masks.tif" "$tmp/out1/a_cp_masks.tif"
seg 2 "segment --diameter 0" --diameter 0 --savedir "$tmp/out5" "$tmp/in/a.tif"

# nf-core's module: in the task's folder, the image a link, no savedir; then the version.
mkdir "$tmp/task" && cd "$tmp/task" || exit 1
ln -s ../stack.tif image.ome.tif
(
    unset HOME
    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 exec "$lp" --image_path image.ome.tif --save_tif --pretrained_model "$model" \
        --diameter 30 --channel_axis 0 --no_npy --save_flows
) 2>"$tmp/err"
check "nf-core's command line" test $? -eq 0
cd "$root" || exit 1
check "nf-core's command line: masks and flows of one image" test -s "$tmp/task/image.ome_cp_masks.tif" -a -s "$tmp/task/image.ome_flows_cp_masks.tif"
check "nf-core's command line: no pages" sh -c "! ls '$tmp'/task/*_p0001*"
check "nf-core's version" sh -c "'$lp' --version | awk 'NR==2 {print \$3}' | grep -qxE '[0-9]+[.][0-9]+[.][0-9]+'"
run 0 "--channel_axis 0 --chan 2" --image_path "$tmp/stack.tif" --pretrained_model "$model" --channel_axis 0 --chan 2 --no_npy --savedir "$tmp/out6"
seg 0 "page 2" --page 2 --savedir "$tmp/out7" "$tmp/stack.tif"
check "--channel_axis 0 --chan 2 is page 2" cmp "$tmp/out6/stack_cp_masks.tif" "$tmp/out7/stack_p0002_cp_masks.tif"
run 1 "--chan beyond the pages" --image_path "$tmp/stack.tif" --pretrained_model "$model" --channel_axis 0 --chan 4 --savedir "$tmp/out8"
says "--chan beyond the pages: said" "the image has 3 channels"
run 0 "--channel_axis 0 of one page" --image_path "$tmp/in/a.tif" --pretrained_model "$model" --diameter 30 --channel_axis 0 --savedir "$tmp/out9"
check "--channel_axis 0 of one page: no effect" cmp "$tmp/out9/a_seg.npy" "$tmp/out1/a_seg.npy"
run 0 "--z_axis 0" --image_path "$tmp/stack.tif" --pretrained_model "$model" --z_axis 0 --savedir "$tmp/out10"
check "--z_axis 0: sections one by one" test -s "$tmp/out10/stack_p0003_seg.npy"
for o in "--channel_axis 1" "--channel_axis 0 --page 1" "--channel_axis 0 --z_axis 0" "--z_axis 2" \
    "--channel_axis 0 --diameters 20,30"; do
    run 2 "$o" --image_path "$tmp/stack.tif" --pretrained_model "$model" $o --savedir "$tmp/out11"
    one_line "$o: one line"
done

# A wrong model is an error, never another model.
run 3 "model that is not there" --dir "$tmp/in" --pretrained_model "$tmp/none" --savedir "$tmp/out12"
one_line "model that is not there: one line"
check "model that is not there: nothing is made" test ! -e "$tmp/out12"

# No HOME is needed, and nothing is written there.
mkdir "$tmp/home"
HOME=$tmp/home "$lp" --dir "$tmp/in" --pretrained_model "$model" --savedir "$tmp/out13" >"$tmp/out" 2>"$tmp/err"
check "HOME: exit code 0" test $? -eq 0
check "HOME: nothing is written there" test -z "$(ls -A "$tmp/home")"
finish
