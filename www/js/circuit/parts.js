// The inspector's own elements: the same on the site's page and in a report. They are made here, as none of them does anything without scripts.

import { make } from '../dom.js';

const button = (id, text, more = {}) => make('button', { type: 'button', id, text, ...more });
const field = (text, input, grow = false) => make('label', { class: grow ? 'field grow' : 'field' }, text, ' ', input);
const check = (id, text) => make('label', { class: 'check' }, make('input', { type: 'checkbox', id }), ' ', text);
const push = () => make('span', { class: 'push' });

/** A part with its heading. @param {string} id @param {string} title @param {number} level */
function part(id, title, level, ...children) {
  return make('section', { id, 'aria-labelledby': `${id}-h` }, make(`h${level}`, { id: `${id}-h`, class: 'part', text: title }), ...children);
}

function choices() {
  const files = make('input', { type: 'file', id: 'files', class: 'sr', multiple: true, tabindex: '-1', 'aria-hidden': 'true' });
  return [
    make(
      'form', { id: 'choose', class: 'bar', autocomplete: 'off' },
      field('Model', make('select', { id: 'model' })), field('Circuit', make('select', { id: 'circuit' })), field('Compare with', make('select', { id: 'other' })),
      push(), files, button('open', 'Open files…'),
    ),
    make('p', { class: 'note', id: 'about' }),
    make('div', { class: 'notice', id: 'notice', role: 'alert', hidden: true }),
    make('p', { class: 'note', id: 'status', role: 'status' }),
  ];
}

function stage(level) {
  return make(
    'section', { class: 'stage', 'aria-labelledby': 'graph-h' },
    make(`h${level}`, { id: 'graph-h', class: 'sr', text: 'The circuit' }),
    make(
      'div', { class: 'toolbar', role: 'group', 'aria-label': 'Drawing' },
      button('zoom-in', '+', { 'aria-label': 'Zoom in' }), button('zoom-out', '−', { 'aria-label': 'Zoom out' }), button('zoom-fit', 'Fit'),
      check('show-all', 'All edges of the graph'), push(), make('span', { class: 'counts', id: 'counts' }),
    ),
    make('div', { class: 'graph', id: 'graph' }),
    make('ul', { class: 'key', id: 'key' }),
  );
}

function side(level) {
  const actions = [button('measure', 'Measure the curve'), ' ', button('as-opened', 'Circuit as opened'), ' ', button('score', 'Score the edges (EAP-IG)')];
  const focus = part('focus', 'Nothing chosen', level, make('div', { id: 'focus-body' }));
  // What is chosen is said aloud; its edges are there to be read.
  focus.querySelector('.part').setAttribute('aria-live', 'polite');
  return make('div', { class: 'side' }, part('size', 'Faithfulness against size', level, make('div', { id: 'curve' }), make('p', { class: 'row' }, ...actions)), focus);
}

function run(level) {
  const prompt = (id) => make('input', { id, type: 'text', spellcheck: 'false' });
  const option = (value, text) => make('option', { value, text });
  const ablation = make('select', { id: 'ablation' }, option('interchange', 'the corrupted prompt’s values'), option('zero', 'nothing'));
  return part(
    'live', 'Run it', level,
    make('p', { class: 'note', id: 'live-note', text: 'Kept edges carry the clean prompt’s values, cut edges the corrupted prompt’s. Both prompts need the same number of tokens.' }),
    make(
      'form', { id: 'prompts', autocomplete: 'off' },
      field('Clean prompt', prompt('clean'), true), field('Corrupted prompt', prompt('corrupted'), true), field('Cut edges carry', ablation),
      make('span', { class: 'row' }, button('another', 'Another example'), ' ', button('stop', 'Stop', { hidden: true })),
    ),
    make('div', { class: 'notice', id: 'live-error', role: 'alert', hidden: true }),
    make('div', { id: 'prompt-tokens' }),
    make('p', { class: 'sr', id: 'said', role: 'status' }),
    make('div', { id: 'outputs' }),
  );
}

function edges(level) {
  const search = make('input', { type: 'search', id: 'search', placeholder: 'm0, from:a1.h2, to:resid', spellcheck: 'false' });
  return part(
    'edges', 'Edges', level,
    make(
      'div', { class: 'toolbar' },
      field('Search', search), check('list-all', 'All edges of the graph'), make('span', { class: 'counts', id: 'found', role: 'status' }), push(),
      button('reset', 'Put all switches back', { hidden: true }),
    ),
    make('div', { id: 'table' }),
  );
}

/** Puts the elements into their place. @param {HTMLElement} host @param {number} level of the headings */
export function build(host, level) {
  host.classList.add('inspector');
  host.replaceChildren(
    ...choices(),
    make('div', { class: 'desk' }, stage(level), side(level)),
    run(level),
    edges(level),
    part(
      'save', 'Take it with you', level,
      make('p', { class: 'note', text: 'The file holds the edges shown, their scores, and the names and groups you gave. The address of this page holds what you look at.' }),
      make('p', { class: 'row', id: 'saves' }),
      make('p', { class: 'row', id: 'saves-more' }),
    ),
  );
}
