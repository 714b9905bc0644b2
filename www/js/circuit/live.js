// The run: two prompts, three distributions. The worker answers one circuit at a time; while it computes only the newest wish waits.

import { byId, make, sentence, visible } from '../dom.js';
import { brief, fixed } from '../numbers.js';
import { bar } from '../plot.js';
import { Client } from '../worker/client.js';

const TOP = 6;
/** For models that bring no task: as many tokens on both sides in any tokenizer that gives names of four letters alike. */
const ANY_MODEL = ['When Mary and John went to the store, John gave a drink to', 'When Mary and John went to the store, Mary gave a drink to'];
const RUNS = ['full', 'pruned', 'corrupted'];

export class Live {
  /** @param {{ masks: () => Uint8Array, onState: (state: Record<string, any>) => void, onAblation: (name: string) => void, onBusy: (words: string) => void }} page */
  constructor(page) {
    this.page = page;
    this.client = new Client('model.js');
    this.error = byId('live-error');
    this.clean = byId('clean');
    this.corrupted = byId('corrupted');
    this.ablation = byId('ablation');
    this.about = null;
    this.position = null;
    this.example = 0;
    this.running = false;
    this.again = false;
    let waiting = 0;
    const typed = () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.retyped(), 350);
    };
    this.clean.addEventListener('input', typed);
    this.corrupted.addEventListener('input', typed);
    this.ablation.addEventListener('change', () => {
      page.onAblation(this.ablation.value);
      this.retyped();
    });
    byId('another').addEventListener('click', () => this.suggest(this.example + 1));
    byId('prompts').addEventListener('submit', (event) => event.preventDefault());
    byId('stop').addEventListener('click', () => this.stop());
  }

  /** No model: say how to get one. */
  without(words) {
    this.client.end();
    this.about = null;
    this.forget();
    this.fault(null);
    byId('prompt-tokens').replaceChildren();
    byId('outputs').replaceChildren(make('p', { class: 'note', text: words }));
    byId('prompts').hidden = true;
    byId('live-note').hidden = true;
  }

  /** Loads a model in a fresh worker. @param {any} source @param {{ clean?: string, corrupted?: string, ablation?: string, position?: number|null, example?: number }} wish */
  async load(source, wish) {
    this.client.end();
    this.about = null;
    this.source = source;
    this.ready = false;
    this.forget();
    this.position = wish.position ?? null;
    this.fault(null);
    byId('outputs').replaceChildren();
    byId('prompt-tokens').replaceChildren();
    const began = performance.now();
    this.about = await this.client.call('load', source, ({ words }) => this.page.onBusy(words));
    this.page.onBusy('');
    this.loadedIn = performance.now() - began;
    byId('prompts').hidden = false;
    byId('live-note').hidden = false;
    byId('another').hidden = !this.about.own_task;
    this.ablation.value = wish.ablation ?? 'interchange';
    if (wish.clean && wish.corrupted) {
      [this.clean.value, this.corrupted.value] = [wish.clean, wish.corrupted];
      return this.about;
    }
    if (this.about.own_task) await this.suggest(wish.example ?? 0, false);
    else [this.clean.value, this.corrupted.value] = ANY_MODEL;
    return this.about;
  }

  async suggest(index, run = true) {
    this.example = index;
    const pair = await this.client.call('suggestion', index);
    if (pair) [this.clean.value, this.corrupted.value] = pair;
    this.position = null;
    if (run) await this.retyped();
  }

  /** The prompts changed: run the pair, then the circuit. */
  async retyped() {
    if (!this.about) return;
    const pair = { clean: this.clean.value, corrupted: this.corrupted.value, ablation: this.ablation.value };
    const typing = (this.typing = Symbol('typing'));
    this.ready = false;
    this.page.onState({ clean: pair.clean, corrupted: pair.corrupted, ablation: pair.ablation });
    try {
      const busy = setTimeout(() => this.working('Running the model on both prompts'), 300);
      const { tokens } = await this.client.call('pair', pair).finally(() => clearTimeout(busy));
      if (typing !== this.typing) return;
      this.tokens = tokens;
      if (this.position === null || this.position >= tokens) this.position = tokens - 1;
      this.ready = true;
      this.fault(null);
      await this.run();
    } catch (error) {
      if (typing === this.typing) this.fault(error);
    }
  }

  /** Runs the circuit shown now; while one is running, the newest waits. */
  async run() {
    if (!this.ready) return;
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const busy = setTimeout(() => this.working('Running the circuit'), 300);
    const began = performance.now();
    try {
      const answer = await this.client.call('run', { masks: this.page.masks(), position: this.position, top: TOP });
      this.milliseconds = performance.now() - began;
      this.show(answer);
    } catch (error) {
      this.fault(error);
    } finally {
      clearTimeout(busy);
      this.working('');
      this.running = false;
    }
    if (this.again) {
      this.again = false;
      await this.run();
    }
  }

  /** The curve over sizes. */
  async curve(sizes, masks, onPoint) {
    const examples = this.about.own_task ? 32 : 0;
    this.working('Measuring the curve', true);
    const wish = { sizes, masks, examples, ablation: this.ablation.value, clean: this.clean.value, corrupted: this.corrupted.value };
    try {
      return await this.client.call('curve', wish, (point) => {
        this.page.onBusy(`Measuring the curve: ${point.at + 1} of ${sizes.length} sizes`);
        onPoint(point);
      });
    } finally {
      this.working('');
    }
  }

  /** A circuit of the best edges by attribution, on the model's own examples or else on the typed pair. */
  async score() {
    this.working('Scoring all edges');
    const wish = { examples: this.about.own_task ? 32 : 0, ablation: this.ablation.value, clean: this.clean.value, corrupted: this.corrupted.value };
    try {
      return await this.client.call('score', wish);
    } finally {
      this.working('');
    }
  }

  working(words, asks = false) {
    byId('stop').hidden = words === '';
    this.asks = asks;
    this.page.onBusy(words);
  }

  /** A curve ends after its point; anything else ends with the worker, and the model is loaded again when it is needed. */
  async stop() {
    if (this.asks) {
      this.client.ask();
      return;
    }
    const wish = { clean: this.clean.value, corrupted: this.corrupted.value, ablation: this.ablation.value, position: this.position };
    this.client.end();
    this.working('');
    await this.load(this.source, wish);
    this.fault('Stopped. Change a prompt or an edge to run again');
    this.ready = false;
  }

  fault(error) {
    // A worker that broke off is gone, and the model with it.
    if (error !== null && !this.client.worker) this.ready = false;
    this.error.hidden = error === null;
    this.error.textContent = error === null ? '' : sentence(error);
    for (const input of [this.clean, this.corrupted]) input.toggleAttribute('aria-invalid', false);
    if (error === null) return;
    byId('outputs').replaceChildren();
    this.forget();
  }

  /** What was said before is not what is said now. */
  forget() {
    this.reading = null;
    this.onShow?.();
  }

  show({ reading, places, milliseconds }) {
    this.reading = reading;
    this.strip(places);
    const names = { full: 'Full model', pruned: 'Circuit', corrupted: 'Corrupted' };
    const head = make('tr', {}, make('th', { scope: 'col', text: reading.numeric ? 'Output' : 'Next token' }), ...RUNS.map((run) => make('th', { scope: 'col', text: names[run] })));
    if (reading.outputs !== undefined && this.programme()) head.firstChild.textContent = reading.numeric ? 'Output' : 'Class';
    const largest = Math.max(1e-9, ...reading.rows.flatMap((row) => row.logits.map(Math.abs)));
    const rows = reading.rows.slice(0, 14).map((row) => {
      const cells = RUNS.map((run, at) => {
        const share = row.probabilities ? row.probabilities[at] : Math.abs(row.logits[at]) / largest;
        const number = row.probabilities ? `${(share * 100).toFixed(1)}%` : '';
        return make('td', { class: run }, make('span', { class: 'bar' }, bar(share), make('span', { class: 'num' }, number, make('span', { class: 'logit', 'data-logit': row.logits[at], text: `  ${fixed(row.logits[at], 3)}` }))));
      });
      return make('tr', { 'data-id': row.id }, make('th', { scope: 'row', text: visible(row.text, 30) }), ...cells);
    });
    const unit = reading.numeric ? 'squared difference' : 'nats (KL)';
    const caption = `Circuit: ${brief(reading.pruned_distance)} ${unit} from the full model; corrupted run: ${brief(reading.corrupted_distance)}. ${reading.same_top ? 'The circuit says what the full model says.' : 'The circuit says something else.'}`;
    const timing = make('p', { class: 'note', id: 'timing', 'data-ms': this.milliseconds.toFixed(1), text: `Answered in ${Math.max(1, Math.round(this.milliseconds))} ms (${Math.max(1, Math.round(milliseconds))} ms of computing, ${this.about?.gpu ? 'GPU' : 'CPU'}).${reading.numeric ? '' : ' Beside each probability stands the logit.'}` });
    byId('said').textContent = caption;
    this.onShow?.();
    byId('outputs').replaceChildren(make('table', { class: 'outputs' }, make('caption', { text: caption }), make('thead', {}, head), make('tbody', {}, ...rows)), timing);
  }

  programme() {
    return this.source?.kind === 'program';
  }

  /** The prompt's tokens; one is chosen, and after it is read. */
  strip(places) {
    const items = places.map((place, at) => {
      const [full, pruned, corrupted] = place.outputs ?? [];
      const words = [make('span', { text: shown(place.clean) })];
      if (place.corrupted !== place.clean) words.push(make('span', { class: 'other', text: shown(place.corrupted) }));
      if (place.outputs && this.programme() && at > 0) words.push(make('span', { class: `says${pruned === full ? '' : ' wrong'}`, text: `${full} / ${pruned} / ${corrupted}` }));
      const label = `Token ${at}: ${place.clean}${place.corrupted === place.clean ? '' : `, corrupted ${place.corrupted}`}`;
      return make('li', {}, make('button', { type: 'button', 'aria-pressed': String(at === this.position), 'aria-label': visible(label, 120), click: () => this.goto(at) }, ...words));
    });
    const held = byId('prompt-tokens').contains(document.activeElement);
    const legend = this.programme() ? 'Tokens; where the corrupted prompt differs, its token is below. Under each: output of the full model / circuit / corrupted run.' : 'Tokens; where the corrupted prompt differs, its token is below. Choose the token after which to read.';
    byId('prompt-tokens').replaceChildren(make('p', { class: 'note', text: legend }), make('ul', { class: 'strip' }, ...items));
    if (held) byId('prompt-tokens').querySelector('[aria-pressed="true"]')?.focus({ preventScroll: true });
  }

  async goto(position) {
    this.position = position;
    this.page.onState({ pos: position });
    await this.run();
  }
}

/** A token with its space made visible. */
function shown(token) {
  return visible(token.replace(/^ /, '␣').replaceAll('\n', '↵'), 24);
}
