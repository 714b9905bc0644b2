// A report that computes, as a reader opens it from disk: its numbers made again, its inspector, what happens to a changed file.
//   VITRINE_BUNDLE  folder that scripts/web-bundle made
//   VITRINE_BIN     the program; target/release/vitrine without
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, open, overflow, quiet, serious } from './browser.mjs';
import { movePoint, switchEdge } from './inspector.mjs';
import { binary, cli, root, sameAsCommandLine, settled } from './site.mjs';

const bundle = process.env.VITRINE_BUNDLE;
const skip = bundle ? false : 'skipped: VITRINE_BUNDLE not set';
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `reports that compute: ${skip}\n`);

describe('a report that computes', { skip, timeout: 1_800_000 }, () => {
  let browser;
  let report;
  let html;
  let model;
  let folder;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vitrine-'));
    const config = join(root, 'tests/browser/interactive.toml');
    execFileSync(binary, ['--quiet', 'run', 'edge-pruning', '--config', config, '--device', 'cpu', '--out', join(folder, 'runs'), `--interactive=${bundle}`], { stdio: ['ignore', 'ignore', 'inherit'] });
    const [run] = await readdir(join(folder, 'runs'));
    report = join(folder, 'runs', run, 'report.html');
    html = await readFile(report, 'utf8');
    // The model under the names by which the command line opens it.
    model = join(folder, 'model');
    await mkdir(model);
    for (const name of ['config.json', 'model.safetensors', 'words.json']) await copyFile(join(folder, 'runs', run, 'artifacts', `small-${name}`), join(model, name));
    browser = await launch();
  });
  after(() => browser?.close());

  const visit = async (path = report, options = {}) => {
    const opened = await open(browser, path, options);
    opened.context.setDefaultTimeout(120_000);
    return opened;
  };

  /** Waits for the verdict. @returns {Promise<{ words: string, passed: string, largest: number, here: number[] }>} */
  async function verdict(page) {
    await page.waitForFunction(() => document.getElementById('recomputed').dataset.passed);
    return page.evaluate(() => {
      const { dataset, textContent } = document.getElementById('recomputed');
      const here = [...document.querySelectorAll('#interactive [data-here]')].map((cell) => Number(cell.dataset.here));
      return { words: textContent, passed: dataset.passed, largest: Number(dataset.largest), here };
    });
  }

  /** The same report with something else in it. */
  async function altered(name, from, to) {
    const text = html.replace(from, to);
    assert.notEqual(text, html, name);
    const path = join(folder, `${name}.html`);
    await writeFile(path, text);
    return path;
  }

  /** The text of a carried file. */
  function block(name) {
    const manifest = JSON.parse(html.match(/id="data-interactive" data-sha256="[0-9a-f]{64}">([^<]*)</)[1]);
    const at = manifest.files.findIndex((file) => file.name === name);
    assert.ok(at >= 0, name);
    return html.match(new RegExp(`id="data-file-${at + 1}" data-sha256="([0-9a-f]{64})">([^<]*)<`)).slice(1);
  }

  test('is one file of less than 2 MB that starts nothing by itself', async () => {
    assert.ok((await stat(report)).size < 2_000_000, `${(await stat(report)).size} bytes`);
    const opened = await visit();
    assert.equal(await opened.page.locator('#interactive canvas').count(), 0);
    assert.equal(opened.page.workers().length, 0);
    assert.ok(await opened.page.getByRole('button', { name: 'Compute the numbers again' }).isVisible());
    await quiet(opened);
    await opened.context.close();
  });

  test('can be read without scripts, and says where one is needed', async () => {
    const { page, context, seen, url } = await visit(report, { context: { javaScriptEnabled: false } });
    assert.match(await page.locator('.interactive noscript').innerText(), /JavaScript and WebAssembly/);
    assert.ok((await page.locator('main svg.fig:visible').count()) > 3 && (await page.locator('main table.data:visible').count()) > 1);
    assert.equal(await page.locator('button:visible').count(), 0);
    assert.deepEqual(seen.requests, [url]);
    await context.close();
  });

  test('its numbers are made again, as the command line makes them, and drawn over the stored ones', async () => {
    const opened = await visit();
    const { page } = opened;
    const figure = page.locator('#r1-small-curve figure');
    // The line after those of the four methods: with its sample in the legend.
    const points = () => figure.locator('svg.wide .dot.c4, svg.wide [class*="c4"]').count();
    assert.equal(await points(), 0);
    await page.getByRole('button', { name: 'Compute the numbers again' }).click();
    const found = await verdict(page);
    assert.equal(found.passed, 'true');
    assert.match(found.words, /^All \d+ numbers agree with the stored ones: none by more than 0\.0001\. The largest difference is /);
    assert.ok(found.largest < 1e-4, `${found.largest}`);
    const { passed, models } = cli('report', 'recompute', report);
    const native = models.flatMap((one) => one.result.numbers);
    assert.ok(passed && native.length === found.here.length && native.length > 20, `${native.length} numbers`);
    const apart = Math.max(...native.map((number, at) => Math.abs(number.here - found.here[at])));
    assert.ok(apart < 1e-4, `${apart} from the command line`);
    // The difference that is stated is the largest of all.
    const largest = Math.max(...native.map((number, at) => Math.abs(number.stored - found.here[at])));
    assert.ok(Math.abs(largest - found.largest) < 1e-12, `${largest} is the largest, ${found.largest} is stated`);
    assert.equal(await figure.locator('svg.fig').count(), 2);
    assert.equal(await points(), 2 + 1, 'a point for each of the two circuits over the stored curves, and one in the legend');
    assert.match(await figure.locator('svg.wide').textContent(), /computed here/);
    await quiet(opened);
    await opened.context.close();
  });

  test('finds a stored number that its models do not give', async () => {
    const { page, context } = await visit();
    await page.evaluate(() => {
      const block = document.getElementById('data-findings-1');
      const findings = JSON.parse(block.textContent);
      const { body } = findings.panels.find((panel) => panel.id === 'small-methods');
      body.rows.find((row) => row[0].startsWith('Edge Pruning'))[3] += 0.5;
      block.textContent = JSON.stringify(findings);
    });
    await page.locator('#r1-small-curve').getByRole('button', { name: 'Compute again' }).click();
    const found = await verdict(page);
    assert.equal(found.passed, 'false');
    assert.ok(Math.abs(found.largest - 0.5) < 1e-4, `${found.largest}`);
    assert.match(found.words, /^1 of \d+ numbers differ from the stored ones: some by more than 0\.0001\..*Edge Pruning.*, \d+ edges, KL/);
    await context.close();
  });

  test('a carried file that was changed is not used', async () => {
    const [hash, text] = block('1/small-model.safetensors');
    const flipped = text.slice(0, 5000) + (text[5000] === 'A' ? 'B' : 'A') + text.slice(5001);
    // Exchanged together with the hash of its text: the manifest knows its own.
    const [otherHash, other] = block('1/small-config.json');
    for (const [name, from, to] of [['flipped', text, flipped], ['exchanged', `${hash}">${text}`, `${otherHash}">${other}`]]) {
      const path = await altered(name, from, to);
      assert.equal(spawnSync(binary, ['report', 'verify', path]).status, 1, name);
      const { page, context } = await visit(path, { hash: '#recompute' });
      await page.waitForFunction(() => document.getElementById('recomputed').classList.contains('bad'));
      assert.match(await page.locator('#recomputed').textContent(), /^1\/small-model\.safetensors inside this report was changed: its SHA-256/, name);
      if (name === 'flipped') {
        await page.getByRole('button', { name: 'Check hashes' }).click();
        await page.locator('#check-result').waitFor({ state: 'visible' });
        assert.match(await page.locator('#check-result').textContent(), /^Not all is well: data-file-\d+ differ/);
      }
      await page.getByRole('button', { name: 'Open the circuit inspector' }).click();
      await page.waitForFunction(() => /was changed/.test(document.getElementById('notice').textContent));
      await context.close();
    }
    const wasm = block('vitrine_web_bg.wasm')[1];
    const path = await altered('wasm', wasm, wasm.replace(wasm.slice(70_000, 70_004), 'AAAA'));
    const { page, context } = await visit(path, { hash: '#recompute' });
    await page.waitForFunction(() => /^vitrine_web_bg\.wasm inside this report was changed/.test(document.getElementById('recomputed').textContent));
    await context.close();
  });

  test('the inspector runs the model: the point on the curve, a switch, another program, as the command line', async () => {
    const opened = await visit(report, { hash: '#inspect' });
    const { page } = opened;
    await settled(page);
    await sameAsCommandLine(page, model);
    await movePoint(page, model);
    await switchEdge(page, model);
    // What is shown stands in the address, and comes back with it.
    await page.waitForTimeout(400);
    const shown = await page.evaluate(() => [...globalThis.vitrine.page.look.masks].join(''));
    await page.reload();
    await settled(page);
    assert.equal(await page.evaluate(() => [...globalThis.vitrine.page.look.masks].join('')), shown);

    await page.selectOption('#model', 'hist-1');
    await page.waitForFunction(() => globalThis.vitrine.live.source?.kind === 'program' && globalThis.vitrine.live.reading);
    await settled(page);
    await sameAsCommandLine(page, join(root, 'core/assets/tracr/hist'));
    assert.match(await page.locator('table.outputs caption').textContent(), /The circuit says what the full model says/);
    await quiet(opened);
    await opened.context.close();
  });

  test('a model of the reader’s own is asked for, compared by its hash, and run', async () => {
    const gguf = join(root, 'tests/fixtures/gguf/tiny-llama.gguf');
    const letters = 'bcdfgjkl';
    const word = (seed) => [...letters].map((_, at) => letters[(seed * 7 + at * (seed + 3)) % 8]).join('');
    const rows = Array.from({ length: 24 }, (_, at) => JSON.stringify({ split: at % 3 === 2 ? 'test' : 'train', clean: word(at), corrupted: word(at + 9), answer: letters[at % 8], wrong: letters[(at + 3) % 8] }));
    const data = join(folder, 'data.jsonl');
    await writeFile(data, rows.join('\n'));
    const out = join(folder, 'own');
    execFileSync(binary, ['--quiet', 'run', 'edge-pruning', '--model', gguf, '--data', data, '--steps', '8', '--sizes', '0.4', '--device', 'cpu', '--out', out, `--interactive=${bundle}`], { stdio: ['ignore', 'ignore', 'ignore'] });
    const path = join(out, (await readdir(out))[0], 'report.html');
    const opened = await visit(path);
    const { page } = opened;
    assert.match(await page.locator('.interactive').innerText(), /Not inside this file: the model itself/);
    assert.equal(await page.getByRole('button', { name: 'Compute the numbers again' }).isVisible(), false);
    await page.getByRole('button', { name: 'Open the circuit inspector' }).click();
    await page.waitForFunction(() => globalThis.vitrine?.page.summary?.edges === 19);
    assert.match(await page.locator('#outputs').textContent(), /open the model’s weights.*SHA-256 is compared/);
    await page.locator('#graph').getByRole('button', { name: /^a0\.h1/ }).click();
    assert.match(await page.locator('#focus-h').textContent(), /^a0\.h1/);
    // Another file of the same name.
    const wrong = await readFile(gguf);
    wrong[wrong.length - 3] ^= 1;
    await page.locator('#files').setInputFiles({ name: 'tiny-llama.gguf', mimeType: 'application/octet-stream', buffer: wrong });
    await page.waitForFunction(() => /^tiny-llama\.gguf is not the file that this report was made with/.test(document.getElementById('notice').textContent));
    await page.locator('#files').setInputFiles(gguf);
    await settled(page);
    assert.equal(await page.locator('#notice').isVisible(), false);
    await sameAsCommandLine(page, gguf);
    await quiet(opened);
    await opened.context.close();
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 1440]) {
      test(`fits ${width} px and is accessible, ${colorScheme}`, async () => {
        const { page, context } = await visit(report, { hash: '#recompute', context: { colorScheme, viewport: { width, height: 900 }, bypassCSP: true } });
        await verdict(page);
        await page.getByRole('button', { name: 'Open the circuit inspector' }).click();
        await settled(page);
        await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
        assert.deepEqual(await overflow(page), { by: 0, broad: [] });
        assert.deepEqual(await serious(page), []);
        await context.close();
      });
    }
  }

  test('prints its findings, not its controls', async () => {
    const { page, context } = await visit(report, { hash: '#recompute' });
    await verdict(page);
    await page.getByRole('button', { name: 'Open the circuit inspector' }).click();
    await settled(page);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.interactive :is(button, select, input, canvas):visible, .tools:visible').count(), 0);
    assert.ok(await page.locator('#recomputed').isVisible());
    const pdf = await page.pdf({ format: 'A4' });
    assert.ok(pdf.length > 10_000);
    await context.close();
  });
});
