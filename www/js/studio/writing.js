// Writing on after a picture: a context is drawn, and one text is asked for after it, after a wrong picture, after words and after nothing.

import { csv } from '../csv.js';
import { byId, make, save, visible } from '../dom.js';
import { brief, count } from '../numbers.js';
import { fault, say } from '../page.js';
import { option, quote } from '../shell.js';
import * as state from '../state.js';
import { Continued } from './continued.js';
import { Costs } from './costs.js';
import { Picture } from './picture.js';

const TEXTS = ['context', 'other', 'prompt', 'target'];
const NUMBERS = { most: 12, draw: 0, temperature: 0 };
/** The example shown first. */
const FACTS = 14;
const MOST_IN_ADDRESS = 1500;
/** Screen pixels a pixel of a picture; less where a page is wider than its room. */
const ZOOM = 2;
const LEAST = 1;

export class Writing {
  /** @param {import('./models.js').Models} models @param {(action: (event?: any) => any) => any} guarded */
  constructor(models, guarded) {
    this.models = models;
    this.pictures = { context: new Picture(byId('context-picture')), other: new Picture(byId('other-picture')) };
    this.continued = new Continued();
    this.costs = new Costs({ press: guarded((token) => this.press(token)) });
    /** Number of the example whose texts these are; null once a person changed one. */
    this.example = null;
    /** Tokens that count; null for all. */
    this.counts = null;
    Object.assign(this, { model: null, asked: null, found: null, wanted: 0, done: 0, asking: false });
    const changed = (action) => guarded(async () => {
      await action?.();
      this.remember();
      await this.ask();
    });
    for (const id of TEXTS) byId(id).addEventListener('input', changed(() => this.own(id)));
    for (const id of Object.keys(NUMBERS)) byId(id).addEventListener('input', changed());
    byId('facts').addEventListener('input', changed(() => this.draw(number('facts'))));
    byId('more-facts').addEventListener('click', changed(() => this.draw(number('facts') + 1)));
    byId('swap').addEventListener('click', changed(() => {
      [byId('context').value, byId('other').value] = [byId('other').value, byId('context').value];
      this.own('context');
    }));
    byId('count-all').addEventListener('click', changed(() => (this.counts = null)));
    byId('writer').addEventListener('change', changed(() => this.take(byId('writer').value)));
    byId('passage').addEventListener('submit', (event) => event.preventDefault());
    const file = (id, name, type, content) => byId(id).addEventListener('click', guarded(() => this.found && save(name, new Blob([content()], { type }))));
    file('save-continued', 'continuations.csv', 'text/csv', () => csv(this.continued.csv()));
    file('save-costs', 'costs.csv', 'text/csv', () => csv(this.costs.csv()));
    file('save-beside', 'beside.json', 'application/json', () => this.json());
  }

  /** Called when it is shown: the model is fetched the first time. */
  async start() {
    if (this.model) {
      this.paint();
      return;
    }
    const wish = state.read();
    for (const [id, usual] of Object.entries(NUMBERS)) byId(id).value = wish[id] ?? usual;
    await this.take(this.models.writers().some(({ id }) => id === wish.writer) ? wish.writer : this.models.writers()[0]?.id);
    const written = TEXTS.filter((id) => wish[id] !== undefined);
    if (written.length) for (const id of TEXTS) byId(id).value = wish[id] ?? '';
    else await this.draw(/^\d{1,15}$/.test(wish.facts ?? '') ? Number(wish.facts) : FACTS);
    if (wish.count) this.counts = wish.count === 'all' ? null : wish.count.split('.').filter((one) => /^\d{1,6}$/.test(one)).map(Number);
    await this.ask();
  }

  /** Takes a model; what was there stays where it cannot be opened. @param {string|undefined} id */
  async take(id) {
    if (!id) throw new Error('this site came without a model that writes; open one');
    try {
      say('Loading the model');
      await this.models.written(id);
      this.model = id;
    } finally {
      say('');
      this.offer();
    }
    byId('about-writer').textContent = this.models.aboutWriter(id);
  }

  offer() {
    byId('writer').replaceChildren(...this.models.writers().map(({ id: value, title }) => make('option', { value, text: visible(title, 60) })));
    if (this.model) byId('writer').value = this.model;
  }

  /** A person changed a text. */
  own(id) {
    this.example = null;
    if (id === 'target' || id === 'prompt') this.counts = null;
  }

  /** Fills in the example of a number. @param {number} seed */
  async draw(seed) {
    await this.models.written(this.model);
    const example = await this.models.client.call('example', { id: this.model, seed });
    for (const id of TEXTS) byId(id).value = example[id] ?? '';
    byId('facts').value = String(seed);
    [this.example, this.counts] = [seed, example.counts];
    this.usual = example.counts.join('.');
  }

  /** A token counts, or no longer. @param {number} token */
  async press(token) {
    const counted = new Set(this.found.target.flatMap((one, at) => (one.counts ? [at] : [])));
    if (!counted.delete(token)) counted.add(token);
    this.counts = [...counted].sort((a, b) => a - b);
    this.remember();
    await this.ask();
    this.costs.tell(token);
  }

  wish() {
    const text = Object.fromEntries(TEXTS.map((id) => [id, byId(id).value]));
    return { ...text, other: text.other === '' ? null : text.other, counts: this.counts, most: number('most'), choice: { temperature: Number(byId('temperature').value), seed: number('draw') } };
  }

  /** Asks the model; while it thinks, only the newest wish waits. */
  async ask() {
    byId('temperature-now').textContent = byId('temperature').value === '0' ? 'the likeliest' : byId('temperature').value;
    if (!this.model) return;
    this.wanted += 1;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.done < this.wanted) {
        const turn = this.wanted;
        const asked = this.wish();
        const found = await this.models.write(this.model, asked);
        Object.assign(this, { asked, found });
        this.done = turn;
        this.show();
      }
    } catch (error) {
      this.done = this.wanted;
      fault(error);
    } finally {
      this.asking = false;
    }
  }

  show() {
    const { found, asked } = this;
    for (const name of ['context', 'other']) {
      const seen = found[name];
      const figure = byId(`${name}-picture`).closest('figure');
      figure.hidden = !seen;
      if (!seen) continue;
      this.pictures[name].take(found.pixels[name], { width: seen.width, height: seen.height, patch: seen.patch, attended: seen.attended, end: seen.attended });
      const [drawn, all] = seen.bytes;
      const two = seen.patch[1] === 16 && this.models.writerFacts(this.model)?.render.style === 'mono' ? ', two letters each' : '';
      byId(`${name}-told`).textContent = `${name === 'context' ? 'The picture' : 'The wrong picture'}: ${count(seen.attended)} patches${two}${drawn < all ? `; ${count(all - drawn)} of ${count(all)} bytes found no room` : ''}.`;
    }
    this.paint();
    this.continued.show(found, asked);
    this.costs.show(found);
    byId('beside-command').textContent = this.command();
    byId('beside-cost').textContent = `${brief(Math.round(found.milliseconds))} ms for all four, on the processor of this machine (WebAssembly).`;
  }

  /** The pictures, in the room there is. */
  paint() {
    for (const name of ['context', 'other']) {
      if (!this.found?.[name]) continue;
      const room = byId(`${name}-picture`).closest('figure').clientWidth - 20;
      // Halves keep the pixels of a picture alike.
      const zoom = Math.max(LEAST, Math.min(ZOOM, Math.floor((2 * room) / this.found[name].width) / 2));
      this.pictures[name].draw({ zoom, grid: true, hidden: null, chosen: null, how: 'drawn' });
    }
  }

  command() {
    const { asked } = this;
    const file = this.model === 'own-writer' ? quote(this.models.ownWriter.name) : `www/models/${this.models.writer(this.model).file}`;
    const { temperature, seed } = asked.choice;
    const count_of = asked.counts && asked.target ? [`--count ${asked.counts.length ? asked.counts.join(',') : 4095}`] : [];
    return [
      'vitrine screenshot continue --beside --model', file, option('--context', asked.context), ...(asked.other === null ? [] : [option('--other', asked.other)]), option('--prompt', asked.prompt), option('--target', asked.target),
      ...count_of, `--most ${asked.most}`, ...(temperature > 0 ? [`--temperature ${temperature}`, `--seed ${seed}`] : []),
    ].join(' ');
  }

  /** As `vitrine screenshot continue --beside --json` prints it. */
  json() {
    const { milliseconds, pixels, ...beside } = this.found;
    return JSON.stringify({ schema: 'vitrine.screenshot-beside/1', model: this.models.writer(this.model)?.title ?? this.model, asked: this.asked, beside }, null, 1);
  }

  /** Writes what is shown into the address. */
  remember() {
    const short = TEXTS.every((id) => byId(id).value.length <= MOST_IN_ADDRESS);
    const texts = Object.fromEntries(TEXTS.map((id) => [id, this.example === null && short ? byId(id).value : null]));
    const counts = this.counts === null ? 'all' : this.counts.join('.') || 'none';
    const usual = this.example === null ? 'all' : this.usual;
    const numbers = Object.fromEntries(Object.entries(NUMBERS).map(([id, value]) => [id, byId(id).value === String(value) ? null : byId(id).value]));
    const first = this.models.writers()[0]?.id;
    state.write({ ...texts, ...numbers, facts: this.example === null || this.example === FACTS ? null : this.example, count: counts === usual ? null : counts, writer: this.model === first || this.model === 'own-writer' ? null : this.model });
  }
}

/** A whole number that was typed. @param {string} id */
function number(id) {
  const typed = Number(byId(id).value);
  if (!Number.isSafeInteger(typed) || typed < Number(byId(id).min)) throw new Error(`${visible(byId(id).closest('label').firstChild.textContent.trim(), 40)} has to be a whole number, ${byId(id).min} or more`);
  return typed;
}
