// The models that can be looked into or that write on: those of the site, one before any training, those of the person's own. A worker holds them.

import { bytes, text } from '../host.js';
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
    this.ownWriter = null;
    this.shippedWriters = [];
    this.facts = new Map();
    /** Files of the site that were fetched, by path: what was loaded once is asked offline too. */
    this.files = new Map();
  }

  async start() {
    const { models, writers, text: source } = JSON.parse(await text('screenshot/models.json'));
    this.shipped = models;
    this.shippedWriters = writers ?? [];
    this.source = source;
  }

  /** Fetches the site's models that nobody asked for yet. */
  async keep() {
    for (const { file } of [...this.shipped, ...this.shippedWriters]) await this.file(`models/${file}`);
  }

  /** @param {string} path */
  async file(path) {
    if (!this.files.has(path)) this.files.set(path, await bytes(path));
    return this.files.get(path);
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
      const from = id === 'own' ? { content: this.own.content } : { content: await this.file(`models/${shipped.file}`), seed: id === 'none' ? 0 : undefined };
      this.facts.set(id, await this.client.call('model', { id, ...from }));
    }
    return this.facts.get(id);
  }

  async look(id, asked) {
    await this.ready(id);
    return this.client.call('look', { id, asked });
  }

  /** Names and titles of the models that write on. */
  writers() {
    const list = this.shippedWriters.map(({ id, title, file }) => ({ id, title, file }));
    if (this.ownWriter) list.push({ id: 'own-writer', title: this.ownWriter.name, file: this.ownWriter.name });
    return list;
  }

  /** @param {string} id */
  writer(id) {
    return this.writers().find((one) => one.id === id);
  }

  /** Shape and eye of a model that writes, where it is open. @param {string} id */
  writerFacts(id) {
    return this.facts.get(id);
  }

  /** Opens a model that writes unless it is open. @param {string} id */
  async written(id) {
    if (!this.client.worker) this.facts.clear();
    if (!this.facts.has(id)) {
      const from = id === 'own-writer' ? { content: this.ownWriter.content } : { content: await this.file(`models/${this.writer(id).file}`) };
      this.facts.set(id, await this.client.call('writer', { id, ...from }));
    }
    return this.facts.get(id);
  }

  async write(id, asked) {
    await this.written(id);
    return this.client.call('write', { id, asked });
  }

  /** The median milliseconds of five looks, free reading and pictures included. */
  async time(id, asked) {
    const took = [];
    for (let at = 0; at < 5; at += 1) took.push((await this.look(id, asked)).milliseconds);
    return took.sort((a, b) => a - b)[2];
  }

  /** A file of the person's, of either kind; the model from before stays where this cannot be opened. @param {File} file @returns {Promise<'own'|'own-writer'>} what it is */
  async open(file) {
    if (!/\.safetensors$/i.test(file.name)) throw new Error('choose a model file that “vitrine screenshot pretrain” made (.safetensors)');
    if (file.size > MOST_FILE) throw new Error(`${file.name} has ${Math.round(file.size / (1 << 20))} MiB; models up to ${MOST_FILE >> 20} MiB can be opened here`);
    const own = { name: file.name, content: await file.arrayBuffer() };
    const writes = await this.client.call('writes', own.content);
    const id = writes ? 'own-writer' : 'own';
    const facts = await this.client.call(writes ? 'writer' : 'model', { id, content: own.content });
    if (writes) this.ownWriter = own;
    else this.own = own;
    this.facts.set(id, facts);
    return id;
  }

  /** What a model that writes is, for people. @param {string} id */
  aboutWriter(id) {
    const { model, numbers } = this.facts.get(id);
    const shape = `${(numbers / 1e6).toFixed(2)} million numbers, ${model.tower.layers} layers, ${count(model.vocab)} tokens, pictures of ${count(model.rows)} rows of ${count(model.columns)} patches`;
    const shipped = this.shippedWriters.find((one) => one.id === id);
    if (!shipped) return `${shape}.`;
    const { perplexity, ratio, wrong_ratio: wrong } = shipped.kept_out;
    const minutes = Math.max(1, Math.round(shipped.processor_seconds / 60));
    return `A small model: ${shape}, trained for ${minutes} minutes of processor time on ${shipped.note}. On pages kept out the perplexity of an answer is ${perplexity.nothing.toFixed(2)} after nothing, ${perplexity.picture.toFixed(2)} after the picture (${ratio.toFixed(2)} times as much), ${perplexity.wrong.toFixed(2)} after a wrong one (${wrong.toFixed(2)} times), ${perplexity.words.toFixed(2)} after the words. It knows the words of its facts and no others.`;
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
