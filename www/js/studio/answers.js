// What a model made of the picture, laid out: pieces of words, redrawn patches, the reading, where it looks, and the other models beside it.

import { byId, make, visible } from '../dom.js';
import { brief, count, fixed, percent } from '../numbers.js';
import { option, quote } from '../shell.js';
import * as compare from './compare.js';
import { plot } from './losses.js';
import { Picture } from './picture.js';
import { Reading, rows } from './reading.js';
import * as stress from './stress.js';
import { Tokens } from './tokens.js';

/** Patches named where attention is told in words. */
const NAMED = 5;

/** The largest shares with their patches. @param {number[]} shares @param {number} most */
const largest = (shares, most) => shares.map((share, at) => [share, at]).sort((a, b) => b[0] - a[0]).slice(0, most).filter(([share]) => share > 0);

export class Answers {
  /** @param {import('./models.js').Models} models @param {{ press: (token: number) => void, reached: () => void, choose: (picture: Picture, patch: number) => void }} on */
  constructor(models, on) {
    this.models = models;
    this.redrawn = new Picture(byId('redrawn'));
    this.heat = new Picture(byId('heat'));
    this.pieces = new Tokens(byId('pieces'), { press: on.press });
    this.reading = new Reading((at) => {
      this.reading.choose(at);
      on.reached();
    });
    byId('token').addEventListener('input', () => {
      this.reading.choose(Number(byId('token').value));
      on.reached();
    });
    for (const picture of [this.redrawn, this.heat]) picture.canvas.addEventListener('pointermove', (event) => {
      const patch = picture.under(event);
      if (patch !== null) on.choose(picture, patch);
    });
    this.clear();
  }

  clear() {
    this.model = null;
    this.asked = null;
    this.look = null;
    this.before = null;
    this.others = [];
    this.fresh = false;
  }

  /** Asks a model, under stress also calmly, and where wished the others. @param {string} model @param {any} asked @param {boolean} beside */
  async ask(model, asked, beside) {
    const before = stress.active(asked.stress) ? await this.models.look(model, { ...asked, stress: stress.calm }) : null;
    // Last, so that what the worker keeps for a picture is this.
    const look = await this.models.look(model, asked);
    const others = [];
    for (const { id, title } of beside ? this.models.list().filter((one) => one.id !== model) : []) others.push({ title, look: await this.models.look(id, asked) });
    Object.assign(this, { model, asked, look, before, others, fresh: true });
  }

  /** A patch of the damaged picture with the letters of the text under it. */
  named(patch) {
    const [from, to] = this.look.patches[patch].bytes;
    const number = `patch ${patch + 1}`;
    if (patch === this.look.end_patch) return `${number}, the end marker,`;
    return from === to ? number : `${number} “${visible(new TextDecoder().decode(new TextEncoder().encode(this.asked.text).slice(from, to)), 60)}”`;
  }

  /** Draws everything. @param {Picture} given @param {{ zoom: number, grid: boolean }} how @param {number|null} picked */
  draw(given, how, picked) {
    const { look } = this;
    const shape = { width: look.width, height: look.height, patch: look.patch, attended: look.attended, end: look.end_patch };
    const hidden = Uint8Array.from(look.patches, (patch) => Number(patch.hidden));
    if (this.fresh) {
      given.take(look.given, shape);
      this.redrawn.take(look.redrawn, shape);
      this.heat.take(look.given, shape);
      this.pieces.show(look.tokens.slice(0, 400).map((token) => ({ text: token.text, attributes: { 'aria-pressed': token.masked, class: token.drawn ? null : 'away', title: token.drawn ? null : 'not in the picture' } })));
      this.reading.take(look);
      byId('token').replaceChildren(...look.tokens.flatMap((token, at) => (token.drawn ? [make('option', { value: at, text: `${at + 1} ${visible(token.text, 30)}` })] : [])));
      byId('plot').replaceChildren(plot(look, this.others));
      stress.show(look, this.before);
      this.words();
    }
    byId('token').value = String(this.reading.chosen);
    given.draw({ ...how, hidden, chosen: picked, how: 'given' });
    this.redrawn.draw({ ...how, hidden, chosen: picked, how: 'redrawn' });
    this.lookAt(how, hidden, picked);
    if (this.fresh || this.zoom !== how.zoom || this.grid !== how.grid) compare.show(this.others.length ? [{ title: this.models.title(this.model), look }, ...this.others] : [], how);
    Object.assign(this, { fresh: false, zoom: how.zoom, grid: how.grid });
    this.tell(picked);
  }

  words() {
    const { look, asked } = this;
    const count_of = look.patches.filter((patch) => patch.loss !== null).length;
    byId('redrawn-words').textContent = count_of === 0 ? 'No patch of the text is hidden, so nothing is redrawn.' : `${count(count_of)} hidden patches redrawn, underlined; their loss is ${fixed(look.loss.pixel, 2)} on average (1 is what grey all over costs).`;
    byId('cost').textContent = `${brief(Math.round(look.milliseconds))} ms for this look, on the processor of this machine.`;
    // None by hand is a rate of 0.
    const own = (name, list) => (list?.length ? [`--${name} ${list.join(',')}`] : []);
    const rate = (list, drawn) => (list?.length === 0 ? 0 : drawn);
    const file = this.model === 'own' ? quote(this.models.own.name) : `www/models/screenshot/${this.model === 'none' ? 'ptp' : this.model}.safetensors`;
    byId('look-command').textContent = ['vitrine screenshot reconstruct --model', file, option('--text', asked.text), `--rate ${rate(asked.hidden, asked.patch_rate)} --text-rate ${rate(asked.masked, asked.text_rate)}`, ...(asked.hide === 'single' ? ['--single'] : []), ...(asked.seed ? [`--seed ${asked.seed}`] : []),
      ...own('hide', asked.hidden), ...own('mask', asked.masked), ...(this.model === 'none' ? ['--untrained 0'] : []), ...stress.words(asked.stress), '--out seen.png'].join(' ');
  }

  /** Where the chosen token or patch looks. */
  lookAt(how, hidden, picked) {
    const { look } = this;
    const from = byId('from').value;
    byId('token').closest('label').hidden = from !== 'token';
    const source = from === 'token' ? look.tokens[this.reading.chosen] : look.patches[picked ?? 0];
    const attention = source?.attention ?? null;
    this.heat.draw({ ...how, hidden, chosen: from === 'patch' ? (picked ?? 0) : null, how: 'heat', heat: attention?.patches });
    if (!attention) {
      byId('heat-told').textContent = from === 'patch' ? 'This patch is not seen by the encoder, so it looks nowhere. Point at another.' : 'There is no token to write.';
      return;
    }
    const most = largest(attention.patches, NAMED);
    const who = from === 'token' ? `To write “${visible(source.text, 40)}” it looks at` : `From ${this.named(picked ?? 0)} it looks at`;
    byId('heat-told').textContent = `${who} ${[...most.map(([share, at]) => `${this.named(at)} ${percent(share)}`), `the picture as a whole (CLS) ${percent(attention.cls)}`].join(', ')}. Mean over the heads of the last layer; the strongest colour is the largest share.`;
  }

  /** The patch of the damaged picture under the pointer. */
  tell(picked) {
    const patch = picked === null ? null : this.look.patches[picked];
    if (!patch) byId('given-told').textContent = 'Point at a patch to see what lies under it.';
    else {
      const tokens = patch.tokens.slice(0, 8).map((at) => `“${visible(this.look.tokens[at].text, 30)}”${this.look.tokens[at].masked ? ' (masked)' : ''}`).join(', ');
      const what = tokens ? `shows tokens ${tokens}` : picked === this.look.end_patch ? 'is the end marker' : picked >= this.look.attended ? 'is white, after the end' : 'holds no letter of the text';
      const [from, to] = patch.bytes;
      const most = patch.attention ? largest(patch.attention.patches, 2).map(([share, at]) => `${this.named(at)} ${percent(share)}`).join(' and ') : '';
      byId('given-told').textContent = `Patch ${picked + 1} ${what}${from === to ? '' : `, ${to - from === 1 ? `byte ${from}` : `bytes ${from} to ${to - 1}`}`}${patch.hidden ? '; hidden' : ''}${patch.loss === null ? '' : `, redrawn with a loss of ${fixed(patch.loss, 2)}`}.${most ? ` From here the encoder looks most at ${most}.` : ''}`;
    }
  }

  /** As `vitrine screenshot reconstruct --json` prints it. */
  json() {
    const { milliseconds, given, redrawn, ...look } = this.look;
    return JSON.stringify({ schema: 'vitrine.screenshot-look/1', model: this.models.title(this.model), asked: this.asked, look }, null, 1);
  }

  tokenRows() {
    return rows(this.look);
  }

  patchRows() {
    return [['patch', 'first_byte', 'after_last_byte', 'attended', 'hidden', 'loss'], ...this.look.patches.map((patch, at) => [at, ...patch.bytes, Number(patch.attended), Number(patch.hidden), patch.loss ?? ''])];
  }
}
