// What the page holds: the run (JSON), the table (CSV as lipopose merge writes it, all particles,
// best first), keys (support, or level for votes and affinity; falling) and outlines.
'use strict';
const $ = id => document.getElementById(id);
const run = JSON.parse($('run').textContent);
const lines = $('table').textContent.trim().split('\n');
const columns = lines.shift().split(',');
const total = lines.length;
const keys = Float64Array.from($('keys').textContent.split(',').filter(s => s.trim()), Number);
const nm = run.pixel_nm > 0 ? run.pixel_nm : 0;
const unit = nm ? 'nm' : 'px';

const column = name => columns.indexOf(name);
const field = (row, name) => row[column(name)];
const diameters = new Float64Array(total);
{
  const k = column(nm ? 'diameter_nm' : 'diameter_px');
  for (let i = 0; i < total; i++) diameters[i] = Number(lines[i].split(',', k + 1)[k]);
}

// As C's %.7g: what the table has.
function g7(v) {
  const [m, e] = v.toExponential(6).split('e');
  if (+e >= -4 && +e < 7) return String(Number(v.toPrecision(7)));
  return Number(m) + 'e' + e[0] + e.slice(1).padStart(2, '0');
}

// A number for reading: at least `digits` significant ones, never an exponent.
function short(v, digits) {
  if (!isFinite(v)) return '–';
  const a = Math.abs(v), d = a < 1e-9 ? 0 : digits - 1 - Math.floor(Math.log10(a));
  return v.toFixed(Math.max(0, Math.min(6, d)));
}

const grouped = n => n.toLocaleString('en');

/* Outlines: bytes, 7 bits of a number each, low ones first, the top bit set in all but the last;
 * signed numbers as 0, -1, 1, -2 ... = 0, 1, 2, 3 ... Per particle: how many corners; y and x of
 * the first, less those of the particle before; then the runs from corner to corner, along x and
 * along y in turn. The last run is left away: it leads back. Corners are those of pixels: (0, 0)
 * is the upper left corner of the image. */
function readOutlines(text) {
  const s = atob(text.trim());
  const start = new Uint32Array(total + 1), box = new Int32Array(4 * total);
  let at = 0, n = 0, room = 1 << 16, xy = new Int32Array(room), y0 = 0, x0 = 0;
  const number = () => {
    let v = 0, shift = 1, b;
    do {
      b = s.charCodeAt(at++);
      v += (b & 127) * shift;
      shift *= 128;
    } while (b & 128);
    return v;
  };
  const signed = () => {
    const v = number();
    return v & 1 ? -(v + 1) / 2 : v / 2;
  };
  for (let i = 0; i < total; i++) {
    const corners = number();
    let y = y0 += signed(), x = x0 += signed(), l = x, r = x, t = y, b = y;
    start[i] = n;
    if (2 * (n + corners) > room) {
      room = 2 * room + 2 * corners;
      const more = new Int32Array(room);
      more.set(xy);
      xy = more;
    }
    for (let k = 0; k < corners; k++) {
      if (k && k & 1) x += signed();
      else if (k) y += signed();
      xy[2 * n] = x;
      xy[2 * n++ + 1] = y;
      if (x < l) l = x;
      if (x > r) r = x;
      if (y < t) t = y;
      if (y > b) b = y;
    }
    box.set([l, t, r, b], 4 * i);
  }
  start[total] = n;
  return {xy, start, box, step: 0};
}

// The staircase as a line that stays within about a pixel of it: corners are cut halfway along
// runs of up to 3 px and 1.5 px from the ends of longer ones.
function smooth(exact) {
  const start = new Uint32Array(total + 1), xy = new Float32Array(4 * exact.start[total]);
  let n = 0;
  for (let i = 0; i < total; i++) {
    const a = exact.start[i], m = exact.start[i + 1] - a;
    start[i] = n;
    for (let k = 0; k < m; k++) {
      const p = 2 * (a + k), q = 2 * (a + (k + 1) % m);
      const x = exact.xy[p], y = exact.xy[p + 1], dx = exact.xy[q] - x, dy = exact.xy[q + 1] - y;
      const long = Math.abs(dx + dy), cut = long > 3 ? 1.5 / long : 0.5;
      xy[2 * n] = x + dx * cut;
      xy[2 * n++ + 1] = y + dy * cut;
      if (long <= 3) continue;
      xy[2 * n] = x + dx * (1 - cut);
      xy[2 * n++ + 1] = y + dy * (1 - cut);
    }
  }
  start[total] = n;
  return {xy, start, step: 0};
}

// Fewer points, at least `step` px apart, for drawing from further away.
function thin(fine, step) {
  const start = new Uint32Array(total + 1), xy = new Float32Array(2 * fine.start[total]);
  const far = step * step;
  let n = 0;
  for (let i = 0; i < total; i++) {
    const a = fine.start[i], b = fine.start[i + 1], every = Math.max(1, (b - a) >> 2);
    let lx = Infinity, ly = 0, since = 0;
    start[i] = n;
    for (let k = a; k < b; k++) {
      const x = fine.xy[2 * k], y = fine.xy[2 * k + 1];
      // A quarter of the points at least: tiny particles keep a shape.
      if ((x - lx) * (x - lx) + (y - ly) * (y - ly) < far && ++since < every) continue;
      xy[2 * n] = lx = x;
      xy[2 * n++ + 1] = ly = y;
      since = 0;
    }
  }
  start[total] = n;
  return {xy, start, step};
}

const exact = readOutlines($('outlines').textContent);
const levelsOfDetail = [smooth(exact)];
function outlinesAt(scale) { // scale: device pixels per pixel
  if (scale >= 6) return exact;
  const k = Math.max(0, Math.min(6, Math.floor(Math.log2(2 / scale))));
  while (levelsOfDetail.length <= k) {
    const j = levelsOfDetail.length;
    levelsOfDetail.push(thin(levelsOfDetail[0], 2 ** j));
  }
  return levelsOfDetail[k];
}

// The threshold's axis. Supports lie at the square root of their share of the largest, which gives
// small ones room; levels at equal steps. `position` is 0..1, of a key or a threshold.
const axis = run.levels ? levelAxis() : supportAxis();

function supportAxis() {
  const top = Math.max(1, Math.ceil((total ? keys[0] : 0) * 10) / 10, run.threshold);
  const position = t => Math.sqrt(Math.max(0, Math.min(1, t / top)));
  const at = p => Math.round(top * p * p * 100) / 100;
  return {
    name: 'Support above', steps: 500, position, at,
    ticks: [0, 0.2, 0.5, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 100].filter(v => v <= top),
    snap: t => Math.max(0, Math.min(t, 1e9)),
    next(t, dir) {
      for (let p = position(t), v = t; p >= 0 && p <= 1;) {
        p += dir / 250;
        v = at(Math.max(0, Math.min(1, p)));
        if (v !== t) return v;
      }
      return t;
    },
    shown: (key, t) => key > t,
  };
}

function levelAxis() {
  const stops = run.levels.slice();
  if (run.threshold > stops[stops.length - 1]) stops.push(run.threshold); // shows nothing
  const last = Math.max(1, stops.length - 1);
  const index = t => {
    const k = stops.findIndex(v => v >= t);
    return k < 0 ? stops.length - 1 : k;
  };
  return {
    name: 'Votes above', steps: stops.length - 1, stops,
    position: t => index(t) / last,
    at: p => stops[Math.round(p * last)],
    ticks: stops,
    snap: t => stops[index(t)],
    next: (t, dir) => stops[Math.max(0, Math.min(stops.length - 1, index(t) + dir))],
    shown: (key, t) => key >= t,
  };
}

// Particles are in falling order of their keys: those shown are the first so many.
function countAt(t) {
  let lo = 0, hi = total;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (axis.shown(keys[mid], t)) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

// The table of the first n, as lipopose merge writes it at threshold t.
function tableOf(n, t) {
  const level = column('level'), out = [columns.join(',')];
  for (let i = 0; i < n; i++) {
    if (run.levels) {
      out.push(lines[i]);
      continue;
    }
    const f = lines[i].split(',');
    if (Number(f[level]) < t) f[level] = g7(t); // the threshold is a level of its own
    out.push(f.join(','));
  }
  return out.join('\n') + '\n';
}

function quoted(s) { // for a POSIX shell
  return /^[\w.\/:=@%+,-]+$/.test(s) ? s : "'" + s.replace(/'/g, "'\\''") + "'";
}

function commandAt(t) {
  const file = run.file[0] === '-' ? './' + run.file : run.file;
  const words = ['lipopose', 'merge', '--threshold', String(t)];
  if (run.method !== 'scale') words.push('--merge', run.method);
  if (run.levels_given) words.push('--levels', run.levels_given);
  if (run.image_given) words.push('--image', run.image_given);
  return words.concat(file).map(quoted).join(' ');
}
