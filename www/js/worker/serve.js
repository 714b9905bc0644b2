// The worker's side of client.js: operations by name, one after the other, errors as sentences, a wish to stop that long operations look at.

import { started } from '../wasm.js';

let stopping = false;

/** Whether the page asked to stop; lets messages in first. */
export async function stopAsked() {
  await new Promise((resolve) => setTimeout(resolve, 0));
  return stopping;
}

/**
 * @param {Record<string, (argument: any, progress: (value: any) => void, core: any, device: string|null) => any>} operations
 */
export function serve(operations) {
  let core = null;
  let device = null;
  let queue = Promise.resolve();
  self.onmessage = ({ data }) => {
    if (data.stop) {
      stopping = true;
      return;
    }
    if (data.compiled) {
      device = data.device;
      core = started(data.bundle, data.compiled);
      core.catch(() => {});
      return;
    }
    queue = queue.then(async () => {
      stopping = false;
      const { id, op, argument } = data;
      try {
        const value = await operations[op](argument, (progress) => self.postMessage({ id, progress }), await core, device);
        self.postMessage({ id, value });
      } catch (error) {
        // A trap leaves the module unusable; the page is told to start a new worker.
        const broken = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
        const words = error instanceof Error ? error.message : String(error);
        self.postMessage({ id, broken, error: broken ? `the computation broke off (${words}), most likely for want of memory; choose the model again` : words });
      }
    });
  };
}
