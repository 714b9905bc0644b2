// Two readings: one question to one database, four ways of decoding, one slider for time.

import { Player } from '../beam/player.js';
import { byId, make, save, sentence, visible } from '../dom.js';
import { watch } from '../files.js';
import { database } from '../host.js';
import { brief, count } from '../numbers.js';
import { fault, say, seed } from '../page.js';
import { option } from '../shell.js';
import * as state from '../state.js';
import * as store from '../store.js';
import { Client } from '../worker/client.js';
import { Panel } from './panel.js';
import { table, verdict } from './summary.js';

const SLIDERS = ['width', 'penalty', 'strength', 'p'];
/** Queries in a list, and pieces of the longest text: the command line's. */
const LIST = 5;
const MOST_PIECES = 96;
/** Largest file of a database that is opened, and longest text of statements. */
const MOST_FILE = 128 << 20;
const MOST_TEXT = 4 << 20;
/** Milliseconds a piece, when time plays. */
const BEAT_MS = 220;
const MODEL = new URL('../../models/sql/', import.meta.url).href;

/** How each method is asked for, in the words of the core and of the command line. */
const METHODS = [
  {
    id: 'beam', title: 'Beam search', idea: 'Keeps the likeliest few beginnings of all together. Spellings of one query can fill it.',
    ask: (s) => ({ method: 'beam', width: s.width, penalty: s.penalty }),
    words: (s) => `--method beam --width ${s.width}${s.penalty ? ` --length-penalty ${s.penalty}` : ''}`,
  },
  {
    id: 'diverse', title: 'Diverse beams', idea: 'Groups shun each other’s pieces at each step, whatever the pieces mean.',
    ask: (s) => ({ method: 'diverse', width: s.width, strength: s.strength }),
    words: (s) => `--method diverse --width ${s.width} --strength ${s.strength}`,
  },
  {
    id: 'top-p', title: 'Nucleus sampling', idea: 'Draws each piece from the likeliest that together hold the chosen mass. The second reading comes by luck.',
    ask: (s) => ({ method: 'top-p', width: s.width, mass: s.p }),
    words: (s) => `--method top-p --width ${s.width} -p ${s.p} --seed ${s.seed}`,
  },
  {
    id: 'logical-beam', title: 'LogicalBeam', idea: 'Plans first: the preferred number of joins and selected items, then one more or fewer. Each plan’s template is filled by a beam that branches at names of the schema only.',
    ask: (s) => ({ method: 'logical-beam', width: s.width, penalty: s.penalty }),
    words: (s) => `--method logical-beam --width ${s.width}${s.penalty ? ` --length-penalty ${s.penalty}` : ''}`,
  },
];

const page = {
  library: [], own: null, model: { base: MODEL }, client: new Client('readings.js', 'sql'), opened: null, panels: METHODS.map((method) => new Panel(method, remember)), key: '', running: false, example: 0, readings: [],
};
const player = new Player(draw, BEAT_MS);

function settings() {
  return { ...Object.fromEntries(SLIDERS.map((id) => [id, Number(byId(id).value)])), seed: seed() };
}

function labels() {
  for (const id of SLIDERS) byId(`${id}-now`).textContent = brief(Number(byId(id).value));
  byId('step-now').textContent = byId('step').value;
}

function draw() {
  labels();
  for (const panel of page.panels) panel.draw(player.view());
}

/** The chosen example database, or null for one of the person's own. */
function chosen() {
  return page.library.find((one) => one.id === byId('database').value) ?? null;
}

function offer(id) {
  const list = page.library.map((one) => [one.id, one.title]);
  if (page.own) list.push(['own', page.own.title]);
  byId('database').replaceChildren(...list.map(([value, text]) => make('option', { value, text: visible(text, 90) })));
  if (list.some(([value]) => value === id)) byId('database').value = id;
}

/** The tables, for people. @param {any} schema */
function show(schema) {
  byId('schema-words').textContent = `${count(schema.tables.length)} ${schema.tables.length === 1 ? 'table' : 'tables'}, ${count(schema.columns)} columns`;
  const column = ({ name, kind, key, to }) => make('li', {}, visible(name, 60), make('span', { class: 'kind', text: ` ${kind}${key ? ', key' : ''}${to ? `, points to ${visible(to, 60)}` : ''}` }));
  byId('tables').replaceChildren(...schema.tables.slice(0, 60).map((table) => make('section', {}, make('h3', { text: visible(table.name, 60) }), make('ul', {}, ...table.columns.slice(0, 60).map(column)))));
}

/** Says what is remembered of these tables. */
function remembered() {
  const { length } = store.chosen(page.key).choices;
  byId('remembered').hidden = length === 0;
  byId('remembered-words').textContent = length === 1 ? 'For one question to these tables you said which query you meant; it comes first next time. This browser remembers it, and nothing else does.' : `For ${count(length)} questions to these tables you said which query you meant; those come first next time. This browser remembers it, and nothing else does.`;
}

/** The query that was meant by a question, as the person said. @param {string} question */
const meant = (question) => store.chosen(page.key).choices.find((one) => one.question === question)?.sql;

/** Lists again what was found, with what is remembered now. */
function relist() {
  remembered();
  for (const panel of page.panels.filter(({ found }) => found)) {
    panel.listed(meant(panel.asked.question));
    panel.choose(panel.search, panel.chosen);
  }
}

/** The person says which query was meant. @param {Panel} panel @param {number} place */
async function remember(panel, place) {
  await guarded(async () => {
    const readings = panel.found.answers.map(({ sql }) => sql);
    const choices = await page.client.call('choose', { preferences: store.chosen(page.key), question: panel.asked.question, chosen: readings[place], readings });
    if (!store.choose(page.key, choices)) throw new Error('this browser keeps nothing for this page, so the choice is not remembered');
    relist();
    panel.list.querySelector('.badge.meant')?.focus();
    say('Remembered: it comes first when you ask again.');
  })();
}

/** Opens a model and the chosen database, unless they are there already; a model stays the page's only where it can be opened. */
async function ready(model = page.model) {
  const example = chosen();
  const wanted = example ?? page.own;
  if (page.opened === wanted) return;
  page.opened = null;
  say('Loading the model');
  await page.client.call('model', model);
  page.model = model;
  say('Opening the database');
  const source = example ? { name: example.id, text: await database(example.file) } : { name: wanted.name, text: wanted.text, bytes: wanted.bytes };
  const schema = await page.client.call('database', source);
  show(schema);
  page.key = schema.key;
  remembered();
  if (source.text !== undefined) byId('ddl').value = source.text;
  byId('about').textContent = [example?.note ?? 'Your own database. The small model that comes with this page knows few words: it links words of a question with names that share letters.', schema.without && sentence(schema.without)].filter(Boolean).join(' ');
  const questions = example?.questions ?? [];
  byId('examples').replaceChildren(...questions.map(({ question }) => make('option', { value: question })));
  byId('another').hidden = questions.length < 2;
  page.opened = wanted;
  say('');
}

function suggest(index) {
  const questions = chosen()?.questions;
  if (!questions) return;
  page.example = index % questions.length;
  byId('question').value = questions[page.example].question;
}

async function search() {
  player.stop();
  page.running = true;
  buttons();
  const s = settings();
  const question = byId('question').value;
  await ready();
  const example = chosen();
  // The two readings of an example are known; of another question they are not.
  page.readings = example?.questions.find((one) => one.question === question.trim())?.readings.map((one, i) => ({ ...one, letter: 'AB'[i] })) ?? [];
  byId('verdict').hidden = true;
  for (const panel of page.panels) panel.clear();
  state.write({ db: example?.id ?? null, q: question, width: s.width, penalty: s.penalty || null, strength: s.strength, p: s.p, seed: s.seed || null });
  for (const [at, method] of METHODS.entries()) {
    say(`Decoding: ${method.title}`);
    const panel = page.panels[at];
    panel.view = player.view();
    const asked = { question, choice: method.ask(s), limits: { k: LIST, max_tokens: MOST_PIECES, seed: s.seed, trace_cuts: true }, readings: page.readings.map(({ sql }) => sql) };
    // What was chosen before goes along, but not into what is saved of this question.
    const found = await page.client.call('search', { ...asked, preferences: store.chosen(page.key) }, (nodes) => panel.grow(nodes));
    panel.view = { ...player.view(), step: Infinity };
    panel.take(found, asked, page.readings, command(method, s, question, example), meant(question));
  }
  player.all(Math.max(...page.panels.map((panel) => panel.deepest())));
  verdict(byId('verdict'), page.panels, page.readings);
  draw();
  say('');
  page.running = false;
  buttons();
}

function command(method, s, question, example) {
  const from = example ? `--schema www/databases/${example.file}` : page.own.bytes ? `--db ${page.own.title}` : '--schema FILE.sql';
  return `vitrine sql decode --model ${page.model.base ? 'www/models/sql' : 'FOLDER'} ${from} ${option('--question', question)} ${method.words(s)} --trace`;
}

function buttons() {
  byId('search').hidden = page.running;
  byId('stop').hidden = !page.running;
  for (const id of ['database', 'open', 'another', 'use']) byId(id).disabled = page.running;
}

const guarded = (action) => async () => {
  try {
    // What went wrong before is not what goes wrong now.
    fault(null);
    await action();
  } catch (error) {
    page.running = false;
    buttons();
    say('');
    if (error?.message !== 'stopped') fault(error);
  }
};

/** A database of the person's own; the one from before stays where this cannot be opened. @param {any} own */
async function take(own) {
  const [before, id] = [page.own, byId('database').value];
  page.own = own;
  offer('own');
  try {
    await ready();
  } catch (error) {
    page.own = before;
    offer(id);
    page.opened = null;
    throw error;
  }
  byId('schema').open = true;
  byId('question').focus();
}

/** @param {File[]} files */
async function open(files) {
  const weights = files.find((file) => /\.safetensors$/i.test(file.name));
  if (weights) {
    page.opened = null;
    return ready(/** @type {any} */ ({ files }));
  }
  const [file] = files;
  if (!/\.(sqlite3?|db|sql)$/i.test(file.name)) throw new Error('choose a database (.sqlite, .db), a file of CREATE TABLE statements (.sql), or a model’s config.json with its model.safetensors');
  const name = file.name.replace(/\.[^.]*$/, '');
  if (/\.sql$/i.test(file.name)) {
    if (file.size > MOST_TEXT) throw new Error(`${file.name} is larger than ${MOST_TEXT >> 20} MiB`);
    await take({ title: file.name, name, text: await file.text() });
  } else {
    if (file.size > MOST_FILE) throw new Error(`${file.name} has ${Math.round(file.size / (1 << 20))} MiB; databases up to ${MOST_FILE >> 20} MiB can be opened here`);
    await take({ title: file.name, name, bytes: await file.arrayBuffer() });
  }
}

guarded(async () => {
  say('Starting');
  const wish = state.read();
  page.library = JSON.parse(await database('databases.json')).databases;
  offer(wish.db);
  for (const id of [...SLIDERS, 'seed']) if (wish[id]) byId(id).value = wish[id];
  byId('methods').replaceChildren(...page.panels.map((panel) => panel.root));
  labels();
  for (const id of SLIDERS) byId(id).addEventListener('input', labels);
  player.start(wish.cuts);
  const found = () => page.panels.filter((panel) => panel.found);
  byId('save-json').addEventListener('click', () => save('readings.json', new Blob([JSON.stringify(found().map((panel) => ({ name: panel.method.id, ...panel.plain() })), null, 1)], { type: 'application/json' })));
  byId('save-csv').addEventListener('click', () => save('readings.csv', new Blob([table(found(), page.readings)], { type: 'text/csv' })));
  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    if (!page.running) guarded(search)();
  });
  byId('stop').addEventListener('click', () => {
    // The worker ends with all it holds; model and database are opened again with the next question.
    page.client.end();
    page.opened = null;
    say('Stopped.');
  });
  byId('forget').addEventListener('click', () => {
    store.choose(page.key, null);
    relist();
    say('Forgotten: lists come in their own order when you ask again.');
  });
  byId('database').addEventListener('change', guarded(async () => {
    await ready();
    if (!chosen()) return;
    suggest(0);
    await search();
  }));
  byId('another').addEventListener('click', guarded(async () => {
    suggest(page.example + 1);
    await search();
  }));
  byId('use').addEventListener('click', guarded(() => take({ title: 'Tables of your own', name: 'own', text: byId('ddl').value })));
  watch({ button: byId('open'), input: byId('files'), target: document.body, onFiles: (files) => guarded(() => open(files))(), onError: fault });
  suggest(0);
  if (wish.q) byId('question').value = wish.q;
  const known = chosen()?.questions.findIndex((one) => one.question === wish.q) ?? -1;
  if (known >= 0) page.example = known;
  globalThis.vitrine = { page };
  await search();
  if (wish.step) {
    byId('step').value = wish.step;
    draw();
  }
})();
