// The list of edges: only the rows in sight exist, so that seventy thousand edges cost as much as thirty.

import { make, visible } from '../dom.js';
import { brief } from '../numbers.js';
import { CLASSES } from './style.js';

const ROW = 32;
const COLUMNS = [
  { name: 'Kept', order: null },
  { name: 'From', order: 'writer' },
  { name: 'To', order: 'reader' },
  { name: 'Score', order: 'strength' },
];

export class Table {
  /**
   * @param {HTMLElement} host
   * @param {{ onSwitch: (edge: number, on: boolean) => void, onChoose: (edge: number) => void, onSort: () => void }} events
   */
  constructor(host, events) {
    this.events = events;
    this.order = 'strength';
    this.reversed = false;
    this.edges = new Uint32Array(0);
    this.headings = COLUMNS.map((column) => this.heading(column));
    this.rows = make('div', { class: 'rows', role: 'presentation' });
    this.window = make('div', { class: 'window', tabindex: '0', role: 'rowgroup', 'aria-label': 'Edges, scrolls', scroll: () => this.fill() }, this.rows);
    this.root = make('div', { class: 'grid', role: 'table', 'aria-label': 'Edges' }, make('div', { role: 'rowgroup' }, make('div', { class: 'line headings', role: 'row', 'aria-rowindex': '1' }, ...this.headings)), this.window);
    host.replaceChildren(this.root);
    new ResizeObserver(() => this.fill()).observe(this.window);
  }

  heading(column) {
    const cell = make('div', { role: 'columnheader', class: column.name === 'Score' ? 'num' : '' });
    if (!column.order) cell.textContent = column.name;
    else {
      cell.append(make('button', { type: 'button', text: column.name, click: () => this.sort(column.order) }));
      cell.dataset.order = column.order;
    }
    return cell;
  }

  sort(order) {
    this.reversed = this.order === order ? !this.reversed : false;
    this.order = order;
    this.events.onSort();
  }

  /** @param {Uint32Array} edges @param {{ name: (edge: number) => [string, string], masks: Uint8Array, scores: Float32Array, classes: Uint8Array, compared: boolean, chosen: number }} look */
  show(edges, look) {
    const other = edges.length !== this.edges.length;
    this.edges = edges;
    this.look = look;
    this.rows.style.height = `${edges.length * ROW}px`;
    this.window.style.height = `${Math.min(416, Math.max(2, edges.length) * ROW + 2)}px`;
    this.root.setAttribute('aria-rowcount', String(edges.length + 1));
    // Strongest first reads as descending.
    this.headings.forEach((cell) => {
      const own = cell.dataset.order === this.order;
      const down = (this.order === 'strength') !== this.reversed;
      if (own) cell.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
    if (other) this.window.scrollTop = 0;
    this.fill();
  }

  fill() {
    if (!this.look) return;
    const first = Math.max(0, Math.floor(this.window.scrollTop / ROW) - 4);
    const last = Math.min(this.edges.length, Math.ceil((this.window.scrollTop + this.window.clientHeight) / ROW) + 4);
    const active = document.activeElement?.closest?.('.rows .line')?.dataset.edge;
    const lines = [];
    for (let at = first; at < last; at += 1) lines.push(this.line(at));
    this.rows.replaceChildren(...lines);
    if (active) this.rows.querySelector(`.line[data-edge="${active}"] input`)?.focus({ preventScroll: true });
  }

  line(at) {
    const edge = this.edges[at];
    const { name, masks, scores, classes, compared, chosen } = this.look;
    const [from, to] = name(edge);
    const on = masks[edge] === 1;
    const line = make(
      'div', { class: `line${on ? '' : ' off'}${edge === chosen ? ' chosen' : ''}`, role: 'row', 'aria-rowindex': at + 2, 'data-edge': edge, click: (event) => event.target.tagName !== 'INPUT' && this.events.onChoose(edge) },
      make('div', { role: 'cell' }, make('input', { type: 'checkbox', role: 'switch', 'aria-label': `${from} to ${to}`, checked: on, change: (event) => this.events.onSwitch(edge, event.target.checked) })),
      make('div', { role: 'cell', class: 'ends', text: visible(from, 60) }),
      make('div', { role: 'cell', class: 'ends' }, visible(to, 60), compared && classes[edge] ? make('span', { class: 'class', text: `  ${CLASSES[classes[edge]].name}` }) : ''),
      make('div', { role: 'cell', class: 'num', text: scores.length ? brief(scores[edge]) : '' }),
    );
    line.style.transform = `translateY(${at * ROW}px)`;
    line.querySelector('input').checked = on;
    return line;
  }
}
