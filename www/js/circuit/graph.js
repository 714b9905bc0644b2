// The drawing: canvas for edges, SVG for boxes, a camera over both.

import { make, visible } from '../dom.js';
import { brief } from '../numbers.js';
import { Boxes } from './boxes.js';
import { Camera } from './camera.js';
import { curves, nearest } from './curves.js';
import { Painter } from './painter.js';
import { faint, layers } from './style.js';

export class Graph {
  /**
   * @param {HTMLElement} frame
   * @param {{ onNode?: (node: number) => void, onEdge?: (edge: number) => void, edgesAt?: (node: number) => Uint32Array }} events
   */
  constructor(frame, events) {
    this.frame = frame;
    this.events = events;
    this.world = make('div', { class: 'world' });
    this.tip = make('div', { class: 'tip', hidden: true });
    frame.replaceChildren(this.world, this.tip);
    this.camera = new Camera(frame, this.world, { onRest: () => this.rested(), onMove: () => this.hideTip() });
    this.ground = new Painter(this.world, this.camera);
    this.lit = new Painter(this.world, this.camera);
    this.boxes = new Boxes(this.world, {
      onPoint: (node) => this.point(node),
      onChoose: (node) => events.onNode?.(node),
      onFocus: (node) => {
        const place = this.layout.nodes[node];
        if (!this.camera.dragging) this.camera.show(place.x, place.y);
        this.point(node);
      },
      pressed: () => !this.camera.moved,
    });
    this.pointed = -1;
    this.chosen = -1;
    this.edge = -1;
    this.shown = [];
    this.rest = [];
    this.frameRequest = 0;
    frame.addEventListener('pointermove', (event) => this.hover(event));
    frame.addEventListener('pointerleave', () => this.hideTip());
    frame.addEventListener('click', (event) => this.press(event));
    frame.addEventListener('keydown', (event) => this.key(event));
    document.addEventListener('themechange', () => this.repaint());
  }

  /** A graph: places and edge numbering. @param {any} layout @param {Uint32Array} offsets */
  setGraph(layout, offsets) {
    this.layout = layout;
    this.drawing = curves(layout, offsets);
    this.pointed = this.chosen = this.edge = -1;
    this.boxes.build(layout);
    this.lit.clear();
    this.ground.clear();
    // As high as the drawing needs at this width, within what a screen shows.
    const high = this.frame.clientWidth * (layout.height / layout.width) * 0.92;
    this.frame.style.height = `clamp(12rem, ${Math.round(high)}px, min(76vh, 46rem))`;
    this.camera.setWorld(layout.width, layout.height);
  }

  /** Which edges are shown and how. @param {any} look @param {boolean} all whether the other edges of the graph are shown faintly */
  setEdges(look, all) {
    this.look = look;
    const shown = [];
    const rest = [];
    look.classes.forEach((kind, edge) => (kind ? shown : rest).push(edge));
    this.shown = shown;
    this.rest = all ? rest : [];
    this.repaint();
  }

  setNames(names) {
    const touched = new Set();
    for (const edge of this.shown) {
      this.layout.writers[this.drawing.writerOf[edge]].nodes.forEach((node) => touched.add(node));
      this.layout.readers[this.drawing.readerOf[edge]].nodes.forEach((node) => touched.add(node));
    }
    this.boxes.dress(names, touched);
  }

  choose(node) {
    this.chosen = node;
    this.boxes.choose(node);
    if (node >= 0) {
      const place = this.layout.nodes[node];
      this.camera.show(place.x, place.y);
    }
    this.light();
  }

  mark(edge) {
    this.edge = edge;
    this.light();
  }

  rested() {
    this.frame.classList.toggle('far', this.camera.scale < 0.42);
    this.repaint();
  }

  repaint() {
    if (!this.look) return;
    const dim = this.chosen >= 0 || this.edge >= 0;
    const list = layers(this.shown, this.look);
    if (dim) list.forEach((layer) => (layer.alpha *= 0.35));
    if (this.rest.length) list.unshift(faint(this.rest));
    const first = this.ground.front.hidden || !this.ground.front.width;
    this.ground.paint(this.drawing, list, first);
    this.light(true);
  }

  light(only = false) {
    if (!this.look) return;
    const node = this.pointed >= 0 ? this.pointed : this.chosen;
    const edges = this.edge >= 0 && this.pointed < 0 ? [this.edge] : node >= 0 ? this.events.edgesAt?.(node) ?? [] : [];
    const dim = this.chosen >= 0 || this.edge >= 0;
    if (!only && dim !== this.dimmed) {
      this.dimmed = dim;
      this.repaint();
      return;
    }
    this.dimmed = dim;
    if (edges.length) this.lit.paint(this.drawing, layers(edges, this.look, true), true);
    else this.lit.clear();
  }

  point(node) {
    if (this.camera.dragging || node === this.pointed) return;
    this.pointed = node;
    this.light(true);
  }

  nameOf(edge) {
    return `${this.layout.writers[this.drawing.writerOf[edge]].name} → ${this.layout.readers[this.drawing.readerOf[edge]].name}`;
  }

  under(event) {
    if (!this.drawing || event.target.closest?.('.node')) return -1;
    const [x, y] = this.camera.place(event);
    return nearest(this.drawing, this.shown, x, y, 5 / this.camera.scale);
  }

  hover(event) {
    if (this.camera.dragging || event.pointerType === 'touch') return;
    cancelAnimationFrame(this.frameRequest);
    this.frameRequest = requestAnimationFrame(() => {
      const edge = this.under(event);
      this.hovered = edge;
      if (edge < 0) {
        this.hideTip();
        return;
      }
      const score = this.look.scores.length ? `  ${brief(this.look.scores[edge])}` : '';
      this.tip.textContent = visible(this.nameOf(edge) + score, 80);
      this.tip.hidden = false;
      const box = this.frame.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const left = Math.min(x + 14, box.width - this.tip.offsetWidth - 4);
      this.tip.style.transform = `translate(${Math.max(2, left)}px, ${y > 40 ? y - 34 : y + 18}px)`;
    });
  }

  hideTip() {
    cancelAnimationFrame(this.frameRequest);
    this.tip.hidden = true;
  }

  press(event) {
    if (this.camera.moved || event.target.closest?.('.node')) return;
    this.events.onEdge?.(this.under(event));
  }

  key(event) {
    const step = 60;
    if (event.key === '+' || event.key === '=') this.camera.zoom(1.25);
    else if (event.key === '-') this.camera.zoom(0.8);
    else if (event.key === '0') this.camera.fit();
    else if (event.key === 'Escape') this.events.onNode?.(-1);
    else if (event.shiftKey && event.key.startsWith('Arrow')) {
      const [dx, dy] = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
      this.camera.pan(dx, dy);
    } else return;
    event.preventDefault();
  }
}
