// A chart as a file: the drawing with the style sheet's rules for figures and the page's colours written into it.

import { svg } from './dom.js';

const COLOURS = ['--paper', '--raised', '--ink', '--soft', '--rule', '--accent', '--accent-wash', '--c0', '--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--sans'];

/** @param {SVGElement} drawing @param {string} [without] what is only for choosing on the page, as a selector @returns {Blob} */
export function standalone(drawing, without = '') {
  const copy = /** @type {any} */ (drawing.cloneNode(true));
  if (without) copy.querySelectorAll(without).forEach((part) => part.remove());
  const now = getComputedStyle(document.documentElement);
  const colours = COLOURS.map((name) => `${name}:${now.getPropertyValue(name).trim()}`).join(';');
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => /** @type {any} */ (rule).selectorText?.includes('.fig')).map((rule) => rule.cssText);
  const [, , width, height] = copy.getAttribute('viewBox').split(' ');
  copy.setAttribute('width', width);
  copy.setAttribute('height', height);
  copy.prepend(svg('style', { text: [`:root{${colours}}`, ...rules].join('\n') }), svg('rect', { width: '100%', height: '100%', fill: now.getPropertyValue('--paper').trim() }));
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: 'image/svg+xml' });
}
