// Where a page's files come from: the site it belongs to. Reports have a module of the same names (report/host.js), which scripts/pack-page puts in the place of this one.
//
// bundles.json says which bundles the site ships (scripts/web-bundle writes it). `cpu` is always there; `gpu` (what runs where is decided in worker/device.js), `decode` (the beam
// explorer), `sql` and `sqlite` (questions to a database) and `studio` (the screenshot studio) are null where they have not been built.

const ROOT = new URL('../', import.meta.url);
const MODELS = new URL('models/', ROOT);

/** Whether models that a person opens may be kept in this browser. */
export const keeps = true;

let shipped = null;

/** Names of the bundles, without ending; null for what the site does not have. @returns {Promise<{ cpu: string, gpu: string|null, decode: string|null, sql: string|null, sqlite: string|null, studio: string|null }>} */
export function bundles() {
  shipped ??= fetch(new URL('bundles.json', ROOT)).then((answer) => answer.json());
  return shipped;
}

/** The bindings of a bundle, not yet started. @param {string} name */
export function glue(name) {
  return import(new URL(`${name}.js`, ROOT).href);
}

/** SQLite's own module, or null where the site was put together without it. */
export async function sqlite() {
  const { sqlite: name } = await bundles();
  return name ? glue(name) : null;
}

/** Where the WebAssembly of a bundle lies. @param {string} name */
export function code(name) {
  return new URL(`${name}_bg.wasm`, ROOT);
}

const compiling = new Map();

/** A compiled bundle, to be handed to workers. @param {string} name @returns {Promise<WebAssembly.Module>} */
export function compile(name) {
  if (!compiling.has(name)) compiling.set(name, WebAssembly.compileStreaming(fetch(code(name))));
  return compiling.get(name);
}

/** A worker of the folder worker/. @param {string} name @returns {Worker} */
export function worker(name) {
  return new Worker(new URL(`worker/${name}`, import.meta.url), { type: 'module' });
}

/** The models that come with the site. @returns {Promise<import('./library.js').Model[]>} */
export async function models() {
  return JSON.parse(await text('models.json')).models;
}

/** A text of the models' folder. @param {string} path */
export async function text(path) {
  const answer = await fetch(new URL(path, MODELS));
  if (!answer.ok) throw new Error(`models/${path} is not there (${answer.status})`);
  return answer.text();
}

/** The example databases of the site, or one of them. @param {string} name */
export async function database(name) {
  const answer = await fetch(new URL(`databases/${name}`, ROOT));
  if (!answer.ok) throw new Error(`databases/${name} is not there (${answer.status})`);
  return answer.text();
}

/** A file of the site. @param {string} path @returns {Promise<Uint8Array>} */
export async function bytes(path) {
  const answer = await fetch(new URL(path, ROOT));
  if (!answer.ok) throw new Error(`${path} is not there (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Where a worker finds a model. @param {import('./library.js').Model} model */
export async function source(model) {
  return { kind: model.kind, base: new URL(model.path, MODELS).href };
}

/** A model file of this site, named in the address: nothing is fetched from elsewhere. @param {string} path @returns {Promise<File>} */
export async function weights(path) {
  const url = new URL(path, location.href);
  if (url.origin !== location.origin) throw new Error('weights are fetched from this site only; download the file and open it from your disk');
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${path} is not there (${answer.status})`);
  return new File([await answer.blob()], url.pathname.split('/').pop());
}
