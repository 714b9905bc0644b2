// Where edges run: the same curve as in reports (core/src/report/svg/circuit.rs). Eight numbers an edge: start, two handles, end.

/** @param {any} layout @param {Uint32Array} offsets */
export function curves(layout, offsets) {
  const edges = offsets[offsets.length - 1];
  const points = new Float32Array(edges * 8);
  const writerOf = new Uint16Array(edges);
  const readerOf = new Uint16Array(edges);
  const wide = layout.box_width;
  for (let reader = 0; reader + 1 < offsets.length; reader += 1) {
    const to = layout.readers[reader];
    for (let edge = offsets[reader]; edge < offsets[reader + 1]; edge += 1) {
      const writer = edge - offsets[reader];
      const from = layout.writers[writer];
      const rise = from.y - to.y;
      let bow = 0;
      if (Math.abs(from.x - to.x) < wide * 0.5 && rise > layout.row * 1.1) {
        bow = ((writer + reader) % 2 === 0 ? 1 : -1) * Math.min(wide * 0.62 + rise * 0.06, wide * 1.3);
      }
      const reach = rise > 0 ? Math.max(rise * 0.42, 6) : 14;
      points.set([from.x, from.y, from.x + bow, from.y - reach, to.x + bow, to.y + reach, to.x, to.y], edge * 8);
      writerOf[edge] = writer;
      readerOf[edge] = reader;
    }
  }
  return { points, writerOf, readerOf, count: edges };
}

/** The edge among `candidates` that passes nearest to a place, within `reach`; -1 for none. */
export function nearest({ points }, candidates, x, y, reach) {
  let best = -1;
  let least = reach * reach;
  for (const edge of candidates) {
    const at = edge * 8;
    const [x0, y0, x1, y1, x2, y2, x3, y3] = points.subarray(at, at + 8);
    if (x < Math.min(x0, x1, x2, x3) - reach || x > Math.max(x0, x1, x2, x3) + reach || y < Math.min(y0, y1, y2, y3) - reach || y > Math.max(y0, y1, y2, y3) + reach) continue;
    let [px, py] = [x0, y0];
    for (let step = 1; step <= 16; step += 1) {
      const t = step / 16;
      const u = 1 - t;
      const [a, b, c, d] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
      const [qx, qy] = [a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3];
      const [dx, dy] = [qx - px, qy - py];
      const along = Math.max(0, Math.min(1, ((x - px) * dx + (y - py) * dy) / (dx * dx + dy * dy || 1)));
      const far = (x - px - along * dx) ** 2 + (y - py - along * dy) ** 2;
      if (far < least) [least, best] = [far, edge];
      [px, py] = [qx, qy];
    }
  }
  return best;
}
