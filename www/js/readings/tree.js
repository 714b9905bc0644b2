// A search for queries as a tree of text: a stretch without a choice is one branch, and its pieces of SQL stand on it. Text runs to the right, the best branch goes straight on.

import { svg } from '../dom.js';
import { lineage, written } from '../beam/tree.js';

/** Width of a letter of the branches' face, the room a choice takes, the height of a row. */
const LETTER = 7.25;
const FORK = 22;
const ROW = 27;
const MARGIN = { left: 14, top: 28, right: 30, bottom: 18 };
/** Most branches that were cut, at one place. */
const MOST_CUT = 4;
/** Longest text of a branch, and of one that was cut. */
const LONGEST = 160;
const LONGEST_CUT = 10;

/** Texts that were written several times (drawn, or by several groups) are one branch: for each node the first of its text, and how many there are. @param {any[]} nodes */
function merged(nodes) {
  const known = new Map();
  const same = [];
  const times = nodes.map(() => 0);
  nodes.forEach((node, at) => {
    const key = `${node.parent === null ? '' : same[node.parent]} ${node.fate === 'cut'} ${node.text}`;
    if (!known.has(key)) known.set(key, at);
    same.push(known.get(key));
    times[same[at]] += 1;
  });
  return { same, times };
}

/**
 * Branches of the nodes that are shown. @param {any[]} nodes @param {number} step pieces shown @param {boolean} cuts whether what was cut beside the chosen text is shown
 * @param {number|null} chosen
 * @returns {{ from: number, to: number, text: string, times: number, parent: number|null, children: number[] }[]} `parent` and `children` are numbers of branches; `from` is the node before the branch
 */
export function branches(nodes, step, cuts, chosen) {
  const { same, times } = merged(nodes);
  const path = new Set([...lineage(nodes, chosen)].map((at) => same[at]));
  const below = nodes.map(() => /** @type {number[]} */ ([]));
  nodes.forEach((node, at) => {
    if (node.parent === null || node.tokens > step || same[at] !== at) return;
    const parent = same[node.parent];
    if (node.fate !== 'cut' || (cuts && path.has(parent))) below[parent].push(at);
  });
  for (const [at, list] of below.entries()) {
    list.sort((a, b) => Number(nodes[a].fate === 'cut') - Number(nodes[b].fate === 'cut') || nodes[b].score - nodes[a].score || a - b);
    let cut = 0;
    below[at] = list.filter((child) => nodes[child].fate !== 'cut' || (cut += 1) <= MOST_CUT);
  }
  const found = [];
  const stack = nodes.length ? [{ first: 0, parent: null }] : [];
  while (stack.length) {
    const { first, parent } = stack.pop();
    let at = first;
    let text = nodes[at].text ?? '';
    while (below[at].length === 1) {
      [at] = below[at];
      text += nodes[at].text ?? '';
    }
    const number = found.length;
    const parted = below[at].reduce((sum, child) => sum + times[child], 0) < times[at];
    found.push({ from: same[nodes[first].parent ?? 0], to: at, text, times: times[at] > 1 && (below[at].length === 0 || parted) ? times[at] : 1, parent, children: [] });
    if (parent !== null) found[parent].children.push(number);
    for (const child of [...below[at]].reverse()) stack.push({ first: child, parent: number });
  }
  return found;
}

/**
 * Places of branches. The first child goes straight on. Any other takes the first row below that is free for all that goes straight on from it, so that short branches share rows; the rightmost are placed first,
 * and what was cut before what was kept. @param {ReturnType<typeof branches>} found @param {(branch: any) => string} label @param {(branch: any) => boolean} cut
 */
function layout(found, label, cut) {
  const places = found.map(() => ({ x: 0, y: 0, end: 0 }));
  const taken = /** @type {[number, number][][]} */ ([]);
  const free = (row, from, to) => (taken[row] ??= []).every(([start, end]) => to < start || end < from);
  let [widest, lowest] = [0, 0];
  const put = (first, above, from) => {
    const chain = [];
    for (let at = first, x = from; at !== undefined; [at] = found[at].children) {
      const end = x + Math.max(1, Array.from(label(found[at])).length) * LETTER;
      places[at] = { x, y: 0, end };
      chain.push(at);
      widest = Math.max(widest, end + (found[at].times > 1 ? 4 * LETTER : 0));
      x = end + FORK;
    }
    const to = places[chain.at(-1)].end + FORK;
    let row = above + 1;
    while (!free(row, from - FORK / 2, to)) row += 1;
    taken[row].push([from - FORK / 2, to]);
    lowest = Math.max(lowest, row);
    for (const at of chain) places[at].y = MARGIN.top + ROW * row;
    const others = chain.reverse().flatMap((at) => found[at].children.slice(1).map((child) => ({ child, x: places[at].end + FORK })));
    for (const { child, x } of [...others.filter(({ child }) => cut(found[child])), ...others.filter(({ child }) => !cut(found[child]))]) put(child, row, x);
  };
  if (found.length) put(0, -1, MARGIN.left);
  return { places, width: widest + MARGIN.right, height: MARGIN.top + lowest * ROW + MARGIN.bottom };
}

export class Branches {
  /** @param {HTMLElement} root @param {{ choose: (node: number) => void }} options */
  constructor(root, { choose }) {
    this.root = root;
    this.choose = choose;
    this.found = [];
    root.addEventListener('keydown', (event) => this.key(event));
  }

  /** @param {string} label @param {any[]} nodes @param {number} step @param {boolean} cuts @param {number|null} chosen */
  draw(label, nodes, step, cuts, chosen) {
    const active = /** @type {any} */ (document.activeElement);
    const focused = this.root.contains(active) ? Number(active.dataset.branch) : null;
    const found = branches(nodes, step, cuts, chosen);
    const isCut = (branch) => nodes[branch.to].fate === 'cut';
    const spelled = (branch) => written(branch.text, isCut(branch) ? LONGEST_CUT : LONGEST);
    const { places, width, height } = layout(found, spelled, isCut);
    const { same } = merged(nodes);
    const path = new Set([...lineage(nodes, chosen)].map((at) => same[at]));
    const picked = chosen === null ? null : same[chosen];
    const lines = svg('g', { 'aria-hidden': 'true' });
    const marks = svg('g');
    const here = Math.max(0, found.findIndex((branch) => branch.to === picked || (path.has(branch.to) && !branch.children.some((child) => path.has(found[child].to)))));
    found.forEach((branch, number) => {
      const { x, y, end } = places[number];
      const node = nodes[branch.to];
      const on = path.has(branch.to);
      const share = Math.exp(node.log_prob - nodes[branch.from].log_prob);
      const before = branch.parent === null ? null : places[branch.parent];
      const bend = before ? (before.y === y ? `M${before.end} ${y}H` : `M${before.end} ${before.y}C${before.end + 12} ${before.y} ${before.end + 4} ${y} ${x} ${y}H`) : `M${x} ${y}H`;
      const line = svg('path', { class: `branch ${node.fate === 'cut' ? 'cut' : ''} ${on ? 'path' : ''}`, d: bend + end, 'stroke-width': (0.8 + 3.2 * Math.min(1, share)).toFixed(2) });
      if (on) lines.append(line);
      else lines.prepend(line);
      // What the constraint lets follow, where it lets several.
      const mask = branch.children.length > 1 && node.reason && node.allowed !== null ? svg('text', { class: 'mask', x: end, y: y + 15, 'text-anchor': 'middle', text: `${node.allowed}` }) : null;
      const times = branch.times > 1 ? svg('text', { class: 'times', x: end + 9, y: y + 4, text: `×${branch.times}` }) : null;
      marks.append(svg('g', {
        class: `node ${node.fate} ${on ? 'path' : ''} ${branch.to === picked ? 'chosen' : ''}`, 'data-branch': number, 'data-node': branch.to, role: 'button', tabindex: number === here ? 0 : -1,
        'aria-label': `${written(branch.text, 160) || 'the beginning'}${branch.times > 1 ? `, ${branch.times} times` : ''}, ${node.words}`, 'aria-pressed': branch.to === picked, click: () => this.choose(branch.to),
      }, svg('rect', { x: x - 4, y: y - 18, width: end - x + 14, height: 25, fill: 'transparent' }), svg('circle', { class: 'dot', cx: end, cy: y, r: node.fate === 'cut' ? 3 : 4.2 }),
        svg('text', { x, y: y - 6, 'xml:space': 'preserve', text: spelled(branch) }), mask, times));
    });
    this.found = found;
    this.root.replaceChildren(svg('svg', { class: 'fig', width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': label }, lines, marks));
    if (focused !== null) this.focus(focused < found.length ? focused : here);
  }

  focus(number) {
    const element = /** @type {any} */ (this.root.querySelector(`[data-branch="${number}"]`));
    if (!element) return;
    for (const one of this.root.querySelectorAll('.node[tabindex="0"]')) one.setAttribute('tabindex', '-1');
    element.setAttribute('tabindex', '0');
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** Arrows walk the branches, Enter chooses. @param {KeyboardEvent} event */
  key(event) {
    const number = Number(/** @type {any} */ (event.target).dataset?.branch);
    const branch = this.found[number];
    if (!branch) return;
    const siblings = branch.parent === null ? [number] : this.found[branch.parent].children;
    const to = { ArrowLeft: branch.parent, ArrowRight: branch.children[0], ArrowDown: siblings[siblings.indexOf(number) + 1], ArrowUp: siblings[siblings.indexOf(number) - 1] }[event.key];
    if (event.key === 'Enter' || event.key === ' ') this.choose(branch.to);
    else if (to === undefined || to === null) return;
    else this.focus(to);
    event.preventDefault();
  }

  /** The picture with its colours written into it. */
  file() {
    const copy = /** @type {any} */ (this.root.querySelector('svg')).cloneNode(true);
    const style = getComputedStyle(this.root);
    const [ink, soft, paper, line, accent] = ['--ink', '--soft', '--paper', '--c0', '--accent'].map((name) => style.getPropertyValue(name).trim());
    copy.prepend(svg('style', { text: `text{font:12px monospace;fill:${ink}}.mask{font-size:10px;fill:${soft}}.branch{fill:none;stroke:${line}}.branch.cut{stroke:${soft};stroke-dasharray:3 3}.branch.path{stroke:${accent}}.dot{fill:${line}}.ended .dot{fill:${paper};stroke:${line};stroke-width:2.2}.cut .dot{fill:${paper};stroke:${soft}}.cut text{fill:${soft}}.path .dot{fill:${accent}}` }),
      svg('rect', { width: '100%', height: '100%', fill: paper }));
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' });
  }
}
