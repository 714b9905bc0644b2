// Edge Pruning in the page: a worker trains, this shows. The circuit found is handed to the inspector.

import { standalone } from '../chart.js';
import { csv } from '../csv.js';
import { byId, make, save, svg, visible } from '../dom.js';
import { models, source } from '../host.js';
import { brief, count, percent } from '../numbers.js';
import { fault, say, seed } from '../page.js';
import { frame, path } from '../plot.js';
import * as state from '../state.js';
import { hand } from '../store.js';
import { bindings } from '../wasm.js';
import { Client } from '../worker/client.js';
import { Graph } from '../circuit/graph.js';
import { masksChart } from './masks.js';

/** Which field holds what the address says. */
const ADDRESS = { cut: 'ablation', keep: 'keep', seed: 'seed' };

const page = { core: null, library: [], model: null, client: new Client('pruning.js'), records: [], circuit: '', running: false, frame: 0, masks: null, about: null };
const graph = new Graph(byId('graph'), {});

function buttons() {
  byId('stop').hidden = !page.running;
  byId('start').hidden = page.running;
  byId('go-on').hidden = page.running || !page.stopped;
  byId('start').textContent = page.records.length ? 'Start anew' : 'Start';
  for (const input of ['model', 'ablation', 'keep', 'seed']) byId(input).disabled = page.running;
}

/** Settings by model: programs are searched in rounds and need no number of edges. */
function chooseModel() {
  page.model = page.library.find((model) => model.id === byId('model').value) ?? page.library[0];
  const program = page.model.kind === 'program';
  byId('edges-field').hidden = program;
  byId('ablation').value = 'interchange';
  byId('keep').value = page.model.keep ?? '';
  byId('about').textContent = `${page.model.note} ${program ? 'Pruned in rounds: each round trains anew on the edges that are left, and keeps the smallest circuit whose every output is right.' : 'The settings are those of “vitrine run edge-pruning”.'}`;
}

/** What was set, in the address. */
function remember() {
  const program = page.model.kind === 'program';
  const { value } = byId('keep');
  state.write({ model: page.model.id, cut: byId('ablation').value === 'interchange' ? null : 'zero', keep: program || value === String(page.model.keep ?? '') ? null : value, seed: byId('seed').value === '0' ? null : byId('seed').value });
}

async function start() {
  fault(null);
  page.client.end();
  Object.assign(page, { records: [], stopped: false, running: true, circuit: '' });
  byId('result').hidden = true;
  buttons();
  say('Preparing the model and its examples');
  const program = page.model.kind === 'program';
  const keep = program ? null : Number(byId('keep').value);
  if (!program && !(Number.isInteger(keep) && keep > 0)) throw new Error('say how many edges the circuit may have, as a whole number');
  const { about, masks, circuit } = await page.client.call('start', { source: await source(page.model), seed: seed(), cut: byId('ablation').value, keep });
  page.about = about;
  const sheet = page.core.Sheet.open(circuit, undefined);
  graph.setGraph(JSON.parse(sheet.layout()), sheet.offsets());
  page.names = JSON.parse(sheet.names());
  sheet.free();
  page.masks = masks;
  draw();
  await train();
}

async function train() {
  page.running = true;
  page.stopped = false;
  buttons();
  byId('progress').hidden = false;
  const end = await page.client.call('train', null, ({ taken, masks }) => {
    page.records.push(...taken);
    page.masks = masks;
    const last = taken.at(-1);
    if (last) tell(last);
    cancelAnimationFrame(page.frame);
    page.frame = requestAnimationFrame(draw);
  });
  page.running = false;
  page.stopped = !end.over;
  page.circuit = end.circuit;
  page.masks = end.masks;
  page.milliseconds = (page.milliseconds ?? 0) + end.milliseconds;
  draw();
  finish(end.over);
}

function tell(last) {
  const progress = byId('progress');
  progress.max = last.steps_a_round;
  progress.value = last.best === null ? last.step : ((last.step - 1) % last.steps_a_round) + 1;
  const words = last.best === null ? `Step ${count(last.step)} of ${count(last.steps_a_round)}.` : `Round ${last.round + 1}, step ${count(last.step)}. Smallest right circuit so far: ${count(last.best)} edges.`;
  say(`${words} ${percent(last.edge_sparsity)} of the gates closed in this draw.`);
}

function finish(over) {
  buttons();
  const sheet = page.core.Sheet.open(page.circuit, undefined);
  const summary = JSON.parse(sheet.summary());
  byId('result').hidden = false;
  byId('result-h').textContent = over ? 'What was found' : 'What is there so far';
  byId('found').textContent = `${count(summary.shown)} of ${count(summary.edges)} edges, ${percent(summary.sparsity)} cut, after ${count(page.records.length)} steps with seed ${byId('seed').value}.`;
  byId('found').dataset.edges = String(summary.shown);
  byId('inspect').href = `circuit.html#model=${page.model.id}&circuit=handed`;
  if (over) {
    const classes = sheet.classes();
    graph.setEdges({ classes, scores: sheet.scores(), largest: summary.largest_score, compared: false }, false);
    graph.setNames(page.names);
    say(`Done in ${((page.milliseconds ?? 0) / 1000).toFixed(1)} s.`);
    byId('progress').hidden = true;
  } else say('Stopped. It goes on from here.');
  sheet.free();
}

function draw() {
  const { masks } = page;
  const classes = Uint8Array.from(masks, (mask) => (mask > 0 ? 2 : 0));
  graph.setEdges({ classes, scores: new Float32Array(0), largest: 1, compared: false, weights: masks }, false);
  graph.setNames(page.names);
  byId('masks').replaceChildren(masksChart(masks));
  const records = thin(page.records);
  if (records.length === 0) {
    byId('sparsity').replaceChildren();
    byId('loss').replaceChildren();
    return;
  }
  const last = page.records.at(-1);
  const x = { low: 0, high: last.best === null ? last.steps_a_round : Math.max(100, last.step), label: 'step' };
  const sparsity = frame({ label: 'Share of gates closed, by step', height: 190, x, y: { low: 0, high: 1, label: 'share', ticks: [0, 0.25, 0.5, 0.75, 1] } });
  const line = (chart, of) => path(records.map((record) => [chart.x(record.step), chart.y(of(record))]));
  sparsity.plot.append(svg('path', { class: 'line c0', d: line(sparsity, (r) => Math.max(0, Math.min(1, r.edge_sparsity))) }), svg('path', { class: 'line c1 d1', d: line(sparsity, (r) => Math.max(0, Math.min(1, r.edge_target))) }));
  byId('sparsity').replaceChildren(sparsity.root, key([['line c0', 'this draw'], ['line c1 d1', 'target']]));
  const high = quantile(records.map((record) => record.loss), 0.98) * 1.1 || 1e-6;
  const unit = page.about?.numeric ? 'squared difference' : 'nats (KL)';
  const loss = frame({ label: `Distance from the full model, by step`, height: 190, x, y: { low: 0, high, label: unit } });
  loss.plot.append(svg('path', { class: 'line c0', d: path(records.map((r) => [loss.x(r.step), loss.y(Math.min(high, r.loss))])) }));
  byId('loss').replaceChildren(loss.root);
}

/** A chart has no use for more points than pixels. */
function thin(records) {
  const every = Math.max(1, Math.ceil(records.length / 360));
  return records.filter((record, at) => at % every === 0 || at === records.length - 1);
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function key(items) {
  return make('ul', { class: 'key' }, ...items.map(([look, words]) => make('li', {}, svg('svg', { class: 'fig', viewBox: '0 0 34 10', 'aria-hidden': 'true' }, svg('path', { class: look, d: 'M1 5H33' })), words)));
}

const guarded = (action) => async () => {
  try {
    await action();
  } catch (error) {
    page.running = false;
    buttons();
    byId('progress').hidden = true;
    if (!/^stopped$/.test(error?.message)) {
      fault(error);
      say('');
    }
  }
};

guarded(async () => {
  say('Starting');
  [page.core, page.library] = await Promise.all([bindings(), models().then((all) => all.filter((model) => model.training))]);
  byId('model').replaceChildren(...page.library.map((model) => make('option', { value: model.id, text: visible(model.title, 80) })));
  const wish = state.read();
  if (page.library.some((model) => model.id === wish.model)) byId('model').value = wish.model;
  chooseModel();
  for (const [key, id] of Object.entries(ADDRESS)) if (wish[key]) byId(id).value = wish[key];
  // A value that is no choice leaves a select empty.
  byId('ablation').value ||= 'interchange';
  byId('model').addEventListener('change', () => {
    chooseModel();
    remember();
  });
  for (const id of Object.values(ADDRESS)) byId(id).addEventListener('change', remember);
  byId('choose').addEventListener('submit', (event) => {
    event.preventDefault();
    page.milliseconds = 0;
    guarded(start)();
  });
  byId('stop').addEventListener('click', () => {
    say('Stopping after this step');
    page.client.ask();
  });
  byId('go-on').addEventListener('click', guarded(train));
  byId('inspect').addEventListener('click', (event) => {
    if (hand(page.circuit)) return;
    event.preventDefault();
    fault('this browser keeps nothing for pages, so the circuit cannot be handed over; save it as a file and open it in the inspector');
  });
  byId('download').addEventListener('click', () => save('circuit.json', new Blob([page.circuit], { type: 'application/json' })));
  byId('drawing').addEventListener('click', guarded(() => {
    const sheet = page.core.Sheet.open(page.circuit, undefined);
    const text = sheet.export('svg', 0);
    sheet.free();
    save('circuit.svg', new Blob([text], { type: 'image/svg+xml' }));
  }));
  byId('steps').addEventListener('click', () => {
    const columns = Object.keys(page.records[0] ?? {});
    save('steps.csv', new Blob([csv([columns, ...page.records.map((record) => columns.map((column) => record[column]))])], { type: 'text/csv' }));
  });
  byId('charts').addEventListener('click', () => {
    for (const id of ['sparsity', 'loss', 'masks']) save(`${id}.svg`, standalone(byId(id).querySelector('svg')));
  });
  say('');
  buttons();
  globalThis.vitrine = { page, graph, brief };
})();
