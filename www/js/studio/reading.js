// What the text decoder reads: every token with its probability, the likeliest five, the same freely, and all of it as a table.

import { byId, make, visible } from '../dom.js';
import { fixed, percent } from '../numbers.js';
import { Tokens } from './tokens.js';

const probability = (token) => Math.exp(token.log_prob);
const share = (value) => percent(value).replace('−', '');
const said = (text) => `“${visible(text, 60)}”`;

/** Whether the model would have written another token. */
export const astray = (token) => token.top.length > 0 && token.top[0].id !== token.id;

export class Reading {
  /** @param {(at: number) => void} choose called with the token that was chosen */
  constructor(choose) {
    this.look = null;
    this.chosen = 0;
    /** Whether a person chose; before, it is the first masked token. */
    this.touched = false;
    this.tokens = new Tokens(byId('read'), { press: choose, reach: choose });
  }

  /** @param {any} look */
  take(look) {
    this.look = look;
    const drawn = look.tokens.filter((token) => token.drawn);
    if (!this.touched) this.chosen = Math.max(0, drawn.findIndex((token) => token.masked));
    this.chosen = Math.min(this.chosen, Math.max(0, drawn.length - 1));
    this.tokens.show(drawn.map((token, at) => ({
      text: token.text,
      attributes: {
        class: `${token.masked ? 'masked ' : ''}${astray(token) ? 'astray' : ''}`.trim() || null,
        'aria-pressed': at === this.chosen,
        'aria-label': `${said(token.text)}${token.masked ? ', masked' : ''}, ${share(probability(token))}`,
        title: `${share(probability(token))}${astray(token) ? `; likelier ${said(token.top[0].text)}` : ''}`,
      },
      style: { '--doubt': `${Math.round((1 - probability(token)) * 100)}%` },
    })));
    byId('read').hidden = drawn.length === 0;
    const { text, masked } = look.loss;
    const right = drawn.filter((token) => !astray(token)).length;
    byId('read-words').textContent = drawn.length === 0
      ? 'Nothing of the text is in the picture, so nothing is asked.'
      : `${right} of ${drawn.length} tokens are what the model finds likeliest; ${fixed(text, 2)} nats a token${masked === null ? '' : `, ${fixed(masked, 2)} where it was masked`}.${look.all_drawn ? '' : ' The rest of the text is not in the picture and not asked for.'}`;
    byId('free').textContent = look.free ? visible(look.free.text.trim(), 400) || '…' : '';
    byId('free-note').hidden = !look.free?.cut;
    this.masked(drawn);
    this.table(look);
    this.tell();
  }

  choose(at) {
    [this.chosen, this.touched] = [at, true];
    this.tokens.buttons().forEach((button, number) => button.setAttribute('aria-pressed', String(number === at)));
    this.tell();
  }

  /** The chosen token, in words. */
  tell() {
    const token = this.look?.tokens[this.chosen];
    if (!token?.drawn) byId('read-told').textContent = '';
    else byId('read-told').textContent = `Token ${this.chosen + 1}, ${said(token.text)}${token.masked ? ', masked' : ''}: ${share(probability(token))} (${fixed(token.log_prob, 2)} nats). Likeliest: ${token.top.map((guess) => `${said(guess.text)} ${share(Math.exp(guess.log_prob))}`).join(', ')}.`;
  }

  /** What the model would put behind each mask. */
  masked(drawn) {
    const list = drawn.filter((token) => token.masked);
    byId('masked').hidden = list.length === 0;
    const guess = (token) => ({ id, text, log_prob: log }) => make('li', { class: id === token.id ? 'right' : null }, make('span', { class: 'share', text: share(Math.exp(log)) }), make('span', { text: visible(text, 40).replaceAll(' ', '\u00a0') }), id === token.id ? make('span', { class: 'sr', text: ' (the masked token)' }) : null);
    byId('masked-list').replaceChildren(...list.map((token) => make('div', {}, make('h4', {}, visible(token.text, 40).replaceAll(' ', '\u00a0'), make('span', { class: 'share', text: ` ${share(probability(token))}` })), make('ol', {}, ...token.top.map(guess(token))))));
  }

  table(look) {
    const row = (token, at) => make('tr', { class: token.masked ? 'masked' : null },
      make('th', { scope: 'row', text: at + 1 }), make('td', { text: visible(token.text, 60) }), make('td', { text: token.masked ? 'yes' : '' }),
      make('td', { text: token.drawn ? share(probability(token)) : 'not drawn' }), make('td', { text: token.drawn ? fixed(token.log_prob, 3) : '' }),
      make('td', { text: token.top.length ? `${visible(token.top[0].text, 60)} ${share(Math.exp(token.top[0].log_prob))}` : '' }), make('td', { text: look.free?.tokens[at] ? visible(look.free.tokens[at].text, 60) : '' }));
    byId('read-table').tBodies[0].replaceChildren(...look.tokens.slice(0, 400).map(row));
  }
}

/** Rows of a table of tokens, names first. @param {any} look */
export function rows(look) {
  const top = [1, 2, 3, 4, 5].flatMap((n) => [`top_${n}`, `top_${n}_log_prob`]);
  return [['token', 'text', 'first_byte', 'after_last_byte', 'masked', 'drawn', 'log_prob', 'freely', ...top],
    ...look.tokens.map((token, at) => [at, token.text, ...token.bytes, Number(token.masked), Number(token.drawn), token.log_prob ?? '', look.free?.tokens[at]?.text ?? '', ...token.top.flatMap((guess) => [guess.text, guess.log_prob])])];
}
