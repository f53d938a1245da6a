// Outlines of very many particles, drawn into pixels here: a canvas needs several times as long
// for so many short lines.

/* A line from a to b, device px, `wide` px thick, into the pixels [h][w] of an ImageData (0xAABBGGRR):
 * per step along the longer axis the pixels across, by the share of each that is covered. The
 * larger alpha stays where lines overlap. rgb: 0x00BBGGRR. */
function rasterLine(pixels, w, h, ax, ay, bx, by, wide, rgb) {
  const dx = bx - ax, dy = by - ay, flat = Math.abs(dx) >= Math.abs(dy);
  const major = flat ? dx : dy, n = Math.abs(major);
  if (n < 1e-6) return;
  const slope = (flat ? dy : dx) / major, half = wide / 2 * Math.sqrt(1 + slope * slope);
  const from = flat ? ax : ay, across = flat ? ay : ax, low = Math.min(from, from + major);
  const end = flat ? w : h, side = flat ? h : w, step = flat ? w : 1, along = flat ? 1 : w;
  const last = Math.min(end - 1, Math.floor(low + n));
  for (let m = Math.max(0, Math.floor(low)); m <= last; m++) {
    const at = Math.max(low, Math.min(low + n, m + 0.5)), c = across + (at - from) * slope;
    const p0 = Math.max(0, Math.floor(c - half)), p1 = Math.min(side - 1, Math.floor(c + half));
    for (let p = p0; p <= p1; p++) {
      const cover = Math.min(p + 1, c + half) - Math.max(p, c - half);
      const alpha = (cover > 1 ? 255 : cover * 255) | 0, i = m * along + p * step;
      if (alpha > pixels[i] >>> 24) pixels[i] = (alpha << 24 | rgb) >>> 0;
    }
  }
}

// Outlines o of the particles in `seen` at k device px per px; colour(i): "#rrggbb" or "rgb(r,g,b)".
function rasterOutlines(image, o, seen, k, wide, colour) {
  const pixels = new Uint32Array(image.data.buffer), {width: w, height: h} = image, xy = o.xy;
  const known = new Map();
  for (const i of seen) {
    const name = colour(i), first = o.start[i], end = o.start[i + 1];
    let rgb = known.get(name);
    if (rgb === undefined) known.set(name, rgb = packed(name));
    let ax = (xy[2 * end - 2] - state.x) * k, ay = (xy[2 * end - 1] - state.y) * k;
    for (let j = first; j < end; j++) {
      const bx = (xy[2 * j] - state.x) * k, by = (xy[2 * j + 1] - state.y) * k;
      rasterLine(pixels, w, h, ax, ay, bx, by, wide, rgb);
      ax = bx;
      ay = by;
    }
  }
}

function packed(name) {
  const v = name[0] === '#' ? [1, 3, 5].map(c => parseInt(name.slice(c, c + 2), 16))
    : name.match(/\d+/g).map(Number);
  return v[0] | v[1] << 8 | v[2] << 16;
}
