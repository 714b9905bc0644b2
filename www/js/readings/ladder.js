// LogicalBeam's way to its list: each plan, the template that came of it, the queries that filled the template.

import { make, visible } from '../dom.js';
import { brief } from '../numbers.js';
import { share } from './answers.js';

/** Fills shown of a template. */
const FILLS = 6;

/** A plan in words. @param {{ joins: number, selects: number }} plan */
function planned({ joins, selects }) {
  return `${joins === 0 ? 'no join' : joins === 1 ? '1 join' : `${joins} joins`}, ${selects} ${selects === 1 ? 'item' : 'items'} selected`;
}

/** What a plan of the list is to the preferred one. */
function relation(rung, base) {
  if (rung.preferred) return 'the plan the model prefers';
  const by = (n, what) => `${Math.abs(n)} ${what} ${n > 0 ? 'more' : 'fewer'}`;
  return [rung.plan.joins - base.joins && by(rung.plan.joins - base.joins, 'join'), rung.plan.selects - base.selects && by(rung.plan.selects - base.selects, 'item')].filter(Boolean).join(', ');
}

/**
 * @param {HTMLElement} root @param {any} found @param {(search: number, node: number|null) => void} choose opens a search's tree
 */
export function ladder(root, found, choose) {
  const base = found.ladder.find((rung) => rung.preferred)?.plan ?? { joins: 0, selects: 1 };
  const button = (search, node, ...words) => make('button', { type: 'button', 'data-search': search, 'data-node': node ?? '', 'aria-pressed': false, click: () => choose(search, node) }, ...words);
  const filling = (rung) => (fill) => make('li', { class: fill.dropped ? 'dropped' : null },
    button(rung.filled, fill.node, make('code', { text: visible(fill.sql, 600) })),
    make('span', { class: 'soft', text: fill.dropped ? ` ${visible(fill.dropped, 200)}` : ` ${share(fill.log_prob)} of its template${fill.cost === null ? ', there already' : `, cost ${brief(fill.cost)}`}${fill.place === null ? '' : `, number ${fill.place + 1} of the list`}` }));
  const rung = (one) => make('li', { class: `rung ${one.preferred ? 'preferred' : ''}` },
    make('span', { class: 'plan', text: planned(one.plan) }), make('span', { class: 'soft', text: ` — ${relation(one, base)}` }),
    one.template ? make('div', {}, one.number === null ? '' : `Template ${one.number + 1}: `, button(one.search, null, make('code', { text: visible(one.template, 600) })), make('span', { class: 'soft', text: ` ${share(one.log_prob)}` })) : null,
    one.problem ? make('div', { class: 'soft', text: `Not filled: ${visible(one.problem, 300)}.` }) : null,
    make('ul', {}, ...one.fillings.slice(0, FILLS).map(filling(one))),
    one.fillings.length > FILLS ? make('div', { class: 'soft', text: `and ${one.fillings.length - FILLS} more` }) : null);
  const plain = found.searches.findIndex((search) => search.purpose.kind === 'query');
  root.replaceChildren(make('h3', { text: 'Plans, their templates, what fills them' }), make('ol', {}, ...found.ladder.map(rung)),
    plain < 0 ? '' : make('p', { class: 'soft' }, 'The best two of a ', button(plain, null, 'plain beam'), ' come first; then what fills template i at rank j, by cost 3i + 2j, counted from 0.'),
    ...found.notes.map((note) => make('p', { class: 'soft', text: `Note: ${visible(note, 300)}` })));
  root.querySelectorAll('p > button').forEach((one) => one.classList.add('whole'));
}
