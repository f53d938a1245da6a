# auto.sh - diameters chosen from each image.
. tests/cli/lib.sh

image "$tmp/a.png" cones 120 150 1
image "$tmp/stack.tif" cones 90 100 2 2
image "$tmp/flat.tif" flat 90 100 3
small=$(printf '\211PNG') && printf '%s' "$small" >"$tmp/cut.png"

seg 1 "auto" --diameters auto --threshold 1 --json --savedir "$tmp/o" "$tmp/a.png" "$tmp/stack.tif" "$tmp/flat.tif" "$tmp/cut.png"
cp "$tmp/out" "$tmp/json"
check "auto: records" "$tool" json 4 1 <"$tmp/json"
says "auto: said of a file" "a.png: diameters "
says "auto: said of a page" "stack.tif page 2: diameters "
says "auto: said where there is nothing" "nothing found, so the usual ones"
check "auto: said first" grep -q "diameters chosen for each image" "$tmp/err"
check "auto: said as it is in README" grep -qE '/a\.png: diameters [0-9.]+ to [0-9.]+ px, [0-9]+ of them \(pilot: [0-9]+ diameters, [0-9]+ particles\)$' "$tmp/err"
check "auto: masks, table, picture and run" sh -c "cd '$tmp/o' && ls a_cp_masks.tif a_overlay.png a_particles.csv a_lipopose.h5 stack_p0002_lipopose.h5 flat_lipopose.h5"
check "auto: found something" test "$("$tool" labels "$tmp/o/a_cp_masks.tif")" -gt 3
# A list that a shell can hand on: the JSON record's "diameters".
list() { sed -n '/"file":"[^"]*\/'"$1"'","page":'"$2"',/s/.*"diameters":\[\([0-9.,]*\)\].*/\1/p' "$tmp/json"; }
check "auto: the record has the diameters" sh -c "echo '$(list a.png 1)' | grep -qE '^[0-9.]+(,[0-9.]+){3,}$'"
check "auto: diameters about the particles' 22 px" sh -c "echo '$(list a.png 1)' | awk -F, '{ exit !(\$1 > 10 && \$1 < 20 && \$NF > 24 && \$NF < 60) }'"
check "auto: the record says where from" grep -qE '"pilot":\{"diameters":[0-9]+,"particles":[1-9][0-9]*,"range_from":"image"\}' "$tmp/json"
check "auto: the record says that nothing was there" grep -qE '"pilot":\{"diameters":[0-9]+,"particles":0,"range_from":"default"\}' "$tmp/json"
check "auto: nothing there: 20 px and more" sh -c "echo '$(list flat.tif 1)' | awk -F, '{ exit !(\$1 > 18 && \$1 < 22 && \$NF > 70) }'"

seg 0 "the list given" --diameters "$(list a.png 1)" --threshold 1 --json --savedir "$tmp/given" "$tmp/a.png"
check "the list given: no pilot" grep -q '"pilot":null' "$tmp/out"
check "the list given: in the record" grep -qF "\"diameters\":[$(list a.png 1)]" "$tmp/out"
for f in a_cp_masks.tif a_particles.csv a_overlay.png a_lipopose.h5; do
    check "the list given: same $f" cmp "$tmp/o/$f" "$tmp/given/$f"
done
seg 0 "one thread" --diameters auto --threshold 1 --threads 1 --quiet --savedir "$tmp/t1" "$tmp/stack.tif" "$tmp/a.png"
check "one thread, quiet: nothing said" sh -c "! grep . '$tmp/err'"
for f in a_cp_masks.tif a_lipopose.h5 stack_p0001_lipopose.h5 stack_p0002_lipopose.h5; do
    check "one thread: same $f" cmp "$tmp/o/$f" "$tmp/t1/$f"
done
seg 0 "one diameter" --json --quiet --savedir "$tmp/one" "$tmp/a.png"
check "one diameter: no list" grep -q '"diameters":null,"pilot":null' "$tmp/out"

# With settings.
mkdir "$tmp/labels"
cp "$tmp/o/a_cp_masks.tif" "$tmp/labels/a.tif"
cp "$tmp/o/stack_p0001_cp_masks.tif" "$tmp/labels/stack_p0001.tif"
seg 0 "calibrate" --diameters auto --calibrate "$tmp/labels" --savedir "$tmp/cal" "$tmp/a.png" "$tmp/stack.tif"
check "calibrate: auto is kept" grep -q '"diameters":	"auto"' "$tmp/cal/lipopose_settings.json"
seg 0 "--settings" --settings "$tmp/cal/lipopose_settings.json" --savedir "$tmp/set" "$tmp/a.png"
says "--settings: chosen again" "a.png: diameters "
check "--settings: nothing differs" sh -c "! grep 'not as there' '$tmp/err'"
check "--settings: same run" cmp "$tmp/o/a_lipopose.h5" "$tmp/set/a_lipopose.h5"
check "--settings: same masks" cmp "$tmp/cal/a_cp_masks.tif" "$tmp/set/a_cp_masks.tif"
run 0 "merge --settings" merge --settings "$tmp/cal/lipopose_settings.json" --savedir "$tmp/m" "$tmp/o/a_lipopose.h5"
check "merge --settings: no other diameters" sh -c "! grep 'other diameters' '$tmp/err'"
check "merge --settings: same masks" cmp "$tmp/set/a_cp_masks.tif" "$tmp/m/a_cp_masks.tif"
seg 0 "--settings, diameters given" --settings "$tmp/cal/lipopose_settings.json" --diameters 20,25,30 --savedir "$tmp/set2" "$tmp/a.png"
says "--settings, diameters given: said" "not as there: diameters"

seg 2 "auto misspelt" --diameters Auto "$tmp/a.png"
one_line "auto misspelt: one line"
says "auto misspelt: advice" "give auto, MIN:MAX:STEP"
seg 2 "--diameter and auto" --diameter 30 --diameters auto "$tmp/a.png"
no_leftovers "no temporary files" "$tmp/o"
finish
