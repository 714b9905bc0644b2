// Time in a search: a slider for how much of it is shown, steps back and on, play, and whether what was cut is shown.

import { byId } from '../dom.js';
import * as state from '../state.js';

export class Player {
  /** @param {() => void} draw draws what the view says @param {number} beat milliseconds a step, when time plays */
  constructor(draw, beat) {
    this.draw = draw;
    this.beat = beat;
    this.playing = 0;
  }

  /** Begins to listen; `cuts` is what the address says of what was cut. @param {string|undefined} cuts */
  start(cuts) {
    byId('cuts').checked = cuts === '1';
    byId('step').addEventListener('input', () => {
      this.stop();
      this.show();
    });
    byId('cuts').addEventListener('change', () => {
      state.write({ cuts: byId('cuts').checked ? 1 : null });
      this.draw();
    });
    byId('back').addEventListener('click', () => this.move(-1));
    byId('on').addEventListener('click', () => this.move(1));
    byId('play').addEventListener('click', () => this.play());
  }

  view() {
    return { step: Number(byId('step').value), cuts: byId('cuts').checked };
  }

  /** All of a search that is so deep. @param {number} deepest */
  all(deepest) {
    byId('step').max = String(deepest);
    byId('step').value = String(deepest);
    byId('steps').hidden = false;
  }

  stop() {
    clearInterval(this.playing);
    this.playing = 0;
    byId('play').textContent = 'Play';
  }

  move(by) {
    byId('step').value = String(Number(byId('step').value) + by);
    this.show();
  }

  /** Draws, and leaves the place in the address; the end needs none. */
  show() {
    const { value, max } = byId('step');
    state.write({ step: value === max ? null : value });
    this.draw();
  }

  play() {
    if (this.playing) return this.stop();
    const step = byId('step');
    if (Number(step.value) >= Number(step.max)) step.value = '0';
    this.draw();
    byId('play').textContent = 'Pause';
    this.playing = setInterval(() => {
      this.move(1);
      if (Number(step.value) >= Number(step.max)) this.stop();
    }, this.beat);
  }
}
