// Trains gates: a run a worker, so that ending the worker ends the run and frees all of it.

import { serve, stopAsked } from './serve.js';
import { open } from './load.js';

/** Steps are taken in pieces of about so long, so that the page sees them and can stop. */
const PIECE_MS = 60;

/** @type {any} */ let run = null;

serve({
  /** Loads the model and sets the run to its start. */
  async start({ source, seed, cut, keep }, progress, core) {
    // Training reads gradients back at every step: on the CPU.
    const model = await open({ core, backend: core.Backend.cpu() }, source, progress);
    const about = JSON.parse(model.describe());
    run = new core.Pruning(model, seed, cut, keep ?? undefined);
    return { about, masks: run.masks(), circuit: run.circuit() };
  },

  /** Trains until the run is over or the page asks to stop. */
  async train(_, progress) {
    const began = performance.now();
    let steps = 1;
    while (!run.over()) {
      const before = performance.now();
      const taken = JSON.parse(run.step(steps));
      const took = performance.now() - before;
      progress({ taken, masks: run.masks() });
      steps = Math.max(1, Math.min(200, Math.round((steps * PIECE_MS) / Math.max(took, 1))));
      if (await stopAsked()) break;
    }
    return { over: run.over(), circuit: run.circuit(), masks: run.masks(), milliseconds: performance.now() - began };
  },
});
