// A row of tokens as buttons: one stop for the Tab key, arrow keys inside.

import { make, visible } from '../dom.js';

export class Tokens {
  /** @param {HTMLElement} root @param {{ press: (at: number) => void, reach?: (at: number) => void }} on */
  constructor(root, on) {
    this.root = root;
    this.at = 0;
    root.addEventListener('click', (event) => {
      const at = this.of(event);
      if (at !== null) on.press(at);
    });
    for (const name of ['pointerover', 'focusin']) root.addEventListener(name, (event) => {
      const at = this.of(event);
      if (at === null) return;
      if (name === 'focusin') this.rove(at);
      on.reach?.(at);
    });
    root.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
      if (!step) return;
      event.preventDefault();
      const buttons = this.buttons();
      buttons[Math.max(0, Math.min(buttons.length - 1, this.at + step))]?.focus();
    });
  }

  buttons() {
    return [...this.root.querySelectorAll('button')];
  }

  of(event) {
    const button = event.target.closest?.('button');
    return button ? this.buttons().indexOf(button) : null;
  }

  rove(at) {
    this.buttons().forEach((button, number) => button.tabIndex = number === at ? 0 : -1);
    this.at = at;
  }

  /** Shows tokens; those that are there stay the same elements, so that the focus stays. @param {{ text: string, attributes: Record<string, any>, style?: Record<string, string> }[]} tokens */
  show(tokens) {
    const buttons = this.buttons();
    buttons.slice(tokens.length).forEach((button) => button.remove());
    while (buttons.length < tokens.length) {
      const button = make('button', { type: 'button' });
      buttons.push(button);
      this.root.append(button);
    }
    tokens.forEach(({ text, attributes, style }, at) => {
      const button = buttons[at];
      // A leading space is part of a token: it is kept, and what is nothing but space can still be hit.
      button.textContent = visible(text, 60).replaceAll(' ', '\u00a0');
      for (const [key, value] of Object.entries(attributes)) {
        if (value === null) button.removeAttribute(key);
        else button.setAttribute(key, String(value));
      }
      for (const [key, value] of Object.entries(style ?? {})) button.style.setProperty(key, value);
    });
    this.rove(Math.min(this.at, Math.max(0, tokens.length - 1)));
  }
}
