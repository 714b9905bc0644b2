// All masks as a histogram: at first everything stands at 1, then the gates fall to 0.

import { svg } from '../dom.js';
import { count } from '../numbers.js';
import { frame } from '../plot.js';

const BINS = 20;

/** @param {Float32Array} masks */
export function masksChart(masks) {
  const bins = new Array(BINS).fill(0);
  for (const mask of masks) bins[Math.min(BINS - 1, Math.floor(mask * BINS))] += 1;
  const high = masks.length;
  const chart = frame({
    label: `Masks of ${count(masks.length)} edges: ${count(bins[0])} closed, ${count(bins[BINS - 1])} open`, height: 150,
    x: { low: 0, high: 1, label: 'mask: 0 closed, 1 open', ticks: [0, 0.25, 0.5, 0.75, 1] }, y: { low: 0, high, label: 'edges', ticks: [0, high / 2, high].map(Math.round) },
  });
  const wide = (chart.area.right - chart.area.left) / BINS;
  bins.forEach((n, at) => {
    const top = chart.y(n);
    chart.plot.append(svg('rect', { x: chart.area.left + at * wide + 1, y: top, width: wide - 2, height: Math.max(0, chart.area.bottom - top) }));
  });
  return chart.root;
}
