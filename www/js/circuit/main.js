// The circuit inspector: what is chosen, and who must hear of it. The circuit lives in wasm on this thread (its calls take milliseconds); the model lives in a worker.

import { byId, make, sentence, visible } from '../dom.js';
import { circuitText, sort, watch } from '../files.js';
import { models, sheet as shipped } from '../library.js';
import { count, percent } from '../numbers.js';
import * as state from '../state.js';
import { handed, keep, kept } from '../store.js';
import { bindings } from '../wasm.js';
import { Curve } from './curve.js';
import { busy, fault, page, say } from './desk.js';
import { Focus } from './focus.js';
import { Graph } from './graph.js';
import { legend } from './legend.js';
import { Live } from './live.js';
import { saves } from './saves.js';
import { Table } from './table.js';
import { sourceOf } from './weights.js';

/** Sizes measured for a curve: shipped models answer in milliseconds, opened ones in seconds. */
const SIZES = { own: 28, opened: 10 };

const graph = new Graph(byId('graph'), {
  onNode: (node) => choose(node),
  onEdge: (edge) => chooseEdge(edge),
  edgesAt: (node) => Uint32Array.from([...page.sheet.edgesInto(node), ...page.sheet.edgesOutOf(node)]),
});
const focus = new Focus({ sheet: () => page.sheet, layout: () => page.layout, look: () => page.look, ends, onSwitch: toggle, onNode: choose, onName: name });
const curve = new Curve(byId('curve'), { onSize: (size) => resize(size) });
const table = new Table(byId('table'), { onSwitch: toggle, onChoose: chooseEdge, onSort: list });
const live = new Live({
  masks: () => page.look.masks,
  onState: (changes) => state.write(changes),
  onAblation: (name) => {
    page.sheet.setAblation(name);
    curve.reset({ edges: page.summary.edges, scored: page.summary.scored, numeric: page.numeric });
    shown();
  },
  onBusy: busy,
});
saves({ sheet: () => page.sheet, width: () => page.width, onError: fault });

function ends(edge) {
  const { writerOf, readerOf } = graph.drawing;
  return { writer: page.layout.writers[writerOf[edge]], reader: page.layout.readers[readerOf[edge]] };
}

/** A sheet comes to the table: a new graph, or another circuit of the same. */
function lay(sheet) {
  page.sheet?.free();
  page.sheet = sheet;
  page.layout = JSON.parse(sheet.layout());
  page.offsets = sheet.offsets();
  page.scores = sheet.scores();
  page.signed = page.scores.some((score) => score < 0);
  page.node = page.edge = -1;
  graph.setGraph(page.layout, page.offsets);
  focus.nothing();
  refresh();
  curve.reset({ edges: page.summary.edges, scored: page.summary.scored, numeric: page.numeric ?? false });
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
function shown(run = true) {
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
  if (page.node >= 0) focus.node(page.node, page.names);
  else if (page.edge >= 0) focus.edge(page.edge);
}

function list() {
  const { sheet, look } = page;
  const found = sheet.list(byId('search').value, table.order, table.reversed, byId('list-all').checked);
  byId('found').textContent = `${count(found.length)} ${found.length === 1 ? 'edge' : 'edges'}`;
  table.show(found, { ...look, chosen: page.edge, name: (edge) => { const { writer, reader } = ends(edge); return [writer.name, reader.name]; } });
}

function choose(node) {
  page.node = page.node === node ? -1 : node;
  page.edge = -1;
  graph.edge = -1;
  graph.choose(page.node);
  if (page.node < 0) focus.nothing();
  else focus.node(page.node, page.names);
  state.write({ node: page.node < 0 ? null : page.layout.nodes[page.node].name });
  list();
}

function chooseEdge(edge) {
  page.node = -1;
  page.edge = page.edge === edge ? -1 : edge;
  graph.chosen = -1;
  graph.boxes.choose(-1);
  graph.mark(page.edge);
  if (page.edge < 0) focus.nothing();
  else focus.edge(page.edge);
  state.write({ node: null });
  list();
}

function toggle(edge, on) {
  page.sheet.switch(edge, on);
  state.write({ x: [...page.sheet.switched()].join('.') });
  shown();
}

let sizing = 0;
function resize(size) {
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
  curve.set(size ?? page.summary.shown, page.summary);
  sizing = requestAnimationFrame(() => shown());
}

function name(node, label, group) {
  try {
    page.sheet.setLabel(node, label);
    page.sheet.setGroup(node, group);
    fault(null);
  } catch (error) {
    fault(error);
  }
  shown(false);
}

/** Fills a select. @param {any} select @param {[string, string][]} options */
function options(select, list, chosen) {
  select.replaceChildren(...list.map(([value, text]) => make('option', { value, text: visible(text, 90) })));
  if (list.some(([value]) => value === chosen)) select.value = chosen;
}

function offerModels(chosen) {
  const own = page.library.map((model) => [model.id, model.title]);
  const here = kept().map((one) => [`kept:${one.hash}`, `${one.name} (kept in this browser)`]);
  const extra = page.files ? [['files', page.files.title]] : [];
  if (chosen?.startsWith('weights:')) extra.push([chosen, chosen.slice(8)]);
  options(byId('model'), [...own, ...here, ...extra], chosen);
}

function offerCircuits(chosen, other) {
  const own = page.model?.circuits.map((circuit) => [circuit.id, circuit.title]) ?? [];
  const file = page.opened ? [['file', page.opened.title]] : [];
  const all = [...file, ...own, ['full', 'All edges of the graph']];
  options(byId('circuit'), all, chosen);
  options(byId('other'), [['', 'Nothing'], ...all.filter(([id]) => id !== 'full')], other);
}

/** The sheet of a choice in the select of circuits. */
async function sheetOf(id) {
  const { core, model, opened } = page;
  if (id === 'file' && opened) return core.Sheet.open(opened.text, page.shape ?? undefined);
  const circuit = model?.circuits.find((one) => one.id === id);
  if (circuit) return shipped(core, model, circuit);
  if (!page.shape) {
    // A model whose weights are not here: its circuits know its graph.
    const first = await shipped(core, model, model.circuits[0]);
    page.shape = first.shape();
    first.free();
  }
  return core.Sheet.full(page.shape);
}

/** Shows the chosen circuit, and the second one beside it. */
async function takeCircuit(wish = {}) {
  fault(null);
  const id = byId('circuit').value;
  const turn = (page.turn = Symbol('turn'));
  const sheet = await sheetOf(id);
  if (turn !== page.turn) {
    // Another circuit was chosen while this one came.
    sheet.free();
    return;
  }
  const ablation = page.model?.circuits.find((one) => one.id === id)?.ablation;
  const wanted = wish.ablation ?? ablation;
  if (['interchange', 'zero'].includes(wanted)) byId('ablation').value = wanted;
  sheet.setAblation(byId('ablation').value);
  page.shape = sheet.shape();
  lay(sheet);
  if (wish.k) page.sheet.setSize(Number(wish.k));
  for (const edge of (wish.x ?? '').split('.').filter(Boolean).slice(0, 5000)) {
    const at = Number(edge);
    if (Number.isInteger(at) && at >= 0 && at < page.summary.edges) page.sheet.switch(at, page.sheet.masks()[at] === 0);
  }
  await takeOther();
  if (wish.node) {
    const node = page.layout.nodes.findIndex((one) => one.name === wish.node);
    if (node >= 0) choose(node);
  }
  const about = JSON.parse(sheet.about());
  const found = about.import;
  if (found && (found.disagreements || found.neurons_ignored || found.nodes_off)) {
    const words = [];
    if (found.disagreements) words.push(`heads that share a key or value disagreed about ${found.disagreements} edges, which are kept`);
    if (found.nodes_off) words.push(`${found.nodes_off} nodes are switched off although kept edges leave them`);
    if (found.neurons_ignored) words.push('its choice of neurons is ignored');
    say(sentence(`Read from EAP-IG’s format: ${words.join('; ')}`));
  }
}

async function takeOther() {
  const id = byId('other').value;
  page.sheet.setOther(id ? await sheetOf(id) : undefined);
  shown();
}

/** Shows the chosen model with its first circuit. */
async function takeModel(wish = {}) {
  fault(null);
  const id = byId('model').value;
  page.model = page.library.find((model) => model.id === id) ?? null;
  page.numeric = false;
  page.shape = null;
  live.without('');
  byId('about').textContent = page.model?.note ?? '';
  const [from, about] = await sourceOf(id);
  if (about && !page.model) byId('about').textContent = about;
  if (page.model) {
    offerCircuits(wish.circuit, wish.b);
    await takeCircuit(wish);
  }
  if (!from) {
    live.without('To run this circuit, open the model’s weights: a GGUF file, or the files of a Hugging Face folder (config.json, tokenizer.json, model.safetensors). They stay on this machine.');
    say('');
    busy('');
    return;
  }
  busy('Loading the model');
  const pair = page.model?.pair ?? [];
  const described = await live.load(from, { example: page.model?.example ?? 0, clean: wish.clean ?? pair[0], corrupted: wish.corrupted ?? pair[1], ablation: byId('ablation').value, position: wish.pos === undefined ? null : Number(wish.pos) });
  page.numeric = described.numeric;
  page.width = described.d_model;
  const shape = JSON.stringify(described.shape);
  if (!page.model || page.shape !== shape) {
    page.shape = shape;
    offerCircuits(page.model ? 'full' : 'file', '');
    await takeCircuit();
  }
  say(`${count(described.parameters)} weights, loaded in ${(live.loadedIn / 1000).toFixed(1)} s. ${described.device}`);
  curve.reset({ edges: page.summary.edges, scored: page.summary.scored, numeric: page.numeric });
  shown(false);
  await live.retyped();
  if (described.own_task && page.summary.scored && page.summary.edges < 5000) await measure();
}

async function measure() {
  const sizes = curve.sizes(live.about.own_task ? SIZES.own : SIZES.opened);
  byId('measure').disabled = true;
  try {
    const masks = sizes.map((size) => page.sheet.masksAt(size));
    const sheet = page.sheet;
    await live.curve(sizes, masks, ({ size, loss, examples }) => page.sheet === sheet && curve.add(size, loss, examples));
  } catch (error) {
    if (!/^stopped/.test(error.message)) fault(error);
  } finally {
    byId('measure').disabled = !live.about;
  }
}

/** Scores all edges here and shows the best as a circuit of its own. */
async function scoreEdges() {
  const text = await live.score();
  page.opened = { text, title: `EAP-IG on ${live.about.own_task ? 'the model’s examples' : 'this pair'}` };
  const other = byId('other').value;
  offerCircuits('file', other === 'file' ? '' : other);
  state.write({ circuit: null, k: null, x: null, node: null });
  await takeCircuit({ ablation: byId('ablation').value });
  await live.run();
  if (page.summary.edges < 5000) await measure();
}

/** Files from the picker or a drop. */
async function take(files) {
  fault(null);
  const { model, circuits } = sort(files);
  if (model.length) {
    const known = page.library.find((one) => one.kind === 'file' && model.some((file) => file.name === one.file));
    page.files = { list: model, title: model.length === 1 ? model[0].name : `${model[0].name} and ${model.length - 1} more`, belongs: known?.id ?? null };
    page.opened = null;
    offerModels(known?.id ?? 'files');
    await takeModel();
    state.write({ model: byId('model').value, circuit: byId('circuit').value });
    if (model.length === 1) keepQuietly(model[0]);
    return;
  }
  // Two files at once are two circuits to compare.
  for (const [at, file] of circuits.slice(0, 2).entries()) {
    const text = await circuitText(file);
    const shape = live.about ? JSON.stringify(live.about.shape) : page.shape;
    const trial = read(text, shape);
    if (at === 1) {
      page.sheet.setOther(trial.sheet);
      shown();
      continue;
    }
    trial.sheet.free();
    page.opened = { text, title: file.name };
    if (trial.shape !== page.shape && !live.about) page.model = null;
    page.shape = trial.shape;
    offerCircuits('file', '');
    await takeCircuit();
    state.write({ circuit: null, k: null, x: null, node: null });
    say(`${file.name}: ${trial.format}.`);
  }
}

/** Reads a circuit for the model on the table; a file that names its own model may also come without one. */
function read(text, shape) {
  const sheet = page.core.Sheet.open(text, shape ?? undefined);
  return { sheet, shape: sheet.shape(), format: JSON.parse(sheet.about()).format };
}

async function keepQuietly(file) {
  try {
    const hash = await keep(file);
    if (hash) offerModels(byId('model').value);
  } catch {
    // No room, or no private files here: the model is used all the same.
  }
}

/** Runs an action; what goes wrong is said in one sentence. */
const guarded = (action) => async (...given) => {
  try {
    await action(...given);
  } catch (error) {
    if (!/^stopped$/.test(error?.message)) {
      fault(error);
      say('');
      busy('');
    }
  }
};

function wire() {
  byId('model').addEventListener('change', guarded(async () => {
    page.opened = null;
    history.replaceState(null, '', '#');
    state.write({ model: byId('model').value });
    await takeModel();
  }));
  byId('circuit').addEventListener('change', guarded(async () => {
    state.write({ circuit: byId('circuit').value, k: null, x: null, node: null });
    await takeCircuit();
    await live.retyped();
    if (live.about?.own_task && page.summary.scored && page.summary.edges < 5000) await measure();
  }));
  byId('other').addEventListener('change', guarded(async () => {
    state.write({ b: byId('other').value });
    await takeOther();
  }));
  byId('show-all').addEventListener('change', () => shown(false));
  byId('list-all').addEventListener('change', list);
  byId('search').addEventListener('input', list);
  byId('zoom-in').addEventListener('click', () => graph.camera.zoom(1.35));
  byId('zoom-out').addEventListener('click', () => graph.camera.zoom(1 / 1.35));
  byId('zoom-fit').addEventListener('click', () => graph.camera.fit());
  byId('measure').addEventListener('click', guarded(measure));
  byId('score').addEventListener('click', guarded(scoreEdges));
  byId('as-opened').addEventListener('click', () => {
    page.sheet.resetSwitches();
    state.write({ x: null });
    resize(null);
  });
  byId('reset').addEventListener('click', () => {
    page.sheet.resetSwitches();
    state.write({ x: null });
    shown();
  });
  byId('choose').addEventListener('submit', (event) => event.preventDefault());
  watch({ button: byId('open'), input: byId('files'), onFiles: guarded(take), onError: fault });
}

guarded(async () => {
  busy('Starting');
  [page.core, page.library] = await Promise.all([bindings(), models()]);
  wire();
  const wish = state.read();
  const left = wish.circuit === 'handed' ? handed() : null;
  if (left) page.opened = { text: left, title: 'Circuit found by Edge Pruning' };
  // `#weights=models/x.gguf` opens a model file of this site.
  if (wish.weights) wish.model = `weights:${wish.weights}`;
  offerModels(wish.model ?? page.library[0].id);
  await takeModel({ ...wish, circuit: left ? 'file' : wish.circuit });
  // For scripts that look at the page from outside: tests and measurements.
  globalThis.vitrine = { graph, page, live, curve };
})();
