// Where a model runs. The one place that decides it.
//
// Every page begins with the CPU bundle. The GPU bundle is fetched only where the site has one, the model is large enough to gain by it (or the address asks, `device=gpu`) and the
// browser gives an adapter that is no program itself. Before it runs anything it computes a small model as the CPU does: drivers exist that take every call and answer wrongly.
// Whatever goes wrong, the CPU runs the model and the page says why, in one sentence.

import { bundles, code, glue } from '../host.js';

/** Below this many bytes of weights the CPU answers before a GPU has its programs compiled. */
const LARGE = 32 << 20;
/** A check that takes longer has hung; who asks for the GPU by the address waits longer. */
const MOST_MS = 60_000;
const MOST_MS_ASKED = 1_200_000;

/**
 * @typedef {{ core: any, backend: any, gpu: boolean, words: string }} Device bindings, device, whether numbers have to be awaited, and a sentence for the page
 * @param {any} core bindings of the CPU bundle
 * @param {any} source what is to be run
 * @param {string|null} wish `gpu` or `cpu` where the address says so
 * @param {(progress: any) => void} progress
 * @returns {Promise<Device>}
 */
export async function choose(core, source, wish, progress) {
  const bytes = (source.files ?? []).reduce((sum, file) => sum + file.size, 0);
  if (wish === 'cpu' || (wish !== 'gpu' && bytes < LARGE)) return cpu(core);
  const { gpu } = await bundles();
  if (!gpu) return cpu(core, wish === 'gpu' ? 'this site has no GPU bundle' : '');
  if (!navigator.gpu) return cpu(core, 'this browser has no WebGPU');
  try {
    const adapter = await navigator.gpu.requestAdapter();
    if (!adapter) return cpu(core, 'this browser offers no GPU');
    if (wish !== 'gpu' && (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) return cpu(core, 'the only GPU here is a program itself');
    progress({ words: 'Preparing the GPU' });
    return await limited(prepared(gpu), wish === 'gpu' ? MOST_MS_ASKED : MOST_MS);
  } catch (error) {
    return cpu(core, `the GPU could not be used: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {any} core @param {string} [why] @returns {Device} */
export function cpu(core, why = '') {
  return { core, backend: core.Backend.cpu(), gpu: false, words: `Runs on this machine’s CPU${why && `, as ${why}`}.` };
}

/** The GPU bundle in an instance of its own, its device checked. @param {string} name @returns {Promise<Device>} */
async function prepared(name) {
  const core = await glue(name);
  await core.default({ module_or_path: code(name) });
  const backend = await core.Backend.gpu();
  const wrong = await backend.check();
  if (wrong) throw new Error(wrong);
  return { core, backend, gpu: true, words: 'Runs on this machine’s GPU, which computes a small model as the CPU does.' };
}

/** @template T @param {Promise<T>} work @param {number} most milliseconds @returns {Promise<T>} */
function limited(work, most) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not answer within ${most / 1000} seconds`)), most);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
