// The core as WebAssembly: compiled once, used by the page and by its workers.

import { bundles, compile, glue } from './host.js';

/** Bindings of a compiled bundle, ready. @param {string} name @param {WebAssembly.Module} compiled */
export async function started(name, compiled) {
  const module = await glue(name);
  await module.default({ module_or_path: compiled });
  return module;
}

let loading = null;

/** The page's own bindings. A second call after a failure starts afresh. */
export function bindings() {
  loading ??= (async () => {
    try {
      const { cpu } = await bundles();
      return await started(cpu, await compile(cpu));
    } catch (error) {
      loading = null;
      throw new Error(`WebAssembly could not be started (${error instanceof Error ? error.message : error})`);
    }
  })();
  return loading;
}
