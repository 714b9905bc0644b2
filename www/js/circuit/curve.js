// Faithfulness against size, and the point on it that chooses the size: by pointer or by keys. Works before anything is measured, as a plain slider over sizes.

import { make, svg } from '../dom.js';
import { brief, count, percent } from '../numbers.js';
import { frame, path, ticks } from '../plot.js';

export class Curve {
  /** @param {HTMLElement} host @param {{ onSize: (size: number) => void }} events */
  constructor(host, events) {
    this.host = host;
    this.events = events;
    this.points = [];
    this.unit = 'nats';
    this.words = make('p', { class: 'readout', 'aria-live': 'polite' });
  }

  /** @param {{ edges: number, scored: boolean, numeric: boolean }} about */
  reset({ edges, scored, numeric }) {
    Object.assign(this, { edges, scored, points: [], unit: numeric ? 'squared difference' : 'nats', examples: 0 });
    this.draw();
  }

  /** Sizes worth measuring, in even steps on a logarithmic axis. */
  sizes(most) {
    const list = new Set([1, this.edges]);
    for (let at = 1; at < most - 1; at += 1) list.add(Math.round(Math.exp((Math.log(this.edges) * at) / (most - 1))));
    return [...list].sort((a, b) => a - b);
  }

  add(size, loss, examples) {
    this.points = this.points.filter((point) => point[0] !== size).concat([[size, loss]]).sort((a, b) => a[0] - b[0]);
    this.examples = examples;
    this.draw();
  }

  /** The size shown and its circuit. @param {number} size @param {any} summary */
  set(size, summary) {
    this.size = size;
    this.summary = summary;
    this.draw();
  }

  draw() {
    if (!this.edges) return;
    const held = this.host.contains(document.activeElement) && document.activeElement.classList.contains('point');
    const high = Math.max(1e-6, ...this.points.map((point) => point[1]));
    const top = ticks(0, high, 4).at(-1);
    const y = { low: 0, high: Math.max(high, top) * 1.04, label: `distance from the full model (${this.unit})` };
    const x = { low: 1, high: this.edges, log: true, label: 'edges kept' };
    const measured = this.points.length > 0;
    const chart = frame({ label: 'Faithfulness against number of edges', x, y: measured ? y : { ...y, high: 1, ticks: [] } });
    this.chart = chart;
    if (measured) {
      const line = this.points.map(([size, loss]) => [chart.x(size), chart.y(loss)]);
      chart.plot.append(svg('path', { class: 'line c0', d: path(line) }), ...line.map(([cx, cy]) => svg('circle', { class: 'dot c0', cx, cy, r: 2.6 })));
    } else {
      chart.plot.append(svg('text', { class: 'axis', x: chart.area.left + 8, y: 60, text: this.scored ? 'not measured yet' : 'this circuit has no scores, so only its own size' }));
    }
    if (this.scored && this.size) this.handle(chart);
    chart.root.setAttribute('role', 'group');
    this.host.replaceChildren(chart.root, this.words);
    this.words.textContent = this.describe();
    if (held) this.host.querySelector('.point')?.focus();
    this.onDraw?.();
  }

  lossAt(size) {
    const exact = this.points.find((point) => point[0] === size);
    return exact ? exact[1] : null;
  }

  handle(chart) {
    const left = chart.x(Math.min(this.edges, Math.max(1, this.size)));
    const at = this.between(this.size);
    const top = at === null ? chart.area.bottom : chart.y(at);
    const point = svg('circle', {
      class: 'point', cx: left, cy: top, r: 7, tabindex: 0, role: 'slider', 'aria-label': 'Edges kept', 'aria-valuemin': 1, 'aria-valuemax': this.edges,
      'aria-valuenow': this.size, 'aria-valuetext': this.describe(), keydown: (event) => this.key(event),
    });
    const drag = svg('rect', { class: 'drag', x: chart.area.left - 6, y: chart.area.top - 8, width: chart.area.right - chart.area.left + 12, height: chart.area.bottom - chart.area.top + 26 });
    drag.addEventListener('pointerdown', (event) => this.grab(event));
    point.addEventListener('pointerdown', (event) => this.grab(event));
    chart.plot.append(svg('line', { class: 'stem', x1: left, x2: left, y1: chart.area.top, y2: chart.area.bottom }), drag, point);
  }

  /** Where the point stands between measured sizes: on the drawn line. */
  between(size) {
    const after = this.points.findIndex((point) => point[0] >= size);
    if (after < 0) return null;
    const [a, b] = [this.points[Math.max(0, after - 1)], this.points[after]];
    if (a === b || a[0] === b[0]) return b[1];
    const share = Math.log(size / a[0]) / Math.log(b[0] / a[0]);
    return a[1] + (b[1] - a[1]) * share;
  }

  grab(event) {
    event.preventDefault();
    const area = this.host;
    const move = (now) => {
      const box = this.host.querySelector('svg').getBoundingClientRect();
      const pixel = ((now.clientX - box.left) / box.width) * 400;
      this.choose(this.chart.x.back(pixel));
    };
    const end = () => {
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
      area.querySelector('.point')?.focus({ preventScroll: true });
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
    move(event);
  }

  choose(size) {
    const next = Math.max(1, Math.min(this.edges, Math.round(size)));
    if (next !== this.size) this.events.onSize(next);
  }

  key(event) {
    const big = Math.max(1, Math.round(this.size * 0.25));
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: big, PageDown: -big }[event.key];
    if (by) this.choose(this.size + by);
    else if (event.key === 'Home') this.choose(1);
    else if (event.key === 'End') this.choose(this.edges);
    else return;
    event.preventDefault();
  }

  describe() {
    if (!this.summary) return '';
    const { shown, edges, sparsity } = this.summary;
    const loss = this.summary.size ? this.lossAt(this.summary.size) : null;
    const words = [`${count(shown)} of ${count(edges)} edges, ${percent(sparsity)} cut.`];
    if (this.summary.size && this.summary.size !== shown) words.push(`${count(this.summary.size)} were asked for; dangling ones are dropped.`);
    if (loss !== null) words.push(`Distance ${brief(loss)} ${this.unit}, over ${this.examples} ${this.examples === 1 ? 'example' : 'examples'}.`);
    return words.join(' ');
  }
}
