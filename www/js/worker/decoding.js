// Owns the model of the beam explorer: loads it, searches.

import { serve } from './serve.js';
import { cpu } from './device.js';
import { open } from './load.js';

/** @type {any} */ let model = null;
/** @type {any} */ let decoding = null;

serve({
  /** Loads a model; answers what it is. */
  async load(source, progress, core) {
    decoding?.free();
    model?.free();
    decoding = model = null;
    model = await open(cpu(core), source, progress);
    decoding = new core.Decoding(model);
    return JSON.parse(model.describe());
  },

  /** A prompt of the model's own task, or null. */
  suggestion(index) {
    return JSON.parse(model.suggestion(index));
  },

  /** A search; new nodes of its tree are told as they come. */
  search(asked, progress) {
    const began = performance.now();
    const found = JSON.parse(decoding.run(JSON.stringify(asked), (nodes) => progress(JSON.parse(nodes))));
    return { ...found, milliseconds: performance.now() - began };
  },
});
