// Where a model's weights come from: the page's own place, this browser's private files, or what a person just opened.

import { source, weights as ofSite } from '../host.js';
import { find, kept } from '../store.js';
import { page } from './desk.js';

/** Where the worker finds the model, and what to say of it. */
export async function sourceOf(id) {
  if (id.startsWith('kept:')) {
    const file = await find(id.slice(5));
    if (!file) throw new Error('this model is no longer kept in this browser; open its file again');
    return [{ kind: 'files', files: [file] }, `${file.name}, kept in this browser.`];
  }
  if (id.startsWith('weights:')) return [{ kind: 'files', files: [await ofSite(id.slice(8))] }, `${id.slice(8)}, from this site.`];
  if (id === 'files') return [{ kind: 'files', files: page.files.list }, page.files.title];
  if (page.model.kind !== 'file') return [await source(page.model), ''];
  const weights = page.files?.belongs === page.model.id ? page.files.list : null;
  const here = kept().find((one) => one.name === page.model.file);
  if (weights) return [{ kind: 'files', files: weights, hashes: page.model.hashes }, ''];
  const file = here ? await find(here.hash) : null;
  return [file ? { kind: 'files', files: [file] } : null, ''];
}
