// The golden checks of `vitrine check golden`, by the same code, as WebAssembly.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { data, load, root, unless } from './wasm.mjs';

const wasm = await load();
const agrees = (found, cases) => {
  assert.deepEqual(found.failures, []);
  assert.equal(found.passed, true, found.what);
  assert.ok(found.cases >= cases, `${found.what}: ${found.cases} cases`);
};

test('hard-concrete', () => agrees(wasm.goldenHardConcrete(), 15));

for (const [name, edges] of [['hist', 13], ['reverse', 94], ['xproportion', 32]]) {
  const folder = join(root, 'core/assets/tracr', name);
  const text = (file) => readFileSync(join(folder, file), 'utf8');
  const weights = readFileSync(join(folder, 'model.safetensors'));

  test(`tracr ${name}: every edge`, () => {
    const found = wasm.goldenTracr(text('config.json'), weights, text('edges.json'));
    assert.equal(found.length, 1);
    agrees(found[0], edges);
  });

  const pairs = data(`tracr/${name}/pairs.jsonl`);
  test(`tracr ${name}: outputs`, { skip: unless(pairs, `tracr ${name}: outputs`, 'VITRINE_DATA not set') }, () => {
    const found = wasm.goldenTracr(text('config.json'), weights, text('edges.json'), readFileSync(pairs, 'utf8'));
    assert.deepEqual(found.map(({ what }) => what).slice(0, 2), ['raw outputs', 'decoded outputs']);
    for (const agreement of found) agrees(agreement, 10);
  });

  test(`tracr ${name}: a wrong weight is noticed`, () => {
    const damaged = Buffer.from(weights);
    const header = Number(damaged.readBigUInt64LE());
    const [start, end] = JSON.parse(damaged.toString('utf8', 8, 8 + header)).token_embed.data_offsets;
    // Five times as large, so that effects of which only a bound is known are noticed too.
    for (let at = 8 + header + start; at < 8 + header + end; at += 4) damaged.writeFloatLE(5 * damaged.readFloatLE(at), at);
    const found = wasm.goldenTracr(text('config.json'), damaged, text('edges.json'));
    assert.equal(found.every(({ passed }) => passed), false);
  });
}
