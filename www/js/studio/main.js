// The screenshot studio: a text, the picture a model reads of it, and what is hidden from the model while it learns.

import { byId, make, save, visible } from '../dom.js';
import { bytes, bundles, compile } from '../host.js';
import { brief, count, percent } from '../numbers.js';
import { fault, say, seed } from '../page.js';
import * as state from '../state.js';
import { started } from '../wasm.js';
import { Picture } from './picture.js';
import { SAMPLES } from './samples.js';

/** The published size of text, 10 points at 100 dots an inch; its slider's step is coarser than that. */
const PUBLISHED = 1000 / 72;
const PREFIX = 'Beginning of the sequence: ';
/** The strip that renderers are compared on. */
const MEASURED = { width: 8176, height: 16 };
const LETTERS = 1100;
const PAGE = { width: 512, height: 256 };
const CHECKS = { prefix: false, marker: true, fallback: true, 'one-bit': false, grid: true, spans: true };
const VALUES = { layout: 'strip', patches: '40', patch: '16x16', size: '13.9', zoom: '2', rate: '0.1', seed: '0' };
const MOST_IN_ADDRESS = 1500;

const page = { studio: null, text: '', drawn: new Picture(byId('drawn')), given: new Picture(byId('given')), found: null, hidden: null, own: new Map(), chosen: null, config: '', milliseconds: 0 };

function config() {
  const [patchHeight, patchWidth] = byId('patch').value.split('x').map(Number);
  const layout = byId('layout').value;
  const size = Number(byId('size').value);
  const common = {
    patch_width: patchWidth, patch_height: patchHeight, style: layout === 'mono' ? 'mono' : 'proportional',
    font_px: Math.abs(size - PUBLISHED) < 0.05 ? Math.fround(PUBLISHED) : size, prefix: byId('prefix').checked ? PREFIX : '', newline: layout === 'page' ? 'break' : 'token',
    end_marker: byId('marker').checked, fallback: byId('fallback').checked, one_bit: byId('one-bit').checked,
  };
  if (layout === 'page') return { ...common, ...PAGE };
  return { ...common, width: Number(byId('patches').value) * patchWidth, height: Math.max(16, patchHeight) };
}

/** Draws the text again, and all that hangs on it. */
function render() {
  const asked = config();
  const wanted = JSON.stringify(asked);
  if (wanted !== page.config) page.studio.configure(wanted);
  page.config = wanted;
  page.text = byId('text').value;
  const began = performance.now();
  const found = JSON.parse(page.studio.render(page.text));
  page.milliseconds = performance.now() - began;
  page.found = found;
  const shape = { width: found.width, height: found.height, patch: [found.patch_height, found.patch_width], attended: found.report.attended, end: found.report.end_patch };
  const pixels = page.studio.pixels();
  page.drawn.take(pixels, shape);
  page.given.take(pixels, shape);
  if (page.chosen !== null && page.chosen >= found.bytes_under.length) page.chosen = null;
  hide();
  account(found);
}

/** Which patches are hidden: drawn by the seed, then as the person changed them. */
function hide() {
  page.hidden = page.studio.hidden(Number(byId('rate').value), byId('spans').checked, BigInt(seed()));
  for (const [patch, hidden] of page.own) if (patch < page.hidden.length) page.hidden[patch] = hidden;
  byId('own').hidden = page.own.size === 0;
  draw();
}

function draw() {
  byId('size-now').textContent = brief(Number(byId('size').value));
  byId('zoom-now').textContent = `${byId('zoom').value} ×`;
  byId('rate-now').textContent = percent(Number(byId('rate').value)).replace('.0', '');
  byId('patches-field').hidden = byId('layout').value === 'page';
  const look = { zoom: Number(byId('zoom').value), grid: byId('grid').checked, hidden: page.hidden, chosen: page.chosen };
  page.drawn.draw({ ...look, bare: false });
  page.given.draw({ ...look, bare: true });
  tell();
}

/** The letters of the text under a patch. @param {number} patch */
function under(patch) {
  const [from, to] = page.found.bytes_under[patch];
  if (from === to) return null;
  const slice = new TextEncoder().encode(page.text).slice(from, to);
  return { from, to, text: new TextDecoder().decode(slice) };
}

function tell() {
  const { report, bytes_under: all } = page.found;
  const attended = report.attended;
  const hidden = page.hidden.reduce((sum, one, at) => sum + (at < attended ? one : 0), 0);
  byId('drawn').setAttribute('aria-label', `Picture of the text: ${count(attended)} of ${count(all.length)} patches attended to. Arrow keys go from patch to patch, Enter hides or shows one.`);
  byId('given-words').textContent = `${count(attended - hidden)} patches are read. ${count(hidden)} of the text are hidden and have to be redrawn${all.length > attended ? `; the ${count(all.length - attended)} white ones after the end are never attended to` : ''}.`;
  if (page.chosen === null) byId('told').textContent = 'Point at a patch to see which letters it holds. Click it to hide it or to show it.';
  else {
    const patch = page.chosen;
    const letters = under(patch);
    let words = 'holds no letter of the text';
    if (letters) words = `holds “${visible(letters.text)}”, bytes ${letters.from} to ${letters.to - 1}`;
    else if (patch === report.end_patch && byId('marker').checked) words = 'is the end marker';
    else if (patch >= attended) words = 'is white, after the end';
    byId('told').textContent = `Patch ${patch + 1} ${words}${page.hidden[patch] ? '; hidden' : ''}.`;
  }
}

function account({ report }) {
  const rows = [
    ['bytes drawn', `${count(report.rendered_bytes)} of ${count(report.total_bytes)}`, !report.all_rendered],
    ['glyphs', count(report.glyphs), false],
    ['patches attended to', `${count(report.attended)} of ${count(page.found.bytes_under.length)}`, false],
    ['characters taken from Unifont', count(report.fallback), false],
    ['boxes for characters that no font has', count(report.missing), report.missing > 0],
    ['control characters left out', count(report.dropped), report.dropped > 0],
    ['characters that draw nothing', count(report.invisible), false],
    ['runs from right to left, letters not joined', count(report.rtl_runs), report.rtl_runs > 0 && !report.shaped],
    ['milliseconds', brief(page.milliseconds), false],
  ];
  const row = ([what, value, loss]) => make('tr', { class: loss ? 'loss' : null }, make('th', { scope: 'row', text: what }), make('td', { text: value }));
  byId('report').tBodies[0].replaceChildren(...rows.map(row));
  const listed = report.missing_list.slice(0, 20).map(({ code_point: point, count: times }) => `U+${point.toString(16).toUpperCase().padStart(4, '0')}${times > 1 ? ` (${times} times)` : ''}`);
  byId('missing').textContent = listed.length ? `No font has ${listed.join(', ')}${report.missing_list.length > 20 ? ' and others' : ''}.` : '';
  byId('hash').textContent = page.studio.hash();
  byId('command').textContent = command();
}

/** What draws the same picture on the command line. */
function command() {
  const asked = config();
  const quoted = `'${page.text.replaceAll("'", "'\\''")}'`;
  const words = ['vitrine screenshot render --text', quoted];
  const layout = byId('layout').value;
  if (layout === 'page') words.push(`--page ${PAGE.height}x${PAGE.width}`, '--newline line');
  else words.push(`--patches ${asked.width / asked.patch_width}`);
  if (byId('patch').value !== '16x16') words.push(`--patch ${byId('patch').value}`);
  if (layout === 'mono') words.push('--mono');
  if (asked.font_px !== Math.fround(PUBLISHED)) words.push(`--size ${asked.font_px}`);
  for (const [on, flag] of [[asked.prefix, '--prefix'], [!asked.end_marker, '--no-end-marker'], [!asked.fallback, '--no-fallback'], [asked.one_bit, '--one-bit']]) if (on) words.push(flag);
  return `${words.join(' ')} --out picture.png`;
}

/** Writes what is shown into the address. */
function remember() {
  const wish = Object.fromEntries(Object.entries(VALUES).map(([id, usual]) => [id, byId(id).value === usual ? null : byId(id).value]));
  for (const [id, usual] of Object.entries(CHECKS)) wish[id] = byId(id).checked === usual ? null : Number(byId(id).checked);
  state.write({ ...wish, text: page.text.length <= MOST_IN_ADDRESS ? page.text : null, empty: page.text === '' ? 1 : null });
}

/** Renders a second's worth of strips. */
async function measure() {
  byId('measure').disabled = true;
  byId('speed').textContent = 'Measuring…';
  await new Promise((resolve) => setTimeout(resolve, 30));
  const text = SAMPLES[0][2].repeat(12).slice(0, LETTERS);
  page.studio.configure(JSON.stringify(MEASURED));
  page.studio.render(text);
  const began = performance.now();
  let pictures = 0;
  for (; performance.now() - began < 1000; pictures += 1) page.studio.draw(text);
  const seconds = (performance.now() - began) / 1000;
  page.config = '';
  byId('speed').textContent = `${count(pictures / seconds)} strips a second`;
  byId('measure').disabled = false;
  render();
}

function choose(patch) {
  if (patch === page.chosen) return;
  page.chosen = patch;
  draw();
}

function turn(patch) {
  page.own.set(patch, page.hidden[patch] ? 0 : 1);
  page.chosen = patch;
  hide();
}

function keys(event) {
  const { folded, shown } = page.drawn.now;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: folded, ArrowUp: -folded, Home: -Infinity, End: Infinity };
  if (event.key in steps) choose(Math.max(0, Math.min(shown - 1, page.chosen === null ? 0 : page.chosen + steps[event.key])));
  else if ((event.key === 'Enter' || event.key === ' ') && page.chosen !== null) turn(page.chosen);
  else return;
  event.preventDefault();
}

const guarded = (action) => async (event) => {
  try {
    fault(null);
    await action(event);
  } catch (error) {
    fault(error);
  }
};

guarded(async () => {
  say('Starting');
  const { studio } = await bundles();
  if (!studio) throw new Error('this site was put together without the program of this page (scripts/web-bundle studio)');
  const [core, ...fonts] = await Promise.all([compile(studio).then((compiled) => started(studio, compiled)), ...['noto-sans.atlas', 'NotoSans-Regular.ttf', 'unifont.packed'].map((name) => bytes(`fonts/${name}`))]);
  page.studio = new core.Studio(...fonts);
  const wish = state.read();
  for (const id of Object.keys(VALUES)) if (wish[id]) byId(id).value = wish[id];
  for (const [id, usual] of Object.entries(CHECKS)) byId(id).checked = wish[id] ? wish[id] === '1' : usual;
  byId('text').value = wish.text ?? (wish.empty ? '' : SAMPLES[0][2]);
  byId('sample').replaceChildren(make('option', { value: '', text: 'an example' }), ...SAMPLES.map(([id, title]) => make('option', { value: id, text: title })));

  const again = guarded(() => {
    render();
    remember();
  });
  const rehide = guarded(() => {
    hide();
    remember();
  });
  const redraw = guarded(() => {
    draw();
    remember();
  });
  byId('text').addEventListener('input', again);
  for (const id of ['layout', 'patches', 'patch', 'size', 'prefix', 'marker', 'fallback', 'one-bit']) byId(id).addEventListener('input', again);
  for (const id of ['rate', 'seed', 'spans']) byId(id).addEventListener('input', rehide);
  for (const id of ['grid', 'zoom']) byId(id).addEventListener('input', redraw);
  byId('sample').addEventListener('change', guarded((event) => {
    const sample = SAMPLES.find(([id]) => id === byId('sample').value);
    if (sample) byId('text').value = sample[2];
    return again(event);
  }));
  byId('own').addEventListener('click', guarded(() => {
    page.own.clear();
    hide();
  }));
  for (const picture of [page.drawn, page.given]) {
    picture.canvas.addEventListener('pointermove', (event) => choose(picture.under(event) ?? page.chosen));
    picture.canvas.addEventListener('click', guarded((event) => {
      const patch = picture.under(event);
      if (patch !== null) turn(patch);
    }));
  }
  byId('drawn').addEventListener('keydown', guarded(keys));
  byId('save-png').addEventListener('click', guarded(() => save('picture.png', new Blob([page.studio.png()], { type: 'image/png' }))));
  byId('save-json').addEventListener('click', guarded(() => save('picture.json', new Blob([JSON.stringify({ schema: 'vitrine.screenshot/1', text: page.text, config: config(), hash: page.studio.hash(), ...page.found, hidden: Array.from(page.hidden) }, null, 1)], { type: 'application/json' }))));
  byId('measure').addEventListener('click', guarded(measure));
  byId('ask').addEventListener('submit', (event) => event.preventDefault());
  globalThis.addEventListener('resize', () => draw());
  new MutationObserver(() => draw()).observe(document.documentElement, { attributes: true });
  render();
  say('');
  globalThis.vitrine = { page };
})();
