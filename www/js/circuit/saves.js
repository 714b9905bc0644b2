// Files to take away: the circuit in several formats, and the drawing.

import { byId, make, save } from '../dom.js';

const FORMATS = [
  { name: 'Circuit (JSON)', format: 'vitrine', file: 'circuit.json', type: 'application/json' },
  { name: 'EAP-IG graph (JSON)', format: 'eap-ig', file: 'eap-ig.json', type: 'application/json' },
  { name: 'Edge list (JSON)', format: 'list', file: 'edges.json', type: 'application/json' },
  { name: 'Edges (CSV)', format: 'csv', file: 'edges.csv', type: 'text/csv' },
  { name: 'Drawing (SVG)', format: 'svg', file: 'circuit.svg', type: 'image/svg+xml' },
];

/** @param {{ sheet: () => any, width: () => number, onError: (error: unknown) => void }} page */
export function saves(page) {
  const guarded = (action) => async () => {
    try {
      await action();
    } catch (error) {
      page.onError(error);
    }
  };
  const text = (format) => page.sheet().export(format, page.width());
  const buttons = FORMATS.map((one) => make('button', { type: 'button', text: one.name, click: guarded(() => save(one.file, new Blob([text(one.format)], { type: one.type }))) }));
  buttons.push(make('button', { type: 'button', text: 'Drawing (PNG)', click: guarded(async () => save('circuit.png', await picture(text('svg')))) }));
  byId('saves').replaceChildren(...buttons);
}

/** An SVG painted at twice its size. @param {string} svg @returns {Promise<Blob>} */
async function picture(svg) {
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
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
