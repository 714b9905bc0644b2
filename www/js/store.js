// What stays in this browser: dropped models by their SHA-256 in the origin's private files, circuits handed from page to page, and which readings were chosen for which tables.

import { keeps } from './host.js';

const INDEX = 'vitrine.models';
/** Larger files are used but not kept: hashing needs them in memory once. */
const MOST_KEPT = 1 << 30;

async function folder() {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('models', { create: true });
}

/** @returns {{ hash: string, name: string, size: number }[]} */
export function kept() {
  if (!keeps) return [];
  try {
    const list = JSON.parse(localStorage.getItem(INDEX) ?? '[]');
    return Array.isArray(list) ? list.filter((one) => /^[0-9a-f]{64}$/.test(one?.hash) && typeof one.name === 'string') : [];
  } catch {
    return [];
  }
}

/** Keeps a file; answers its hash, or null where it cannot be kept. @param {File} file */
export async function keep(file) {
  if (!keeps || file.size > MOST_KEPT || !navigator.storage?.getDirectory || !globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  const hash = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const known = kept();
  if (known.some((one) => one.hash === hash)) return hash;
  const handle = await (await folder()).getFileHandle(hash, { create: true });
  const writer = await handle.createWritable();
  await writer.write(file);
  await writer.close();
  localStorage.setItem(INDEX, JSON.stringify([...known, { hash, name: file.name, size: file.size }]));
  return hash;
}

/** A kept file under its own name, or null. @param {string} hash @returns {Promise<File|null>} */
export async function find(hash) {
  const entry = kept().find((one) => one.hash === hash);
  if (!entry) return null;
  try {
    const file = await (await (await folder()).getFileHandle(hash)).getFile();
    return new File([file], entry.name);
  } catch {
    forget(hash);
    return null;
  }
}

/** @param {string} hash */
async function forget(hash) {
  localStorage.setItem(INDEX, JSON.stringify(kept().filter((one) => one.hash !== hash)));
  try {
    await (await folder()).removeEntry(hash);
  } catch {
    // It is gone already.
  }
}

/** Leaves a circuit for another page of this tab. Says whether it could be left. @param {string} text */
export function hand(text) {
  try {
    sessionStorage.setItem('vitrine.circuit', text);
    return true;
  } catch {
    return false;
  }
}

/** The circuit that another page left. @returns {string|null} */
export function handed() {
  try {
    return sessionStorage.getItem('vitrine.circuit');
  } catch {
    return null;
  }
}

const CHOICES = 'vitrine.readings.';
/** Longest text of choices that is read again. */
const MOST_CHOICES = 1 << 20;

/** What was chosen for a schema, by its key; nothing where that cannot be read. @param {string} key @returns {{ choices: { question: string, sql: string }[] }} */
export function chosen(key) {
  try {
    const text = localStorage.getItem(CHOICES + key) ?? '';
    const found = text.length > MOST_CHOICES ? null : JSON.parse(text || 'null');
    const texts = (list) => Array.isArray(list) && list.every((one) => typeof one === 'string');
    if (Array.isArray(found?.choices) && found.choices.every((one) => texts([one?.question, one?.sql]) && texts(one.preferred) && texts(one.rejected))) return found;
  } catch {
    // Storage is closed, or the text is none of ours: as if nothing had been chosen.
  }
  return { choices: [] };
}

/** Keeps what was chosen for a schema; null forgets it. Says whether it could be kept. @param {string} key @param {any} choices */
export function choose(key, choices) {
  try {
    if (choices === null) localStorage.removeItem(CHOICES + key);
    else localStorage.setItem(CHOICES + key, JSON.stringify(choices));
    return true;
  } catch {
    return false;
  }
}
