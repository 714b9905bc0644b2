// The eye under stress: what is done to letters and paper, and how far the reading moves from that of the calm picture.

import { byId, make, visible } from '../dom.js';
import { brief, fixed, percent } from '../numbers.js';

/** Sliders by id with the core's name; all are 0 when nothing is done. */
export const SLIDERS = { typos: 'typos', alike: 'alike', digits: 'digits', blur: 'blur', noise: 'noise' };

/** What is asked of the core. */
export function wanted() {
  const stress = Object.fromEntries(Object.entries(SLIDERS).map(([id, name]) => [name, Number(byId(id).value)]));
  const font = byId('font').value;
  return { ...stress, font_px: font ? Number(font) : null };
}

export const calm = { typos: 0, alike: 0, digits: 0, blur: 0, noise: 0, font_px: null };

/** @param {ReturnType<typeof wanted>} stress */
export function active(stress) {
  return stress.font_px !== null || Object.values(SLIDERS).some((name) => stress[name] > 0);
}

/** What the command line calls it. */
export function words(stress) {
  const options = Object.values(SLIDERS).filter((name) => stress[name] > 0).map((name) => `--${name} ${stress[name]}`);
  if (stress.font_px !== null) options.push(`--font-px ${stress.font_px}`);
  return options;
}

export function labels() {
  for (const id of ['typos', 'alike', 'digits', 'noise']) byId(`${id}-now`).textContent = percent(Number(byId(id).value)).replace('.0', '');
  byId('blur-now').textContent = `${brief(Number(byId('blur').value))} px`;
}

/** @param {any} look under stress @param {any|null} before the same without */
export function show(look, before) {
  byId('moved').hidden = !before;
  if (!before) return;
  const right = (one) => one.tokens.filter((token) => token.drawn && token.top[0]?.id === token.id).length;
  const drawn = (one) => one.tokens.filter((token) => token.drawn).length;
  const nats = (value) => (value === null ? '–' : fixed(value, 2));
  const rows = [
    ['nats a token', nats(before.loss.text), nats(look.loss.text)],
    ['tokens it finds likeliest', `${right(before)} of ${drawn(before)}`, `${right(look)} of ${drawn(look)}`],
    ['loss of hidden patches', nats(before.loss.pixel), nats(look.loss.pixel)],
    ['read freely', visible(before.free?.text.trim() ?? '', 300), visible(look.free?.text.trim() ?? '', 300)],
    ['drawn', visible(before.drawn, 300), visible(look.drawn, 300)],
  ];
  byId('moved').tBodies[0].replaceChildren(...rows.map(([name, ...cells]) => make('tr', {}, make('th', { scope: 'row', text: name }), ...cells.map((text) => make('td', { text })))));
}
