// What is said of a chosen box or edge: strongest inputs and outputs with signed weights and switches, name and group.

import { byId, make, visible } from '../dom.js';
import { brief, count } from '../numbers.js';
import { meter } from '../plot.js';

const LISTED = 8;

export class Focus {
  /**
   * @param {{ sheet: () => any, layout: () => any, look: () => any, level: number, ends: (edge: number) => { writer: any, reader: any },
   *   onSwitch: (edge: number, on: boolean) => void, onNode: (node: number) => void, onName: (node: string, label: string, group: string) => void }} page
   */
  constructor(page) {
    this.page = page;
    this.head = byId('focus-h');
    this.body = byId('focus-body');
    this.nothing();
  }

  nothing() {
    this.head.textContent = 'Nothing chosen';
    this.body.replaceChildren(make('p', { class: 'note', text: 'Choose a box to see its strongest inputs and outputs, or an edge to switch it. Drag moves the drawing, Ctrl and the wheel zoom. Keys: Tab into the drawing, arrows from box to box, Enter to choose, plus and minus to zoom, 0 to fit.' }));
  }

  node(index, names) {
    const place = this.page.layout().nodes[index];
    const { label, group } = names.nodes[index];
    this.head.textContent = visible(label ? `${place.name}: ${label}` : place.name, 80);
    const sheet = this.page.sheet();
    const labelled = (text, input) => make('label', { class: 'field' }, text, input);
    const name = make('input', { type: 'text', value: label, maxlength: 200, placeholder: 'such as: name mover' });
    const into = make('input', { type: 'text', value: group === null ? '' : names.groups[group], maxlength: 200, list: 'groups', placeholder: 'such as: movers' });
    // Lengths compare the edges of this box with each other.
    this.largest = [...sheet.edgesInto(index), ...sheet.edgesOutOf(index)].reduce((most, edge) => Math.max(most, Math.abs(this.page.look().scores[edge] ?? 0)), 0);
    const tell = () => this.page.onName(place.name, name.value, into.value);
    name.addEventListener('change', tell);
    into.addEventListener('change', tell);
    this.body.replaceChildren(
      ...this.side('Inputs', sheet.edgesInto(index), (edge) => this.page.ends(edge), 'writer'),
      ...this.side('Outputs', sheet.edgesOutOf(index), (edge) => this.page.ends(edge), 'reader'),
      make(`h${this.page.level}`, { text: 'Name and group' }),
      make('div', { class: 'pair' }, labelled('Name', name), labelled('Group', into)),
      make('datalist', { id: 'groups' }, ...names.groups.map((group) => make('option', { value: group }))),
    );
  }

  side(title, edges, ends, which) {
    const head = make(`h${this.page.level}`, { text: edges.length ? `${title}: ${count(edges.length)}${edges.length > LISTED ? `, the strongest ${LISTED}` : ''}` : `${title}: none` });
    return [head, make('ul', { class: 'weights' }, ...[...edges.slice(0, LISTED)].map((edge) => this.line(edge, ends(edge), which)))];
  }

  line(edge, ends, which) {
    const { scores, masks, signed } = this.page.look();
    const score = scores.length ? scores[edge] : NaN;
    const end = ends[which];
    // Into a head it matters whether query, key or value is fed.
    const port = which === 'writer' && /\.[qkv]$/.test(ends.reader.name) ? ` → ${ends.reader.name.slice(-1)}` : '';
    return make(
      'li', { 'data-edge': edge },
      this.toggle(edge, masks[edge] === 1, `${ends.writer.name} to ${ends.reader.name}`),
      make('button', { type: 'button', class: 'name', text: visible(end.name + port, 30), click: () => this.page.onNode(end.nodes[0]) }),
      Number.isNaN(score) ? make('span') : meter(score, this.largest, signed),
      make('span', { class: 'num', text: Number.isNaN(score) ? '' : brief(score) }),
    );
  }

  toggle(edge, on, label) {
    const box = make('input', { type: 'checkbox', role: 'switch', 'aria-label': label, change: (event) => this.page.onSwitch(edge, event.target.checked) });
    box.checked = on;
    return box;
  }

  edge(edge) {
    const ends = this.page.ends(edge);
    const { scores, masks } = this.page.look();
    this.head.textContent = visible(`${ends.writer.name} → ${ends.reader.name}`, 80);
    const go = (words, end) => make('button', { type: 'button', text: `${words} ${end.name}`, click: () => this.page.onNode(end.nodes[0]) });
    this.body.replaceChildren(
      make('label', { class: 'check' }, this.toggle(edge, masks[edge] === 1, 'In the circuit'), 'In the circuit'),
      make('p', { class: 'note', text: scores.length ? `Score ${brief(scores[edge])}.` : 'This circuit has no scores.' }),
      make('p', { class: 'row' }, go('From', ends.writer), go('To', ends.reader)),
    );
  }
}
