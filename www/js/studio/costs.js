// What each token of the true text costs after each context: bars over the text, means, and all of it as a table.

import { byId, make, svg, visible } from '../dom.js';
import { meter } from '../plot.js';
import { brief, count, fixed } from '../numbers.js';
import { colour, head, key, NAMES } from './contexts.js';
import { Tokens } from './tokens.js';

const HIGH = 56;
const WIDE = 6;
const said = (text) => `“${visible(text, 40)}”`;

/** Text with bars over it: its buttons hold a drawing beside their words. */
class Bars extends Tokens {
  show(tokens) {
    super.show(tokens);
    this.buttons().forEach((button, at) => button.prepend(tokens[at].bars));
  }
}

export class Costs {
  /** @param {{ press: (token: number) => void }} on */
  constructor(on) {
    this.found = null;
    this.tokens = new Bars(byId('costs'), { press: on.press, reach: (at) => this.tell(at) });
  }

  /** @param {any} found */
  show(found) {
    this.found = found;
    const all = found.after.flatMap((after) => after.target.map((one) => -one.log_prob));
    const most = Math.max(1, ...all);
    const nats = (at) => found.after.map((after) => (after.target[at] ? -after.target[at].log_prob : null));
    this.tokens.show(found.target.map((token, at) => ({
      text: token.text,
      bars: bars(nats(at), found.after, most),
      attributes: { 'aria-pressed': token.counts, 'aria-label': `${said(token.text)}, ${token.counts ? 'counts' : 'does not count'}: ${this.words(at)}` },
    })));
    byId('costs').hidden = byId('costs-legend').hidden = found.target.length === 0;
    byId('costs-words').textContent = found.target.length === 0
      ? 'Write how the text truly goes on, and every token of it is scored.'
      : `${count(found.counted)} of ${count(found.target.length)} tokens count (underlined); press one to count it or not. Only those count that have room in every line. A bar as high as the line is ${fixed(most, 1)} nats, a perplexity of ${brief(Math.exp(most))}.`;
    byId('costs-legend').replaceChildren('Bars from left to right: ', ...found.after.flatMap(({ kind }) => [make('span', { class: 'named' }, key(kind), `after ${NAMES[kind]}`), ' ']));
    byId('costs-told').textContent = found.target.length ? 'Point at a token, or go there with the arrow keys, to see its numbers.' : '';
    this.means();
    this.table(nats);
  }

  /** The numbers of a token in words. */
  words(at) {
    return this.found.after.map((after) => `${after.target[at] ? `${fixed(-after.target[at].log_prob, 2)} nats` : 'no room'} after ${NAMES[after.kind]}`).join(', ');
  }

  tell(at) {
    const token = this.found.target[at];
    const one = (after) => {
      const scored = after.target[at];
      if (!scored) return `after ${NAMES[after.kind]} no room`;
      const first = scored.top[0];
      return `after ${NAMES[after.kind]} ${fixed(-scored.log_prob, 3)} nats, a perplexity of ${brief(Math.exp(-scored.log_prob))}${first && first.id !== token.id ? ` (likelier ${said(first.text)})` : ''}`;
    };
    byId('costs-told').textContent = `Token ${at + 1} ${said(token.text)}, ${token.counts ? 'counts' : 'does not count'}: ${this.found.after.map(one).join('; ')}.`;
  }

  means() {
    const { after } = this.found;
    const most = Math.max(0, ...after.map(({ ratio }) => ratio ?? 0));
    const cell = (value, digits) => make('td', { class: 'number', text: value === null ? 'none' : value < 1e6 ? fixed(value, digits) : brief(value) });
    byId('means').tBodies[0].replaceChildren(...after.map((one) => make('tr', {}, head(one.kind), cell(one.nats, 3), cell(one.perplexity, 2), cell(one.ratio, 3), make('td', { class: 'meter-cell' }, one.ratio === null ? null : meter(one.ratio, most, false)))));
  }

  table(nats) {
    const { after, target } = this.found;
    const heads = ['Token', 'Text', 'Counts', ...after.map(({ kind }) => `Nats after ${NAMES[kind]}`)];
    byId('costs-table').tHead.replaceChildren(make('tr', {}, ...heads.map((text) => make('th', { scope: 'col', text }))));
    byId('costs-table').tBodies[0].replaceChildren(...target.map((token, at) => make('tr', {}, make('th', { scope: 'row', text: at + 1 }), make('td', { text: visible(token.text, 60) }), make('td', { text: token.counts ? 'yes' : '' }), ...nats(at).map((one) => make('td', { text: one === null ? 'no room' : fixed(one, 3) })))));
  }

  csv() {
    const { after, target } = this.found;
    return [['token', 'text', 'first_byte', 'after_last_byte', 'counts', ...after.map(({ kind }) => `log_prob_${kind}`)], ...target.map((token, at) => [at, token.text, ...token.bytes, Number(token.counts), ...after.map((one) => one.target[at]?.log_prob ?? '')])];
  }
}

/** A bar a context. */
function bars(nats, after, most) {
  const wide = after.length * (WIDE + 1);
  return svg('svg', { class: 'fig bars', viewBox: `0 0 ${wide} ${HIGH + 1}`, width: wide, height: HIGH + 1, 'aria-hidden': 'true' }, ...nats.map((one, at) => {
    const high = one === null ? 0 : Math.max(1, (one / most) * HIGH);
    return svg('rect', { class: `bar ${colour(after[at].kind)}`, x: at * (WIDE + 1) + 0.5, y: HIGH - high + 0.5, width: WIDE - 1, height: high });
  }));
}
