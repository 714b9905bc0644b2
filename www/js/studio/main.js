// The screenshot studio: a text, the picture a model reads of it, what is hidden, and what the model makes of that; on the other tab a model that writes on.

import { csv } from '../csv.js';
import { byId, make, save, visible } from '../dom.js';
import { watch } from '../files.js';
import { bytes, bundles, compile } from '../host.js';
import { brief, count, percent } from '../numbers.js';
import { fault, say, seed } from '../page.js';
import * as state from '../state.js';
import { started } from '../wasm.js';
import { account, command, PUBLISHED } from './account.js';
import { Answers } from './answers.js';
import { Models } from './models.js';
import { Picture } from './picture.js';
import { first, MEASURED_TEXT, SAMPLES } from './samples.js';
import * as stress from './stress.js';
import { Tabs } from './tabs.js';
import { Writing } from './writing.js';

const PREFIX = 'Beginning of the sequence: ';
/** The strip that renderers are compared on. */
const MEASURED = { width: 8176, height: 16 };
const LETTERS = 1100;
const PAGE = { width: 512, height: 256 };
const LAYOUT = ['layout', 'patches', 'patch', 'size', 'prefix', 'marker', 'fallback', 'one-bit'];
const CHECKS = { prefix: false, marker: true, fallback: true, 'one-bit': false, grid: true, spans: true, compare: false };
const VALUES = { layout: 'strip', patches: '40', patch: '16x16', size: '13.9', zoom: '2', rate: '0.1', words: '0.25', seed: '2', from: 'token', font: '', typos: '0', alike: '0', digits: '0', blur: '0', noise: '0' };
/** The model that is shown first, and no model. */
const FIRST = 'ptp';
const OFF = 'off';
const MOST_IN_ADDRESS = 1500;

const page = {
  studio: null, models: new Models(), model: null, facts: null, answers: null, text: '', drawn: new Picture(byId('drawn')), given: new Picture(byId('given')), found: null,
  hidden: null, own: new Map(), masked: null, chosen: null, picked: null, config: '', milliseconds: 0, wanted: 0, done: 0, asking: false,
};

function config() {
  if (page.facts) return page.facts.render;
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
  // With a model the damaged picture comes from it.
  if (!page.model) page.given.take(pixels, shape);
  for (const name of ['chosen', 'picked']) if (page[name] !== null && page[name] >= found.bytes_under.length) page[name] = null;
  hide();
  account(found.report, found.bytes_under.length, page.milliseconds);
  byId('hash').textContent = page.studio.hash();
  byId('command').textContent = command(asked, page.text);
}

/** Which patches are hidden: drawn by the seed, then as the person changed them. */
function hide() {
  page.hidden = page.studio.hidden(Number(byId('rate').value), byId('spans').checked, BigInt(seed()));
  for (const [patch, hidden] of page.own) if (patch < page.hidden.length) page.hidden[patch] = hidden;
  byId('own').hidden = page.own.size === 0 && page.masked === null;
  draw();
  ask();
}

/** What is asked of a model. */
function asked() {
  return {
    text: page.text, text_rate: Number(byId('words').value), patch_rate: Number(byId('rate').value), hide: byId('spans').checked ? 'span' : 'single', seed: seed(),
    masked: page.masked && [...page.masked].sort((a, b) => a - b), hidden: page.own.size ? [...page.hidden.keys()].filter((patch) => page.hidden[patch]) : null, stress: stress.wanted(), free: true,
  };
}

/** Asks the model; while it thinks, only the newest wish waits. */
async function ask() {
  if (!page.model) return;
  page.wanted += 1;
  if (page.asking) return;
  page.asking = true;
  try {
    while (page.done < page.wanted) {
      const turn = page.wanted;
      await page.answers.ask(page.model, asked(), byId('compare').checked);
      page.done = turn;
      draw();
    }
  } catch (error) {
    page.done = page.wanted;
    fault(error);
  } finally {
    page.asking = false;
  }
}

function draw() {
  if (!page.found) return;
  byId('size-now').textContent = brief(Number(byId('size').value));
  byId('zoom-now').textContent = `${byId('zoom').value} ×`;
  for (const id of ['rate', 'words']) byId(`${id}-now`).textContent = percent(Number(byId(id).value)).replace('.0', '');
  stress.labels();
  byId('patches-field').hidden = byId('layout').value === 'page';
  const look = { zoom: Number(byId('zoom').value), grid: byId('grid').checked };
  page.drawn.draw({ ...look, hidden: page.model ? null : page.hidden, chosen: page.chosen, how: 'drawn' });
  const answer = page.model ? page.answers.look : null;
  if (answer) page.answers.draw(page.given, look, page.picked, page.text);
  else if (!page.model) page.given.draw({ ...look, hidden: page.hidden, chosen: page.chosen, how: 'given' });
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
  const attended = page.model ? (page.answers.look?.attended ?? report.attended) : report.attended;
  const hidden = page.hidden.reduce((sum, one, at) => sum + (at < attended ? one : 0), 0);
  const hands = 'Arrow keys go from patch to patch, Enter hides or shows one.';
  byId('drawn').setAttribute('aria-label', `Picture of the text: ${count(report.attended)} of ${count(all.length)} patches attended to. ${page.model ? 'Arrow keys go from patch to patch.' : hands}`);
  byId('given-words').textContent = `${count(attended - hidden)} patches are read. ${count(hidden)} of the text are hidden and have to be redrawn${all.length > attended ? `; the ${count(all.length - attended)} white ones after the end are never attended to` : ''}.${page.model ? ` Click a patch to hide or show it; ${hands.toLowerCase()}` : ''}`;
  if (page.chosen === null) byId('told').textContent = `Point at a patch to see which letters it holds.${page.model ? '' : ' Click it to hide it or to show it.'}`;
  else {
    const patch = page.chosen;
    const letters = under(patch);
    let words = 'holds no letter of the text';
    if (letters) words = `holds “${visible(letters.text)}”, bytes ${letters.from} to ${letters.to - 1}`;
    else if (patch === report.end_patch && config().end_marker) words = 'is the end marker';
    else if (patch >= report.attended) words = 'is white, after the end';
    byId('told').textContent = `Patch ${patch + 1} ${words}${!page.model && page.hidden[patch] ? '; hidden' : ''}.`;
  }
}

/** Writes what is shown into the address. */
function remember() {
  const kept = (id) => !(page.model && LAYOUT.includes(id));
  const wish = Object.fromEntries(Object.entries(VALUES).map(([id, usual]) => [id, byId(id).value === usual || !kept(id) ? null : byId(id).value]));
  for (const [id, usual] of Object.entries(CHECKS)) wish[id] = byId(id).checked === usual || !kept(id) ? null : Number(byId(id).checked);
  const turned = (to) => [...page.own].filter(([, hidden]) => hidden === to).map(([patch]) => patch).sort((a, b) => a - b).join('.');
  const model = page.model ?? OFF;
  // Until a model was asked for, what the address says of it stays.
  if (!page.found) return state.write({ tab: page.tabs.name === 'read' ? null : page.tabs.name });
  return state.write({
    ...wish, tab: page.tabs.name === 'read' ? null : page.tabs.name, text: page.text.length <= MOST_IN_ADDRESS ? page.text : null, empty: page.text === '' ? 1 : null, model: model === FIRST || model === 'own' ? null : model,
    token: page.model && page.answers.reading.touched ? page.answers.reading.chosen : null, hide: turned(1), show: turned(0), mask: page.masked && ([...page.masked].sort((a, b) => a - b).join('.') || 'none'),
  });
}

/** Renders a second's worth of strips. */
async function measure() {
  byId('measure').disabled = true;
  byId('speed').textContent = 'Measuring…';
  await new Promise((resolve) => setTimeout(resolve, 30));
  const text = MEASURED_TEXT.repeat(12).slice(0, LETTERS);
  page.studio.configure(JSON.stringify(MEASURED));
  page.studio.render(text);
  const began = performance.now();
  let pictures = 0;
  for (; performance.now() - began < 1000; pictures += 1) page.studio.draw(text);
  const seconds = (performance.now() - began) / 1000;
  page.config = '';
  const drawn = `${count(pictures / seconds)} strips a second`;
  try {
    byId('speed').textContent = page.model ? `${drawn}; the model is being timed` : drawn;
    if (page.model) byId('speed').textContent = `${drawn}; one look of this model ${brief(await page.models.time(page.model, asked()))} ms`;
  } finally {
    byId('measure').disabled = false;
    render();
  }
}

/** Which of the two pictures' chosen patch a canvas shows. */
const which = (picture) => (picture === page.drawn || !page.model ? 'chosen' : 'picked');

function choose(picture, patch) {
  const name = which(picture);
  if (patch === page[name]) return;
  page[name] = patch;
  draw();
}

function turn(patch) {
  page.own.set(patch, page.hidden[patch] ? 0 : 1);
  page[page.model ? 'picked' : 'chosen'] = patch;
  hide();
  remember();
}

/** A word is masked by hand, or no longer. @param {number} token */
function press(token) {
  const look = page.answers.look;
  page.masked ??= new Set(look.tokens.flatMap(({ masked }, at) => (masked ? [at] : [])));
  if (!page.masked.delete(token)) page.masked.add(token);
  hide();
  remember();
}

function keys(picture, event) {
  const { folded, shown } = picture.now;
  const chosen = page[which(picture)];
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: folded, ArrowUp: -folded, Home: -Infinity, End: Infinity };
  if (event.key in steps) choose(picture, Math.max(0, Math.min(shown - 1, chosen === null ? 0 : chosen + steps[event.key])));
  else if ((event.key === 'Enter' || event.key === ' ') && chosen !== null && (picture === page.given || !page.model)) turn(chosen);
  else return;
  event.preventDefault();
}

/** Takes a model, or none; what was there stays where it cannot be opened. @param {string} id */
async function take(id) {
  const before = page.model ?? OFF;
  try {
    if (id !== OFF) say('Loading the model');
    page.facts = id === OFF ? null : await page.models.ready(id);
    page.model = id === OFF ? null : id;
  } finally {
    say('');
    offer(page.model ?? before);
  }
  page.answers.clear();
  byId('layouts').hidden = page.model !== null;
  for (const element of document.querySelectorAll('.asked')) element.hidden = page.model === null;
  byId('words-field').hidden = page.model === null;
  byId('about-model').textContent = page.model ? page.models.about(page.model) : 'No model: pictures are drawn in any layout, and nothing is asked.';
  render();
}

function offer(id) {
  byId('model').replaceChildren(...page.models.list().map(({ id: value, title }) => make('option', { value, text: visible(title, 60) })), make('option', { value: OFF, text: 'none, only draw' }));
  byId('model').value = id;
}

const guarded = (action) => async (event) => {
  try {
    fault(null);
    await action(event);
  } catch (error) {
    fault(error);
  }
};

const numbers = (text) => (text ?? '').split('.').filter((one) => /^\d{1,6}$/.test(one)).map(Number);

guarded(async () => {
  say('Starting');
  const { studio } = await bundles();
  if (!studio) throw new Error('this site was put together without the program of this page (scripts/web-bundle studio)');
  const [core, , ...fonts] = await Promise.all([compile(studio).then((compiled) => started(studio, compiled)), page.models.start(), ...['noto-sans.atlas', 'NotoSans-Regular.ttf', 'unifont.packed'].map((name) => bytes(`fonts/${name}`))]);
  page.studio = new core.Studio(...fonts);
  const wish = state.read();
  for (const id of Object.keys(VALUES)) if (wish[id]) byId(id).value = wish[id];
  for (const [id, usual] of Object.entries(CHECKS)) byId(id).checked = wish[id] ? wish[id] === '1' : usual;
  for (const patch of numbers(wish.hide)) page.own.set(patch, 1);
  for (const patch of numbers(wish.show)) page.own.set(patch, 0);
  if (wish.mask) page.masked = new Set(numbers(wish.mask));
  // An address that names a layout and no model is of pictures alone.
  const known = [...page.models.list().map(({ id }) => id), OFF];
  const model = known.includes(wish.model) ? wish.model : LAYOUT.some((id) => wish[id]) ? OFF : FIRST;
  byId('text').value = wish.text ?? (wish.empty ? '' : first(model !== OFF));
  byId('stress').open = stress.active(stress.wanted());
  byId('sample').replaceChildren(make('option', { value: '', text: 'an example' }), ...SAMPLES.map(([id, title]) => make('option', { value: id, text: title })));

  const after = (action) => guarded(async (event) => {
    await action(event);
    remember();
  });
  const [again, rehide, redraw] = [after(render), after(hide), after(draw)];
  page.writing = new Writing(page.models, guarded);
  page.answers = new Answers(page.models, { press, reached: () => [draw(), remember()], choose });
  if (/^\d{1,6}$/.test(wish.token ?? '')) page.answers.reading.choose(Number(wish.token));
  byId('text').addEventListener('input', again);
  for (const id of LAYOUT) byId(id).addEventListener('input', again);
  for (const id of ['rate', 'seed', 'spans']) byId(id).addEventListener('input', rehide);
  // What the seed draws goes before what was masked by hand only when it is asked for.
  byId('words').addEventListener('input', after(() => {
    page.masked = null;
    hide();
  }));
  for (const id of [...Object.keys(stress.SLIDERS), 'font', 'compare']) byId(id).addEventListener('input', rehide);
  for (const id of ['grid', 'zoom', 'from']) byId(id).addEventListener('input', redraw);
  byId('sample').addEventListener('change', guarded((event) => {
    const sample = SAMPLES.find(([id]) => id === byId('sample').value);
    if (sample) byId('text').value = sample[2];
    page.masked = null;
    return again(event);
  }));
  byId('own').addEventListener('click', after(() => {
    page.own.clear();
    page.masked = null;
    hide();
  }));
  byId('calm').addEventListener('click', after(() => {
    for (const id of Object.keys(stress.SLIDERS)) byId(id).value = '0';
    byId('font').value = '';
    hide();
  }));
  byId('model').addEventListener('change', after(() => take(byId('model').value)));
  page.tabs = new Tabs({ read: () => (page.found ? draw() : take(model)), write: () => page.writing.start() }, after);
  const open = (files) => after(async () => {
    const id = await page.models.open(files[0]);
    // A model of the other kind belongs to the other tab.
    if (id === 'own') await take(id);
    else {
      await page.writing.take(id);
      await page.writing.ask();
    }
    await page.tabs.show(id === 'own' ? 'read' : 'write');
  })();
  watch({ button: byId('open'), input: byId('file'), target: document.body, onError: fault, onFiles: open });
  byId('open-writer').addEventListener('click', () => byId('writer-file').click());
  byId('writer-file').addEventListener('change', () => {
    const files = [...byId('writer-file').files];
    byId('writer-file').value = '';
    if (files.length) open(files);
  });
  for (const picture of [page.drawn, page.given]) {
    picture.canvas.addEventListener('pointermove', (event) => choose(picture, picture.under(event) ?? page[which(picture)]));
    picture.canvas.addEventListener('click', guarded((event) => {
      const patch = picture.under(event);
      if (patch !== null && (picture === page.given || !page.model)) turn(patch);
    }));
    picture.canvas.addEventListener('keydown', guarded((event) => keys(picture, event)));
  }
  const file = (name, content, type) => save(name, new Blob([content], { type }));
  byId('save-png').addEventListener('click', guarded(() => file('picture.png', page.studio.png(), 'image/png')));
  byId('save-json').addEventListener('click', guarded(() => file('picture.json', JSON.stringify({ schema: 'vitrine.screenshot/1', text: page.text, config: config(), hash: page.studio.hash(), ...page.found, hidden: Array.from(page.hidden) }, null, 1), 'application/json')));
  byId('save-sheet').addEventListener('click', guarded(async () => file('seen.png', await page.models.client.call('sheet', page.model), 'image/png')));
  byId('save-look').addEventListener('click', guarded(() => file('seen.json', page.answers.json(), 'application/json')));
  byId('save-tokens').addEventListener('click', guarded(() => file('tokens.csv', csv(page.answers.tokenRows()), 'text/csv')));
  byId('save-patches').addEventListener('click', guarded(() => file('patches.csv', csv(page.answers.patchRows()), 'text/csv')));
  byId('measure').addEventListener('click', guarded(measure));
  byId('ask').addEventListener('submit', (event) => event.preventDefault());
  const repaint = () => (page.tabs.name === 'read' ? draw() : page.writing.paint());
  globalThis.addEventListener('resize', repaint);
  new MutationObserver(repaint).observe(document.documentElement, { attributes: true });
  await page.tabs.show(wish.tab === 'write' ? 'write' : 'read');
  say('');
  globalThis.vitrine = { page };
  // Behind what is seen first, so that all of it works offline after load.
  setTimeout(() => page.models.keep().catch(() => {}), 300);
})();
