// What the inspector's parts share: what is on the table, the parts themselves, and the words said about it.

import { byId } from '../dom.js';
import { fault } from '../page.js';

export const page = {
  core: null, library: [], model: null, files: null, sheet: null, opened: null,
  layout: null, names: null, summary: null, look: null, offsets: null, node: -1, edge: -1, width: 0, busy: '', words: '', level: 2,
};

/** The drawing, the curve, the list and the run: made when the inspector starts. @type {Record<'graph'|'focus'|'curve'|'table'|'live', any>} */
export const parts = { graph: null, focus: null, curve: null, table: null, live: null };

/** A lasting word on what is shown; while something is computed that is said instead. */
export function say(words) {
  page.words = words;
  if (!page.busy) byId('status').textContent = words;
}

export function busy(words) {
  page.busy = words;
  byId('status').textContent = words || page.words;
}

/** Runs an action; what goes wrong is said in one sentence. */
export const guarded = (action) => async (...given) => {
  try {
    await action(...given);
  } catch (error) {
    if (!/^stopped$/.test(error?.message)) {
      fault(error);
      say('');
      busy('');
    }
  }
};
