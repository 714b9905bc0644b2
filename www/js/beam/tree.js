// A search as a tree: time runs to the right, the best branch goes straight on, a line is as wide as its token was likely.

import { make, svg, visible } from '../dom.js';

/** Text of a model for people: ends of lines stay on the line. @param {string} text @param {number} limit */
export function written(text, limit) {
  return visible(text.replaceAll('\n', '↵'), limit);
}

const COLUMN = 96;
const ROW = 26;
const MARGIN = { left: 16, top: 26, right: 110, bottom: 16 };

/**
 * Places the nodes that are shown: `x` by depth, `y` by rows. A branch goes straight on through its best children; what was cut beside it hangs in the rows below, where the cut tokens of all its
 * depths share rows; then come the branches that leave it, the deepest first.
 * @param {any[]} nodes @param {number} step @param {boolean} cuts
 */
export function layout(nodes, step, cuts) {
  const shown = nodes.map((node) => node.tokens <= step && (cuts || node.fate !== 'cut'));
  const children = nodes.map(() => /** @type {number[]} */ ([]));
  nodes.forEach((node, at) => {
    if (node.parent !== null && shown[at]) children[node.parent].push(at);
  });
  const hangs = (/** @type {number} */ at) => nodes[at].fate === 'cut' && children[at].length === 0;
  for (const list of children) list.sort((a, b) => Number(hangs(a)) - Number(hangs(b)) || nodes[b].score - nodes[a].score || a - b);
  const places = new Map();
  const place = (/** @type {number} */ at, /** @type {number} */ row) => places.set(at, { x: MARGIN.left + nodes[at].tokens * COLUMN, y: MARGIN.top + row * ROW });
  let rows = 0;
  const begins = nodes.length ? [0] : [];
  while (begins.length) {
    const own = rows;
    let below = 0;
    for (let at = begins.pop(); at !== undefined; at = children[at][0]) {
      place(at, own);
      const beside = children[at].slice(1);
      const cut = beside.filter(hangs);
      cut.forEach((leaf, number) => place(leaf, own + 1 + number));
      below = Math.max(below, cut.length);
      // The last one that is pushed is the next to be placed: the best of the deepest node.
      begins.push(...beside.filter((child) => !hangs(child)).reverse());
    }
    rows += 1 + below;
  }
  const deepest = Math.max(0, ...[...places.keys()].map((at) => nodes[at].tokens));
  return { places, width: MARGIN.left + deepest * COLUMN + MARGIN.right, height: MARGIN.top + Math.max(0, rows - 1) * ROW + MARGIN.bottom };
}

/** Numbers of the nodes from the root to this one. @param {any[]} nodes @param {number|null} node */
export function lineage(nodes, node) {
  const path = new Set();
  for (let at = node; at !== null && at !== undefined && nodes[at]; at = nodes[at].parent) path.add(at);
  return path;
}

export class Tree {
  /** @param {HTMLElement} root @param {{ label: string, choose: (node: number) => void }} options */
  constructor(root, { label, choose }) {
    this.root = root;
    this.label = label;
    this.choose = choose;
    this.nodes = [];
    this.chosen = null;
    this.order = [];
    root.addEventListener('keydown', (event) => this.key(event));
  }

  /** @param {any[]} nodes @param {number} step @param {boolean} cuts @param {number|null} chosen */
  draw(nodes, step, cuts, chosen) {
    const focused = this.root.contains(document.activeElement) ? Number(/** @type {any} */ (document.activeElement).dataset.node) : null;
    this.nodes = nodes;
    this.chosen = chosen;
    const { places, width, height } = layout(nodes, step, cuts);
    const path = lineage(nodes, chosen);
    const lines = svg('g', { 'aria-hidden': 'true' });
    const dots = svg('g');
    this.order = [...places.keys()];
    const first = chosen !== null && places.has(chosen) ? chosen : 0;
    for (const [at, { x, y }] of places) {
      const node = nodes[at];
      const on = path.has(at);
      if (node.parent !== null) {
        const from = places.get(node.parent);
        const share = Math.exp(node.log_prob - nodes[node.parent].log_prob);
        const d = from.y === y ? `M${from.x} ${y}H${x}` : `M${from.x} ${from.y}C${from.x + 26} ${from.y} ${from.x + 16} ${y} ${from.x + 42} ${y}H${x}`;
        const line = svg('path', { class: `branch ${node.fate === 'cut' ? 'cut' : ''} ${on ? 'path' : ''}`, d, 'stroke-width': (0.8 + 4.2 * Math.min(1, share)).toFixed(2) });
        if (on) lines.append(line);
        else lines.prepend(line);
      }
      const text = node.text === null ? 'prompt' : written(node.text, 14);
      const mark = svg('circle', { class: 'dot', cx: x, cy: y, r: node.fate === 'cut' ? 3 : 4.5 });
      // A token stands above the line that leads to it.
      const word = node.parent === null ? svg('text', { x: x - 6, y: y - 9, text }) : svg('text', { x: x - 8, y: y - 6, 'text-anchor': 'end', text });
      dots.append(svg('g', {
        class: `node ${node.fate} ${on ? 'path' : ''} ${at === chosen ? 'chosen' : ''}`, 'data-node': at, role: 'button', tabindex: at === first ? 0 : -1,
        'aria-label': `${node.text === null ? 'prompt' : written(node.text, 40)}, ${node.words}`, 'aria-pressed': at === chosen, click: () => this.choose(at),
      }, svg('circle', { cx: x, cy: y, r: 11, fill: 'transparent' }), mark, word));
    }
    const picture = svg('svg', { class: 'fig', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': this.label }, lines, dots);
    this.root.replaceChildren(picture);
    if (focused !== null) this.focus(places.has(focused) ? focused : first);
  }

  focus(node) {
    const element = /** @type {any} */ (this.root.querySelector(`[data-node="${node}"]`));
    if (!element) return;
    for (const one of this.root.querySelectorAll('.node[tabindex="0"]')) one.setAttribute('tabindex', '-1');
    element.setAttribute('tabindex', '0');
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** Arrows walk the tree, Enter chooses. @param {KeyboardEvent} event */
  key(event) {
    const here = Number(/** @type {any} */ (event.target).dataset?.node);
    if (!Number.isInteger(here) || !this.nodes[here]) return;
    const { parent } = this.nodes[here];
    const among = (wanted) => this.order.filter((at) => this.nodes[at].parent === wanted).sort((a, b) => this.nodes[b].score - this.nodes[a].score);
    const siblings = among(parent);
    const to = {
      ArrowLeft: parent,
      ArrowRight: among(here)[0],
      ArrowDown: siblings[siblings.indexOf(here) + 1],
      ArrowUp: siblings[siblings.indexOf(here) - 1],
    }[event.key];
    if (event.key === 'Enter' || event.key === ' ') this.choose(here);
    else if (to === undefined || to === null) return;
    else this.focus(to);
    event.preventDefault();
  }

  /** The picture with its colours written into it. */
  file() {
    const picture = /** @type {any} */ (this.root.querySelector('svg'));
    const copy = picture.cloneNode(true);
    const style = getComputedStyle(this.root);
    const look = (name) => style.getPropertyValue(name).trim();
    const [ink, soft, paper, line, accent] = ['--ink', '--soft', '--paper', '--c0', '--accent'].map(look);
    copy.prepend(svg('style', { text: `text{font:12px sans-serif;fill:${ink}}.branch{fill:none;stroke:${line}}.branch.cut{stroke:${soft};stroke-dasharray:3 3}.branch.path{stroke:${accent}}.dot{fill:${line}}.ended .dot{fill:${paper};stroke:${line};stroke-width:2.2}.cut .dot{fill:${paper};stroke:${soft}}.cut text{fill:${soft}}.path .dot{fill:${accent}}` }),
      svg('rect', { width: '100%', height: '100%', fill: paper }));
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' });
  }
}

/** What a person should know of a node, as a paragraph. @param {any[]} nodes @param {number|null} at @param {(value: number) => string} brief */
export function told(nodes, at, brief) {
  const node = at === null ? null : nodes[at];
  if (!node) return make('p', { class: 'told', text: 'Choose a token in the tree, or a text in the list.' });
  if (node.parent === null) return make('p', { class: 'told', text: 'The prompt. Everything begins here.' });
  const share = Math.exp(node.log_prob - nodes[node.parent].log_prob);
  const score = node.score === node.log_prob ? '' : `, ranked by ${brief(node.score)}`;
  const allowed = node.allowed === null ? '' : ` ${node.allowed.toLocaleString('en')} tokens may follow${node.reason ? ` (${visible(node.reason, 120)})` : ''}.`;
  return make('p', { class: 'told' }, make('strong', { text: written(node.text, 40) }), ` is token ${node.tokens}. The model gave it ${brief(100 * share)} % after what stands before it; all tokens up to it together have log-probability ${brief(node.log_prob)} nats${score}. It was ${visible(node.words, 200)}.${allowed}`);
}
