// Small charts in the report's style: axes, lines, bars. Values come in, pixels go out.

import { svg } from './dom.js';
import { brief } from './numbers.js';

const WIDTH = 400;

/** A linear scale, or a logarithmic one. */
export function scale(low, high, from, to, log = false) {
  const f = log ? Math.log : (x) => x;
  const [a, b] = [f(low), f(high)];
  const at = (x) => from + ((f(x) - a) / (b - a || 1)) * (to - from);
  at.back = (pixel) => {
    const x = a + ((pixel - from) / (to - from)) * (b - a);
    return log ? Math.exp(x) : x;
  };
  return at;
}

/** Round steps between two numbers. */
export function ticks(low, high, most = 5) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const list = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) list.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return list;
}

/** Powers of ten, with halves of them where there is room. */
function logTicks(low, high) {
  const list = [];
  for (let power = 1; power <= high * 1.0001; power *= 10) for (const m of [1, 2, 5]) if (power * m >= low && power * m <= high) list.push(power * m);
  return list.length > 8 ? list.filter((x) => /^1/.test(String(x))) : list;
}

/**
 * A frame with axes. @returns {{ root: any, plot: any, x: any, y: any, area: { left: number, right: number, top: number, bottom: number } }}
 * @param {{ label: string, height?: number, x: { low: number, high: number, log?: boolean, label: string, ticks?: number[] }, y: { low: number, high: number, label: string, ticks?: number[], format?: (v: number) => string } }} options
 */
export function frame({ label, height = 210, x, y }) {
  const area = { left: 46, right: WIDTH - 10, top: 20, bottom: height - 34 };
  const atX = scale(x.low, x.high, area.left, area.right, x.log);
  const atY = scale(y.low, y.high, area.bottom, area.top);
  const format = y.format ?? brief;
  const root = svg('svg', { class: 'fig', viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': label });
  const grid = svg('g', { class: 'grid', 'aria-hidden': 'true' });
  const tick = svg('g', { class: 'tick', 'aria-hidden': 'true' });
  for (const value of y.ticks ?? ticks(y.low, y.high, 4)) {
    grid.append(svg('line', { x1: area.left, x2: area.right, y1: atY(value), y2: atY(value) }));
    tick.append(svg('text', { x: area.left - 6, y: atY(value) + 4, 'text-anchor': 'end', text: format(value) }));
  }
  for (const value of x.ticks ?? (x.log ? logTicks(x.low, x.high) : ticks(x.low, x.high, 5))) {
    tick.append(svg('text', { x: atX(value), y: area.bottom + 16, 'text-anchor': 'middle', text: value >= 10000 ? `${brief(value / 1000)}k` : brief(value) }));
  }
  const plot = svg('g');
  root.append(
    grid, tick,
    svg('text', { class: 'axis', x: 0, y: 11, text: y.label }),
    svg('text', { class: 'axis', x: area.right, y: height - 3, 'text-anchor': 'end', text: x.label }),
    svg('line', { class: 'base', x1: area.left, x2: area.right, y1: area.bottom, y2: area.bottom }),
    plot,
  );
  return { root, plot, x: atX, y: atY, area };
}

/** The `d` of a line through points. */
export function path(points) {
  return points.map(([x, y], at) => `${at ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

/** A meter: a bar from the left, or, where values of both signs occur, from the middle. */
export function meter(value, largest, signed) {
  const [from, room] = signed ? [50, 49] : [0, 99];
  const share = largest > 0 ? Math.min(1, Math.abs(value) / largest) * room : 0;
  return svg(
    'svg', { class: 'meter', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('line', { class: 'axis', x1: from, x2: from, y1: 0, y2: 10 }),
    svg('rect', { class: value < 0 ? 'neg' : 'pos', x: value < 0 ? from - share : from, y: 1, width: share, height: 8 }),
  );
}

/** A bar of a share from the left. */
export function bar(share) {
  return svg('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('rect', { x: 0, y: 1, width: Math.max(0, Math.min(1, share)) * 100, height: 8 }));
}
