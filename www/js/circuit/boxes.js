// The boxes of the drawing: SVG, so that they can be focused, named and read aloud. Arrow keys go to the nearest box in their direction.

import { svg, visible } from '../dom.js';

export class Boxes {
  /**
   * @param {HTMLElement} world
   * @param {{ onPoint: (node: number) => void, onChoose: (node: number) => void, onFocus: (node: number) => void, pressed: () => boolean }} events
   */
  constructor(world, events) {
    this.events = events;
    this.root = svg('svg', { class: 'fig', role: 'group', 'aria-label': 'Nodes of the circuit. Arrow keys move between them, Enter chooses one.' });
    world.append(this.root);
    this.items = [];
  }

  /** @param {any} layout */
  build(layout) {
    this.layout = layout;
    this.root.setAttribute('width', layout.width);
    this.root.setAttribute('height', layout.height);
    this.root.setAttribute('viewBox', `0 0 ${layout.width} ${layout.height}`);
    const rows = new Map();
    layout.nodes.forEach((node) => {
      if (node.kind === 'head' && !rows.has(node.layer)) rows.set(node.layer, node.y);
    });
    const guides = svg('g', { class: 'layer', 'aria-hidden': 'true' });
    for (const [layer, y] of rows) {
      guides.append(svg('line', { x1: 44, x2: layout.width - 8, y1: y, y2: y }), svg('text', { x: 2, y: y + 4, text: layout.row > 50 ? `layer ${layer}` : layer }));
    }
    this.items = layout.nodes.map((node, index) => this.item(node, index));
    this.root.replaceChildren(guides, ...this.items);
    this.items[0]?.setAttribute('tabindex', '0');
  }

  item(node, index) {
    const { box_width: own, box_height: tall } = this.layout;
    const wide = node.kind === 'embedding' || node.kind === 'output' ? Math.max(own, 76) : own;
    const short = wide < 46 && node.name.includes('.') ? node.name.split('.').pop() : node.name;
    return svg(
      'g',
      {
        class: 'node', role: 'button', tabindex: '-1', 'data-n': index, 'aria-label': node.name, 'aria-pressed': 'false',
        pointerenter: () => this.events.onPoint(index), pointerleave: () => this.events.onPoint(-1),
        click: () => this.events.pressed() && this.events.onChoose(index), focus: () => this.events.onFocus(index), keydown: (event) => this.key(event, index),
      },
      svg('rect', { class: 'box', x: node.x - wide / 2, y: node.y - tall / 2, width: wide, height: tall, rx: 4 }),
      svg('text', { x: node.x, y: node.y + 4, 'text-anchor': 'middle', text: short }),
    );
  }

  /** Labels, groups, and which boxes the circuit touches. */
  dress(names, touched) {
    names.nodes.forEach((node, index) => {
      const item = this.items[index];
      if (!item) return;
      item.classList.toggle('off', !touched.has(index));
      const group = node.group === null ? '' : names.groups[node.group];
      const words = [node.name, node.label, group && `group ${group}`, touched.has(index) ? '' : 'not in the circuit'].filter(Boolean);
      item.setAttribute('aria-label', visible(words.join(', '), 200));
      item.querySelectorAll('.extra').forEach((extra) => extra.remove());
      const place = this.layout.nodes[index];
      const { box_width: own, box_height: tall } = this.layout;
      if (node.label) item.append(svg('text', { class: 'extra given', x: place.x, y: place.y + tall / 2 + 9, 'text-anchor': 'middle', text: visible(node.label, 18) }));
      if (node.group !== null) {
        const [x, y] = [place.x + own / 2, place.y - tall / 2];
        item.append(svg('circle', { class: `extra role c${node.group % 7}`, cx: x, cy: y, r: 7 }), svg('text', { class: 'extra rolename', x, y: y + 3.2, 'text-anchor': 'middle', text: node.group + 1 }));
      }
    });
  }

  choose(index) {
    this.items.forEach((item, at) => {
      item.classList.toggle('chosen', at === index);
      item.setAttribute('aria-pressed', String(at === index));
    });
  }

  key(event, index) {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.events.onChoose(index);
    } else if (event.key.startsWith('Arrow') && !event.shiftKey) {
      event.preventDefault();
      const next = this.toward(index, event.key);
      if (next < 0) return;
      this.items[index].setAttribute('tabindex', '-1');
      this.items[next].setAttribute('tabindex', '0');
      this.items[next].focus({ preventScroll: true });
    }
  }

  toward(index, key) {
    const from = this.layout.nodes[index];
    const sideways = key === 'ArrowLeft' || key === 'ArrowRight';
    const sign = key === 'ArrowRight' || key === 'ArrowDown' ? 1 : -1;
    let best = -1;
    let least = Infinity;
    this.layout.nodes.forEach((to, at) => {
      const [along, aside] = sideways ? [to.x - from.x, to.y - from.y] : [to.y - from.y, to.x - from.x];
      if (along * sign < 2) return;
      const cost = along * sign + 3 * Math.abs(aside);
      if (cost < least) [least, best] = [cost, at];
    });
    return best;
  }
}
