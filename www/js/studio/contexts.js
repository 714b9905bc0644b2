// The four contexts that a text is asked for after: their names, and a key to their bars.

import { make, svg } from '../dom.js';

/** By the core's names, in its order. */
export const NAMES = { nothing: 'nothing', picture: 'the picture', wrong: 'the wrong picture', words: 'the words' };

/** Colours are those of the figures; the order of the bars says the same. */
export const colour = (kind) => `c${Object.keys(NAMES).indexOf(kind)}`;

/** A key to a context's bars. @param {string} kind */
export function key(kind) {
  return svg('svg', { class: 'fig key', viewBox: '-6 -6 12 12', 'aria-hidden': 'true' }, svg('rect', { class: `bar ${colour(kind)}`, x: -3, y: -5, width: 6, height: 10 }));
}

/** A context as the head of a row. @param {string} kind @param {string} [before] */
export function head(kind, before = '') {
  return make('th', { scope: 'row' }, make('span', { class: 'named' }, key(kind), `${before}${NAMES[kind]}`));
}
