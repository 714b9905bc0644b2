// How to read the drawing: colours, dashes, groups.

import { make, svg, visible } from '../dom.js';
import { brief } from '../numbers.js';
import { CLASSES, palette } from './style.js';

function sample(colour, dash) {
  return svg('svg', { class: 'fig', viewBox: '0 0 34 10', 'aria-hidden': 'true' }, svg('path', { d: 'M1 5H33', fill: 'none', stroke: colour, 'stroke-width': 2.4, 'stroke-dasharray': dash.join(' ') }));
}

/** @param {HTMLElement} host @param {any} page */
export function legend(host, page) {
  const colours = palette();
  const items = [];
  if (page.summary.agreement) {
    for (const look of CLASSES.slice(1)) items.push(make('li', {}, sample(colours[look.colour], look.dash), look.name));
  } else {
    items.push(make('li', {}, sample(colours.pos, []), page.look.scores.length ? 'positive score' : 'kept edge'));
    if (page.look.signed) items.push(make('li', {}, sample(colours.neg, [5, 3]), 'negative score (dashed)'));
  }
  if (page.look.scores.length) items.push(make('li', { text: `wider: larger ${visible(page.summary.score_name, 60)} (up to ${brief(page.summary.largest_score)} in size)` }));
  page.names.groups.forEach((group, at) => {
    const badge = svg('svg', { class: 'fig', viewBox: '0 0 34 16', 'aria-hidden': 'true' }, svg('circle', { class: `role c${at % 7}`, cx: 17, cy: 8, r: 7 }), svg('text', { class: 'rolename', x: 17, y: 11.2, 'text-anchor': 'middle', text: at + 1 }));
    items.push(make('li', {}, badge, visible(group, 60)));
  });
  host.replaceChildren(...items);
}
