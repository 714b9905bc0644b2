// What was drawn and what was not, and what draws the same picture natively.

import { byId, make } from '../dom.js';
import { brief, count } from '../numbers.js';
import { option } from '../shell.js';

/** The published size of text, 10 points at 100 dots an inch; its slider's step is coarser than that. */
export const PUBLISHED = 1000 / 72;

/** @param {any} report @param {number} patches @param {number} milliseconds */
export function account(report, patches, milliseconds) {
  const rows = [
    ['bytes drawn', `${count(report.rendered_bytes)} of ${count(report.total_bytes)}`, !report.all_rendered],
    ['glyphs', count(report.glyphs), false],
    ['patches attended to', `${count(report.attended)} of ${count(patches)}`, false],
    ['characters taken from Unifont', count(report.fallback), false],
    ['boxes for characters that no font has', count(report.missing), report.missing > 0],
    ['control characters left out', count(report.dropped), report.dropped > 0],
    ['characters that draw nothing', count(report.invisible), false],
    ['runs from right to left, letters not joined', count(report.rtl_runs), report.rtl_runs > 0 && !report.shaped],
    ['milliseconds', brief(milliseconds), false],
  ];
  const row = ([what, value, loss]) => make('tr', { class: loss ? 'loss' : null }, make('th', { scope: 'row', text: what }), make('td', { text: value }));
  byId('report').tBodies[0].replaceChildren(...rows.map(row));
  const listed = report.missing_list.slice(0, 20).map(({ code_point: point, count: times }) => `U+${point.toString(16).toUpperCase().padStart(4, '0')}${times > 1 ? ` (${times} times)` : ''}`);
  byId('missing').textContent = listed.length ? `No font has ${listed.join(', ')}${report.missing_list.length > 20 ? ' and others' : ''}.` : '';
}

/** What draws this picture on the command line. @param {any} config @param {string} text */
export function command(config, text) {
  const words = ['vitrine screenshot render', option('--text', text)];
  if (config.newline === 'break') words.push(`--page ${config.height}x${config.width}`, '--newline line');
  else words.push(`--patches ${config.width / config.patch_width}`);
  if (config.patch_width !== 16 || config.patch_height !== 16) words.push(`--patch ${config.patch_height}x${config.patch_width}`);
  if (config.style === 'mono') words.push('--mono');
  if (config.style !== 'mono' && Math.abs(config.font_px - PUBLISHED) > 1e-5) words.push(`--size ${config.font_px}`);
  for (const [on, flag] of [[config.prefix, '--prefix'], [!config.end_marker, '--no-end-marker'], [!config.fallback, '--no-fallback'], [config.one_bit, '--one-bit']]) if (on) words.push(flag);
  return `${words.join(' ')} --out picture.png`;
}
