# eval.sh - predictions judged against labels.
. tests/cli/lib.sh

# ev CODE NAME ARGS...
ev() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" eval "$@"
}
# out NAME PATTERN: a line of the last run's stdout matches.
out() { check "$1" grep -qE -- "$2" "$tmp/out"; }

run 0 "--help" eval --help
out "--help lists --truth" "--truth DIR"
check "main's help lists it" sh -c "'$lp' --help | grep -q ' eval '"
ev 2 "no arguments"
one_line "no arguments: one line"
ev 2 "no --pred" --truth "$tmp"
ev 2 "a word too many" --truth a --pred b c
ev 2 "unknown option" --truth a --pred b --iou 3
for o in "--missing skip" "--size_edges 20,10" "--size_edges x" "--size_edges 20," "--size_edges -1" "--worst -1" \
    "--worst 101" "--boundary_scale -1" "--boundary_scale nan" "--json - --csv -" "--threads -1"; do
    ev 2 "$o" --truth "$tmp" --pred "$tmp" $o
    one_line "$o: one line"
done
ev 1 "truth not there" --truth "$tmp/none" --pred "$tmp"
one_line "truth not there: one line"
says "truth not there: named" "$tmp/none"
mkdir "$tmp/empty"
ev 1 "truth empty" --truth "$tmp/empty" --pred "$tmp/empty"
one_line "truth empty: one line"

# Truth and prediction from two runs of segment that differ in diameter.
mkdir "$tmp/im" "$tmp/t"
for i in 1 2 3; do image "$tmp/im/m$i.png" cones 90 100 $i; done
seg 0 "truth" --savedir "$tmp/s" "$tmp/im"
for i in 1 2 3; do cp "$tmp/s/m${i}_cp_masks.tif" "$tmp/t/m${i}_labels.tif"; done
ev 0 "perfect" --truth "$tmp/t" --pred "$tmp/s"
check "perfect: nothing on stderr" test ! -s "$tmp/err"
out "perfect: scores are 1" "^  IoU 0.90 +1.000 +1.000 +1.000 +1.000$"
out "perfect: says how many images" "^3 images, "
ev 0 "two files" --truth "$tmp/t/m1_labels.tif" --pred "$tmp/s/m2_cp_masks.tif"
out "two files: one image" "^1 image, "
ev 2 "file and folder" --truth "$tmp/t/m1_labels.tif" --pred "$tmp/s"
one_line "file and folder: one line"
ev 2 "the same file" --truth "$tmp/t/m1_labels.tif" --pred "$tmp/t/m1_labels.tif"
ev 0 "through .png" --truth "$tmp/t" --pred "$tmp/s" --size_edges 12 --boundary_scale 0 --threads 1

# Outputs.
seg 0 "prediction" --diameter 20 --savedir "$tmp/p" "$tmp/im"
ev 0 "all outputs" --truth "$tmp/t" --pred "$tmp/p" --images "$tmp/im" --json "$tmp/e.json" --csv "$tmp/e.csv" --report "$tmp/e.html"
check "csv: a row per image" test "$(wc -l <"$tmp/e.csv")" -eq 4
check "csv: 31 columns" test "$(awk -F, '{ print NF }' "$tmp/e.csv" | sort -u)" = 31
check "json: images" grep -q '"n_images":	3' "$tmp/e.json"
check "report: pictures" test "$(grep -c 'data:image/png;base64' "$tmp/e.html")" -eq 3
check "report: plots" test "$(grep -c '<figure class=plot>' "$tmp/e.html")" -eq 2
check "report: nothing from outside" sh -c "! grep -qE 'https?:|<script|<link rel=stylesheet' '$tmp/e.html'"
cp "$tmp/out" "$tmp/table"
ev 0 "json on stdout" --truth "$tmp/t" --pred "$tmp/p" --json -
check "json on stdout: nothing else, same bytes" cmp "$tmp/out" "$tmp/e.json"
ev 0 "csv on stdout" --truth "$tmp/t" --pred "$tmp/p" --csv -
check "csv on stdout: same bytes" cmp "$tmp/out" "$tmp/e.csv"
ev 0 "--quiet" --truth "$tmp/t" --pred "$tmp/p" --quiet
check "--quiet says nothing" test ! -s "$tmp/out" -a ! -s "$tmp/err"
for t in 1 3; do
    ev 0 "$t threads" --truth "$tmp/t" --pred "$tmp/p" --images "$tmp/im" --threads $t --report "$tmp/e$t.html" --json "$tmp/e$t.json"
    check "$t threads: same table" cmp "$tmp/out" "$tmp/table"
    check "$t threads: same report" cmp "$tmp/e$t.html" "$tmp/e.html"
    check "$t threads: same JSON" cmp "$tmp/e$t.json" "$tmp/e.json"
done
ev 1 "json cannot be written" --truth "$tmp/t" --pred "$tmp/p" --json "$tmp/none/e.json"
says "json cannot be written: named" "$tmp/none/e.json"
mkdir "$tmp/x"
cp "$tmp/p/m1_cp_masks.tif" "$tmp/x/<b>&\"_cp_masks.tif"
cp "$tmp/t/m1_labels.tif" "$tmp/x/<b>&\"_masks.tif"
ev 0 "strange name" --truth "$tmp/x" --pred "$tmp/x" --report "$tmp/e4.html" --csv "$tmp/e4.csv" --json "$tmp/e4.json"
check "strange name: escaped in HTML" grep -q '&lt;b&gt;&amp;&quot;' "$tmp/e4.html"
check "strange name: not raw in HTML" sh -c "! grep -q '<b>&' '$tmp/e4.html'"
check "strange name: quoted in CSV" grep -q '^"<b>&"""' "$tmp/e4.csv"
if [ -e /dev/full ]; then
    "$lp" eval --truth "$tmp/t" --pred "$tmp/p" >/dev/full 2>"$tmp/err"
    check "table to a full disk: exit code 1" test $? -eq 1
fi

# Missing, left over, damaged, of another size.
cp -r "$tmp/p" "$tmp/q"
mv "$tmp/q/m2_cp_masks.tif" "$tmp/q/other_cp_masks.tif"
ev 1 "prediction missing" --truth "$tmp/t" --pred "$tmp/q"
says "prediction missing: named" "$tmp/t/m2_labels.tif"
says "prediction missing: advice" "--missing zero"
check "prediction missing: no numbers" test ! -s "$tmp/out"
ev 0 "--missing zero" --missing zero --truth "$tmp/t" --pred "$tmp/q" --csv "$tmp/q.csv"
says "--missing zero: still named" "$tmp/t/m2_labels.tif"
says "prediction without truth: named" "other_cp_masks.tif"
out "--missing zero: counted" "1 without prediction, counted as empty"
check "--missing zero: recall 0" grep -qE '^"m2",90,100,[1-9][0-9]*,0,0,0,0,0,0,' "$tmp/q.csv"
rm "$tmp/q/other_cp_masks.tif"
head -c 200 "$tmp/p/m2_cp_masks.tif" >"$tmp/q/m2_cp_masks.tif"
ev 1 "prediction damaged" --truth "$tmp/t" --pred "$tmp/q" --json "$tmp/q.json" --csv "$tmp/q.csv" --report "$tmp/q.html"
one_line "prediction damaged: one line"
says "prediction damaged: named" "$tmp/q/m2_cp_masks.tif"
out "prediction damaged: the others are done" "^2 images, .*1 FAILED"
check "prediction damaged: in the JSON" grep -q '"error":' "$tmp/q.json"
check "prediction damaged: in the report" grep -q "Left out" "$tmp/q.html"
check "prediction damaged: csv is whole" test "$(wc -l <"$tmp/q.csv")" -eq 4
mkdir "$tmp/big"
image "$tmp/big/m2.png" cones 80 100
seg 0 "another size" --overwrite --savedir "$tmp/q" "$tmp/big/m2.png"
ev 1 "size differs" --truth "$tmp/t" --pred "$tmp/q"
one_line "size differs: one line"
says "size differs: said" "the truth is 90 x 100 (height x width) and the prediction 80 x 100"

# Coordinates of other pickers: the centres of the true particles, and one that is false.
mkdir "$tmp/box" "$tmp/topaz" "$tmp/two"
printf 'image_name\tx_coord\ty_coord\tscore\nm1\t-5\t-5\t0.5\n' >"$tmp/topaz/picks.txt"
for i in 1 2 3; do
    awk -F, 'NR > 1 { print $3 - 10 "\t" $2 - 5 "\t20\t10" }' "$tmp/s/m${i}_particles.csv" >"$tmp/box/m$i.box"
    awk -F, -v m=m$i 'NR > 1 { print m "\t" $3 "\t" $2 "\t1" }' "$tmp/s/m${i}_particles.csv" >>"$tmp/topaz/picks.txt"
done
ev 0 "boxes" --truth "$tmp/t" --pred "$tmp/box" --csv "$tmp/box.csv" --json "$tmp/box.json"
check "boxes: nothing on stderr" test ! -s "$tmp/err"
out "boxes: all found" "^  centre inside +1.000 +1.000 +1.000 +1.000$"
out "boxes: by size, true particles but no predictions" "^  20 - 40 +- +1.000 +[1-9][0-9]* +-$"
check "boxes: by size, no number is made up" sh -c "! grep -A 6 '^diameter, px' '$tmp/out' | grep -qE ' 0$'"
check "boxes: by size, null in the JSON" test "$(grep -c '"n_pred":	null' "$tmp/box.json") $(grep -c '"n_right":	null' "$tmp/box.json")" = "5 5"
check "boxes: csv has as many columns" test "$(awk -F, '{ print NF }' "$tmp/box.csv" | sort -u)" = 31
check "boxes: no IoU in the JSON" grep -q '"ap50":	null' "$tmp/box.json"
ev 0 "Topaz" --truth "$tmp/t" --pred "$tmp/topaz/picks.txt" --json "$tmp/topaz.json"
check "Topaz: scores give a curve" test "$(grep -c '"threshold":' "$tmp/topaz.json")" -eq 2
check "Topaz: without the false one, precision 1" sh -c "grep -A 3 '\"threshold\":	1,' '$tmp/topaz.json' | grep -q '\"centre_precision\":	1,'"
out "Topaz: one is false" "^  m1 +[0-9]+ +1 +0 "
ev 0 "Topaz, one image" --truth "$tmp/t/m1_labels.tif" --pred "$tmp/topaz/picks.txt"
says "Topaz, one image: the others are named" "2 predictions without truth passed over: m2"
ev 0 "masks by centre" --truth "$tmp/t" --pred "$tmp/s"
out "masks by centre: all found" "^  centre inside +1.000 +1.000 +1.000 +1.000$"
ev 0 "boxes: report" --truth "$tmp/t" --pred "$tmp/box" --images "$tmp/im" --report "$tmp/box.html"
check "boxes: report: pictures" test "$(grep -c 'data:image/png;base64' "$tmp/box.html")" -eq 3
check "boxes: report: plots" test "$(grep -c '<figure class=plot>' "$tmp/box.html")" -eq 1
check "boxes: report: no outlines judged" sh -c "! grep -q 'IoU' '$tmp/box.html'"
ev 0 "Topaz: report" --truth "$tmp/t" --pred "$tmp/topaz" --images "$tmp/im" --report "$tmp/topaz.html"
check "Topaz: report: curve over the score" test "$(grep -c '<figure class=plot>' "$tmp/topaz.html")" -eq 3
for o in "--threshold 1" "--merge scale" "--levels 2,1" "--sweep_csv -"; do
    ev 2 "coordinates: $o" --truth "$tmp/t" --pred "$tmp/box" $o
    one_line "coordinates: $o: one line"
done
cp "$tmp/box/m1.box" "$tmp/two/m1.box"
cp "$tmp/box/m1.box" "$tmp/two/m1.star"
ev 2 "two formats" --truth "$tmp/t" --pred "$tmp/two"
one_line "two formats: one line"
rm "$tmp/box/m2.box"
ev 1 "coordinates of an image missing" --truth "$tmp/t" --pred "$tmp/box"
says "coordinates of an image missing: named" "$tmp/t/m2_labels.tif"
echo "1 2 x 4" >"$tmp/box/m2.box"
ev 1 "coordinates damaged" --truth "$tmp/t" --pred "$tmp/box"
one_line "coordinates damaged: one line"
says "coordinates damaged: named" "$tmp/box/m2.box: line 1"

# Nothing on either side.
mkdir "$tmp/n" "$tmp/ni"
image "$tmp/ni/m1.png" flat
seg 0 "flat image" --savedir "$tmp/n" "$tmp/ni"
cp "$tmp/n/m1_cp_masks.tif" "$tmp/n1_masks.tif"
ev 0 "no particles" --truth "$tmp/n1_masks.tif" --pred "$tmp/n/m1_cp_masks.tif" --report "$tmp/n.html" --json "$tmp/n.json"
out "no particles: no scores" "^  IoU 0.50 +- +- +- +-$"
check "no particles: null" grep -q '"ap50":	null' "$tmp/n.json"
ev 0 "truth without particles" --truth "$tmp/n1_masks.tif" --pred "$tmp/p/m1_cp_masks.tif" --report "$tmp/n.html"
ev 0 "prediction without particles" --truth "$tmp/t/m1_labels.tif" --pred "$tmp/n/m1_cp_masks.tif" --report "$tmp/n.html"

# Thresholds on support: a table beside each prediction with differing values.
cp -r "$tmp/s" "$tmp/c"
for i in 1 2 3; do
    awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "support") c = i } NR > 1 { $c = NR / 2 } 1' \
        "$tmp/s/m${i}_particles.csv" >"$tmp/c/m${i}_particles.csv"
done
ev 0 "curve" --truth "$tmp/t" --pred "$tmp/c" --json "$tmp/c.json" --report "$tmp/c.html"
check "curve: points" grep -q '"threshold":	1' "$tmp/c.json"
check "curve: a third plot" test "$(grep -c '<figure class=plot>' "$tmp/c.html")" -eq 3
head -n 1 "$tmp/s/m2_particles.csv" >"$tmp/c/m2_particles.csv"
ev 0 "table of another run" --truth "$tmp/t" --pred "$tmp/c" --json "$tmp/c.json"
says "table of another run: said" "m2_particles.csv"
check "table of another run: no curve" grep -q '"thresholds":	\[\]' "$tmp/c.json"

# The page in a browser: pictures and plots are drawn, nothing sticks out.
if [ -n "$browser" ]; then
    seg 0 "runs" --diameters 22,26,30,34,40 --savedir "$tmp/runs" "$tmp/im"
    ev 0 "report of runs" --truth "$tmp/t" --pred "$tmp/runs" --images "$tmp/im" --report "$tmp/runs.html"
    check "report of runs: plots" test "$(grep -c '<figure class=plot>' "$tmp/runs.html")" -eq 6
    cat >"$tmp/report.js" <<'JS'
const all = what => [...document.querySelectorAll(what)];
await Promise.all(all('.pictures img').map(i => i.decode()));
await settle();
probe('width', innerWidth);
probe('overflow', document.documentElement.scrollWidth > innerWidth);
probe('pictures', all('.pictures img').filter(i => i.naturalWidth > 1 && i.getBoundingClientRect().width > 100).length);
// Every plot lies in the page, has its marks inside itself and something between its axes.
probe('plots', all('.plot>svg').filter(s => {
  const r = s.getBoundingClientRect();
  const inside = all('.plot text').filter(t => s.contains(t)).every(t => {
    const b = t.getBoundingClientRect();
    return b.left >= r.left && b.right <= r.right && b.top >= r.top && b.bottom <= r.bottom;
  });
  const drawn = [...s.querySelectorAll('.line, rect, circle')].some(l => {
    const b = l.getBoundingClientRect();
    return (b.width > 2 || b.height > 2) && b.left >= r.left && b.right <= r.right + 1;
  });
  return r.width > 250 && r.right <= innerWidth + 1 && inside && drawn;
}).length);
// What is wider than the page scrolls in its own box, to its last column; names stay beside the numbers.
const boxes = all('.wide').map(box => {
  const cells = [...box.querySelector('table').rows].slice(-1)[0].cells;
  const [first, last] = [cells[0], cells[cells.length - 1]].map(c => () => c.getBoundingClientRect());
  const edge = box.getBoundingClientRect();
  const narrow = box.scrollWidth <= box.clientWidth || first().width < 0.55 * edge.width;
  box.scrollLeft = 1e6;
  return edge.right <= innerWidth && last().right <= edge.right + 1 && first().left >= edge.left - 1 && narrow;
});
probe('boxes', boxes.length > 2 && boxes.every(b => b));
probe('tables', all('table').every(t => t.rows.length > 1));
JS
    for w in 1280 400; do
        browse "report, $w px" "$tmp/e1.html" $w "$tmp/report.js"
        probed "report, $w px: as wide as that" "width $w"
        probed "report, $w px: nothing sticks out" "overflow false"
        probed "report, $w px: pictures" "pictures 3"
        probed "report, $w px: plots" "plots $(grep -c '<figure class=plot>' "$tmp/e1.html")"
        probed "report, $w px: tables" "tables true"
        browse "report with a curve, $w px" "$tmp/c.html" $w "$tmp/report.js"
        probed "report with a curve, $w px: plots" "plots $(grep -c '<figure class=plot>' "$tmp/c.html")"
        probed "report with a curve, $w px: nothing sticks out" "overflow false"
        for p in runs topaz; do
            browse "report of $p, $w px" "$tmp/$p.html" $w "$tmp/report.js"
            probed "report of $p, $w px: plots" "plots $(grep -c '<figure class=plot>' "$tmp/$p.html")"
            probed "report of $p, $w px: tables scroll in their boxes" "boxes true"
            probed "report of $p, $w px: nothing sticks out" "overflow false"
        done
    done
else
    skip "browser" "no chromium"
fi
no_leftovers "no temporary files" "$tmp"
finish
