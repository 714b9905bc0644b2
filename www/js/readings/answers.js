// A list of queries: what sets each apart, which reading it is, what it returns.

import { make, visible } from '../dom.js';
import { count } from '../numbers.js';

/** Rows that stand in the line of a result. */
const PREVIEW = 4;

/** A probability in few letters. @param {number} logProb */
export function share(logProb) {
  const p = Math.exp(logProb);
  return p < 1e-5 ? '< 0.001 %' : `${Number((100 * p).toPrecision(3))} %`;
}

/** @param {any} value */
function shown(value) {
  return value === null ? 'NULL' : visible(String(value), 60);
}

/** A query with the stretches marked in which it differs. @param {{ text: string, differs: boolean }[]} stretches */
export function marked(stretches) {
  return make('code', {}, ...stretches.map(({ text, differs }) => (differs ? make('mark', { text: visible(text, 2000) }) : visible(text, 2000))));
}

/** What a query returns. @param {any} answer @param {number} number */
function result(answer, number) {
  if (answer.error !== undefined) return make('p', { class: 'result', text: `Does not run: ${visible(answer.error, 300)}` });
  if (answer.columns === undefined) return null;
  const rows = `${count(answer.row_count)} ${answer.row_count === 1 ? 'row' : 'rows'}`;
  const others = answer.same_result === 0 ? '' : `, the same as ${answer.same_result} other${answer.same_result === 1 ? '' : 's'}`;
  if (answer.row_count === 0) return make('p', { class: 'result', text: `No rows${others}.` });
  const preview = answer.rows.slice(0, PREVIEW).map((row) => row.map(shown).join(', ')).join(' · ');
  const cell = (value) => make('td', { class: value === null ? 'null' : typeof value === 'number' ? 'number' : null, text: shown(value) });
  const table = make('table', {},
    make('thead', {}, make('tr', {}, ...answer.columns.map((name) => make('th', { scope: 'col', text: visible(name, 60) })))),
    make('tbody', {}, ...answer.rows.map((row) => make('tr', {}, ...row.map(cell)))));
  return make('details', { class: 'result' }, make('summary', { text: `${rows}${others}: ${preview}${answer.row_count > PREVIEW ? ' …' : ''}` }),
    make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `What query ${number} returns` }, table),
    answer.rows.length < answer.row_count ? make('p', { text: `The first ${count(answer.rows.length)} of them are shown.` }) : null);
}

/** Where a query comes from, in words. @param {any} origin */
function source(origin) {
  if (origin.from === 'template') return `fills template ${origin.template + 1}`;
  return '';
}

/**
 * The list. @param {HTMLElement} root @param {any} found what the search answered @param {{ letter: string, words: string }[]} readings the readings that are looked for
 * @param {(place: number) => void} choose
 * @param {{ meant: string|undefined, mean: (place: number) => void }} memory the query that was meant by this question, as the person said, and what happens when they say so
 */
export function list(root, found, readings, choose, { meant, mean }) {
  root.replaceChildren(...found.answers.map((answer, place) => {
    const letters = readings.filter((_, i) => found.hits[i]?.includes(place));
    const than = place === 0 ? 'the second' : 'the first';
    const why = [share(answer.log_prob), source(answer.origin), answer.difference && `${answer.difference} (unlike ${than})`].filter(Boolean).join(' · ');
    return make('li', {},
      make('button', { type: 'button', class: 'answer', 'data-place': place, 'aria-pressed': place === 0, click: () => choose(place) }, make('span', { class: 'rank', text: place + 1 }), marked(answer.stretches)),
      make('p', { class: 'why' }, ...letters.map(({ letter, words }) => make('span', { class: 'badge', text: `${letter}: ${words}` })), visible(why, 600)),
      result(answer, place + 1),
      found.answers.length < 2 ? null : make('p', { class: 'mean' }, answer.sql === meant
        ? make('span', { class: 'badge meant', tabindex: -1, text: 'You meant this' })
        : make('button', { type: 'button', class: 'quiet', 'aria-label': `I meant query ${place + 1}`, text: 'I meant this', click: () => mean(place) })));
  }));
}
