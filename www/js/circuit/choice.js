// Which model, which circuit, and which other one beside it; what is measured when one was chosen.

import { byId, make, sentence, visible } from '../dom.js';
import { sheet as shipped } from '../library.js';
import { count } from '../numbers.js';
import * as state from '../state.js';
import { kept } from '../store.js';
import { fault } from '../page.js';
import { busy, page, parts, say } from './desk.js';
import { choose, chooseEdge, lay, resetCurve, shown } from './view.js';
import { sourceOf } from './weights.js';

/** Sizes measured for a curve: shipped models answer in milliseconds, opened ones in seconds. */
const SIZES = { own: 28, opened: 10 };
/** Graphs up to here are measured without being asked. */
const QUICK = 5000;

/** Fills a select. @param {any} select @param {[string, string][]} options */
function options(select, list, chosen) {
  select.replaceChildren(...list.map(([value, text]) => make('option', { value, text: visible(text, 90) })));
  if (list.some(([value]) => value === chosen)) select.value = chosen;
}

export function offerModels(chosen) {
  const own = page.library.map((model) => [model.id, model.title]);
  const here = kept().map((one) => [`kept:${one.hash}`, `${one.name} (kept in this browser)`]);
  const extra = page.files ? [['files', page.files.title]] : [];
  if (chosen?.startsWith('weights:')) extra.push([chosen, chosen.slice(8)]);
  options(byId('model'), [...own, ...here, ...extra], chosen);
}

export function offerCircuits(chosen, other) {
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
export async function takeCircuit(wish = {}) {
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
  } else if (wish.edge && Number(wish.edge) < page.summary.edges && Number.isInteger(Number(wish.edge))) chooseEdge(Number(wish.edge));
  bridged(JSON.parse(sheet.about()).import);
}

/** Says what reading EAP-IG's format had to bridge. */
function bridged(found) {
  if (!found || !(found.disagreements || found.neurons_ignored || found.nodes_off)) return;
  const words = [];
  if (found.disagreements) words.push(`heads that share a key or value disagreed about ${found.disagreements} edges, which are kept`);
  if (found.nodes_off) words.push(`${found.nodes_off} nodes are switched off although kept edges leave them`);
  if (found.neurons_ignored) words.push('its choice of neurons is ignored');
  say(sentence(`Read from EAP-IG’s format: ${words.join('; ')}`));
}

export async function takeOther() {
  const id = byId('other').value;
  page.sheet.setOther(id ? await sheetOf(id) : undefined);
  shown();
}

/** Shows the chosen model with its first circuit. */
export async function takeModel(wish = {}) {
  const { live } = parts;
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
    const hashed = page.model?.hashes ? ' It has to be the file that the report was made with: its SHA-256 is compared.' : '';
    live.without(`To run this circuit, open the model’s weights: a GGUF file, or the files of a Hugging Face folder (config.json, tokenizer.json, model.safetensors). They stay on this machine.${hashed}`);
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
  resetCurve();
  shown(false);
  await live.retyped();
  await measureQuick();
}

/** Measures where it takes no time. */
export async function measureQuick() {
  if (parts.live.about?.own_task && page.summary.scored && page.summary.edges < QUICK) await measure();
}

export async function measure() {
  const { curve, live } = parts;
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
export async function scoreEdges() {
  const { live } = parts;
  const text = await live.score();
  page.opened = { text, title: `EAP-IG on ${live.about.own_task ? 'the model’s examples' : 'this pair'}` };
  const other = byId('other').value;
  offerCircuits('file', other === 'file' ? '' : other);
  state.write({ circuit: null, k: null, x: null, node: null, edge: null });
  await takeCircuit({ ablation: byId('ablation').value });
  await live.run();
  if (page.summary.edges < QUICK) await measure();
}
