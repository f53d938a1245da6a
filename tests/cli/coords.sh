# coords.sh - coordinates and outlines for other programs, and corrected ones read back.
. tests/cli/lib.sh
image "$tmp/a.png" cones 120 140 1
image "$tmp/b.tif" cones 90 100 2
image "$tmp/n.png" flat
mkdir "$tmp/im"
cp "$tmp/a.png" "$tmp/b.tif" "$tmp/n.png" "$tmp/im"
out() { check "$1" grep -qE -- "$2" "$tmp/out"; }
all="--save_star --save_box --save_cbox --save_topaz --save_geojson --save_rois"
names="_autopick.star .box .cbox _topaz.txt _outlines.geojson _rois.zip"

seg 0 "all of them" $all --savedir "$tmp/o" "$tmp/im"
for i in a b n; do
    for e in $names; do check "all of them: $i$e" test -e "$tmp/o/$i$e"; done
done
seg 0 "named in the record" --overwrite $all --json --savedir "$tmp/o" "$tmp/a.png"
for e in $names; do out "named in the record: $e" "/a$e\""; done
found=$(($(wc -l <"$tmp/o/a_particles.csv") - 1))
check "particles" test "$found" -gt 3
check "star: rows" test "$(grep -c 'a\.png$' "$tmp/o/a_autopick.star")" -eq "$found"
check "box: rows" test "$(wc -l <"$tmp/o/a.box")" -eq "$found"
check "cbox: rows" test "$(grep -c '<NA> <NA>$' "$tmp/o/a.cbox")" -eq "$found"
check "Topaz: rows" test "$(grep -c '^a	' "$tmp/o/a_topaz.txt")" -eq "$found"
check "geojson: features" test "$(grep -c '"type":"Feature"' "$tmp/o/a_outlines.geojson")" -eq "$found"
check "nothing found: empty files" sh -c "cd '$tmp/o' && test ! -s n.box && test \$(wc -l <n_topaz.txt) -eq 1 && grep -q 'data_cryolo_include' n.cbox && grep -q _rlnCoordinateX n_autopick.star"
check "one diameter: the score is a probability" awk 'NR > 1 && !($4 > .5 && $4 <= 1) { exit 1 }' "$tmp/o/a_topaz.txt"
check "without the options, none of them" sh -c "'$lp' segment --quiet --model '$model' --savedir '$tmp/plain' '$tmp/a.png' && test \$(ls '$tmp/plain' | wc -l) -eq 3"
seg 0 "--box_size" --save_box --save_cbox --box_size 34 --savedir "$tmp/size" "$tmp/a.png"
check "--box_size: box" test "$(cut -f 3,4 "$tmp/size/a.box" | sort -u)" = "34	34"
check "--box_size: cbox" test "$(awk '/<NA> <NA>$/ { print $4, $5 }' "$tmp/size/a.cbox" | sort -u)" = "34 34"
seg 2 "--box_size negative" --save_box --box_size -1 --savedir "$tmp/size" "$tmp/a.png"
one_line "--box_size negative: one line"
seg 0 "--flip_y" --save_star --save_topaz --flip_y --savedir "$tmp/flip" "$tmp/a.png"
paste -d ' ' "$tmp/o/a_autopick.star" "$tmp/flip/a_autopick.star" | grep 'png$' >"$tmp/pairs"
check "--flip_y: y from the last row" awk '{ d = $2 + $6 - 119; if ($1 != $5 || d > .001 || d < -.001) exit 1 }' "$tmp/pairs"
check "--flip_y: not for Topaz" cmp "$tmp/o/a_topaz.txt" "$tmp/flip/a_topaz.txt"

mkdir "$tmp/fp"
cp "$tmp/flip/a_autopick.star" "$tmp/fp"
run 0 "eval --flip_y" eval --flip_y --truth "$tmp/o/a_cp_masks.tif" --pred "$tmp/fp/a_autopick.star"
out "eval --flip_y: all found" "^  centre inside +1.000 +1.000 +1.000 +1.000$"
run 2 "eval --flip_y with labels" eval --flip_y --truth "$tmp/o" --pred "$tmp/plain"
one_line "eval --flip_y with labels: one line"

# Pages of a stack; names with spaces.
image "$tmp/my stack.tif" cones 90 100 3 2
seg 0 "a stack" $all --savedir "$tmp/stack" "$tmp/my stack.tif"
check "a stack: pages" grep -q '"my stack_p0002.tif"' "$tmp/stack/my stack_p0002_autopick.star"
check "a stack: Topaz" grep -q '^my stack_p0001	' "$tmp/stack/my stack_p0001_topaz.txt"

# Many diameters: the score is the support; merging again writes the same.
seg 0 "many diameters" $all --diameters 20:45:x1.2 --savedir "$tmp/many" "$tmp/a.png"
awk -F, 'NR > 1 { print $15 }' "$tmp/many/a_particles.csv" >"$tmp/support"
check "many diameters: the score is the support" sh -c "awk 'NR > 1 { print \$4 }' '$tmp/many/a_topaz.txt' | cmp - '$tmp/support'"
check "many diameters: confidence below 1" awk '/<NA> <NA>$/ && !($9 > .3 && $9 < 1) { exit 1 }' "$tmp/many/a.cbox"
run 0 "merge" merge $all --savedir "$tmp/merged" "$tmp/many/a_lipopose.h5"
for e in $names; do check "merge: the same a$e" cmp "$tmp/many/a$e" "$tmp/merged/a$e"; done
run 2 "merge: --box_size negative" merge --box_size -3 "$tmp/many/a_lipopose.h5"
one_line "merge: --box_size negative: one line"

# Read back: as truth or prediction, the masks themselves.
mkdir "$tmp/masks"
for i in a b; do cp "$tmp/o/${i}_cp_masks.tif" "$tmp/masks"; done
for k in autopick.star .box .cbox topaz.txt outlines.geojson rois.zip; do
    mkdir "$tmp/k"
    cp "$tmp"/o/[ab]*"$k" "$tmp/k"
    case $k in
    outlines.geojson | rois.zip) run 0 "$k as truth" eval --truth "$tmp/k" --pred "$tmp/masks"
        out "$k as truth: the same pixels" "^  IoU 0.90 +1.000 +1.000 +1.000 +1.000$"
        out "$k as truth: whole" "matched IoU 1.000"
        run 0 "$k as prediction" eval --truth "$tmp/masks" --pred "$tmp/k"
        out "$k as prediction: the same pixels" "^  IoU 0.90 +1.000 +1.000 +1.000 +1.000$"
        ;;
    *) run 0 "$k as prediction" eval --truth "$tmp/masks" --pred "$tmp/k"
        out "$k as prediction: all found" "^  centre inside +1.000 +1.000 +1.000 +1.000$" ;;
    esac
    rm -r "$tmp/k"
done

# The annotation workflow: one particle deleted in the editor.
mkdir "$tmp/truth"
grep -v '"name":"2"' "$tmp/o/a_outlines.geojson" >"$tmp/truth/a.geojson"
run 0 "corrected" eval --truth "$tmp/truth" --pred "$tmp/o" --images "$tmp/im" --report "$tmp/r.html"
out "corrected: one particle less is true" "^1 image, $((found - 1)) true particles, $found predicted"
check "corrected: pictured" grep -q 'data:image/png;base64' "$tmp/r.html"
mkdir "$tmp/both"
cp "$tmp/truth/a.geojson" "$tmp/a.png" "$tmp/both"
mkdir "$tmp/gj"
cp "$tmp/o/a_outlines.geojson" "$tmp/gj"
run 0 "outlines on both sides, image beside" eval --truth "$tmp/both" --pred "$tmp/gj"
run 1 "outlines on both sides, size unknown" eval --truth "$tmp/truth" --pred "$tmp/gj"
one_line "outlines on both sides, size unknown: one line"
says "outlines on both sides, size unknown: advice" "--images"
echo '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,1]}}' >"$tmp/truth/a.geojson"
run 1 "a point" eval --truth "$tmp/truth" --pred "$tmp/o"
says "a point: named" "$tmp/truth/a.geojson"
head -c 300 "$tmp/o/a_rois.zip" >"$tmp/truth/a_rois.zip"
rm "$tmp/truth/a.geojson"
run 1 "damaged ROIs" eval --truth "$tmp/truth" --pred "$tmp/o"
says "damaged ROIs: named" "$tmp/truth/a_rois.zip"
no_leftovers "no temporary files" "$tmp"
finish
