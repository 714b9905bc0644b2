// Files to take away: the circuit in several formats, its drawing, the curve, and what the three runs say.

import { standalone } from '../chart.js';
import { csv } from '../csv.js';
import { byId, make, save } from '../dom.js';

const SVG = 'image/svg+xml';
const FORMATS = [
  { name: 'Circuit (JSON)', format: 'vitrine', file: 'circuit.json', type: 'application/json' },
  { name: 'EAP-IG graph (JSON)', format: 'eap-ig', file: 'eap-ig.json', type: 'application/json' },
  { name: 'Edge list (JSON)', format: 'list', file: 'edges.json', type: 'application/json' },
  { name: 'Edges (CSV)', format: 'csv', file: 'edges.csv', type: 'text/csv' },
  { name: 'Drawing (SVG)', format: 'svg', file: 'circuit.svg', type: SVG },
];

/** @param {{ sheet: () => any, width: () => number, curve: any, live: any, onError: (error: unknown) => void }} page */
export function saves(page) {
  const guarded = (action) => async () => {
    try {
      await action();
    } catch (error) {
      page.onError(error);
    }
  };
  const text = (format) => page.sheet().export(format, page.width());
  const button = (name, action) => make('button', { type: 'button', text: name, click: guarded(action) });
  const buttons = FORMATS.map((one) => button(one.name, () => save(one.file, new Blob([text(one.format)], { type: one.type }))));
  buttons.push(button('Drawing (PNG)', async () => save('circuit.png', await picture(text('svg')))));
  byId('saves').replaceChildren(...buttons);
  const { curve, live } = page;
  const curves = [
    button('Curve (CSV)', () => save('curve.csv', new Blob([csv([['edges', `distance (${curve.unit})`, 'examples'], ...curve.points.map((point) => [...point, curve.examples])])], { type: 'text/csv' }))),
    button('Curve (SVG)', () => save('curve.svg', standalone(curve.chart.root, '.point, .drag, .stem'))),
  ];
  const said = button('What it says (CSV)', () => save('outputs.csv', new Blob([csv(outputs(live))], { type: 'text/csv' })));
  byId('saves-more').replaceChildren(...curves, said);
  // A button that would save nothing waits until there is something.
  const offer = () => {
    for (const one of curves) one.disabled = curve.points.length === 0;
    said.disabled = !live.reading;
  };
  curve.onDraw = live.onShow = offer;
  offer();
}

/** The three runs' outputs as a table. @param {any} live */
function outputs({ reading, clean, corrupted, position }) {
  const runs = ['full', 'circuit', 'corrupted'];
  const rows = reading.rows.map((row) => [clean.value, corrupted.value, position, row.id, row.text, ...row.logits, ...(row.probabilities ?? ['', '', ''])]);
  return [['clean', 'corrupted', 'after token', 'id', 'output', ...runs.map((run) => `${run} logit`), ...runs.map((run) => `${run} probability`)], ...rows];
}

/** An SVG painted at twice its size. @param {string} svg @returns {Promise<Blob>} */
async function picture(svg) {
  const url = URL.createObjectURL(new Blob([svg], { type: SVG }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = make('canvas');
    // Canvases have a largest size; a tall drawing is painted smaller.
    const by = Math.min(2, 8000 / image.width, 8000 / image.height);
    [canvas.width, canvas.height] = [Math.round(image.width * by), Math.round(image.height * by)];
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the drawing is too large for a picture'))), 'image/png'));
  } finally {
    URL.revokeObjectURL(url);
  }
}
