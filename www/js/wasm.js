// The core as WebAssembly: compiled once, used by the page and by its workers.
//
// Which bundle: `cpu` always. `gpu` only where the site ships it and an adapter answers; it is then checked against `cpu` before it is used (worker/device.js).

const CPU = new URL('../vitrine_web.js', import.meta.url).href;

let loading = null;

/** The bindings, ready. A second call after a crash starts afresh. */
export function bindings() {
  loading ??= (async () => {
    try {
      const module = await import(CPU);
      const compiled = await compile();
      await module.default({ module_or_path: compiled });
      return module;
    } catch (error) {
      loading = null;
      throw new Error(`WebAssembly could not be started (${error instanceof Error ? error.message : error})`);
    }
  })();
  return loading;
}

let compiling = null;

/** The compiled module, to be handed to workers. @returns {Promise<WebAssembly.Module>} */
export function compile() {
  compiling ??= WebAssembly.compileStreaming(fetch(new URL('../vitrine_web_bg.wasm', import.meta.url)));
  return compiling;
}
