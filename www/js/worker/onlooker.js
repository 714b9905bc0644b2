// Owns the screenshot models: opens their files, keeps them, looks at one text after the other, and writes on after pictures.

import { bytes } from '../host.js';
import { serve } from './serve.js';

const FONTS = ['noto-sans.atlas', 'NotoSans-Regular.ttf', 'unifont.packed'];
/** @type {any} */ let studio = null;
const opened = new Map();
const fonted = async (core) => (studio ??= new core.Studio(...(await Promise.all(FONTS.map((name) => bytes(`fonts/${name}`))))));
const take = (id, found) => {
  opened.get(id)?.free();
  opened.set(id, found);
  return JSON.parse(found.facts());
};

serve({
  /** A model by its name and the content of its file; `seed` gives it fresh numbers. Answers its shape. */
  async model({ id, content, seed }, _, core) {
    let found = (await fonted(core)).onlooker(new Uint8Array(content));
    if (seed !== undefined) found = found.untrained(BigInt(seed));
    return take(id, found);
  },

  /** Whether a file is a model that writes on. */
  writes(content, _, core) {
    return core.writes(new Uint8Array(content));
  },

  /** A model that writes on, by its name, as above. */
  async writer({ id, content }, _, core) {
    return take(id, (await fonted(core)).scribe(new Uint8Array(content)));
  },

  /** Something to ask such a model. */
  example({ id, seed }) {
    return JSON.parse(opened.get(id).example(BigInt(seed)));
  },

  /** How it goes on after each context and what the target costs, with the pictures. */
  write({ id, asked }) {
    const began = performance.now();
    const model = opened.get(id);
    const found = JSON.parse(model.ask(JSON.stringify(asked)));
    return { ...found, milliseconds: performance.now() - began, pixels: { context: model.pixels(false), other: model.pixels(true) } };
  },

  /** What a model makes of a text, with the pictures of what it is given and what it redraws. */
  look({ id, asked }) {
    const began = performance.now();
    const model = opened.get(id);
    const look = JSON.parse(model.look(JSON.stringify(asked)));
    return { ...look, milliseconds: performance.now() - began, given: model.pixels(1), redrawn: model.pixels(2) };
  },

  /** The last look of a model as one picture (PNG). */
  sheet(id) {
    return opened.get(id).sheet();
  },
});
