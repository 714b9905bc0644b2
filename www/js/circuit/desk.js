// What the inspector's parts share: what is on the table, and the words said about it.

import { byId, sentence } from '../dom.js';

export const page = {
  core: null, library: [], model: null, files: null, sheet: null, opened: null,
  layout: null, names: null, summary: null, look: null, offsets: null, node: -1, edge: -1, width: 0, busy: '', words: '',
};

const notice = byId('notice');
const status = byId('status');

export function fault(error) {
  notice.hidden = error === null;
  notice.textContent = error === null ? '' : sentence(error);
}

/** A lasting word on what is shown; while something is computed that is said instead. */
export function say(words) {
  page.words = words;
  if (!page.busy) status.textContent = words;
}

export function busy(words) {
  page.busy = words;
  status.textContent = words || page.words;
}
