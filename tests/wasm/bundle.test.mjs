// The bundle itself: loadable, and honest about errors.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundle, load, root, source } from './wasm.mjs';

test('it says its version', async () => {
  const { version } = await load();
  const [, expected] = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/^version = "(.+)"$/m);
  assert.equal(version(), expected);
});

test('bad input becomes an Error of one sentence, and the instance lives on', async () => {
  const wasm = await load();
  const junk = new TextEncoder().encode('GGUF junk');
  const cpu = wasm.Backend.cpu();
  const of = (bytes) => ({ size: bytes.length, read: (offset, length) => bytes.slice(offset, offset + length) });
  const failing = { size: 1e9, read: () => { throw new Error('the disk is gone'); } };
  const short = { size: 1e9, read: () => new Uint8Array(1) };
  const cases = [
    [() => wasm.tokenize(junk, 'x'), /tokenizer\.json/],
    [() => wasm.goldenTracr('{}', junk, '{}'), /./],
    [() => wasm.Model.fromGguf(of(junk), cpu), /GGUF version/],
    [() => wasm.Model.fromGguf(of(new Uint8Array()), cpu), /bytes at offset/],
    [() => wasm.Model.fromGguf(failing, cpu), /the disk is gone/],
    [() => wasm.Model.fromGguf(short, cpu), /gave 1 bytes for/],
    [() => wasm.Model.fromSafetensors(junk, junk, of(junk), cpu), /config\.json/],
  ];
  for (const [call, message] of cases) {
    assert.throws(call, (error) => error instanceof Error && message.test(error.message) && !error.message.includes('\n'), String(call));
  }
  assert.equal(wasm.goldenHardConcrete().passed, true);
});

test('every hostile file is refused without a trap', async () => {
  const wasm = await load();
  const cpu = wasm.Backend.cpu();
  const folder = join(root, 'tests/fixtures/hostile');
  const rows = readFileSync(join(folder, 'expected.tsv'), 'utf8').split('\n').filter(Boolean).map((line) => line.split('\t'));
  let tried = 0;
  for (const [name, expected] of rows) {
    const path = join(folder, name);
    // A tokenizer is read alone, so the reason is the one it is made for; another step may find a model's fault first.
    const [read, says] = name.endsWith('.tokenizer.json')
      ? [() => wasm.tokenize(readFileSync(path), 'x'), (message) => message.includes(expected)]
      : [() => wasm.Model.fromGguf(source(path), cpu), (message) => message.length > 0 && message.length < 600];
    if (!/\.(gguf|tokenizer\.json)$/.test(name)) continue;
    tried += 1;
    assert.throws(read, (error) => !(error instanceof WebAssembly.RuntimeError) && says(error.message), name);
  }
  assert.ok(tried > 60, `${tried} files`);
  assert.ok(wasm.megabytes() < 200, `${wasm.megabytes()} MB`);
});
