// Elements without markup: untrusted text is only ever set as text.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element with attributes (functions become listeners, `text` the text) and children.
 * @param {string} name @param {Record<string, any>} [attributes] @param {...(Node|string|null)} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. @returns {any} */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'text') element.textContent = value;
    else if (typeof value === 'function') element.addEventListener(key, value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no element ${id}`);
  return element;
}

const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff]/g;

/** Untrusted text for people: signs that hide or turn the reading direction become visible, at most `limit` characters. */
export function visible(text, limit = 120) {
  const letters = Array.from(String(text).slice(0, 4 * limit));
  const short = letters.length > limit ? letters.slice(0, limit).join('') + '…' : String(text);
  return short.replace(HIDDEN, (c) => '⟨U+' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0') + '⟩');
}

/** An error as one sentence. @param {unknown} error */
export function sentence(error) {
  const words = visible(error instanceof Error ? error.message : String(error), 400).trim();
  // A file keeps its name.
  const text = /^\S+\.\w/.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?…]$/.test(text) ? text : text + '.';
}

/** Hands a file to the person. @param {string} name @param {Blob} blob */
export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = make('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
