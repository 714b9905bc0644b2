// Owns the model: loads it, runs pairs and circuits, measures curves.

import { serve, stopAsked } from './serve.js';
import { choose, cpu } from './device.js';
import { open } from './load.js';

/** @type {any} */ let model = null;
/** @type {any} */ let device = null;
/** What the model was opened from. @type {any} */ let opened = null;
/** The same model on the CPU, once something asks for it that reads numbers in the middle of a computation. @type {any} */ let second = null;

async function onCpu(progress, core) {
  if (!device.gpu) return model;
  second ??= await open(cpu(core), opened, progress);
  return second;
}

serve({
  /** Loads a model; answers what it is. */
  async load(source, progress, core, wish) {
    model?.free();
    second?.free();
    model = second = null;
    opened = source;
    device = await choose(core, source, wish, progress);
    model = await open(device, source, progress);
    return { ...JSON.parse(model.describe()), device: device.words, gpu: device.gpu };
  },

  /** An example of the model's own task, or null. */
  suggestion(index) {
    return JSON.parse(model.suggestion(index));
  },

  /** A prompt pair: runs the full model on both. */
  pair({ clean, corrupted, ablation }) {
    const tokens = model.setPair(clean, corrupted, ablation);
    return { tokens };
  },

  /** A circuit on the pair: tokens with the three runs' outputs, and the distribution at one position. */
  async run({ masks, position, top }) {
    const began = performance.now();
    model.prune(masks);
    const reading = JSON.parse(await (device.gpu ? model.readingAsync(position, top) : model.reading(position, top)));
    const places = JSON.parse(await (device.gpu ? model.placesAsync() : model.places()));
    return { reading, places, milliseconds: performance.now() - began };
  },

  /** A circuit by attribution, as a file. `examples` 0 scores on the typed pair. */
  async score({ examples, ablation, clean, corrupted }, progress, core) {
    const model = await onCpu(progress, core);
    model.prepareCurve(examples, ablation, clean, corrupted);
    return model.scored();
  },

  /** A report's stored numbers, made again. */
  recompute({ exhibit, circuits, table, figure, id, title }) {
    return JSON.parse(model.recompute(exhibit, circuits, table, figure, id, title));
  },

  /** The loss of one circuit after the other; stops when asked. `examples` 0 measures on the typed pair. */
  async curve({ sizes, masks, examples, ablation, clean, corrupted }, progress, core) {
    const model = await onCpu(() => {}, core);
    const measured = model.prepareCurve(examples, ablation, clean, corrupted);
    for (let at = 0; at < sizes.length; at += 1) {
      progress({ at, size: sizes[at], loss: model.loss(masks[at]), examples: measured });
      if (await stopAsked()) return { stopped: true, examples: measured };
    }
    return { stopped: false, examples: measured };
  },
});
