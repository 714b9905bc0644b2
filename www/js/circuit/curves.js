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
  for (let at = 0; at < candidates.length; at += 1) {
    const p = candidates[at] * 8;
    // Edges run upwards, start lowest and end highest up to their handles: most are ruled out by their height alone.
    if (y > points[p + 1] + reach + 14 || y < points[p + 7] - reach - 14) continue;
    if (x < Math.min(points[p], points[p + 2], points[p + 4], points[p + 6]) - reach || x > Math.max(points[p], points[p + 2], points[p + 4], points[p + 6]) + reach) continue;
    const far = distance(points, p, x, y);
    if (far < least) [least, best] = [far, candidates[at]];
  }
  return best;
}

/** Squared distance of a place from the curve whose numbers start at `p`, by sixteen straight pieces. */
function distance(points, p, x, y) {
  let [px, py] = [points[p], points[p + 1]];
  let least = Infinity;
  for (let step = 1; step <= 16; step += 1) {
    const t = step / 16;
    const u = 1 - t;
    const [a, b, c, d] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
    const qx = a * points[p] + b * points[p + 2] + c * points[p + 4] + d * points[p + 6];
    const qy = a * points[p + 1] + b * points[p + 3] + c * points[p + 5] + d * points[p + 7];
    const [dx, dy] = [qx - px, qy - py];
    const along = Math.max(0, Math.min(1, ((x - px) * dx + (y - py) * dy) / (dx * dx + dy * dy || 1)));
    least = Math.min(least, (x - px - along * dx) ** 2 + (y - py - along * dy) ** 2);
    [px, py] = [qx, qy];
  }
  return least;
}
