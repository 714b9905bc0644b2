// One way of decoding: its list of queries, how it came to them, its tree.

import { make, save, visible } from '../dom.js';
import { brief, count } from '../numbers.js';
import { written } from '../beam/tree.js';
import { list, share } from './answers.js';
import { ladder } from './ladder.js';
import { Branches } from './tree.js';

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** What a search was for. @param {any} purpose */
export function titled(purpose) {
  switch (purpose.kind) {
    case 'free_template': return 'Template, as the model prefers it';
    case 'template': return `Template of the plan “${purpose.plan.joins} joins, ${purpose.plan.selects} selects”`;
    case 'fill': return `What fills template ${purpose.template + 1}`;
    case 'hidden': return `Queries without ${purpose.names.join(', ')}`;
    default: return 'Queries';
  }
}

export class Panel {
  /** @param {{ id: string, title: string, idea: string }} method @param {(panel: Panel, place: number) => void} mean what happens when a person says which query was meant */
  constructor(method, mean) {
    this.method = method;
    this.mean = (place) => mean(this, place);
    this.view = { step: 0, cuts: false };
    this.order = make('p', { class: 'note', hidden: true, text: 'The order follows what you chose before for these tables.' });
    this.list = make('ol', { class: 'ranked', 'aria-label': `Queries of ${method.title}` });
    this.cost = make('p', { class: 'note cost' });
    this.ladder = make('div', { class: 'ladder', hidden: true });
    this.title = make('h3', { class: 'branches', text: '' });
    this.picture = make('div', { class: 'tree sql' });
    this.about = make('div', { 'aria-live': 'polite' });
    this.command = make('p', { class: 'note command', hidden: true });
    this.exports = make('p', { class: 'row', hidden: true },
      make('button', { type: 'button', text: 'Tree (SVG)', click: () => save(`${method.id}.svg`, this.tree.file()) }),
      make('button', { type: 'button', text: 'Search (JSON)', click: () => save(`${method.id}.json`, new Blob([JSON.stringify(this.plain(), null, 1)], { type: 'application/json' })) }));
    this.tree = new Branches(this.picture, { choose: (node) => this.choose(this.search, node) });
    this.root = make('section', { class: 'method', 'aria-labelledby': `${method.id}-h`, id: `method-${method.id}` },
      make('h2', { id: `${method.id}-h`, text: method.title }), make('p', { class: 'note', text: method.idea }),
      this.order, this.list, this.cost, this.ladder, this.title, this.picture, this.about, this.exports, this.command);
    this.clear();
  }

  clear() {
    Object.assign(this, { found: null, asked: null, growing: [], search: 0, chosen: null });
    for (const part of [this.list, this.about, this.picture, this.ladder]) part.replaceChildren();
    for (const part of [this.cost, this.title]) part.textContent = '';
    for (const part of [this.order, this.ladder, this.exports, this.command, this.picture]) part.hidden = true;
  }

  /** Nodes that a running search has told. */
  grow({ search, purpose, from, nodes }) {
    if (search !== this.search) this.growing = [];
    this.search = search;
    this.growing.length = from;
    this.growing.push(...nodes);
    this.purpose = purpose;
    this.draw();
  }

  /** The list, with what the person said was meant. @param {string|undefined} meant */
  listed(meant) {
    list(this.list, this.found, this.readings, (place) => this.pick(place), { meant, mean: this.mean });
  }

  /** What was found. @param {any} found @param {any} asked @param {any[]} readings @param {string} command @param {string|undefined} meant */
  take(found, asked, readings, command, meant) {
    Object.assign(this, { found, asked, readings, growing: [] });
    this.listed(meant);
    this.order.hidden = !found.by_choice;
    if (found.answers.length === 0) this.list.replaceChildren(make('li', { class: 'why', text: 'It wrote no query.' }));
    this.cost.textContent = `${plural(found.forwards, 'forward pass', 'forward passes')} over ${plural(found.scored, 'prefix', 'prefixes')} in ${plural(found.searches.length, 'search', 'searches')}, ${brief(found.milliseconds)} ms with running the queries.`;
    this.ladder.hidden = found.ladder.length === 0;
    if (found.ladder.length) ladder(this.ladder, found, (search, node) => this.choose(search, node ?? found.searches[search].outputs[0]?.node ?? null));
    this.command.replaceChildren('The same on the command line: ', make('code', { text: command }));
    this.command.hidden = command === '';
    this.exports.hidden = false;
    // LogicalBeam's own tree is that of a template being filled.
    const [first] = found.ladder.filter((rung) => rung.filled !== null && rung.fillings.length);
    if (first) this.choose(first.filled, first.fillings[0].node);
    else if (found.answers.length) this.pick(0);
    else this.choose(0, null);
  }

  /** An answer of the list: its place in the tree it came from. @param {number} place */
  pick(place) {
    const at = this.found.places[place];
    if (at) this.choose(at[0], at[1]);
  }

  /** @param {number} search @param {number|null} node */
  choose(search, node) {
    this.search = search;
    this.chosen = node;
    const places = this.found?.places ?? [];
    for (const button of this.list.querySelectorAll('.answer')) {
      const at = places[Number(button.dataset.place)];
      button.setAttribute('aria-pressed', String(at?.[0] === search && at?.[1] === node));
    }
    for (const button of this.ladder.querySelectorAll('button')) button.setAttribute('aria-pressed', String(Number(button.dataset.search) === search && (button.dataset.node === '' ? this.nodes()[node]?.fate === 'ended' && this.found.searches[search].purpose.kind !== 'fill' : Number(button.dataset.node) === node)));
    this.draw();
  }

  nodes() {
    return this.found ? (this.found.searches[this.search]?.nodes ?? []) : this.growing;
  }

  /** The longest text of any search. */
  deepest() {
    return Math.max(1, ...(this.found?.searches ?? []).flatMap((search) => search.nodes.map((node) => (node.fate === 'cut' ? 0 : node.tokens))));
  }

  /** @param {{ step: number, cuts: boolean }} [view] */
  draw(view = this.view) {
    this.view = view;
    const nodes = this.nodes();
    this.picture.hidden = nodes.length === 0;
    if (nodes.length === 0) return;
    const words = titled(this.found ? this.found.searches[this.search].purpose : this.purpose);
    this.title.textContent = words;
    this.tree.draw(`${this.method.title}: ${words}`, nodes, this.found ? view.step : Infinity, view.cuts, this.chosen);
    this.about.replaceChildren(this.told(nodes));
  }

  /** What a person should know of the chosen branch. @param {any[]} nodes */
  told(nodes) {
    const node = this.chosen === null ? null : nodes[this.chosen];
    if (!node) return make('p', { class: 'told', text: 'Choose a branch in the tree, or a query in the list.' });
    let text = '';
    for (let at = this.chosen; at !== null; at = nodes[at].parent) text = (nodes[at].text ?? '') + text;
    const score = node.score === node.log_prob ? '' : `, ranked by ${brief(node.score)}`;
    const allowed = node.allowed === null ? '' : ` ${count(node.allowed)} of ${count(this.found?.pieces ?? 0)} pieces may follow${node.reason ? ` (${visible(node.reason, 160)})` : ''}.`;
    return make('p', { class: 'told' }, make('code', { text: written(text, 500) || '(the beginning)' }), ` ${plural(node.tokens, 'piece', 'pieces')}, log-probability ${brief(node.log_prob)} nats (${share(node.log_prob)})${score}. It was ${visible(node.words, 200)}.${allowed}`);
  }

  /** The search as a file. */
  plain() {
    return { schema: 'vitrine.readings/1', asked: this.asked, ...this.found };
  }
}
