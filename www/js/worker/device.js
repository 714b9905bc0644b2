// Where a model runs. The one place that decides it.
//
// The circuit page reads numbers back at once, in the middle of a computation; a GPU in a page can only be waited for. So the CPU bundle runs everything here, whatever
// bundles.json ships, and the page says so.

/** @param {any} core bindings @returns {{ core: any, backend: any, words: string }} bindings, device, and a sentence for the page */
export function choose(core) {
  return { core, backend: core.Backend.cpu(), words: 'Runs on this machine’s CPU.' };
}
