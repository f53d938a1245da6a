# calibrate.sh - thresholds of saved runs: judged by eval, chosen by segment --calibrate, used by
# --settings.
. tests/cli/lib.sh

mkdir "$tmp/im" "$tmp/t"
for i in 1 2 3; do image "$tmp/im/m$i.png" cones 90 100 $i; done
seg 0 "truth" --savedir "$tmp/s" "$tmp/im"
for i in 1 2 3; do cp "$tmp/s/m${i}_cp_masks.tif" "$tmp/t/m${i}_labels.tif"; done
diameters=22,26,30,34,40
seg 0 "runs" --diameters $diameters --threshold 2 --savedir "$tmp/o" "$tmp/im"

# eval: where the masks were written, the sweep has their numbers.
ev() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" eval --truth "$tmp/t" "$@"
}
# Columns of a CSV, by name, of the rows that awk's condition takes.
columns() { awk -F, -v want="$2" "NR == 1 { n = split(want, w, \" \"); for (i = 1; i <= NF; i++) at[\$i] = i; next } $3 { for (i = 1; i <= n; i++) printf \"%s \", \$at[w[i]]; print \"\" }" "$1"; }
sum() { awk '{ for (i = 1; i <= NF; i++) s[i] += $i } END { for (i = 1; i <= NF; i++) printf "%s ", s[i]; print "" }'; }
for m in scale votes; do
    for th in 0 0.7 2 4.5; do
        run 0 "merge $m $th" merge --quiet --merge $m --threshold $th --no_overlay --savedir "$tmp/$m$th" "$tmp"/o/m*.h5
        for i in 1 2 3; do cp "$tmp/o/m${i}_lipopose.h5" "$tmp/$m$th/"; done
        ev 0 "eval $m $th" --pred "$tmp/$m$th" --merge $m --csv "$tmp/i.csv" --sweep_csv "$tmp/s.csv" --json "$tmp/e.json"
        columns "$tmp/i.csv" "n_true n_pred tp50 tp75 tp90" 1 | sum >"$tmp/a"
        columns "$tmp/s.csv" "n_true n_pred tp50 tp75 tp90" '$1 == "threshold" && $3 <= '$th' + 0' | tail -n 1 >"$tmp/b"
        # Votes between two levels are those of the higher one.
        [ $m = votes ] && columns "$tmp/s.csv" "n_true n_pred tp50 tp75 tp90" '$1 == "threshold" && $3 >= '$th' + 0' | head -n 1 >"$tmp/b"
        check "eval $m $th: the sweep has the masks' counts" cmp "$tmp/a" "$tmp/b"
        awk -F'\t' '/"mean_over_images"/ { on = 1 } on && /"ap(50|75|90|_mean)"/ { printf "%.6f ", $NF } on && /"ap_mean"/ { print ""; exit }' "$tmp/e.json" >"$tmp/c"
        [ $m = scale ] && columns "$tmp/s.csv" "mean_ap50 mean_ap75 mean_ap90 mean_ap_mean" '$1 == "threshold" && $3 <= '$th' + 0' | tail -n 1 | awk '{ for (i = 1; i <= NF; i++) printf "%.6f ", $i; print "" }' >"$tmp/d"
        [ $m = scale ] && check "eval $m $th: and their mean over images" cmp "$tmp/c" "$tmp/d"
        check "eval $m $th: the masks are known as merged" grep -qE '"masks_threshold":	[0-9]' "$tmp/e.json"
    done
done
ev 0 "masks of another method" --pred "$tmp/votes0" --json "$tmp/e.json"
check "masks of another method: at no threshold" grep -q '"masks_threshold":	null' "$tmp/e.json"

# Runs without masks, one run, another threshold than the masks'.
mkdir "$tmp/runs"
cp "$tmp"/o/m*.h5 "$tmp/runs"
ev 0 "runs alone" --pred "$tmp/runs" --csv "$tmp/r.csv" --report "$tmp/r.html" --images "$tmp/im"
ev 0 "runs alone: as merged" --pred "$tmp/scale0.7" --csv "$tmp/i.csv" --report "$tmp/i.html" --images "$tmp/im"
check "runs alone: as merged at the default" cmp "$tmp/r.csv" "$tmp/i.csv"
check "runs alone: pictures" test "$(grep -c 'data:image/png;base64' "$tmp/r.html")" -eq 3
ev 0 "--threshold" --pred "$tmp/scale0" --threshold 4.5 --csv "$tmp/r.csv"
ev 0 "--threshold: as merged" --pred "$tmp/scale4.5" --csv "$tmp/i.csv"
check "--threshold: as merged there" cmp "$tmp/r.csv" "$tmp/i.csv"
run 0 "one run" eval --truth "$tmp/t/m1_labels.tif" --pred "$tmp/o/m1_lipopose.h5"
check "one run: words" grep -q "best F1" "$tmp/out"
ev 0 "not plain" --pred "$tmp/o"
check "not plain: the references are not called Cellpose" sh -c "! grep -q 'plain Cellpose' '$tmp/out'"
seg 0 "plain" --diameters $diameters --cellprob_threshold 0 --savedir "$tmp/plain" "$tmp/im"
ev 0 "plain" --pred "$tmp/plain"
check "plain: the references are Cellpose" grep -q "^plain Cellpose  *diameter$" "$tmp/out"
check "plain: the masks' row" grep -qE "^  these masks +[0-9.]+ " "$tmp/out"
ev 0 "--no_sweep" --pred "$tmp/o" --no_sweep
check "--no_sweep: no thresholds" sh -c "! grep -q threshold '$tmp/out'"
ev 0 "levels" --pred "$tmp/o" --merge votes
check "levels: the table's head" grep -qE "^thresholds on levels, IoU 0.50 +threshold +precision " "$tmp/out"
ev 0 "sweep on stdout" --pred "$tmp/o" --sweep_csv -
check "sweep on stdout: nothing else" test "$(head -c 5 "$tmp/out")" = kind,
check "sweep on stdout: 35 columns" test "$(awk -F, '{ print NF }' "$tmp/out" | sort -u)" = 35
check "sweep on stdout: 201 thresholds, 5 diameters" test "$(grep -c '^threshold,' "$tmp/out") $(grep -c '^diameter,' "$tmp/out")" = "201 5"
for n in 1 2; do ev 0 "$n threads" --pred "$tmp/o" --threads $n --json "$tmp/j$n.json" --report "$tmp/j$n.html"; done
check "1 and 2 threads: same JSON" cmp "$tmp/j1.json" "$tmp/j2.json"
check "1 and 2 threads: same report" cmp "$tmp/j1.html" "$tmp/j2.html"
seg 0 "lax" --diameters $diameters --flow_threshold 0 --cellprob_threshold -1 --savedir "$tmp/lax" "$tmp/im"
ev 0 "lax" --pred "$tmp/lax"
check "lax: not called Cellpose" grep -q "^one diameter, flow_threshold 0, cellprob_threshold -1 " "$tmp/out"
# A single diameter of the run is what segment finds there.
seg 0 "one diameter" --diameter 34 --savedir "$tmp/d34" "$tmp/im"
ev 0 "one diameter" --pred "$tmp/d34" --csv "$tmp/i.csv"
columns "$tmp/i.csv" "n_true n_pred tp50 tp75 tp90" 1 | sum >"$tmp/a"
ev 0 "its run" --pred "$tmp/o" --sweep_csv "$tmp/s.csv"
columns "$tmp/s.csv" "n_true n_pred tp50 tp75 tp90" '$1 == "diameter" && $4 == 34' >"$tmp/b"
check "one diameter: its counts" cmp "$tmp/a" "$tmp/b"

ev 2 "--sweep_csv without runs" --pred "$tmp/s" --sweep_csv "$tmp/x.csv"
one_line "--sweep_csv without runs: one line"
ev 2 "--threshold without runs" --pred "$tmp/s" --threshold 1
says "--threshold without runs: said" "has no saved run"
ev 2 "--merge unknown" --pred "$tmp/o" --merge best
ev 2 "--levels rising" --pred "$tmp/o" --merge votes --levels 1,2
ev 2 "--sweep_csv with --no_sweep" --pred "$tmp/o" --no_sweep --sweep_csv -
mkdir "$tmp/two"
cp "$tmp"/o/m[13]_* "$tmp/two"
ev 0 "--missing zero" --pred "$tmp/two" --missing zero --csv "$tmp/i.csv" --sweep_csv "$tmp/s.csv"
columns "$tmp/i.csv" "n_true n_pred tp50 tp75 tp90" 1 | sum >"$tmp/a"
columns "$tmp/s.csv" "n_true n_pred tp50 tp75 tp90" '$1 == "threshold" && $3 == 2' >"$tmp/b"
check "--missing zero: its particles are missed at every threshold" cmp "$tmp/a" "$tmp/b"
check "--missing zero: and at every diameter" test "$(grep -c '^diameter,' "$tmp/s.csv")" -eq 5
cp -r "$tmp/o" "$tmp/part"
rm "$tmp/part/m2_lipopose.h5"
ev 0 "a run is missing" --pred "$tmp/part"
says "a run is missing: said" "m2 has no saved run"
head -c 3000 "$tmp/o/m2_lipopose.h5" >"$tmp/part/m2_lipopose.h5"
ev 1 "a run is damaged" --pred "$tmp/part" --json "$tmp/e.json" --sweep_csv "$tmp/s.csv" --report "$tmp/e.html"
one_line "a run is damaged: one line"
says "a run is damaged: said" "m2_lipopose.h5"
out="  1 saved run cannot be used: thresholds are those of the other 2"
check "a run is damaged: in the table" grep -qxF "$out" "$tmp/out"
check "a run is damaged: masks of all are judged" grep -q "^3 images, " "$tmp/out"
check "a run is damaged: the masks are at no threshold" sh -c "! grep -q 'these masks' '$tmp/out'"
check "a run is damaged: in the JSON" grep -q '"n_runs_failed":	1' "$tmp/e.json"
check "a run is damaged: in the report" grep -q "cannot be used.*<br>.*m2_lipopose.h5" "$tmp/e.html"
mkdir "$tmp/t13"
cp "$tmp"/t/m[13]_* "$tmp/t13"
run 0 "the others" eval --truth "$tmp/t13" --pred "$tmp/two" --sweep_csv "$tmp/s13.csv"
check "a run is damaged: the sweep is that of the others" cmp "$tmp/s.csv" "$tmp/s13.csv"
for i in 1 3; do head -c 3000 "$tmp/o/m${i}_lipopose.h5" >"$tmp/part/m${i}_lipopose.h5"; done
ev 1 "all runs are damaged" --pred "$tmp/part"
for i in 1 2 3; do says "all runs are damaged: m$i is named" "m${i}_lipopose.h5"; done
check "all runs are damaged: no thresholds" sh -c "! grep -q 'best F1' '$tmp/out'"

# Runs whose diameters differ, as auto's: the nearest of each image.
cp -r "$tmp/o" "$tmp/differ"
seg 0 "other diameters" --quiet --diameters 10,60 --savedir "$tmp/differ" "$tmp/im/m2.png"
ev 0 "other diameters" --pred "$tmp/differ" --report "$tmp/differ.html" --json "$tmp/e.json" --sweep_csv "$tmp/s.csv"
for s in small median large; do
    check "other diameters: $s is of each image" grep -qE "^  $s \(.*px\) \* +- +[01]\." "$tmp/out"
    check "other diameters: $s has no one diameter in the CSV" grep -q "^reference,$s,,,[1-9]" "$tmp/s.csv"
done
check "other diameters: said in the table" grep -qF "  * the images share no diameter near this size" "$tmp/out"
check "other diameters: said in the report" grep -qF "* the images share no diameter near this size" "$tmp/differ.html"
check "other diameters: drawn" grep -q "median: nearest to [0-9.]* px" "$tmp/differ.html"
ev 0 "the same diameters" --pred "$tmp/o"
check "the same diameters: nothing of the kind" sh -c "! grep -q 'share no diameter' '$tmp/out'"

# segment --calibrate.
for o in "--target f1" "--settings_out x" "--calibrate $tmp/t" "--diameters 20,30 --calibrate $tmp/t" \
    "--diameters 20,30 --calibrate $tmp/t --savedir $tmp/x --target f3" "--diameters 20,30 --calibrate $tmp/t --savedir $tmp/x --threshold 1" \
    "--diameters 20,30 --calibrate $tmp/t --savedir $tmp/x --json"; do
    seg 2 "${o%% /*}" $o "$tmp/im"
    one_line "${o%% /*}: one line"
done
seg 1 "labels not there" --diameters 20,30 --calibrate "$tmp/none" --savedir "$tmp/x" "$tmp/im"
says "labels not there: named" "$tmp/none"
mkdir "$tmp/t2"
cp "$tmp/t/m1_labels.tif" "$tmp/t2/other_labels.tif"
seg 2 "labels of other images" --diameters 20,30 --calibrate "$tmp/t2" --savedir "$tmp/x" "$tmp/im"
one_line "labels of other images: one line"
check "labels of other images: nothing computed" test ! -e "$tmp/x/m1_lipopose.h5"
# Labels of another size are found before anything is computed.
mkdir "$tmp/t6" "$tmp/big"
image "$tmp/big/m2.png" cones 80 100
seg 0 "labels of another size: made" --quiet --no_overlay --savedir "$tmp/t6" "$tmp/big/m2.png"
cp "$tmp/t/m1_labels.tif" "$tmp/t6/m1_cp_masks.tif"
seg 1 "labels of another size" --diameters 20,30 --calibrate "$tmp/t6" --savedir "$tmp/x6" "$tmp/im"
one_line "labels of another size: one line"
says "labels of another size: said" "$tmp/t6/m2_cp_masks.tif: labels of 80 x 100 pixels (height x width) for an image of 90 x 100: $tmp/im/m2.png"
check "labels of another size: nothing computed" test ! -e "$tmp/x6/m1_lipopose.h5"
cp "$tmp/t6/m2_cp_masks.tif" "$tmp/t6/m3_cp_masks.tif"
seg 1 "labels of other sizes" --diameters 20,30 --calibrate "$tmp/t6" --savedir "$tmp/x6" "$tmp/im"
says "labels of other sizes: how many" "and 1 more of other sizes"
head -c 30 "$tmp/t/m1_labels.tif" >"$tmp/t6/m1_cp_masks.tif"
rm "$tmp"/t6/m[23]*
seg 1 "damaged labels" --diameters 20,30 --calibrate "$tmp/t6" --savedir "$tmp/x6" "$tmp/im"
one_line "damaged labels: one line"
check "damaged labels: nothing computed" test ! -e "$tmp/x6/m1_lipopose.h5"

seg 0 "calibrate" --diameters $diameters --calibrate "$tmp/t" --target recall=0.9 --savedir "$tmp/cal" "$tmp/im"
check "calibrate: says what it reached" grep -qE "^threshold [0-9.]+: precision [01]\.[0-9]+, recall (0.9|1.0)" "$tmp/out"
check "calibrate: and on images left out" grep -q "^chosen without each image in turn" "$tmp/out"
t=$(grep -m 1 '"threshold"' "$tmp/cal/lipopose_settings.json" | tr -dc '0-9.')
mv "$tmp/cal/lipopose_settings.json" "$tmp/set.json"
seg 0 "the same threshold" --quiet --diameters $diameters --threshold "$t" --savedir "$tmp/same" "$tmp/im"
check "calibrate: its results are those of its threshold" diff -r -x .lipopose "$tmp/cal" "$tmp/same"
seg 0 "with settings" --quiet --settings "$tmp/set.json" --savedir "$tmp/set" "$tmp/im"
check "with settings: the same again" diff -r -x .lipopose "$tmp/cal" "$tmp/set"
check "with settings: quiet" test ! -s "$tmp/err"
seg 0 "calibrate twice" --quiet --diameters $diameters --calibrate "$tmp/t" --target recall=0.9 --savedir "$tmp/cal2" --settings_out "$tmp/set2.json" --threads 1 "$tmp/im"
check "calibrate twice: same settings" cmp "$tmp/set.json" "$tmp/set2.json"
ev 0 "what eval says" --pred "$tmp/cal" --json "$tmp/e.json"
check "what eval says: these masks are merged ones" grep -qE "^  these masks +[0-9.]+ " "$tmp/out"
p=$(grep -A 30 '"calibration"' "$tmp/set.json" | grep '"precision"' | tr -dc '0-9.')
check "what eval says: the precision of the settings" awk -v p="$p" '/"all_particles"/ { on = 1 } on && /"precision"/ { split($0, v, /[[,]/); exit !(v[2] - p < 1e-9 && p - v[2] < 1e-9) }' "$tmp/e.json"
run 0 "merge --settings" merge --quiet --settings "$tmp/set.json" --savedir "$tmp/ms" "$tmp"/o/m*.h5
check "merge --settings: nothing to say" test ! -s "$tmp/err"
check "merge --settings: the masks" cmp "$tmp/ms/m2_cp_masks.tif" "$tmp/cal/m2_cp_masks.tif"
check "merge --settings: the table" cmp "$tmp/ms/m2_particles.csv" "$tmp/cal/m2_particles.csv"

# Overrides, and what does not fit.
seg 0 "override" --settings "$tmp/set.json" --threshold 4 --min_size 20 --savedir "$tmp/ov" "$tmp/im/m1.png"
says "override: named" "not as there: min_size, threshold"
run 0 "override: the masks" eval --truth "$tmp/ov/m1_cp_masks.tif" --pred "$tmp/ov/m1_lipopose.h5" --threshold 4
check "override: the masks are at 4" grep -q "IoU 0.90 *1.000 *1.000" "$tmp/out"
seg 2 "--diameter with settings" --settings "$tmp/set.json" --diameter 30 "$tmp/im"
one_line "--diameter with settings: one line"
sed 's/"sha256":	"[0-9a-f]*"/"sha256":	"'"$(printf %064d 0)"'"/' "$tmp/set.json" >"$tmp/other.json"
seg 0 "another model, asked for" --settings "$tmp/other.json" --quiet --savedir "$tmp/x" "$tmp/im/m1.png"
says "another model, asked for: said" "was made with another model"
run 3 "another model" segment --settings "$tmp/other.json" --savedir "$tmp/x" "$tmp/im/m1.png"
one_line "another model: one line"
run 0 "another model, merge" merge --quiet --settings "$tmp/other.json" --savedir "$tmp/x" "$tmp/o/m1_lipopose.h5"
says "another model, merge: said" "made with another model"
run 0 "other diameters, merge" merge --quiet --settings "$tmp/set.json" --savedir "$tmp/x" "$tmp/lax/m1_lipopose.h5"
says "other diameters, merge: said" "with another flow_threshold"
sed 's/"threshold":	[0-9.]*/"threshold":	25/' "$tmp/set.json" >"$tmp/high.json"
for c in "segment $tmp/im/m1.png" "merge $tmp/o/m1_lipopose.h5"; do
    run 2 "${c%% *}: settings with a threshold of 25" ${c%% *} --settings "$tmp/high.json" ${c#* }
    says "${c%% *}: settings with a threshold of 25: said" "settings: threshold 25: support of scale ends at 20"
done
sed 's/"niter"/"nitre"/' "$tmp/set.json" >"$tmp/bad.json"
for c in "segment $tmp/im" "merge $tmp/o/m1_lipopose.h5"; do
    run 3 "${c%% *}: unknown key" ${c%% *} --settings "$tmp/bad.json" ${c#* }
    one_line "${c%% *}: unknown key: one line"
    says "${c%% *}: unknown key: named" "bad.json: key segment.nitre"
done

# A target that cannot be met; labels of some images only.
seg 0 "much smaller truth" --quiet --no_overlay --cellprob_threshold 7 --savedir "$tmp/t3" "$tmp/im/m2.png"
check "much smaller truth: but some" test "$("$tool" labels "$tmp/t3/m2_cp_masks.tif")" -gt 0
seg 1 "not reached" --quiet --diameters $diameters --calibrate "$tmp/t3" --target precision=1 --savedir "$tmp/nr" "$tmp/im"
one_line "not reached: one line"
says "not reached: said" "no threshold reaches precision=1"
check "not reached: results, no settings" sh -c "test -e '$tmp/nr/m3_cp_masks.tif' -a ! -e '$tmp/nr/lipopose_settings.json'"
mkdir "$tmp/t4" "$tmp/t5"
image "$tmp/flat.png" flat 90 100
seg 0 "no truth" --quiet --no_overlay --savedir "$tmp/flat" "$tmp/flat.png"
cp "$tmp/flat/flat_cp_masks.tif" "$tmp/t5/m2_labels.tif"
seg 2 "labels without particles" --quiet --diameters $diameters --calibrate "$tmp/t5" --savedir "$tmp/nr" "$tmp/im/m2.png"
one_line "labels without particles: one line"
cp "$tmp/t/m2_labels.tif" "$tmp/t4"
seg 0 "one labelled image" --diameters $diameters --calibrate "$tmp/t4" --savedir "$tmp/one" "$tmp/im"
check "one labelled image: said" grep -q "^calibrated on 1 of 3 images" "$tmp/out"
check "one labelled image: nothing promised" grep -q "nothing is known about other images" "$tmp/out"
check "one labelled image: all have results" test "$(ls "$tmp"/one/*_cp_masks.tif | wc -l)" -eq 3
# Labels of something else: no settings, and what to do with the runs.
mkdir "$tmp/wrong"
echo '{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[3,0],[3,3],[0,3],[0,0]]]}}' >"$tmp/wrong/m1.geojson"
seg 1 "labels of something else" --calibrate "$tmp/wrong" --target f1 --diameters $diameters --savedir "$tmp/w" "$tmp/im/m1.png"
says "labels of something else: said" "no threshold reaches f1"
check "labels of something else: no settings" test ! -e "$tmp/w/lipopose_settings.json" -a -s "$tmp/w/m1_lipopose.h5"
no_leftovers "no temporary files" "$tmp"
finish
