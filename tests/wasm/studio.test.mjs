// The studio's bundle draws the pictures whose hashes are committed, and reads them as the native program does.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { bundle, data, native, root, unless } from './wasm.mjs';

const folder = join(bundle, '..', 'studio');
const skip = unless(existsSync(join(folder, 'vitrine_web.js')), 'pictures of the screenshot studio', 'its bundle is not built (scripts/web-bundle studio)');
const fonts = ['noto-sans.atlas', 'NotoSans-Regular.ttf', 'unifont.packed'].map((name) => join(root, 'core/assets/fonts', name));
const model = join(root, 'www/models/screenshot/ptp.safetensors');
const writer = join(root, 'www/models/screenshot/facts.safetensors');

async function load(folder) {
  const module = await import(pathToFileURL(join(folder, 'vitrine_web.js')).href);
  module.initSync({ module: readFileSync(join(folder, 'vitrine_web_bg.wasm')) });
  return module;
}

async function studio() {
  const module = await load(folder);
  return new module.Studio(...fonts.map((path) => new Uint8Array(readFileSync(path))));
}

test('twenty pictures are the known ones', { skip }, async () => {
  const drawn = await studio();
  const strip = { width: 640, height: 16 };
  const kinds = { strip, page: { width: 160, height: 64, newline: 'break' }, mono: { ...strip, style: 'mono' } };
  const known = JSON.parse(readFileSync(join(root, 'core/study/screenshot/src/render/hashes.json'), 'utf8'));
  assert.equal(known.length, 20);
  for (const { kind, text, hash } of known) {
    drawn.configure(JSON.stringify(kinds[kind]));
    drawn.render(text);
    assert.equal(drawn.hash(), hash, `${kind}: ${text}`);
  }
});

// `vitrine check golden`, by the same code: in a bundle of its own, as no page asks for it.
const checks = join(bundle, '..', 'golden');
for (const [file, least, check] of [['golden.json', 11, 'goldenScreenshot'], ['render_cases.jsonl', 1, 'goldenRender']]) {
  const path = data(`screenshot/${file}`);
  const reason = path ? 'its bundle is not built (scripts/web-bundle golden)' : 'VITRINE_DATA not set';
  test(`screenshot/${file} agrees`, { skip: unless(path && existsSync(join(checks, 'vitrine_web.js')), `screenshot/${file}`, reason) }, async (t) => {
    const sections = (await load(checks))[check](readFileSync(path, 'utf8'));
    assert.ok(sections.length >= least, `${sections.length} sections`);
    for (const { what, cases, agree, largest, failures, passed } of sections) {
      assert.deepEqual(failures, []);
      assert.equal(passed, true, what);
      t.diagnostic(`${what}: ${agree} of ${cases}, largest difference ${largest.toExponential(1)}`);
    }
  });
}

test('a model reads as natively', { skip }, async (t) => {
  const onlooker = (await studio()).onlooker(new Uint8Array(readFileSync(model)));
  let worst = 0;
  for (const [text, seed, options, asked] of [
    ['She was very happy to see her sister at the end of the day.', 3, [], {}],
    ['The people of this country have a right to know.', 0, ['--hide', '3,4,9', '--mask', '2,5'], { hidden: [3, 4, 9], masked: [2, 5] }],
    ['é 日 <mask> "quoted"', 1, ['--rate', '0.5', '--text-rate', '0', '--single'], { patch_rate: 0.5, text_rate: 0, hide: 'single' }],
    ['', 0, [], {}],
  ]) {
    const expected = native('screenshot', 'reconstruct', '--model', model, '--text', text, '--seed', String(seed), ...options).look;
    const found = JSON.parse(onlooker.look(JSON.stringify({ text, seed, ...asked })));
    assert.deepEqual([found.drawn, found.attended, found.free, found.tokens.length].map((x) => x?.text ?? x), [expected.drawn, expected.attended, expected.free, expected.tokens.length].map((x) => x?.text ?? x));
    const numbers = (look) => [...look.tokens.flatMap((token) => [token.log_prob ?? 0, ...token.top.map((guess) => guess.log_prob), ...(token.attention?.patches ?? [])]), ...look.patches.flatMap((patch) => [patch.loss ?? 0, ...(patch.attention?.patches ?? [])])];
    const [a, b] = [numbers(found), numbers(expected)];
    assert.equal(a.length, b.length);
    a.forEach((value, at) => (worst = Math.max(worst, Math.abs(value - b[at]))));
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`);
  assert.ok(worst < 1e-4, `largest difference ${worst}`);
});

test('a model writes on, and a text costs, as natively', { skip }, async (t) => {
  const scribe = (await studio()).scribe(new Uint8Array(readFileSync(writer)));
  const example = JSON.parse(scribe.example(5n));
  const numbers = (found) => found.after.flatMap((after) => [...after.tokens.map((token) => token.log_prob), ...after.target.flatMap((one) => [one.log_prob, ...one.top.map((guess) => guess.log_prob)]), after.nats ?? 0, after.ratio ?? 0]);
  const words = (found) => [found.scored, found.counted, found.target, found.context, found.other, found.after.map((after) => [after.kind, after.continuation, after.stop])];
  let worst = 0;
  for (const [options, asked] of [
    [['--facts', '5', '--most', '12'], example],
    [['--facts', '5', '--most', '9', '--temperature', '1.2', '--seed', '3'], { ...example, most: 9, choice: { temperature: 1.2, seed: 3 } }],
    [['--context', 'lena has 7 red kites', '--prompt', 'what has lena?', '--target', '7 red kites.', '--count', '0,1'], { context: 'lena has 7 red kites', prompt: 'what has lena?', target: '7 red kites.', counts: [0, 1] }],
    [['--most', '3'], { most: 3 }],
    [['--context', 'é 日 '.repeat(300), '--other', '', '--prompt', ' ', '--target', '"quoted"'], { context: 'é 日 '.repeat(300), other: '', prompt: ' ', target: '"quoted"' }],
  ]) {
    const expected = native('screenshot', 'continue', '--model', writer, '--beside', ...options).beside;
    const found = JSON.parse(scribe.ask(JSON.stringify(asked)));
    assert.deepEqual(words(found), words(expected));
    const [a, b] = [numbers(found), numbers(expected)];
    assert.equal(a.length, b.length);
    a.forEach((value, at) => (worst = Math.max(worst, Math.abs(value - b[at]))));
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`);
  assert.ok(worst < 1e-4, `largest difference ${worst}`);
});

test('a hostile model is refused in a sentence', { skip }, async () => {
  const drawn = await studio();
  const good = new Uint8Array(readFileSync(model));
  const writes = new Uint8Array(readFileSync(writer));
  const changed = (from, to, good_file = good) => {
    const good = good_file;
    const header = Buffer.from(good.subarray(8, 8 + Number(new DataView(good.buffer).getBigUint64(0, true)))).toString('latin1');
    assert.ok(header.includes(from), from);
    const text = Buffer.from(header.replace(from, to), 'latin1');
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    return new Uint8Array(Buffer.concat([size, text, good.subarray(8 + header.length)]));
  };
  const cases = [
    [new Uint8Array(), /./], [new TextEncoder().encode('not a model at all'), /./], [good.subarray(0, 1000), /./], [good.subarray(0, good.length - 4), /./],
    [changed('\\"patches\\":40', '\\"patches\\":1048576'), /cannot be used/], [changed('\\"heads\\":4', '\\"heads\\":0'), /cannot be used/],
    [changed('\\"layers\\":3', '\\"layers\\":63'), /cannot be used|missing|not there/], [changed('vitrine.screenshot/1', 'vitrine.screenshot/9'), /not a/],
    [changed('\\"width\\":640', '\\"width\\":16777216'), /./],
  ];
  for (const [bytes, why] of cases) assert.throws(() => drawn.onlooker(bytes), (error) => error instanceof Error && !(error instanceof WebAssembly.RuntimeError) && why.test(error.message) && !error.message.includes('\n'));
  for (const [bytes, why] of [
    [new Uint8Array(), /./], [writes.subarray(0, 1000), /./], [writes.subarray(0, writes.length - 4), /./], [good, /not a/], [changed('\\"limit\\":768', '\\"limit\\":1048576', writes), /too many/], [changed('\\"limit\\":768', '\\"limit\\":20', writes), /no room/],
    [changed('\\"rows\\":6', '\\"rows\\":1048576', writes), /too many|not those/], [changed('\\"columns\\":12', '\\"columns\\":0', writes), /columns is 0/], [changed('\\"heads\\":4', '\\"heads\\":0', writes), /heads/],
  ]) assert.throws(() => drawn.scribe(bytes), (error) => error instanceof Error && !(error instanceof WebAssembly.RuntimeError) && why.test(error.message) && !error.message.includes('\n'));
  const scribe = drawn.scribe(writes);
  for (const asked of ['', '{"most":99999999}', '{"choice":{"temperature":-1,"seed":0}}', '{"choice":{"temperature":1,"seed":-1}}', JSON.stringify({ prompt: 'a'.repeat(9000) }), '{"unknown":1}']) assert.throws(() => scribe.ask(asked), (error) => !(error instanceof WebAssembly.RuntimeError));
  assert.equal(JSON.parse(drawn.onlooker(good).facts()).model.patches, 40, 'and goes on');
  assert.equal(JSON.parse(scribe.ask('{}')).after.length, 3, 'and asks on');
});
