// All four ways beside each other: which of the two readings each list holds, and the lists as a table for other programs.

import { csv } from '../csv.js';
import { make, visible } from '../dom.js';

/** @param {HTMLElement} root @param {any[]} panels @param {{ letter: string, words: string, sql: string }[]} readings */
export function verdict(root, panels, readings) {
  root.hidden = readings.length === 0;
  if (root.hidden) return;
  const place = (panel, i) => panel.found.hits[i]?.[0];
  const cell = (panel, i) => {
    const at = place(panel, i);
    return at === undefined ? make('td', { class: 'missed', text: 'missed' }) : make('td', { text: `number ${at + 1}` });
  };
  const rows = readings.map(({ letter, words, sql }, i) => make('tr', {}, make('th', { scope: 'row' }, make('span', { class: 'badge', text: `${letter}: ${words}` }), make('code', { text: visible(sql, 400) })), ...panels.map((panel) => cell(panel, i))));
  const both = panels.filter((panel) => readings.every((_, i) => place(panel, i) !== undefined)).map((panel) => panel.method.title);
  const words = both.length === panels.length ? 'All four lists hold both readings.' : both.length === 0 ? 'No list holds both readings.' : `Both readings are in the ${both.length === 1 ? 'list' : 'lists'} of ${both.join(', ').replace(/, ([^,]*)$/, ' and $1')}.`;
  root.replaceChildren(make('h2', { id: 'verdict-h', text: 'Which lists hold both readings' }),
    make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Readings found' }, make('table', {},
      make('thead', {}, make('tr', {}, make('th', { scope: 'col', text: 'Reading' }), ...panels.map((panel) => make('th', { scope: 'col', text: panel.method.title })))), make('tbody', {}, ...rows))),
    make('p', { text: words }));
}

/** @param {any[]} panels @param {{ letter: string }[]} readings */
export function table(panels, readings) {
  const rows = panels.flatMap((panel) => panel.found.answers.map((answer, place) => [
    panel.method.id, place + 1, answer.sql, answer.log_prob, answer.cost, readings.filter((_, i) => panel.found.hits[i]?.includes(place)).map(({ letter }) => letter).join(' '), answer.difference, answer.row_count ?? '', answer.error ?? '',
  ]));
  return csv([['method', 'place', 'sql', 'log_prob', 'cost', 'reading', 'difference', 'rows', 'error'], ...rows]);
}
