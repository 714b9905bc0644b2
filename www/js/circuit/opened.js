// Files from the picker or a drop: a model, or one circuit, or two to compare.

import { byId } from '../dom.js';
import { circuitText, sort } from '../files.js';
import * as state from '../state.js';
import { keep } from '../store.js';
import { fault } from '../page.js';
import { offerCircuits, offerModels, takeCircuit, takeModel } from './choice.js';
import { page, parts, say } from './desk.js';
import { shown } from './view.js';

/** @param {File[]} files */
export async function take(files) {
  fault(null);
  const { model, circuits } = sort(files);
  if (model.length) await takeWeights(model);
  // Two files at once are two circuits to compare.
  for (const [at, file] of circuits.slice(0, 2).entries()) {
    const text = await circuitText(file);
    const shape = parts.live.about ? JSON.stringify(parts.live.about.shape) : page.shape;
    const trial = read(text, shape);
    if (at === 1) {
      page.sheet.setOther(trial.sheet);
      shown();
      continue;
    }
    trial.sheet.free();
    page.opened = { text, title: file.name };
    if (trial.shape !== page.shape && !parts.live.about) page.model = null;
    page.shape = trial.shape;
    offerCircuits('file', '');
    await takeCircuit();
    state.write({ circuit: null, k: null, x: null, node: null, edge: null });
    say(`${file.name}: ${trial.format}.`);
  }
}

/** A model's files: of a model that the page names and does not bring, or one of the person's own. @param {File[]} files */
async function takeWeights(files) {
  const awaited = page.library.filter((one) => one.kind === 'file');
  // A model that is named by its hash may lie in a file of another name: the hash decides.
  const named = awaited.find((one) => files.some((file) => file.name === one.file));
  const known = named ?? awaited.find((one) => one === page.model && one.hashes && Object.keys(one.hashes).length === files.length);
  page.files = { list: files, title: files.length === 1 ? files[0].name : `${files[0].name} and ${files.length - 1} more`, belongs: known?.id ?? null };
  page.opened = null;
  offerModels(known?.id ?? 'files');
  await takeModel();
  state.write({ model: byId('model').value, circuit: byId('circuit').value });
  if (files.length === 1) keepQuietly(files[0]);
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
