// Owns the screenshot models: opens their files, keeps them, and looks at one text after the other.

import { bytes } from '../host.js';
import { serve } from './serve.js';

const FONTS = ['noto-sans.atlas', 'NotoSans-Regular.ttf', 'unifont.packed'];
/** @type {any} */ let studio = null;
const opened = new Map();

serve({
  /** A model by its name: a file of the site, or the `content` of one of the person's; `seed` gives it fresh numbers. Answers its shape. */
  async model({ id, path, content, seed }, _, core) {
    studio ??= new core.Studio(...(await Promise.all(FONTS.map((name) => bytes(`fonts/${name}`)))));
    let found = studio.onlooker(content ? new Uint8Array(content) : await bytes(path));
    if (seed !== undefined) found = found.untrained(BigInt(seed));
    opened.get(id)?.free();
    opened.set(id, found);
    return JSON.parse(found.facts());
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
