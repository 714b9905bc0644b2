// The core as WebAssembly: compiled once, used by the page and by its workers.
//
// bundles.json says which bundles the site ships (scripts/web-bundle writes it). `cpu` is always there and always loaded first; `gpu` is null where there is none. What runs
// where is decided in worker/device.js.

const ROOT = new URL('../', import.meta.url);

let shipped = null;

/** Names of the bundles, without ending; `gpu` is null where the site has none. @returns {Promise<{ cpu: string, gpu: string|null }>} */
export function bundles() {
  shipped ??= fetch(new URL('bundles.json', ROOT)).then((answer) => answer.json());
  return shipped;
}

let loading = null;

/** The bindings, ready. A second call after a failure starts afresh. */
export function bindings() {
  loading ??= (async () => {
    try {
      const [{ cpu }, compiled] = await Promise.all([bundles(), compile()]);
      const module = await import(new URL(`${cpu}.js`, ROOT).href);
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

/** The compiled `cpu` bundle, to be handed to workers. @returns {Promise<WebAssembly.Module>} */
export function compile() {
  compiling ??= bundles().then(({ cpu }) => WebAssembly.compileStreaming(fetch(new URL(`${cpu}_bg.wasm`, ROOT))));
  return compiling;
}
