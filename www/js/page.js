// What every page with a form has: a notice for what went wrong, a line for what goes on, and a seed.

import { byId, sentence } from './dom.js';

/** Shows an error as one sentence; null takes it away. @param {unknown} error */
export function fault(error) {
  const notice = byId('notice');
  notice.hidden = error === null;
  notice.textContent = error === null ? '' : sentence(error);
  // What went wrong is said where it is seen: a file may have been dropped far below.
  if (error !== null) notice.scrollIntoView({ block: 'nearest' });
}

/** @param {string} words */
export function say(words) {
  byId('status').textContent = words;
}

/** The seed that was typed. */
export function seed() {
  const typed = Number(byId('seed').value);
  if (!Number.isSafeInteger(typed) || typed < 0) throw new Error('the seed has to be a whole number, 0 or more');
  return typed;
}
