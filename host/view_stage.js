// The micrograph with its outlines: three canvases (picture, outlines, the particle pointed at),
// so that the threshold redraws outlines only and the pointer neither.
const stage = $('stage'), layers = ['base', 'lines', 'mark'].map($);
const [base, over, mark] = layers.map(c => c.getContext('2d'));
const state = {
  threshold: run.threshold, n: 0, colour: 'support', outlines: true,
  s: 1, y: 0, x: 0, fitted: true, // css px per px; the image's px at the upper left corner
  hover: -1, pinned: -1, point: null,
};
const MANY = 250; // particles in view
let ratio = 1, width = 1, height = 1, pyramid = [];

const ramp = (() => { // 32 colours, uncertain to certain; bright on grey
  const stop = [[255, 86, 70], [255, 158, 52], [255, 224, 84], [118, 228, 158], [64, 206, 255]];
  return Array.from({length: 32}, (_, i) => {
    const t = i / 31 * (stop.length - 1), k = Math.min(stop.length - 2, Math.floor(t)), f = t - k;
    return `rgb(${stop[k].map((v, c) => Math.round(v + (stop[k + 1][c] - v) * f))})`;
  });
})();
const rampAt = p => ramp[Math.max(0, Math.min(31, Math.floor(p * 32)))];
const palette = ['#f5e642', '#56c4ff', '#ff7a1a', '#1fe09a', '#ff8fd0', '#ff3b30'];
const colourOf = i =>
  state.colour === 'id' ? palette[i * 7 % 6] : rampAt(axis.position(keys[i]));

// Halved copies, so that drawing the whole is as quick as drawing a part.
function makePyramid(img) {
  pyramid = [{img, f: run.reduced}];
  for (let k = 1; Math.max(pyramid[k - 1].img.width, pyramid[k - 1].img.height) > 700; k++) {
    const from = pyramid[k - 1].img, c = document.createElement('canvas');
    c.width = Math.ceil(from.width / 2);
    c.height = Math.ceil(from.height / 2);
    const g = c.getContext('2d');
    g.imageSmoothingQuality = 'medium';
    g.drawImage(from, 0, 0, from.width / 2, from.height / 2);
    pyramid.push({img: c, f: pyramid[k - 1].f * 2});
  }
}

function drawBase() {
  const k = state.s * ratio;
  base.setTransform(1, 0, 0, 1, 0, 0);
  base.clearRect(0, 0, layers[0].width, layers[0].height);
  if (!pyramid.length) return;
  const p = pyramid.filter(q => q.f * k <= 1).pop() || pyramid[0], g = p.f * k;
  // Only the part in view, with a pixel around it.
  const x0 = Math.max(0, Math.floor(state.x / p.f) - 1), y0 = Math.max(0, Math.floor(state.y / p.f) - 1);
  const x1 = Math.min(p.img.width, Math.ceil((state.x + width / state.s) / p.f) + 1);
  const y1 = Math.min(p.img.height, Math.ceil((state.y + height / state.s) / p.f) + 1);
  if (x1 <= x0 || y1 <= y0) return;
  base.imageSmoothingEnabled = g < 3;
  base.imageSmoothingQuality = 'medium';
  base.drawImage(p.img, x0, y0, x1 - x0, y1 - y0,
    x0 * g - state.x * k, y0 * g - state.y * k, (x1 - x0) * g, (y1 - y0) * g);
}

function trace(ctx, o, i, k) {
  const a = o.start[i], b = o.start[i + 1], ox = state.x, oy = state.y, xy = o.xy;
  ctx.moveTo((xy[2 * a] - ox) * k, (xy[2 * a + 1] - oy) * k);
  for (let j = a + 1; j < b; j++) ctx.lineTo((xy[2 * j] - ox) * k, (xy[2 * j + 1] - oy) * k);
  ctx.closePath();
}

function inView(i) {
  const b = exact.box, j = 4 * i;
  return b[j + 2] >= state.x && b[j + 3] >= state.y && b[j] <= state.x + width / state.s &&
    b[j + 1] <= state.y + height / state.s;
}

function drawLines() {
  const k = state.s * ratio, o = outlinesAt(k), seen = [];
  over.setTransform(1, 0, 0, 1, 0, 0);
  over.clearRect(0, 0, layers[1].width, layers[1].height);
  if (state.outlines) {
    for (let i = 0; i < state.n; i++) if (inView(i)) seen.push(i);
    if (seen.length > MANY) {
      const image = over.createImageData(layers[1].width, layers[1].height);
      rasterOutlines(image, o, seen, k, 1.5 * ratio, colourOf);
      over.putImageData(image, 0, 0);
    } else { // with a dark rim, which makes outlines stand out on bright ground
      over.lineJoin = 'round';
      strokes(o, seen, k, 3.8, () => 'rgba(0,0,0,.42)');
      strokes(o, seen, k, 1.9, colourOf);
    }
  }
  drawBar(k);
}

// Paths of one colour and a bounded length: very long ones are slow.
function strokes(o, seen, k, wide, colour) {
  const of = new Map();
  over.lineWidth = wide * ratio;
  for (const i of seen) {
    const c = colour(i);
    let p = of.get(c);
    if (!p) of.set(c, p = []);
    p.push(i);
  }
  for (const [c, list] of of) {
    over.strokeStyle = c;
    for (let j = 0; j < list.length; j += 128) {
      over.beginPath();
      for (const i of list.slice(j, j + 128)) trace(over, o, i, k);
      over.stroke();
    }
  }
}

// A scale bar of 1, 2 or 5 x 10^n next to a fifth of the width.
function drawBar(k) {
  const per = nm || 1, want = Math.min(width, 900) / state.s * per / 5;
  const p = 10 ** Math.floor(Math.log10(want)), m = want / p;
  const long = p * (m < 1.4142 ? 1 : m < 3.1623 ? 2 : m < 7.0711 ? 5 : 10), wide = long / per * k;
  const text = long >= 1000 && nm ? `${long / 1000} µm` : `${Number(long.toPrecision(6))} ${unit}`;
  const g = ratio, h = 34 * g, x = 12 * g, y = layers[1].height - h - 12 * g;
  over.font = `${12.5 * g}px system-ui, sans-serif`;
  const box = Math.max(wide, over.measureText(text).width) + 20 * g;
  over.fillStyle = 'rgba(16,20,27,.72)';
  over.fillRect(x, y, box, h);
  over.fillStyle = '#fff';
  over.textAlign = 'center';
  over.textBaseline = 'alphabetic';
  over.fillText(text, x + box / 2, y + 17 * g);
  over.fillRect(x + (box - wide) / 2, y + 23 * g, wide, 3.5 * g);
}

function drawMark() {
  const k = state.s * ratio, i = state.hover >= 0 ? state.hover : state.pinned;
  mark.setTransform(1, 0, 0, 1, 0, 0);
  mark.clearRect(0, 0, layers[2].width, layers[2].height);
  if (i < 0 || i >= state.n) return;
  placeCard(i);
  const o = outlinesAt(Math.max(k, 1));
  mark.lineJoin = 'round';
  mark.beginPath();
  trace(mark, o, i, k);
  mark.fillStyle = 'rgba(255,255,255,.13)';
  mark.fill();
  for (const [w, c] of [[5, 'rgba(0,0,0,.6)'], [2.6, '#fff']]) {
    mark.lineWidth = w * ratio;
    mark.strokeStyle = c;
    mark.stroke();
  }
}

const dirty = {base: false, lines: false, mark: false};
let waiting = false;
function redraw(...what) {
  for (const w of what.length ? what : ['base', 'lines', 'mark']) dirty[w] = true;
  if (!waiting) requestAnimationFrame(drawDirty);
  waiting = true;
}

function drawDirty() {
  waiting = false;
  if (dirty.base) drawBase();
  if (dirty.lines) drawLines();
  if (dirty.mark) drawMark();
  dirty.base = dirty.lines = dirty.mark = false;
}

const fitScale = () => Math.min(width / run.Lx, height / run.Ly);
function fit() {
  state.s = fitScale();
  state.x = run.Lx / 2 - width / 2 / state.s;
  state.y = run.Ly / 2 - height / 2 / state.s;
  state.fitted = true;
  redraw();
}

// Some of the image stays in view.
function moveTo(y, x) {
  const my = height / state.s / 2, mx = width / state.s / 2;
  state.y = Math.max(-my, Math.min(run.Ly - my, y));
  state.x = Math.max(-mx, Math.min(run.Lx - mx, x));
  state.fitted = false;
  redraw();
}

// py, px: the point of the stage, css px, that stays where it is.
function zoom(factor, py = height / 2, px = width / 2) {
  const s = Math.max(fitScale() / 2, Math.min(48, state.s * factor));
  const y = state.y + py / state.s, x = state.x + px / state.s;
  state.s = s;
  moveTo(y - py / s, x - px / s);
}

function resize() {
  const r = stage.getBoundingClientRect();
  const y = state.y + height / 2 / state.s, x = state.x + width / 2 / state.s;
  ratio = Math.min(2.5, window.devicePixelRatio || 1);
  width = Math.max(1, r.width);
  height = Math.max(1, r.height);
  for (const c of layers) {
    c.width = Math.round(width * ratio);
    c.height = Math.round(height * ratio);
  }
  if (state.fitted) fit();
  else moveTo(y - height / 2 / state.s, x - width / 2 / state.s);
}

// The smallest shown particle whose outline holds the point, or -1.
function particleAt(py, px) {
  const x = state.x + px / state.s, y = state.y + py / state.s, b = exact.box, xy = exact.xy;
  let best = -1, least = Infinity;
  if (!state.outlines) return -1;
  for (let i = 0; i < state.n; i++) {
    const j = 4 * i;
    if (x < b[j] || y < b[j + 1] || x > b[j + 2] || y > b[j + 3] || diameters[i] >= least) continue;
    let inside = false;
    for (let a = exact.start[i], e = exact.start[i + 1], q = e - 1; a < e; q = a++) {
      const ya = xy[2 * a + 1], yq = xy[2 * q + 1];
      if (ya > y !== yq > y && x < xy[2 * a]) inside = !inside; // runs along y only: x is one
    }
    if (inside) {
      best = i;
      least = diameters[i];
    }
  }
  return best;
}

const pointers = new Map();
let moved = 0, pinch = 0;
const local = e => {
  const r = stage.getBoundingClientRect();
  return {y: e.clientY - r.top, x: e.clientX - r.left};
};

function pointerDown(e) {
  if (e.button > 0) return;
  layers[2].setPointerCapture(e.pointerId);
  pointers.set(e.pointerId, local(e));
  if (pointers.size === 1) moved = 0;
  pinch = 0;
}

function pointerMove(e) {
  const p = local(e), old = pointers.get(e.pointerId);
  if (!old) {
    if (e.pointerType === 'mouse') point(particleAt(p.y, p.x), p);
    return;
  }
  pointers.set(e.pointerId, p);
  moved += Math.hypot(p.x - old.x, p.y - old.y);
  if (pointers.size > 1) {
    const [a, b] = [...pointers.values()], d = Math.hypot(a.x - b.x, a.y - b.y);
    if (pinch > 0) zoom(d / pinch, (a.y + b.y) / 2, (a.x + b.x) / 2);
    pinch = d;
    moved = 99;
  }
  if (moved < 5) return;
  layers[2].classList.add('drag');
  point(-1, null);
  const share = 1 / pointers.size / state.s;
  moveTo(state.y - (p.y - old.y) * share, state.x - (p.x - old.x) * share);
}

function pointerUp(e) {
  const p = local(e);
  if (!pointers.delete(e.pointerId)) return;
  pinch = 0;
  layers[2].classList.remove('drag');
  if (e.type === 'pointerup' && moved < 5) pin(particleAt(p.y, p.x), p);
}

function startStage() {
  const c = layers[2];
  c.addEventListener('pointerdown', pointerDown);
  c.addEventListener('pointermove', pointerMove);
  c.addEventListener('pointerup', pointerUp);
  c.addEventListener('pointercancel', pointerUp);
  c.addEventListener('pointerleave', () => point(-1, null));
  c.addEventListener('dblclick', e => {
    const p = local(e);
    zoom(2, p.y, p.x);
  });
  c.addEventListener('wheel', e => {
    const p = local(e), unitPx = e.deltaMode === 1 ? 30 : e.deltaMode === 2 ? 400 : 1;
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * unitPx * (e.ctrlKey ? 0.01 : 0.0018)), p.y, p.x);
  }, {passive: false});
  $('in').addEventListener('click', () => zoom(1.5));
  $('out').addEventListener('click', () => zoom(1 / 1.5));
  $('fit').addEventListener('click', fit);
  new ResizeObserver(resize).observe(stage);
  resize();
}
