// Compressed size of a bundle: the first one, or the one that VITRINE_BUNDLE names.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bundle } from './wasm.mjs';

const name = process.env.VITRINE_BUNDLE ?? 'cpu';

test(`the ${name} bundle stays within its budget`, (t) => {
  const budget = JSON.parse(readFileSync(new URL('budget.json', import.meta.url)))[name];
  const bytes = readFileSync(join(bundle, '..', name, 'vitrine_web_bg.wasm'));
  const packed = gzipSync(bytes, { level: 9 }).length;
  t.diagnostic(`${bytes.length} bytes, ${packed} with gzip`);
  assert.ok(packed <= budget.gzip_bytes, `${packed} bytes with gzip, ${budget.gzip_bytes} allowed (tests/wasm/budget.json)`);
});
