// How a model goes on after each context: its tokens with their probabilities, and how far they are those of the true text.

import { byId, make, visible } from '../dom.js';
import { fixed, percent } from '../numbers.js';
import { head, NAMES } from './contexts.js';
import { Tokens } from './tokens.js';

const STOPS = { end: 'it ended the text here', most: '', full: 'its line is full here' };
const share = (token) => percent(Math.exp(token.log_prob)).replace('−', '');

export class Continued {
  constructor() {
    this.rows = new Map();
    this.found = null;
  }

  /** @param {any} found @param {any} asked */
  show(found, asked) {
    this.found = found;
    const kinds = found.after.map(({ kind }) => kind);
    if (kinds.join() !== [...this.rows.keys()].join()) this.build(kinds);
    byId('goes-words').textContent = `${asked.prompt ? `After “${visible(asked.prompt, 120)}”, ` : ''}${asked.choice.temperature > 0 ? `drawn at a temperature of ${asked.choice.temperature} by seed ${asked.choice.seed}; the same chance in every row` : 'the likeliest token each time'}. The darker a token’s ground, the less sure; underlined is what the true text says too.`;
    for (const after of found.after) {
      const { row, note } = this.rows.get(after.kind);
      const same = agreeing(after.tokens, found.target);
      row.show(after.tokens.map((token, at) => ({
        text: token.text,
        attributes: { class: at < same ? 'same' : null, 'aria-label': `“${visible(token.text, 40)}”, ${share(token)}`, title: share(token) },
        style: { '--doubt': `${Math.round((1 - Math.exp(token.log_prob)) * 100)}%` },
      })));
      row.root.hidden = after.tokens.length === 0;
      const stop = after.tokens.length === 0 ? 'the prompt leaves no room in its line' : STOPS[after.stop];
      note.textContent = [found.target.length && after.tokens.length ? `${same} ${same === 1 ? 'token' : 'tokens'} as in the true text` : '', stop].filter(Boolean).join('; ');
    }
    byId('continued-told').textContent = '';
  }

  build(kinds) {
    this.rows.clear();
    const body = make('tbody');
    for (const kind of kinds) {
      const root = make('div', { class: 'tokens', role: 'group', 'aria-label': `After ${NAMES[kind]}` });
      const note = make('p', { class: 'note' });
      body.append(make('tr', {}, head(kind, 'after '), make('td', {}, root, note)));
      const tell = (at) => this.tell(kind, at);
      this.rows.set(kind, { row: new Tokens(root, { press: tell, reach: tell }), note });
    }
    byId('continued').replaceChildren(make('table', {}, body));
  }

  tell(kind, at) {
    const token = this.found.after.find((after) => after.kind === kind)?.tokens[at];
    if (token) byId('continued-told').textContent = `After ${NAMES[kind]}, token ${at + 1} “${visible(token.text, 40)}”: ${share(token)} (${fixed(token.log_prob, 2)} nats).`;
  }

  csv() {
    return [['context', 'token', 'text', 'log_prob'], ...this.found.after.flatMap((after) => after.tokens.map((token, at) => [after.kind, at, token.text, token.log_prob]))];
  }
}

/** How many tokens are those of the true text, from the first on. */
function agreeing(tokens, target) {
  const at = tokens.findIndex((token, number) => token.id !== target[number]?.id);
  return at < 0 ? Math.min(tokens.length, target.length) : at;
}
