// The models and circuits that come with the site: what there is stands in models/models.json.

const HERE = new URL('../models/', import.meta.url);

/**
 * @typedef {{ id: string, title: string, note: string, kind: 'program'|'small'|'file', path: string, file?: string, training?: boolean, keep?: number,
 *   pair?: [string, string], circuits: { id: string, title: string, set?: string, file?: string, ablation?: string }[] }} Model
 */

/** @returns {Promise<Model[]>} */
export async function models() {
  return JSON.parse(await text('models.json')).models;
}

/** Where a worker finds a model. @param {Model} model */
export function source(model) {
  return { kind: model.kind, base: new URL(model.path, HERE).href };
}

/** A circuit of a model, as a sheet. @param {any} core @param {Model} model @param {Model['circuits'][0]} circuit */
export async function sheet(core, model, circuit) {
  if (circuit.set) {
    const [config, edges] = await Promise.all([text(model.path + 'config.json'), text(model.path + 'edges.json')]);
    return core.Sheet.known(config, edges, circuit.set);
  }
  return core.Sheet.open(await text(circuit.file), undefined);
}

async function text(path) {
  const answer = await fetch(new URL(path, HERE));
  if (!answer.ok) throw new Error(`models/${path} is not there (${answer.status})`);
  return answer.text();
}
