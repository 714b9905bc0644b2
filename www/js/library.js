// The models and circuits that come with the page: those of the site stand in models/models.json, those of a report in its manifest.

import { text } from './host.js';

/**
 * @typedef {{ id: string, title: string, note: string, kind: 'program'|'small'|'file', path?: string, files?: Record<string, string>, hashes?: Record<string, string>,
 *   file?: string, training?: boolean, keep?: number, example?: number, pair?: [string, string],
 *   circuits: { id: string, title: string, set?: string, file?: string, ablation?: string }[] }} Model
 */

/** The name of one of a model's own files. @param {Model} model @param {string} name */
function own(model, name) {
  return model.files?.[name] ?? model.path + name;
}

/** A circuit of a model, as a sheet. @param {any} core @param {Model} model @param {Model['circuits'][0]} circuit */
export async function sheet(core, model, circuit) {
  if (circuit.set) {
    const [config, edges] = await Promise.all(['config.json', 'edges.json'].map((name) => text(own(model, name))));
    return core.Sheet.known(config, edges, circuit.set);
  }
  return core.Sheet.open(await text(circuit.file), undefined);
}
