// Where the page's files come from: the report itself. The same names as in ../host.js, in whose place scripts/pack-page puts this.
//
// A file stands in the page as gzip in base64, inert; the manifest lists its size and SHA-256, which are compared before it is used. Workers are made of this very script, by a
// `blob:` address: a page opened from disk has no other address that a browser lets a worker load, and a worker that was made so keeps the page's policy. The script tells by
// the absence of a document that it is one, and by its name which.

import * as vitrine from '../../vitrine_web.js';

const WASM = 'vitrine_web_bg.wasm';
/** Largest carried file: what the program that writes reports allows. */
const MOST_BYTES = 32 << 20;

/** A report leaves nothing in the browser. */
export const keeps = false;

let listed = null;

/** What the report carries. @returns {{ exhibits: any[], files: { name: string, bytes: number, sha256: string }[] }} */
export function manifest() {
  listed ??= JSON.parse(document.getElementById('data-interactive').textContent);
  return listed;
}

const unpacked = new Map();

/** A carried file, compared with its SHA-256. @param {string} name @returns {Promise<Uint8Array>} */
export function bytes(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(name));
  return unpacked.get(name);
}

async function unpack(name) {
  const at = manifest().files.findIndex((file) => file.name === name);
  const block = at < 0 ? null : document.getElementById(`data-file-${at + 1}`);
  if (!block) throw new Error(`${name} is not inside this report`);
  const file = manifest().files[at];
  const changed = () => new Error(`${name} inside this report was changed: its SHA-256 is not the one listed`);
  let found = null;
  try {
    found = await gunzip(decoded(block.textContent), file.bytes);
  } catch {
    throw changed();
  }
  if ((await globalThis.vitrineSha256(found)) !== file.sha256) throw changed();
  return found;
}

function decoded(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** Never more than the file is said to have, whatever the packed bytes unfold to. @param {Uint8Array} packed @param {number} size */
async function gunzip(packed, size) {
  if (!(size <= MOST_BYTES)) throw new Error('too large');
  const whole = new Uint8Array(size);
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) throw new Error('too long');
    whole.set(value, at);
    at += value.length;
  }
  if (at !== size) throw new Error('too short');
  return whole;
}

export async function text(name) {
  return new TextDecoder('utf-8', { fatal: true }).decode(await bytes(name));
}

export async function bundles() {
  return { cpu: 'vitrine_web', gpu: null };
}

export async function glue() {
  return vitrine;
}

export function code(name) {
  throw new Error(`${name} is not inside this report`);
}

let compiling = null;

export function compile() {
  compiling ??= bytes(WASM).then((code) => WebAssembly.compile(code));
  return compiling;
}

let address = null;

export function worker(name) {
  address ??= URL.createObjectURL(new Blob([document.getElementById('interactive-script').textContent], { type: 'text/javascript' }));
  return new Worker(address, { name });
}

export async function models() {
  return manifest().exhibits.map((exhibit) => ({ ...exhibit, example: 1, file: Object.keys(exhibit.hashes ?? {}).find((name) => !/\.json$/.test(name)) }));
}

export async function source(model) {
  const names = Object.keys(model.files).filter((name) => name !== 'edges.json');
  const parts = await Promise.all(names.map((name) => bytes(model.files[name])));
  return { kind: model.kind, parts: Object.fromEntries(names.map((name, at) => [name, parts[at]])) };
}

export async function weights() {
  throw new Error('a report fetches nothing; open the model’s file from your disk');
}
