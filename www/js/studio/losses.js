// The loss of every redrawn patch as bars, and those of other models as marks.

import { svg } from '../dom.js';
import { fixed } from '../numbers.js';
import { frame } from '../plot.js';

/** Shapes of marks, so that models are told apart without their colours. */
export const MARKS = ['M-4 0L0 -4L4 0L0 4Z', 'M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5', 'M-4 3L0 -4L4 3Z', 'M-3 -3H3V3H-3Z'];

/** @param {any} look @param {{ title: string, look: any }[]} others */
export function plot(look, others) {
  const of = (one) => one.patches.map((patch, at) => ({ at: at + 1, loss: patch.loss })).filter(({ loss }) => loss !== null);
  const mine = of(look);
  const highest = Math.max(1.25, ...[look, ...others.map((one) => one.look)].flatMap(of).map(({ loss }) => loss));
  const last = Math.max(2, look.attended);
  const { root, plot: area, x, y, area: box } = frame({
    label: `Loss of ${mine.length} hidden patches; their mean is ${mine.length ? fixed(look.loss.pixel, 2) : 'none'}, and 1 is what grey all over costs`,
    height: 190,
    x: { low: 0.5, high: last + 0.5, label: 'patch', ticks: [...Array(last).keys()].map((at) => at + 1).filter((at) => at === 1 || at % (last > 60 ? 20 : last > 25 ? 5 : 2) === 0) },
    y: { low: 0, high: highest, label: 'loss, in variances of the true patch' },
  });
  const wide = Math.max(2, Math.min(14, (x(2) - x(1)) * 0.7));
  area.append(
    svg('line', { class: 'mark', x1: box.left, x2: box.right, y1: y(1), y2: y(1) }),
    ...mine.map(({ at, loss }) => svg('rect', { class: 'bar c0', x: x(at) - wide / 2, width: wide, y: y(loss), height: Math.max(0.5, y(0) - y(loss)) }, svg('title', { text: `patch ${at}: ${fixed(loss, 2)}` }))),
    ...others.flatMap((one, number) => of(one.look).map(({ at, loss }) => svg('path', { class: `line c${1 + number}`, d: MARKS[number % MARKS.length], transform: `translate(${x(at).toFixed(1)} ${y(loss).toFixed(1)})` }, svg('title', { text: `${one.title}, patch ${at}: ${fixed(loss, 2)}` })))),
    svg('text', { class: 'marklabel', x: box.right, y: y(1) - 4, 'text-anchor': 'end', text: 'grey all over' }),
  );
  return root;
}
