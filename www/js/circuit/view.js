// The circuit on the table: laid, sized, switched, and everything that shows it.

import { byId } from '../dom.js';
import { count, percent } from '../numbers.js';
import * as state from '../state.js';
import { fault } from '../page.js';
import { page, parts } from './desk.js';
import { legend } from './legend.js';

/** Both ends of an edge. */
export function ends(edge) {
  const { writerOf, readerOf } = parts.graph.drawing;
  return { writer: page.layout.writers[writerOf[edge]], reader: page.layout.readers[readerOf[edge]] };
}

/** A sheet comes to the table: a new graph, or another circuit of the same. */
export function lay(sheet) {
  page.sheet?.free();
  page.sheet = sheet;
  page.layout = JSON.parse(sheet.layout());
  page.offsets = sheet.offsets();
  page.scores = sheet.scores();
  page.signed = page.scores.some((score) => score < 0);
  page.node = page.edge = -1;
  parts.graph.setGraph(page.layout, page.offsets);
  parts.focus.nothing();
  refresh();
  resetCurve();
}

/** Forgets what was measured: another circuit, or another meaning of cut edges. */
export function resetCurve() {
  parts.curve.reset({ edges: page.summary.edges, scored: page.summary.scored, numeric: page.numeric ?? false });
}

/** Reads what the sheet shows now. */
function refresh() {
  const { sheet } = page;
  page.summary = JSON.parse(sheet.summary());
  page.names = JSON.parse(sheet.names());
  const compared = page.summary.agreement !== null;
  page.look = { masks: sheet.masks(), scores: page.scores, classes: sheet.classes(), largest: page.summary.largest_score, signed: page.signed, compared };
}

/** Everything that depends on the shown edges. */
export function shown(run = true) {
  const { graph, curve, live } = parts;
  refresh();
  graph.setEdges(page.look, byId('show-all').checked);
  graph.setNames(page.names);
  curve.set(page.summary.size ?? page.summary.shown, page.summary);
  legend(byId('key'), page);
  const { agreement, jaccard, edges, shown: now, switched } = page.summary;
  const words = agreement ? `${count(agreement.shared)} shared, ${count(agreement.extra)} only A, ${count(agreement.missing)} only B; Jaccard ${jaccard.toFixed(3)}` : `${count(now)} of ${count(edges)} edges (${percent(now / edges)})`;
  byId('counts').textContent = words;
  byId('reset').hidden = switched === 0;
  byId('as-opened').disabled = page.summary.size === null && switched === 0;
  byId('measure').disabled = !page.summary.scored || !live.about;
  byId('score').disabled = !live.about;
  list();
  explain();
  if (run) live.run();
}

/** The chosen box or edge, anew. */
function explain() {
  if (page.node >= 0) parts.focus.node(page.node, page.names);
  else if (page.edge >= 0) parts.focus.edge(page.edge);
}

export function list() {
  const { sheet, look } = page;
  const { table } = parts;
  const found = sheet.list(byId('search').value, table.order, table.reversed, byId('list-all').checked);
  byId('found').textContent = `${count(found.length)} ${found.length === 1 ? 'edge' : 'edges'}`;
  table.show(found, { ...look, chosen: page.edge, name: (edge) => { const { writer, reader } = ends(edge); return [writer.name, reader.name]; } });
}

export function choose(node) {
  const { graph, focus } = parts;
  page.node = page.node === node ? -1 : node;
  page.edge = -1;
  graph.edge = -1;
  graph.choose(page.node);
  if (page.node < 0) focus.nothing();
  else focus.node(page.node, page.names);
  state.write({ node: page.node < 0 ? null : page.layout.nodes[page.node].name, edge: null });
  list();
}

export function chooseEdge(edge) {
  const { graph, focus } = parts;
  page.node = -1;
  page.edge = page.edge === edge ? -1 : edge;
  graph.chosen = -1;
  graph.boxes.choose(-1);
  graph.mark(page.edge);
  if (page.edge < 0) focus.nothing();
  else focus.edge(page.edge);
  state.write({ node: null, edge: page.edge < 0 ? null : page.edge });
  list();
}

export function toggle(edge, on) {
  page.sheet.switch(edge, on);
  state.write({ x: [...page.sheet.switched()].join('.') });
  shown();
}

export function resetSwitches() {
  page.sheet.resetSwitches();
  state.write({ x: null });
}

let sizing = 0;

/** Shows the best edges by score; null shows the circuit as opened. @param {number|null} size */
export function resize(size) {
  try {
    page.sheet.setSize(size ?? undefined);
  } catch (error) {
    fault(error);
    return;
  }
  state.write({ k: size });
  // Dragging gives many sizes a frame; one of them is drawn.
  cancelAnimationFrame(sizing);
  page.summary = JSON.parse(page.sheet.summary());
  parts.curve.set(size ?? page.summary.shown, page.summary);
  sizing = requestAnimationFrame(() => shown());
}

export function name(node, label, group) {
  try {
    page.sheet.setLabel(node, label);
    page.sheet.setGroup(node, group);
    fault(null);
  } catch (error) {
    fault(error);
  }
  shown(false);
}
