// The beam explorer: one prompt, four ways to choose, one slider for time.

import { csv } from '../csv.js';
import { byId, make, save, visible } from '../dom.js';
import { sort, watch } from '../files.js';
import { models, source, weights } from '../host.js';
import { brief } from '../numbers.js';
import { fault, say, seed } from '../page.js';
import { option } from '../shell.js';
import * as state from '../state.js';
import { Client } from '../worker/client.js';
import { Panel } from './panel.js';
import { Player } from './player.js';

const SLIDERS = ['width', 'tokens-most', 'penalty', 'strength', 'temperature', 'p'];
/** Milliseconds a token, when time plays. */
const BEAT_MS = 700;
/** Words of a suggested prompt. */
const OPENING = 4;
const OUTPUTS = { 'tokens-most': 'tokens-now' };

/** How each method is asked for, in the words of the core and of the command line. */
const METHODS = [
  {
    id: 'beam', title: 'Beam search', idea: 'Keeps the likeliest few continuations of all together.',
    ask: (s) => ({ method: 'beam', width: s.width, penalty: s.penalty === 0 ? { by: 'none' } : { by: 'power', power: s.penalty }, early_stop: 'certain' }),
    words: (s) => `--method beam --width ${s.width}${s.penalty ? ` --length-penalty ${s.penalty}` : ''}`,
  },
  {
    id: 'diverse', title: 'Diverse beams', idea: 'As many groups as hypotheses; each pays for a token that an earlier group chose at this step.',
    ask: (s) => ({ method: 'diverse', groups: s.width, width: 1, strength: s.strength }),
    words: (s) => `--method diverse --groups ${s.width} --width 1 --strength ${s.strength}`,
  },
  {
    id: 'sample', title: 'Nucleus sampling', idea: 'Draws each token from the likeliest that together hold the chosen mass. Draws may repeat.',
    ask: (s) => ({ method: 'sample', samples: s.width, temperature: s.temperature, filters: [{ kind: 'top_p', at: s.p }] }),
    words: (s) => `--method top-p -p ${s.p} --samples ${s.width} --temperature ${s.temperature} --seed ${s.seed}`,
  },
  {
    id: 'stochastic', title: 'Stochastic beam', idea: 'Samples without replacement: Gumbel noise, then the best few, so no text comes twice.',
    ask: (s) => ({ method: 'stochastic', width: s.width }),
    words: (s) => `--method stochastic --width ${s.width} --seed ${s.seed}`,
  },
];

const page = { library: [], files: null, client: new Client('decoding.js', 'decode'), loaded: '', panels: METHODS.map((method) => new Panel(method)), running: false, frame: 0, suggested: 0 };
const player = new Player(draw, BEAT_MS);

function settings() {
  const number = (id) => Number(byId(id).value);
  return { width: number('width'), tokens: number('tokens-most'), penalty: number('penalty'), strength: number('strength'), temperature: number('temperature'), p: number('p'), seed: seed() };
}

function labels() {
  for (const id of SLIDERS) byId(OUTPUTS[id] ?? `${id}-now`).textContent = brief(Number(byId(id).value));
  byId('step-now').textContent = byId('step').value;
}

function offer(chosen) {
  const list = page.library.map((model) => [model.id, model.title]);
  if (page.files) list.push(['files', page.files.title]);
  byId('model').replaceChildren(...list.map(([value, text]) => make('option', { value, text: visible(text, 90) })));
  if (list.some(([id]) => id === chosen)) byId('model').value = chosen;
}

function draw() {
  labels();
  for (const panel of page.panels) panel.draw(player.view());
}

/** Whether the weights are to be read as the file's blocks hold them. */
function blocks() {
  return !byId('weights-field').hidden && byId('weights').value === 'blocks';
}

/** Loads the chosen model unless it is there already. */
async function load() {
  const id = byId('model').value;
  const model = page.library.find((one) => one.id === id);
  byId('about').textContent = model?.note ?? (page.files ? 'Your own model, on this machine’s CPU. A large one takes seconds for each step.' : '');
  byId('another').hidden = !model;
  byId('weights-field').hidden = model !== undefined || !page.files?.list.some((file) => /\.gguf$/i.test(file.name));
  const wanted = `${id}${blocks() ? ', in blocks' : ''}`;
  if (page.loaded === wanted) return;
  // A worker holds one model for as long as it lives.
  if (page.loaded) page.client.end();
  page.loaded = '';
  say('Loading the model');
  const from = model ? await source(model) : { kind: 'file', files: page.files.list, blocks: blocks() };
  const about = await page.client.call('load', from, ({ words }) => words && say(words));
  if (about.numeric || model?.kind === 'program') throw new Error('this model writes no text');
  page.loaded = wanted;
  say('');
}

async function suggest(index) {
  const pair = await page.client.call('suggestion', index);
  // The beginning of a sentence of its task: the rest is the model's.
  if (pair) byId('prompt').value = pair[0].split(' ').slice(0, OPENING).join(' ');
}

async function search() {
  player.stop();
  fault(null);
  const s = settings();
  const prompt = byId('prompt').value;
  page.running = true;
  buttons();
  await load();
  player.all(s.tokens);
  for (const panel of page.panels) panel.clear();
  remember(s, prompt);
  for (const [at, method] of METHODS.entries()) {
    say(`Searching: ${method.title.toLowerCase()}`);
    const panel = page.panels[at];
    panel.view = player.view();
    const asked = { prompt, method: method.ask(s), max_tokens: s.tokens, seed: s.seed };
    const found = await page.client.call('search', asked, (nodes) => panel.grow(nodes));
    panel.take(found, asked, commandOf(method, s, prompt));
  }
  labels();
  say('');
  page.running = false;
  buttons();
}

/** For a model of the person's own: those of the site are folders of the source. */
function commandOf(method, s, prompt) {
  if (byId('model').value !== 'files') return '';
  return `vitrine decode --model ${page.files.list.length > 1 ? 'FOLDER' : page.files.list[0].name} ${option('--prompt', prompt)} --max-tokens ${s.tokens} ${method.words(s)}${blocks() ? ' --weights blocks' : ''} --trace`;
}

function remember(s, prompt) {
  const own = byId('model').value !== 'files';
  state.write({ model: own ? byId('model').value : null, prompt, width: s.width, tokens: s.tokens, penalty: s.penalty || null, strength: s.strength, temperature: s.temperature, p: s.p, seed: s.seed || null });
}

function buttons() {
  byId('search').hidden = page.running;
  byId('stop').hidden = !page.running;
  for (const id of ['model', 'weights', 'open', 'another']) byId(id).disabled = page.running;
}

const guarded = (action) => async () => {
  try {
    await action();
  } catch (error) {
    page.running = false;
    buttons();
    say('');
    if (error?.message !== 'stopped') fault(error);
  }
};

/** @param {File[]} files */
async function take(files) {
  const { model } = sort(files);
  if (model.length === 0) throw new Error('choose a GGUF file, or the files of a Hugging Face folder (config.json, tokenizer.json, model.safetensors)');
  page.files = { list: model, title: model.length === 1 ? model[0].name : `${model[0].name} and ${model.length - 1} more` };
  page.loaded = '';
  offer('files');
  await load();
}

guarded(async () => {
  say('Starting');
  const wish = state.read();
  page.library = (await models()).filter((model) => model.kind === 'small');
  offer(wish.model);
  for (const [key, id] of [['width', 'width'], ['tokens', 'tokens-most'], ['penalty', 'penalty'], ['strength', 'strength'], ['temperature', 'temperature'], ['p', 'p'], ['seed', 'seed']]) if (wish[key]) byId(id).value = wish[key];
  byId('methods').replaceChildren(...page.panels.map((panel) => panel.root));
  labels();
  for (const id of SLIDERS) byId(id).addEventListener('input', labels);
  player.start(wish.cuts);
  byId('save-json').addEventListener('click', () => save('searches.json', new Blob([JSON.stringify(page.panels.filter((panel) => panel.found).map((panel) => ({ name: panel.method.id, ...panel.plain() })), null, 1)], { type: 'application/json' })));
  byId('save-csv').addEventListener('click', () => save('searches.csv', new Blob([csv([['method', 'place', 'text', 'log_prob', 'score'], ...page.panels.filter((panel) => panel.found).flatMap((panel) => panel.found.hypotheses.map((h, place) => [panel.method.id, place + 1, h.text, h.log_prob, h.score]))])], { type: 'text/csv' })));
  byId('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    if (!page.running) guarded(search)();
  });
  byId('stop').addEventListener('click', () => {
    // A search cannot be interrupted within a step: its worker ends, and the model is loaded again with the next one.
    page.client.end();
    page.loaded = '';
    say('Stopped.');
  });
  byId('model').addEventListener('change', guarded(async () => {
    fault(null);
    await load();
    await suggest((page.suggested = 0));
  }));
  byId('weights').addEventListener('change', guarded(() => {
    fault(null);
    return load();
  }));
  byId('another').addEventListener('click', guarded(() => load().then(() => suggest((page.suggested += 1)))));
  watch({ button: byId('open'), input: byId('files'), target: document.body, onFiles: (files) => guarded(() => take(files))(), onError: fault });
  if (wish.weights) await take([await weights(wish.weights)]);
  await load();
  if (wish.prompt) byId('prompt').value = wish.prompt;
  else await suggest(0);
  await search();
  if (wish.step) {
    byId('step').value = wish.step;
    draw();
  }
  globalThis.vitrine = { page };
})();
