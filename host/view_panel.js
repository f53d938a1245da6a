// The panel: threshold, sums, histograms, a particle's row, and how to keep what is seen.
const N_BINS = 28;

const range = (() => { // of the histogram: all diameters, in equal steps of a round width
  let lo = Infinity, hi = 0;
  for (const d of diameters) {
    if (d < lo) lo = d;
    if (d > hi) hi = d;
  }
  if (!total) lo = 0, hi = 1;
  const raw = Math.max(hi - lo, hi * 0.01) / N_BINS, p = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find(m => m * p >= raw * 0.999) * p;
  const first = Math.floor(lo / step * (1 + 1e-9)) * step;
  return {first, step, n: Math.max(1, Math.floor((hi - first) / step * (1 + 1e-9)) + 1)};
})();
const binOf = d =>
  Math.max(0, Math.min(range.n - 1, Math.floor((d - range.first) / range.step * (1 + 1e-9))));
let bins = new Uint32Array(range.n), binShown = -1;

function median(n) {
  if (!n) return NaN;
  const d = diameters.slice(0, n).sort(), h = n >> 1;
  return n & 1 ? d[h] : (d[h - 1] + d[h]) / 2;
}

// A canvas of its css size, cleared; css px from here on.
function plot(id) {
  const c = $(id), w = c.clientWidth, h = c.clientHeight, r = window.devicePixelRatio || 1;
  const ctx = c.getContext('2d'), css = getComputedStyle(document.documentElement);
  c.width = Math.round(w * r);
  c.height = Math.round(h * r);
  ctx.setTransform(r, 0, 0, r, 0, 0);
  ctx.font = '11.5px system-ui, sans-serif';
  return {ctx, w, h, colour: name => css.getPropertyValue(name).trim()};
}

// Marks of the axis below, left away where they would touch.
function marks(g, list, y) {
  let free = -1e9;
  g.ctx.fillStyle = g.colour('--dim');
  g.ctx.textBaseline = 'top';
  for (const [x, text] of list) {
    const half = g.ctx.measureText(text).width / 2;
    const at = Math.max(half, Math.min(g.w - half, x));
    if (at - half < free) continue;
    g.ctx.textAlign = 'center';
    g.ctx.fillText(text, at, y);
    free = at + half + 7;
  }
}

// Particles along the slider, coloured as their outlines; those hidden grey.
function drawSupports() {
  const g = plot('supports'), {ctx} = g, edge = 9, n = axis.stops ? axis.stops.length : 50;
  const wide = g.w - 2 * edge, floor = g.h - 17, count = new Uint32Array(n);
  const slot = k => axis.stops ? Math.round(axis.position(k) * (n - 1))
    : Math.min(n - 1, Math.floor(axis.position(k) * n));
  for (const k of keys) count[slot(k)]++;
  const most = Math.max(1, ...count), cut = axis.position(state.threshold);
  for (let b = 0; b < n; b++) {
    // Square roots, so that a few certain particles can be seen beside many uncertain ones.
    const h = count[b] && Math.max(2, Math.sqrt(count[b] / most) * (floor - 3));
    let x = edge + b / n * wide, w = wide / n - 1, p = (b + 0.5) / n;
    if (axis.stops) {
      w = Math.min(2 * edge, wide / n * 0.7);
      p = b / Math.max(1, n - 1);
      x = edge + p * wide - w / 2;
    }
    const on = axis.stops ? p >= cut - 1e-9 : p > cut;
    ctx.fillStyle = !on ? g.colour('--off') : state.colour === 'id' ? g.colour('--bar') : rampAt(p);
    ctx.fillRect(x, floor - h, Math.max(1, w), h);
  }
  ctx.fillStyle = g.colour('--text');
  if (!axis.stops) ctx.fillRect(edge + cut * wide - 0.75, 0, 1.5, floor);
  ctx.fillStyle = g.colour('--rule');
  ctx.fillRect(edge, floor, wide, 1);
  marks(g, axis.ticks.map(v => [edge + axis.position(v) * wide, String(v)]), floor + 4);
}

const sizesBox = g => ({left: 32, right: g.w - 6, top: 8, floor: g.h - 19});
function drawSizes() {
  const g = plot('sizes'), {ctx} = g, box = sizesBox(g), wide = box.right - box.left;
  const most = Math.max(1, ...bins), step = niceStep(most / 3.2, 1), mid = median(state.n);
  const px = d => box.left + (d - range.first) / (range.step * range.n) * wide;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'middle';
  for (let v = 0; v <= most; v += step) {
    const y = box.floor - v / most * (box.floor - box.top);
    ctx.fillStyle = g.colour('--rule');
    ctx.fillRect(box.left, Math.round(y), wide, 1);
    ctx.fillStyle = g.colour('--dim');
    ctx.fillText(String(v), box.left - 6, y);
  }
  for (let b = 0; b < range.n; b++) {
    const h = bins[b] / most * (box.floor - box.top), x = box.left + b / range.n * wide;
    ctx.fillStyle = g.colour(b === binShown ? '--text' : '--bar');
    ctx.fillRect(x + 0.5, box.floor - h, Math.max(1, wide / range.n - 1), h);
  }
  if (state.n) {
    ctx.fillStyle = g.colour('--text');
    for (let y = box.top; y < box.floor; y += 6) ctx.fillRect(px(mid) - 0.75, y, 1.5, 3);
  }
  const end = range.first + range.step * range.n, mark = niceStep((end - range.first) / 5, 0);
  const list = [];
  for (let k = Math.ceil(range.first / mark - 1e-9); k * mark <= end * (1 + 1e-9); k++)
    list.push([px(k * mark), String(Number((k * mark).toPrecision(6)))]);
  if (list.length) list[list.length - 1][1] += ' ' + unit;
  marks(g, list, box.floor + 5);
}

function niceStep(raw, least) {
  const p = 10 ** Math.floor(Math.log10(raw));
  return Math.max(least, [1, 2, 5, 10].find(m => m * p >= raw * 0.999) * p);
}

function setThreshold(t, from) {
  state.threshold = t;
  state.n = countAt(t);
  bins = new Uint32Array(range.n);
  for (let i = 0; i < state.n; i++) bins[binOf(diameters[i])]++;
  if (from !== 'slider') $('slider').value = Math.round(axis.position(t) * axis.steps);
  if (from !== 'number') $('number').value = t;
  $('slider').setAttribute('aria-valuetext', `${t}, ${state.n} particles`);
  $('count').textContent = grouped(state.n);
  $('of').textContent = `of ${grouped(total)} particle${total === 1 ? '' : 's'}`;
  $('median').textContent = state.n ? `${short(median(state.n), 3)} ${unit}` : '–';
  $('command').textContent = commandAt(t);
  $('copy').textContent = 'Copy';
  $('save').disabled = false;
  if (state.hover >= state.n || state.pinned >= state.n) {
    state.hover = -1;
    if (state.pinned >= state.n) state.pinned = -1;
    showCard();
  }
  drawSupports();
  drawSizes();
  redraw('lines', 'mark');
}

function rows(i) {
  const f = lines[i].split(',');
  const v = name => field(f, name) === '' ? NaN : Number(field(f, name));
  const both = (name, digits) => (nm ? `${short(v(name + '_nm'), digits)} nm (` : '') +
    `${short(v(name + '_px'), digits)} px` + (nm ? ')' : '');
  const low = v('diameter_min_px'), high = v('diameter_max_px'), n = v('n_diameters');
  return [
    ['y, x', `${v('y_px').toFixed(1)}, ${v('x_px').toFixed(1)} px`],
    ['diameter', both('diameter', 3)],
    ['axes', `${short(v('major_px') * (nm || 1), 3)} × ${short(v('minor_px') * (nm || 1), 3)} ${unit}`],
    ['circularity', short(v('circularity'), 3)],
    ['support', short(v('support'), 3)],
    ['found by', `${n} diameter${n === 1 ? '' : 's'}` +
      (n ? `, ${Number(low.toPrecision(3))}${high > low ? '–' + Number(high.toPrecision(3)) : ''} px` : '')],
    ['flow error', short(v('flow_error'), 2)],
    ['cellprob', short(v('mean_cellprob'), 3)],
  ];
}

function showCard() {
  const card = $('card'), i = state.hover >= 0 ? state.hover : state.pinned;
  card.hidden = i < 0;
  if (i < 0) return;
  card.replaceChildren();
  const title = document.createElement('b'), dot = document.createElement('i');
  dot.style.background = colourOf(i);
  title.append(dot, `Particle ${lines[i].split(',', 1)[0]}`);
  card.append(title);
  for (const pair of rows(i)) {
    const line = document.createElement('div');
    for (const text of pair)
      line.append(Object.assign(document.createElement('span'), {textContent: text}));
    card.append(line);
  }
  placeCard(i);
}

// Beside the particle, on the side with room; narrow pages have it below (view.css).
function placeCard(i) {
  const card = $('card'), w = card.offsetWidth, h = card.offsetHeight, b = exact.box, j = 4 * i;
  const left = (b[j] - state.x) * state.s, right = (b[j + 2] - state.x) * state.s;
  const py = (b[j + 1] - state.y) * state.s;
  const x = right + 14 + w < width ? right + 14 : left - 14 - w > 0 ? left - 14 - w : width - w - 10;
  card.style.left = `${Math.max(8, x)}px`;
  card.style.top = `${Math.max(8, Math.min(height - h - 8, py))}px`;
}

function point(i) {
  if (i === state.hover) return;
  state.hover = i;
  showCard();
  redraw('mark');
}

function pin(i) {
  state.pinned = i === state.pinned ? -1 : i;
  state.hover = -1;
  showCard();
  redraw('mark');
}

async function copy() {
  try {
    await navigator.clipboard.writeText($('command').textContent);
  } catch (e) { // pages from a disk may lack the clipboard
    getSelection().selectAllChildren($('command'));
    document.execCommand('copy');
  }
  $('copy').textContent = 'Copied';
}

function save() {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([tableOf(state.n, state.threshold)], {type: 'text/csv'}));
  a.download = run.name + '_particles.csv';
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}

function key(e) {
  const t = e.target, typing = t.tagName === 'SELECT' || t.type === 'number';
  if (typing || e.ctrlKey || e.metaKey || e.altKey) return;
  const dir = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[e.key];
  if (dir) {
    let v = state.threshold;
    for (let k = e.shiftKey ? 10 : 1; k > 0; k--) v = axis.next(v, dir);
    setThreshold(v);
  } else if (e.key === '+' || e.key === '=') zoom(1.25);
  else if (e.key === '-' || e.key === '_') zoom(0.8);
  else if (e.key === '0') fit();
  else if (e.key === 'o' || e.key === 'O') $('show').click();
  else if (e.key === 'Escape') pin(-1);
  else return;
  e.preventDefault();
}

function head() {
  document.documentElement.style.setProperty('--tall', run.Ly / run.Lx);
  const list = run.diameters, n = list.length;
  $('name').textContent = run.title;
  $('about').textContent = (run.page > 1 ? `page ${run.page}, ` : '') + `${run.Lx} × ${run.Ly} px` +
    (nm ? `, ${Number(nm.toPrecision(4))} nm per px` : '') +
    (run.reduced > 1 ? `; shown at 1/${run.reduced} of its size` : '');
  $('run-of').textContent = `Found at ${n} diameter${n === 1 ? '' : 's'}` +
    (n ? `, ${Number(list[0].toPrecision(3))} to ${Number(list[n - 1].toPrecision(3))} px` : '') +
    ` with ${run.model}, merged by ${run.method}. lipopose ${run.version}.`;
  $('what').textContent = axis.name;
}

function start() {
  head();
  $('slider').max = axis.steps;
  $('number').step = 'any';
  $('slider').addEventListener('input', e =>
    setThreshold(axis.at(e.target.value / Math.max(1, axis.steps)), 'slider'));
  $('number').addEventListener('input', e => {
    const v = parseFloat(e.target.value);
    if (v >= 0) setThreshold(axis.snap(v), 'number');
  });
  $('number').addEventListener('change', e => e.target.value = state.threshold);
  $('colour').addEventListener('change', e => {
    state.colour = e.target.value;
    drawSupports();
    showCard();
    redraw('lines');
  });
  $('show').addEventListener('change', e => {
    state.outlines = e.target.checked;
    if (!state.outlines) pin(-1);
    redraw('lines', 'mark');
  });
  $('copy').addEventListener('click', copy);
  $('save').addEventListener('click', save);
  addEventListener('keydown', key);
  addEventListener('resize', () => {
    drawSupports();
    drawSizes();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    drawSupports();
    drawSizes();
  });
  $('sizes').addEventListener('pointermove', e => {
    const g = {w: e.target.clientWidth, h: e.target.clientHeight}, box = sizesBox(g);
    const b = Math.floor((e.offsetX - box.left) / (box.right - box.left) * range.n);
    showBin(b >= 0 && b < range.n ? b : -1);
  });
  $('sizes').addEventListener('pointerleave', () => showBin(-1));
  startStage();
  setThreshold(axis.snap(run.threshold));
  drawDirty(); // at once, not with the next frame
  addEventListener('DOMContentLoaded', picture);
}

function showBin(b) {
  const at = v => Number((range.first + v * range.step).toPrecision(6));
  binShown = b;
  $('bin').textContent = b < 0 ? '' : `${at(b)}–${at(b + 1)} ${unit}: ${bins[b]}`;
  drawSizes();
}

async function picture() {
  const img = $('micrograph');
  try {
    await img.decode();
  } catch (e) {
    $('wait').textContent = 'The browser cannot show the micrograph: it may be too large for it.';
    return;
  }
  $('wait').remove();
  makePyramid(img);
  redraw('base');
}

start();
