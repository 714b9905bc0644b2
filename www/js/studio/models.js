// The models that can be looked into: those of the site, one before any training, one of the person's own. A worker holds them.

import { text } from '../host.js';
import { count } from '../numbers.js';
import { Client } from '../worker/client.js';

/** Largest model file that is opened in a page. */
const MOST_FILE = 256 << 20;

export class Models {
  constructor() {
    this.client = new Client('onlooker.js', 'studio');
    this.shipped = [];
    this.source = '';
    this.own = null;
    this.facts = new Map();
  }

  async start() {
    const { models, text: source } = JSON.parse(await text('screenshot/models.json'));
    this.shipped = models;
    this.source = source;
  }

  /** Names and titles, those to compare first. */
  list() {
    const list = this.shipped.map(({ id, title }) => ({ id, title }));
    if (this.shipped.length) list.push({ id: 'none', title: 'before training' });
    if (this.own) list.push({ id: 'own', title: this.own.name });
    return list;
  }

  title(id) {
    return this.list().find((one) => one.id === id)?.title ?? id;
  }

  /** Opens a model unless it is open. @param {string} id @returns {Promise<any>} its shape and eye */
  async ready(id) {
    if (!this.client.worker) this.facts.clear();
    if (!this.facts.has(id)) {
      const shipped = this.shipped.find((one) => one.id === (id === 'none' ? this.shipped[0]?.id : id));
      const from = id === 'own' ? { content: this.own.content } : { path: `models/${shipped.file}`, seed: id === 'none' ? 0 : undefined };
      this.facts.set(id, await this.client.call('model', { id, ...from }));
    }
    return this.facts.get(id);
  }

  async look(id, asked) {
    await this.ready(id);
    return this.client.call('look', { id, asked });
  }

  /** A file of the person's; the model from before stays where this cannot be opened. @param {File} file */
  async open(file) {
    if (!/\.safetensors$/i.test(file.name)) throw new Error('choose a model file that “vitrine screenshot pretrain” made (.safetensors)');
    if (file.size > MOST_FILE) throw new Error(`${file.name} has ${Math.round(file.size / (1 << 20))} MiB; models up to ${MOST_FILE >> 20} MiB can be opened here`);
    const own = { name: file.name, content: await file.arrayBuffer() };
    const facts = await this.client.call('model', { id: 'own', content: own.content });
    this.own = own;
    this.facts.set('own', facts);
  }

  /** What a model is, for people. @param {string} id */
  about(id) {
    const facts = this.facts.get(id);
    if (!facts) return '';
    const { model, render, numbers } = facts;
    const shipped = this.shipped.find((one) => one.id === id);
    const two = render.style === 'mono' && render.patch_width === 16 ? ', two letters each' : '';
    const eye = `It reads pictures of ${count(model.patches)} patches${two}, as it was trained; choose “none” to draw any layout.`;
    const size = `${(numbers / 1e6).toFixed(2)} million numbers`;
    if (id === 'own') return `${size}, ${model.encoder.layers} layers in the encoder, ${count(model.vocab)} tokens. ${eye}`;
    if (id === 'none') return `The same ${size}, fresh from a seed: it has learned nothing, and shows what the others have. ${eye}`;
    const minutes = Math.max(1, Math.round(shipped.processor_seconds / 60));
    const kept = shipped.kept_out;
    const reads = kept.read_gap > 0.1 ? ` On lines kept out it spends ${kept.text_loss.toFixed(2)} nats a token, with another text’s picture ${(kept.text_loss + kept.read_gap).toFixed(2)}: it reads.` : '';
    return `A small model: ${size}, trained for ${minutes} minutes of processor time; it ${shipped.note}.${reads} Its text: ${this.source}. Words unlike those it will misread. ${eye}`;
  }
}
