// The same weights, the same logits: the native program and WebAssembly.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import { data, load, native, root, smollm2, source, unless } from './wasm.mjs';

// Sums of a few hundred products in another order: some 1e-6 of values up to 30.
const TOLERANCE = 1e-4;

async function agree(model, path, prompts) {
  let worst = 0;
  for (const prompt of prompts) {
    const expected = native('model', 'logits', path, '--prompt', prompt, '--top', '1000000');
    assert.deepEqual(Array.from(model.encode(prompt)), expected.ids);
    const found = await model.logits(Uint32Array.from(expected.ids));
    assert.equal(found.length, expected.top.length);
    for (const { id, logit } of expected.top) {
      const difference = Math.abs(found[id] - logit);
      assert.ok(difference <= TOLERANCE, `${prompt}: token ${id} has ${found[id]}, natively ${logit}`);
      worst = Math.max(worst, difference);
    }
  }
  return worst;
}

test('a small llama', async (t) => {
  const path = join(root, 'tests/fixtures/gguf/tiny-llama.gguf');
  const wasm = await load();
  const model = wasm.Model.fromGguf(source(path), wasm.Backend.cpu());
  const worst = await agree(model, path, ['the', ' the in a 12 x', 'é ✓ 1984']);
  t.diagnostic(`largest difference ${worst.toExponential(1)}`);
  await assert.rejects(model.logits(new Uint32Array()), /at least one/);
  await assert.rejects(model.logits(Uint32Array.of(1e6)), /vocabulary/);
});

const path = smollm2();
test('SmolLM2', { skip: unless(path, 'logits of SmolLM2', 'not in the model cache (vitrine model get smollm2)') }, async (t) => {
  const wasm = await load();
  let began = performance.now();
  const model = wasm.Model.fromGguf(source(path), wasm.Backend.cpu());
  t.diagnostic(`loaded in ${((performance.now() - began) / 1e3).toFixed(1)} s, ${wasm.megabytes()} MB`);
  const prompts = ['The capital of France is', 'When Mary and John went to the store, John gave a drink to'];
  const worst = await agree(model, path, prompts);
  const twenty = Uint32Array.from({ length: 20 }, (_, i) => 500 + i);
  began = performance.now();
  await model.logits(twenty);
  t.diagnostic(`20 tokens in ${((performance.now() - began) / 1e3).toFixed(2)} s, ${wasm.megabytes()} MB, largest difference ${worst.toExponential(1)}`);
  const rows = data('smollm2/ref_logits.jsonl');
  if (unless(rows, 'reference logits of SmolLM2', 'VITRINE_DATA not set')) return;
  const reference = model.goldenLogits(readFileSync(rows, 'utf8').split('\n').slice(0, 5).join('\n'));
  assert.deepEqual(reference.failures, []);
  assert.equal(reference.cases, 5);
});
