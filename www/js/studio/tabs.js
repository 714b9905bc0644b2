// Tabs: one stop for the Tab key, arrow keys between them; what a tab shows is started when it is first shown.

import { byId } from '../dom.js';

export class Tabs {
  /** @param {Record<string, () => any>} tabs by name, what is called when it is shown; its elements are NAME-tab and NAME-panel @param {(action: () => any) => any} guarded wraps what may fail */
  constructor(tabs, guarded) {
    this.tabs = tabs;
    this.names = Object.keys(tabs);
    this.name = this.names[0];
    for (const name of this.names) byId(`${name}-tab`).addEventListener('click', guarded(() => this.show(name)));
    byId(`${this.name}-tab`).parentElement.addEventListener('keydown', guarded((event) => {
      const at = this.names.indexOf(this.name);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.names.length - 1 }[event.key];
      if (to === undefined) return undefined;
      event.preventDefault();
      const name = this.names[(to + this.names.length) % this.names.length];
      byId(`${name}-tab`).focus();
      return this.show(name);
    }));
  }

  /** @param {string} name */
  async show(name) {
    this.name = name;
    for (const one of this.names) {
      byId(`${one}-panel`).hidden = one !== name;
      byId(`${one}-tab`).setAttribute('aria-selected', String(one === name));
      byId(`${one}-tab`).tabIndex = one === name ? 0 : -1;
    }
    await this.tabs[name]();
  }
}
