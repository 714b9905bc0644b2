// The same texts, the same ids: the native program and WebAssembly.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { texts } from './texts.mjs';
import { tokenizers } from './tokenizers.mjs';
import { data, load, native, root, smollm2, source, temporary, unless } from './wasm.mjs';

const circuits = data('circuits');
const prompts = circuits
  ? readdirSync(circuits).filter((name) => name.endsWith('.jsonl')).sort().flatMap((name) =>
      readFileSync(join(circuits, name), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)).flatMap((row) => [row.clean, row.corrupted]))
  : [];
unless(circuits, 'tokenizer agreement on the circuit tasks', 'VITRINE_DATA not set');
const all = [...texts, ...prompts];
const file = temporary('texts.json', JSON.stringify(all));
const wasm = await load();

function agree(t, tokenizer, expected) {
  assert.equal(expected.length, all.length);
  let tokens = 0;
  all.forEach((text, i) => {
    const found = Array.from(tokenizer.encode(text));
    assert.deepEqual(found, expected[i], JSON.stringify(text));
    tokens += found.length;
  });
  t.diagnostic(`${all.length} texts, ${tokens} tokens`);
  return tokens;
}

for (const [name, json] of tokenizers(texts)) {
  test(`tokenizer.json: ${name}`, (t) => {
    const bytes = JSON.stringify(json);
    const expected = native('model', 'tokenize', temporary('tokenizer.json', bytes), '--file', file);
    const tokens = agree(t, new wasm.Tokenizer(new TextEncoder().encode(bytes)), expected.ids);
    assert.ok(tokens > 2000, 'the texts must not vanish');
    const [first] = expected.ids.filter((ids) => ids.length > 3);
    assert.deepEqual(Array.from(wasm.tokenize(new TextEncoder().encode(bytes), all[expected.ids.indexOf(first)])), first);
  });
}

for (const [name, path] of [['tiny-llama.gguf', join(root, 'tests/fixtures/gguf/tiny-llama.gguf')], ['SmolLM2', smollm2()]]) {
  test(`GGUF: ${name}`, { skip: unless(path, `tokenizer of ${name}`, 'not in the model cache (vitrine model get smollm2)') }, (t) => {
    const expected = native('model', 'tokenize', path, '--file', file);
    const tokenizer = wasm.Tokenizer.fromGguf(source(path));
    agree(t, tokenizer, expected.ids);
    // Every byte is a token of the small one, so every text comes back; SmolLM2 lacks some.
    if (name === 'tiny-llama.gguf') for (const [i, text] of all.entries()) assert.equal(tokenizer.decode(Uint32Array.from(expected.ids[i])), text);
  });
}
