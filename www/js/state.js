// What a page shows, in its address: after the `#`, so that no server ever sees it.

/** @returns {Record<string, string>} */
export function read() {
  return Object.fromEntries([...new URLSearchParams(location.hash.slice(1))].filter(([, value]) => value !== ''));
}

let waiting = 0;
let pending = {};

/** Writes what changed; empty values leave the address. @param {Record<string, string|number|null|undefined>} changes */
export function write(changes) {
  pending = { ...pending, ...changes };
  clearTimeout(waiting);
  // Browsers allow only so many changes of the address a second.
  waiting = setTimeout(flush, 200);
}

function flush() {
  const state = read();
  for (const [key, value] of Object.entries(pending)) {
    if (value === null || value === undefined || value === '') delete state[key];
    else state[key] = String(value);
  }
  pending = {};
  history.replaceState(null, '', '#' + new URLSearchParams(state));
}
