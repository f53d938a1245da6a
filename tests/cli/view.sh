# view.sh - the page of a saved run, also in a browser.
. tests/cli/lib.sh

# vw CODE NAME ARGS...
vw() {
    c=$1 nm=$2
    shift 2
    run "$c" "$nm" view "$@"
}
run 0 "--help" view --help
check "--help lists -o" grep -q -- "  -o FILE" "$tmp/out"
check "main's help lists it" sh -c "'$lp' --help | grep -q ' view '"
image "$tmp/a.png" cones 150 160 1
image "$tmp/other.png" cones 80 90 1
seg 0 "a run" --diameters 20:45:x1.2 --pixel_nm 0.5 --savedir "$tmp/o" "$tmp/a.png"
cp "$tmp/o/a_lipopose.h5" "$tmp/o/b_lipopose.h5"

vw 2 "no files"
one_line "no files: one line"
for o in "--threshold x" "--threshold -1" "--merge best" "--levels 1,2" "--iou 1" "-p x" "-o"; do
    vw 2 "$o" "$tmp/o/a_lipopose.h5" $o
    one_line "$o: one line"
done
vw 2 "-o with two" -o "$tmp/x.html" "$tmp/o/a_lipopose.h5" "$tmp/o/b_lipopose.h5"
vw 2 "-o and --savedir" -o "$tmp/x.html" --savedir "$tmp/d" "$tmp/o/a_lipopose.h5"
vw 2 "--image with two" --image "$tmp/a.png" "$tmp/o/a_lipopose.h5" "$tmp/o/b_lipopose.h5"
vw 1 "no such run" "$tmp/none.h5"
one_line "no such run: one line"
vw 1 "an image" "$tmp/a.png"
vw 1 "a folder that is not there" -o "$tmp/none/x.html" "$tmp/o/a_lipopose.h5"
says "a folder that is not there: named" "$tmp/none/x.html"
vw 1 "another image" --image "$tmp/other.png" "$tmp/o/a_lipopose.h5"
one_line "another image: one line"
says "another image: sizes" "90 x 80 pixels, not 160 x 150"
check "nothing written so far" sh -c "! find '$tmp' -name '*.html' | grep ."

vw 0 "-o" -o "$tmp/x.html" "$tmp/o/a_lipopose.h5"
vw 0 "two files" "$tmp/o/a_lipopose.h5" "$tmp/o/b_lipopose.h5"
check "two files: pages beside them" test -s "$tmp/o/a_view.html" -a -s "$tmp/o/b_view.html"
check "-o: the same page" cmp "$tmp/x.html" "$tmp/o/a_view.html"
vw 0 "--savedir, --quiet" --savedir "$tmp/d" --quiet "$tmp/o/a_lipopose.h5"
check "--savedir, --quiet: says nothing" test ! -s "$tmp/out" -a ! -s "$tmp/err"
check "--savedir, --quiet: the same page" cmp "$tmp/x.html" "$tmp/d/a_view.html"
vw 1 "one bad, one good" --savedir "$tmp/e" "$tmp/none.h5" "$tmp/o/a_lipopose.h5"
check "one bad, one good: the good one is done" cmp "$tmp/x.html" "$tmp/e/a_view.html"
OMP_NUM_THREADS=1 vw 0 "one thread" -o "$tmp/x1.html" "$tmp/o/a_lipopose.h5"
check "one thread: the same page" cmp "$tmp/x.html" "$tmp/x1.html"
mkdir "$tmp/gone"
mv "$tmp/a.png" "$tmp/gone/moved.png"
vw 1 "the image has moved" "$tmp/o/a_lipopose.h5"
one_line "the image has moved: one line"
says "the image has moved: advice" "give --image FILE"
cp "$tmp/gone/moved.png" "$tmp/o/a.png"
vw 0 "the image lies beside the run" -o "$tmp/x2.html" "$tmp/o/a_lipopose.h5"
check "the image lies beside the run: the same page" cmp "$tmp/x.html" "$tmp/x2.html"
vw 0 "--image" --image "$tmp/gone/moved.png" --threshold 3 --merge votes --savedir "$tmp/v" "$tmp/o/a_lipopose.h5"
seg 0 "nothing to find" --diameters 20,30 --savedir "$tmp/n" "$tmp/other.png" --cellprob_threshold 99
vw 0 "no particles" "$tmp/n/other_lipopose.h5"
strange="$tmp/</script><script>x('\$(date)&amp; \"b\""
mkdir -p "$strange"
cp "$tmp/o/a_lipopose.h5" "$strange/a b_lipopose.h5"
vw 0 "strange names" --image "$tmp/gone/moved.png" "$strange/a b_lipopose.h5"
no_leftovers "no temporary files" "$tmp"

if [ -z "$browser" ]; then
    skip "browser" "no chromium"
    finish
    exit 0
fi

# What every page must do.
cat >"$tmp/common.js" <<'JS'
const $$ = id => document.getElementById(id);
const number = id => Number($$(id).textContent.replace(/,/g, '').match(/[0-9.]*/)[0]);
for (let i = 0; i < 200 && $$('wait'); i++) await new Promise(done => setTimeout(done, 50));
await settle();
probe('width', innerWidth);
probe('picture', !$$('wait'));
probe('overflow', document.documentElement.scrollWidth > innerWidth);
const pixels = id => {
  const c = $$(id), g = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});
  g.drawImage(c, 0, 0);
  return g.getImageData(0, 0, c.width, c.height).data;
};
const colours = id => new Set(new Uint32Array(pixels(id).buffer)).size;
const coloured = id => { // pixels that are not grey: outlines; the scale bar is grey
  const d = pixels(id);
  let n = 0;
  for (let i = 0; i < d.length; i += 4) n += d[i + 3] > 200 && Math.abs(d[i] - d[i + 2]) > 40;
  return n;
};
const slide = async v => {
  $$('slider').value = v === 'max' ? $$('slider').max : v;
  $$('slider').dispatchEvent(new Event('input'));
  await settle();
};
const type = async v => {
  $$('number').value = v;
  $$('number').dispatchEvent(new Event('input'));
  await settle();
};
const saved = async () => { // what the button saves
  const make = URL.createObjectURL, click = HTMLAnchorElement.prototype.click;
  let blob, name;
  URL.createObjectURL = b => (blob = b, 'data:,');
  HTMLAnchorElement.prototype.click = function () { name = this.download; };
  $$('save').click();
  URL.createObjectURL = make;
  HTMLAnchorElement.prototype.click = click;
  probe('name', name);
  for (const l of (await blob.text()).trimEnd().split('\n')) probe('csv', l);
};
JS
cat "$tmp/common.js" - >"$tmp/page.js" <<'JS'
for (const id of ['base', 'lines', 'supports', 'sizes']) probe('drawn-' + id, colours(id) > 3);
probe('outlined', coloured('lines') > 100);
probe('count', number('count'));
probe('threshold', $$('number').value);
// Outlines enclose as many pixels as the table says: none of these particles has holes.
const area = [...Array(total).keys()].every(i => {
  const f = lines[i].split(','), a = exact.start[i], n = exact.start[i + 1] - a;
  let s = 0;
  for (let k = 0; k < n; k++) {
    const p = 2 * (a + k), q = 2 * (a + (k + 1) % n);
    s += exact.xy[p] * exact.xy[q + 1] - exact.xy[q] * exact.xy[p + 1];
  }
  return s / 2 === Number(f[columns.indexOf('area_px')]);
});
probe('areas', total > 3 && area);
await slide('max');
probe('none', number('count') + ' ' + $$('median').textContent);
probe('hidden', coloured('lines') === 0);
await slide(0);
probe('all', number('count') === total);
await type(PART);
probe('typed', number('count'));
const before = $$('number').value;
dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
probe('right', Number($$('number').value) > before);
dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}));
dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}));
probe('left', Number($$('number').value) < before);
await type(PART);
const scale = state.s;
dispatchEvent(new KeyboardEvent('keydown', {key: '+'}));
probe('in', state.s > scale);
dispatchEvent(new KeyboardEvent('keydown', {key: '0'}));
probe('fit', state.s === scale);
$$('mark').dispatchEvent(new WheelEvent('wheel', {deltaY: -100, clientX: 100, clientY: 100}));
probe('wheel', state.s > scale);
await settle();
$$('fit').click();
// Every particle shown can be pointed at, in its middle.
const r = $$('stage').getBoundingClientRect(), row = lines[0].split(',');
const at = l => ({clientX: r.left + (+l.split(',')[2] + 0.5 - state.x) * state.s,
                  clientY: r.top + (+l.split(',')[1] + 0.5 - state.y) * state.s});
const point = (l, kind) => $$('mark').dispatchEvent(new PointerEvent(kind, {...at(l), pointerType: 'mouse', pointerId: 1}));
probe('hover', lines.slice(0, 6).every((l, i) => {
  point(l, 'pointermove');
  return $$('card').textContent.startsWith('Particle ' + (i + 1));
}));
probe('card', $$('card').innerText.replace(/\s+/g, ' ').includes('diameter ' + (+row[8]).toPrecision(3) + ' nm'));
point(lines[10], 'pointermove'); // hidden at this threshold
probe('not-hidden', $$('card').hidden);
point(lines[0], 'pointermove');
const box = $$('card').getBoundingClientRect();
probe('card-inside', box.width > 200 && box.left >= 0 && box.right <= innerWidth &&
  [...$$('card').querySelectorAll('span')].every(s => s.getBoundingClientRect().right < box.right - 5));
// Fingers: a tap keeps the row, one drags, two zoom.
$$('mark').setPointerCapture = () => {};
const finger = (kind, id, x, y) => $$('mark').dispatchEvent(
  new PointerEvent(kind, {clientX: r.left + x, clientY: r.top + y, pointerType: 'touch', pointerId: id}));
point(lines[0], 'pointerleave');
probe('left-alone', $$('card').hidden);
point(lines[2], 'pointerdown');
point(lines[2], 'pointerup');
await settle();
probe('tap', $$('card').textContent.startsWith('Particle 3'));
const x0 = state.x, left = $$('card').getBoundingClientRect().left;
finger('pointerdown', 5, 100, 100);
finger('pointermove', 5, 130, 100);
await settle();
probe('drag', Math.abs((x0 - state.x) * state.s - 30) < 0.01);
probe('card-follows', innerWidth < 800 || $$('card').getBoundingClientRect().left !== left);
finger('pointerdown', 6, 230, 100);
finger('pointermove', 6, 230, 100);
const s0 = state.s;
finger('pointermove', 6, 330, 100);
probe('pinch', Math.abs(state.s / s0 - 2) < 1e-9);
finger('pointerup', 5, 130, 100);
finger('pointerup', 6, 330, 100);
dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}));
probe('escape', $$('card').hidden);
dispatchEvent(new KeyboardEvent('keydown', {key: '0'}));
$$('colour').value = 'id';
$$('colour').dispatchEvent(new Event('change'));
await settle();
probe('by-id', coloured('lines') > 100);
$$('show').click();
await settle();
probe('no-outlines', coloured('lines') === 0);
$$('show').click();
await saved();
probe('command', $$('command').textContent);
JS
part=$(awk -F, 'NR == 8 { s = $15 } NR == 9 { printf "%.9f", (s + $15) / 2 }' "$tmp/o/a_particles.csv")
sed -i "s/PART/$part/" "$tmp/page.js"
shown=$(awk -F, -v t="$part" 'NR > 1 && $15 > t' "$tmp/o/a_particles.csv" | wc -l)
check "the threshold of this test parts the particles" test "$shown" -eq 7
for w in 1280 400; do
    browse "$w px" "$tmp/x.html" $w "$tmp/page.js"
    probed "$w px: as wide as that" "width $w"
    probed "$w px: nothing sticks out" "overflow false"
    for k in picture drawn-base drawn-lines drawn-supports drawn-sizes outlined areas hidden all right left in fit wheel hover card not-hidden \
        card-inside left-alone tap drag card-follows pinch escape by-id no-outlines; do
        probed "$w px: $k" "$k true"
    done
    probed "$w px: the default threshold" "threshold 12"
    probed "$w px: at first all" "count $(($(wc -l <"$tmp/o/a_particles.csv") - 1))"
    probed "$w px: none at the top" "none 0 –"
    probed "$w px: a typed threshold" "typed $shown"
    probed "$w px: name of the table" "name a_particles.csv"
done
# The page's command does what the page shows.
sed -n 's/^csv //p' "$tmp/probe" >"$tmp/page.csv"
lipopose() { "$lp" "$@"; }
eval "$(sed -n 's/^command //p' "$tmp/probe")" >"$tmp/out" 2>"$tmp/err"
check "the page's command runs" test $? -eq 0
check "the page's command gives the page's table" cmp "$tmp/page.csv" "$tmp/o/a_particles.csv"

cat "$tmp/common.js" - >"$tmp/small.js" <<'JS'
probe('count', number('count'));
probe('threshold', $$('number').value);
await slide(0);
probe('low', number('count'));
await slide('max');
probe('high', number('count'));
await type(run.threshold);
await saved();
probe('command', $$('command').textContent);
JS
browse "votes" "$tmp/v/a_view.html" 400 "$tmp/small.js"
run 0 "votes: merge" merge --merge votes --threshold 3 --image "$tmp/gone/moved.png" --savedir "$tmp/v2" "$tmp/o/a_lipopose.h5"
sed -n 's/^csv //p' "$tmp/probe" >"$tmp/page.csv"
check "votes: the same table" cmp "$tmp/page.csv" "$tmp/v2/a_particles.csv"
check "votes: some particles" test "$(wc -l <"$tmp/page.csv")" -gt 4
probed "votes: the command" "command lipopose merge --threshold 3 --merge votes --image $tmp/gone/moved.png $tmp/o/a_lipopose.h5"

browse "no particles" "$tmp/n/other_view.html" 1280 "$tmp/small.js"
probed "no particles: none" "low 0"
browse "strange names" "$strange/a b_view.html" 400 "$tmp/small.js"
probed "strange names: shown" "picture true"
eval "$(sed -n 's/^command //p' "$tmp/probe")" >"$tmp/out" 2>"$tmp/err"
check "strange names: the command runs" test $? -eq 0
check "strange names: it merged that file" test -s "$strange/a b_particles.csv"
finish
