// One method: what it found, its tree, what one token of the tree is about.

import { make, save, visible } from '../dom.js';
import { brief, count } from '../numbers.js';
import { Tree, told, written } from './tree.js';

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A probability in few letters. @param {number} p */
function share(p) {
  return p < 1e-5 ? '< 0.001 %' : `${Number((100 * p).toPrecision(3))} %`;
}

export class Panel {
  /** @param {{ id: string, title: string, idea: string, exact?: boolean }} method */
  constructor(method) {
    this.method = method;
    this.nodes = [];
    this.found = null;
    this.chosen = null;
    this.list = make('ol', { class: 'found', 'aria-label': `What ${method.title.toLowerCase()} found` });
    this.cost = make('p', { class: 'note cost' });
    this.about = make('div', { 'aria-live': 'polite' });
    this.picture = make('div', { class: 'tree' });
    this.text = make('pre', { tabindex: 0 });
    this.more = make('details', { hidden: true }, make('summary', { text: 'The same tree as text' }), this.text);
    this.command = make('p', { class: 'note command', hidden: true });
    this.exports = make('p', { class: 'row', hidden: true },
      make('button', { type: 'button', text: 'Tree (SVG)', click: () => save(`${method.id}.svg`, this.tree.file()) }),
      make('button', { type: 'button', text: 'Search (JSON)', click: () => save(`${method.id}.json`, new Blob([JSON.stringify(this.plain(), null, 1)], { type: 'application/json' })) }));
    this.tree = new Tree(this.picture, { label: `The tree of ${method.title.toLowerCase()}`, choose: (node) => this.choose(node) });
    this.root = make('section', { class: 'method', 'aria-labelledby': `${method.id}-h`, id: `method-${method.id}` },
      make('h2', { id: `${method.id}-h`, text: method.title }), make('p', { class: 'note', text: method.idea }),
      this.list, this.cost, this.picture, this.about, this.exports, this.more, this.command);
    this.view = { step: 0, cuts: false };
  }

  clear() {
    Object.assign(this, { nodes: [], found: null, chosen: null });
    this.list.replaceChildren();
    this.cost.textContent = '';
    this.about.replaceChildren();
    for (const part of [this.more, this.command, this.exports]) part.hidden = true;
    this.picture.replaceChildren();
  }

  /** Nodes that a running search has told. */
  grow({ from, nodes }) {
    this.nodes.length = from;
    this.nodes.push(...nodes);
    this.draw();
  }

  /** A finished search. @param {any} found @param {any} asked @param {string} command */
  take(found, asked, command) {
    this.found = found;
    this.asked = asked;
    this.nodes = found.nodes;
    this.chosen = found.hypotheses[0]?.node ?? null;
    const texts = new Set(found.hypotheses.map((h) => h.text));
    this.cost.textContent = `${plural(found.hypotheses.length, 'text', 'texts')}, ${count(texts.size)} different. ${plural(found.forwards, 'forward pass', 'forward passes')} over ${plural(found.scored, 'prefix', 'prefixes')}, ${brief(found.milliseconds)} ms.`;
    this.list.replaceChildren(...found.hypotheses.map((h, i) => make('li', {}, make('button', { type: 'button', 'data-node': h.node, 'aria-pressed': i === 0, click: () => this.choose(h.node) },
      make('span', { class: 'share', text: share(Math.exp(h.log_prob)) }), make('span', { text: written(h.text, 400) || '(nothing)' })))));
    this.text.textContent = visible(found.tree, 200000).replaceAll('⟨U+000A⟩', '\n');
    this.command.replaceChildren('The same on the command line: ', make('code', { text: command }));
    this.command.hidden = command === '';
    this.more.hidden = this.exports.hidden = false;
    this.draw();
  }

  choose(node) {
    this.chosen = node;
    for (const button of this.list.querySelectorAll('button')) button.setAttribute('aria-pressed', String(Number(button.dataset.node) === node));
    this.draw();
  }

  /** @param {{ step: number, cuts: boolean }} [view] */
  draw(view = this.view) {
    this.view = view;
    if (this.nodes.length === 0) return;
    this.tree.draw(this.nodes, view.step, view.cuts, this.chosen);
    this.about.replaceChildren(told(this.nodes, this.chosen, brief));
  }

  /** The search as a file. */
  plain() {
    return { schema: 'vitrine.search/1', asked: this.asked, ...this.found };
  }
}
