// The models that come with the page on the same damaged picture: what each redraws and reads.

import { byId, make, svg, visible } from '../dom.js';
import { fixed } from '../numbers.js';
import { MARKS } from './losses.js';
import { Picture } from './picture.js';

const key = (number) => (number === 0
  ? svg('svg', { class: 'fig key', viewBox: '-6 -6 12 12', 'aria-hidden': 'true' }, svg('rect', { class: 'bar c0', x: -3, y: -5, width: 6, height: 10 }))
  : svg('svg', { class: 'fig key', viewBox: '-6 -6 12 12', 'aria-hidden': 'true' }, svg('path', { class: `line c${number}`, d: MARKS[(number - 1) % MARKS.length] })));

/** @param {{ title: string, look: any }[]} models the shown one first @param {{ zoom: number, grid: boolean }} look */
export function show(models, look) {
  const root = byId('models');
  root.replaceChildren();
  const nats = (value) => (value === null ? '–' : fixed(value, 2));
  const canvases = models.map(({ title, look: found }, number) => {
    const canvas = make('canvas', { role: 'img', 'aria-label': `Redrawn by ${title}` });
    root.append(make('div', { class: 'one' },
      make('h3', {}, key(number), title),
      make('p', { class: 'note', text: `hidden patches ${nats(found.loss.pixel)}; ${nats(found.loss.text)} nats a token, ${nats(found.loss.masked)} where masked` }),
      make('div', { class: 'sheet' }, canvas),
      make('p', { class: 'freely' }, 'Reads: ', make('q', { text: visible(found.free?.text.trim() ?? '', 300) || '…' }))));
    return canvas;
  });
  // Drawn when all have their place: a strip is folded to the room it has.
  for (const [number, { look: found }] of models.entries()) {
    const picture = new Picture(canvases[number]);
    picture.take(found.redrawn, { width: found.width, height: found.height, patch: found.patch, attended: found.attended, end: found.end_patch });
    picture.draw({ ...look, hidden: Uint8Array.from(found.patches, (patch) => Number(patch.hidden)), chosen: null, how: 'redrawn' });
  }
}
