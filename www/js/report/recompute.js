// The stored numbers made again: a worker runs the report's own circuits on the report's own models, and every number stands beside the stored one.

import { make, sentence, visible } from '../dom.js';
import { brief, count } from '../numbers.js';
import { Client } from '../worker/client.js';
import { source, text } from './host.js';

export class Recompute {
  /** @param {any[]} exhibits models whose numbers can be made again */
  constructor(exhibits) {
    this.exhibits = exhibits;
    this.client = new Client('model.js');
    this.button = make('button', { type: 'button', class: 'main', id: 'recompute', text: 'Compute the numbers again', hidden: exhibits.length === 0, click: () => this.run() });
    this.echo = null;
    this.words = make('p', { class: 'readout', id: 'recomputed', role: 'status', hidden: true });
    this.place = make('div', {}, this.words);
  }

  /** Buttons at the panels whose numbers are meant. */
  offer() {
    for (const { run, check } of this.exhibits) {
      for (const panel of [check.table, check.figure]) {
        const tools = panel && panelAt(run, panel)?.querySelector('.tools');
        if (!tools || tools.querySelector('.again')) continue;
        tools.append(' ', make('button', { type: 'button', class: 'again', text: 'Compute again', click: (event) => this.run(event.target.closest('.tools')) }));
      }
    }
  }

  /** @param {Element|null} asked the tools of the panel where it was asked for, if it was at one: the verdict is said there too */
  async run(asked = null) {
    if (this.running) return;
    this.echo?.remove();
    this.echo = asked && make('p', { class: 'readout' });
    asked?.after(this.echo);
    this.running = true;
    this.button.disabled = true;
    this.say('Starting');
    try {
      const results = [];
      for (const [at, exhibit] of this.exhibits.entries()) {
        this.say(`Computing ${visible(exhibit.title, 80)}, ${at + 1} of ${this.exhibits.length}`);
        results.push([exhibit, await this.one(exhibit)]);
      }
      this.show(results);
    } catch (error) {
      this.say(sentence(error), 'bad');
    } finally {
      this.client.end();
      this.running = false;
      this.button.disabled = false;
    }
  }

  /** One model: its circuits are run, its figure is drawn with the new points. */
  async one(exhibit) {
    const { table, figure } = exhibit.check;
    const files = exhibit.circuits.filter((circuit) => circuit.file);
    const circuits = await Promise.all(files.map((circuit) => text(circuit.file)));
    await this.client.call('load', await source(exhibit));
    const stored = (id) => findings(exhibit.run).panels.find((panel) => panel.id === id);
    const drawn = figure ? stored(figure) : null;
    const answer = await this.client.call('recompute', {
      exhibit: JSON.stringify(exhibit), circuits, table: body(stored(table)), figure: drawn ? body(drawn) : undefined,
      id: `r${exhibit.run}-${figure}`, title: drawn?.title ?? '',
    });
    if (answer.drawn) replace(exhibit.run, figure, answer.drawn);
    return answer.result;
  }

  /** The verdict in one sentence, then every number. @param {[any, any][]} results */
  show(results) {
    const all = results.flatMap(([, result]) => result.numbers);
    const agree = results.reduce((sum, [, result]) => sum + result.agree, 0);
    const worst = results.reduce((most, [, result]) => (result.largest > most.largest ? result : most), results[0][1]);
    const passed = results.every(([, result]) => result.passed);
    const verdict = passed ? `All ${count(all.length)} numbers agree with the stored ones` : `${count(all.length - agree)} of ${count(all.length)} numbers differ from the stored ones`;
    const where = worst.largest > 0 ? ` (${visible(worst.largest_at, 120)})` : '';
    this.say(`${verdict}: ${passed ? 'none' : 'some'} by more than ${brief(worst.tolerance)}. The largest difference is ${brief(worst.largest)}${where}.`, passed ? 'good' : 'bad');
    Object.assign(this.words.dataset, { passed: String(passed), largest: String(worst.largest), numbers: String(all.length) });
    this.place.querySelector('details')?.remove();
    this.place.append(make('details', {}, make('summary', { text: 'Every number, stored and computed here' }), numbers(results)));
  }

  say(words, verdict = '') {
    this.words.hidden = false;
    for (const place of [this.words, this.echo]) {
      if (!place) continue;
      place.className = `readout ${verdict}`;
      place.textContent = words;
    }
    delete this.words.dataset.passed;
  }
}

function panelAt(run, id) {
  return document.getElementById(`r${run}-${id}`);
}

const parsed = new Map();

function findings(run) {
  if (!parsed.has(run)) parsed.set(run, JSON.parse(document.getElementById(`data-findings-${run}`).textContent));
  return parsed.get(run);
}

/** A panel's body as the core reads it: without the name of its kind. */
function body(panel) {
  const { kind, ...rest } = panel.body;
  return JSON.stringify(rest);
}

/** Puts the new drawings in the place of the stored ones: the same curves with points over them, drawn by the same code. @param {[string, string]} drawn */
function replace(run, figure, drawn) {
  const own = panelAt(run, figure)?.querySelector('figure');
  if (!own) return;
  own.querySelectorAll('svg.fig').forEach((svg) => svg.remove());
  const made = drawn.map((svg) => document.importNode(new DOMParser().parseFromString(svg.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"'), 'image/svg+xml').documentElement, true));
  own.prepend(...made);
}

function numbers(results) {
  const head = make('tr', {}, ...['Number', 'Stored', 'Computed here', 'Difference'].map((name, at) => make('th', { scope: 'col', class: at ? 'num' : 'txt', text: name })));
  const rows = results.flatMap(([exhibit, result]) => [
    make('tr', { class: 'model' }, make('th', { scope: 'colgroup', colspan: 4, class: 'txt', text: visible(exhibit.title, 120) })),
    ...result.numbers.map(({ what, measure, stored, here }) => make(
      'tr', {},
      make('th', { scope: 'row', class: 'txt', text: `${visible(what, 120)}: ${measure}` }),
      ...[stored, here].map((value) => make('td', { class: 'num', text: brief(value) })),
      make('td', { class: 'num', 'data-difference': Math.abs(here - stored), 'data-here': here, text: brief(Math.abs(here - stored)) }),
    )),
  ]);
  const table = make('table', { class: 'data small' }, make('caption', {}, make('span', { text: 'The report’s circuits, run on its models by this page.' })), make('thead', {}, head), make('tbody', {}, ...rows));
  return make('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': 'Table, scrolls sideways' }, table);
}
