// The site as a person meets it: served by `vitrine serve`, in headless Chromium, without a GPU.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { downloaded, launch, readCsv, serious } from './browser.mjs';
import { movePoint, switchEdge } from './inspector.mjs';
import { binary, folder, sameAsCommandLine, serve, settled, visit } from './site.mjs';

const skip = folder ? false : 'skipped: VITRINE_SITE not set';
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `the site in the browser: ${skip}\n`);

// The suite as a whole may take long on a busy machine; each test keeps its own limit.
describe('site', { skip, timeout: 1_800_000 }, () => {
  let browser;
  let server;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serve()]);
  });
  after(async () => {
    await browser?.close();
    server?.end();
  });

  async function quiet({ page, seen }) {
    assert.deepEqual(seen.foreign, [], 'no request to another host');
    assert.deepEqual(seen.errors, [], 'nothing is wrong on the console');
    assert.deepEqual(await page.evaluate(() => globalThis.violations), [], 'nothing runs against the policy');
  }

  const inspector = async (hash = '', options = {}) => {
    const opened = await visit(browser, server.url, { path: `circuit.html${hash}`, ...options });
    await settled(opened.page);
    return opened;
  };

  test('every page loads without a request elsewhere, an error or a violation', async () => {
    for (const path of ['', 'circuit.html', 'prune.html', 'beam.html', 'readings.html']) {
      const opened = await visit(browser, server.url, { path });
      await opened.page.waitForLoadState('networkidle');
      assert.ok((await opened.page.locator('h1').textContent()).length > 3);
      if (path === 'circuit.html') await settled(opened.page);
      await quiet(opened);
      await opened.context.close();
    }
  });

  test('pages can be read without scripts, and say where one is needed', async () => {
    for (const path of ['', 'circuit.html', 'prune.html', 'beam.html', 'readings.html', 'studio.html']) {
      const { page, context } = await visit(browser, server.url, { path, context: { javaScriptEnabled: false } });
      assert.match(await page.locator('main noscript').innerText(), /JavaScript and WebAssembly/);
      assert.ok(await page.getByRole('navigation').isVisible());
      assert.equal(await page.locator('main :is(button, input, select):visible').count(), 0, `${path}: nothing that would do nothing`);
      await context.close();
    }
  });

  test('light and dark can be chosen and stay chosen', async () => {
    const { page, context } = await visit(browser, server.url, { context: { colorScheme: 'light' } });
    const paper = () => page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]));
    assert.ok((await paper()) > 128);
    await page.getByRole('button', { name: 'Use dark colours' }).click();
    assert.ok((await paper()) < 128);
    await page.reload();
    assert.ok((await paper()) < 128);
    await page.getByRole('button', { name: 'Use light colours' }).click();
    assert.ok((await paper()) > 128);
    await context.close();
  });

  /** A browser that keeps nothing for pages: asking for its storage throws. */
  const forgetful = (context) => context.addInitScript(() => {
    for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(globalThis, name, { get: () => { throw new DOMException('storage is closed', 'SecurityError'); } });
  });

  test('where the browser keeps nothing, colours can be chosen, circuits run, and a circuit that cannot be handed over is said to stay', async () => {
    const context = await browser.newContext({ colorScheme: 'light' });
    await forgetful(context);
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`${server.url}circuit.html#circuit=handed`);
    await settled(page);
    await page.getByRole('button', { name: 'Use dark colours' }).click();
    assert.ok((await page.evaluate(() => Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]))) < 128);
    await page.goto(`${server.url}prune.html#model=hist`);
    await page.waitForFunction(() => globalThis.vitrine);
    await page.evaluate(() => (document.getElementById('result').hidden = false));
    await page.getByRole('link', { name: 'Open in the inspector' }).click();
    assert.match(await page.locator('#notice').innerText(), /^This browser keeps nothing for pages.*\.$/);
    assert.match(page.url(), /prune\.html/);
    assert.deepEqual(errors, []);
    await context.close();
  });

  test('what a training is set to stands in the address', async () => {
    const opened = await visit(browser, server.url, { path: 'prune.html#model=small&cut=zero&keep=30&seed=7' });
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine);
    const set = () => page.evaluate(() => ['model', 'ablation', 'keep', 'seed'].map((id) => document.getElementById(id).value));
    assert.deepEqual(await set(), ['small', 'zero', '30', '7']);
    await page.locator('#keep').fill('25');
    await page.locator('#seed').fill('9');
    await page.locator('#seed').press('Tab');
    await page.waitForFunction(() => /keep=25/.test(location.hash) && /seed=9/.test(location.hash));
    await page.reload();
    await page.waitForFunction(() => globalThis.vitrine);
    assert.deepEqual(await set(), ['small', 'zero', '25', '9']);
    await quiet(opened);
    await opened.context.close();
  });

  test('the curve and what the three runs say are saved with the numbers shown', async () => {
    const opened = await inspector();
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine.curve.points.length > 20 && !globalThis.vitrine.live.client.busy);
    const rows = readCsv((await downloaded(page, () => page.getByRole('button', { name: 'Curve (CSV)' }).click())).text);
    assert.deepEqual(rows.slice(1).map(([edges, distance]) => [Number(edges), Number(distance)]), await page.evaluate(() => globalThis.vitrine.curve.points));
    const drawn = await downloaded(page, () => page.getByRole('button', { name: 'Curve (SVG)' }).click());
    assert.ok(drawn.text.startsWith('<svg') && drawn.text.includes('--c0:#') && !drawn.text.includes('slider'));
    const said = readCsv((await downloaded(page, () => page.getByRole('button', { name: 'What it says (CSV)' }).click())).text);
    const reading = await page.evaluate(() => globalThis.vitrine.live.reading.rows);
    assert.deepEqual(said.slice(1).map((row) => row.slice(5, 11).map(Number)), reading.map((row) => [...row.logits, ...row.probabilities]));
    await quiet(opened);
    await opened.context.close();
  });

  test('the shipped model runs without WebGPU and gives the command line’s logits, before and after a switch and a new size', async () => {
    const opened = await inspector();
    const { page } = opened;
    // Asked elsewhere, because the browser notes a missing adapter on the console.
    const blank = await opened.context.newPage();
    await blank.goto(server.url);
    assert.equal(await blank.evaluate(async () => (navigator.gpu ? await navigator.gpu.requestAdapter() : null)), null);
    await blank.close();
    assert.match(await page.locator('#status').textContent(), /CPU/);
    const model = join(folder, 'models/small');
    await sameAsCommandLine(page, model);
    const was = await switchEdge(page, model);
    await page.getByRole('button', { name: 'Put all switches back' }).click();
    await page.waitForFunction((was) => document.querySelector('td.pruned [data-logit]').dataset.logit === was, was);
    await movePoint(page, model);
    await quiet(opened);
    await opened.context.close();
  });

  test('compiled programs run, with cut edges carrying nothing', async () => {
    for (const program of ['xproportion', 'reverse', 'hist']) {
      const opened = await inspector(`#model=${program}`);
      await sameAsCommandLine(opened.page, join(folder, 'models/tracr', program));
      assert.match(await opened.page.locator('table.outputs caption').textContent(), /The circuit says what the full model says/, program);
      await quiet(opened);
      await opened.context.close();
    }
  });

  test('the point on the curve can be dragged', async () => {
    const opened = await inspector();
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine.curve.points.length > 20);
    const chart = page.locator('#curve > svg');
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    await page.mouse.move(box.x + box.width * 0.8, box.y + box.height * 0.5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.5, { steps: 6 });
    await page.mouse.up();
    const summary = await page.evaluate(() => globalThis.vitrine.page.summary);
    assert.ok(summary.size > 1 && summary.size < 40, `${summary.size}`);
    assert.ok(summary.shown <= summary.size);
    const points = await page.evaluate(() => globalThis.vitrine.curve.points);
    assert.ok(points.at(-1)[1] < 1e-6 && points[0][1] > 0.1, 'the full graph is faithful, one edge is not');
    await quiet(opened);
    await opened.context.close();
  });

  test('boxes answer to pointer and keys, and tell their strongest inputs and outputs', async () => {
    const opened = await inspector();
    const { page } = opened;
    const box = page.getByRole('button', { name: /^a1\.h2/ });
    await box.click();
    assert.equal(await page.locator('#focus-h').textContent(), 'a1.h2');
    const told = await page.evaluate(() => {
      const { page } = globalThis.vitrine;
      return [...document.querySelectorAll('.weights li')].map((line) => ({ edge: Number(line.dataset.edge), score: page.look.scores[Number(line.dataset.edge)], kept: page.look.masks[Number(line.dataset.edge)] }));
    });
    assert.ok(told.length > 1 && told.every((line) => line.kept === 1));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    assert.notEqual(await page.locator('#focus-h').textContent(), 'a1.h2');
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#focus-h').textContent(), 'Nothing chosen');
    await quiet(opened);
    await opened.context.close();
  });

  test('names and groups travel with the file, and the address holds what is shown', async () => {
    const opened = await inspector();
    const { page } = opened;
    await page.getByRole('button', { name: /^a1\.h2/ }).click();
    await page.getByLabel('Name', { exact: true }).fill('name mover');
    await page.getByLabel('Name', { exact: true }).press('Tab');
    await page.getByLabel('Group', { exact: true }).fill('movers');
    await page.getByLabel('Group', { exact: true }).press('Tab');
    const saved = JSON.parse((await downloaded(page, () => page.getByRole('button', { name: 'Circuit (JSON)' }).click())).text);
    assert.deepEqual([saved.labels, saved.groups], [{ 'a1.h2': 'name mover' }, { movers: ['a1.h2'] }]);
    await page.locator('.grid .rows .line input').first().click();
    await page.selectOption('#ablation', 'zero');
    await settled(page);
    await page.waitForTimeout(400);
    const shown = () => page.evaluate(() => [document.getElementById('ablation').value, globalThis.vitrine.page.summary.shown, document.getElementById('focus-h').textContent.slice(0, 5), document.getElementById('clean').value]);
    const was = await shown();
    const masks = await page.evaluate(() => [...globalThis.vitrine.page.look.masks].join(''));
    await page.reload();
    await settled(page);
    assert.deepEqual(await shown(), was);
    assert.equal(await page.evaluate(() => [...globalThis.vitrine.page.look.masks].join('')), masks);
    await quiet(opened);
    await opened.context.close();
  });

  test('two circuits are laid over each other, by colour and dash', async () => {
    const opened = await inspector();
    const { page } = opened;
    const names = await page.locator('#other option').evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
    await page.selectOption('#other', names.at(-1));
    await page.waitForFunction(() => globalThis.vitrine.page.summary.agreement);
    const counted = await page.evaluate(() => {
      const { classes } = globalThis.vitrine.page.look;
      return [1, 2, 3].map((kind) => classes.filter((one) => one === kind).length);
    });
    assert.match(await page.locator('#counts').textContent(), new RegExp(`^${counted[0]} shared, ${counted[1]} only A, ${counted[2]} only B`));
    assert.deepEqual(await page.locator('#key li').allTextContents().then((all) => all.slice(0, 3)), ['shared', 'only A', 'only B']);
    const dashes = await page.locator('#key path').evaluateAll((paths) => paths.map((path) => path.getAttribute('stroke-dasharray')));
    assert.equal(new Set(dashes).size, 3);
    await quiet(opened);
    await opened.context.close();
  });

  test('the list of edges sorts, searches and holds seventy thousand rows', async () => {
    const opened = await visit(browser, server.url, { path: 'circuit.html#model=smollm2' });
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine?.page.summary?.edges === 70651, null, { timeout: 120_000 });
    await page.locator('#list-all').check();
    await page.waitForFunction(() => document.getElementById('found').textContent.replace(/\D/g, '') === '70651');
    assert.ok((await page.locator('.grid .rows .line').count()) < 60, 'only the rows in sight exist');
    const scores = () => page.evaluate(() => [...document.querySelectorAll('.grid .rows .line')].map((line) => Math.abs(globalThis.vitrine.page.look.scores[line.dataset.edge])));
    const strongest = await scores();
    assert.deepEqual(strongest, [...strongest].sort((a, b) => b - a));
    await page.locator('.grid').getByRole('button', { name: /^Score/ }).click();
    const weakest = await scores();
    assert.deepEqual(weakest, [...weakest].sort((a, b) => a - b));
    await page.locator('#search').fill('from:m0 to:a1.h2');
    const rows = await page.locator('.grid .rows .line .ends').allTextContents();
    assert.deepEqual(rows.filter((_, at) => at % 2 === 0), rows.filter((_, at) => at % 2 === 0).map(() => 'm0'));
    assert.ok(rows.length > 0 && rows.filter((_, at) => at % 2 === 1).every((name) => name.startsWith('a1.h2')));
    await quiet(opened);
    await opened.context.close();
  });

  test('a circuit is saved in every format and read back', async () => {
    const opened = await inspector();
    const { page } = opened;
    const kept = await page.evaluate(() => globalThis.vitrine.page.summary.shown);
    const folder = await mkdtemp(join(tmpdir(), 'vitrine-'));
    for (const [name, file] of [['Circuit (JSON)', 'circuit.json'], ['EAP-IG graph (JSON)', 'eap-ig.json'], ['Edge list (JSON)', 'edges.json']]) {
      const saved = await downloaded(page, () => page.getByRole('button', { name }).click());
      assert.equal(saved.name, file);
      await writeFile(join(folder, file), saved.text);
    }
    const csv = await downloaded(page, () => page.getByRole('button', { name: 'Edges (CSV)' }).click());
    assert.equal(readCsv(csv.text.replace(/\n/g, '\r\n')).length, kept + 1);
    const svg = await downloaded(page, () => page.getByRole('button', { name: 'Drawing (SVG)' }).click());
    assert.ok(svg.text.startsWith('<svg') && svg.text.includes('</svg>'));
    const png = await downloaded(page, () => page.getByRole('button', { name: 'Drawing (PNG)' }).click());
    assert.ok(png.text.length > 1000 && png.text.includes('PNG'));
    for (const file of ['circuit.json', 'edges.json', 'eap-ig.json']) {
      await page.locator('#files').setInputFiles(join(folder, file));
      await page.waitForFunction((file) => document.getElementById('status').textContent.startsWith(file) || !document.getElementById('notice').hidden, file);
      assert.equal(await page.locator('#notice').isVisible(), false, file);
      const shown = await page.evaluate(() => globalThis.vitrine.page.summary.shown);
      // EAP-IG has one input node: an edge of either embedding becomes one of both.
      if (file === 'eap-ig.json') assert.ok(shown >= kept);
      else assert.equal(shown, kept, file);
    }
    await quiet(opened);
    await opened.context.close();
  });

  test('a GGUF from the disk runs, is kept in this browser by its hash, and needs no second picking', async () => {
    const opened = await inspector();
    const { page } = opened;
    const gguf = fileURLToPath(new URL('../fixtures/gguf/tiny-llama.gguf', import.meta.url));
    await page.locator('#files').setInputFiles(gguf);
    await page.waitForFunction(() => globalThis.vitrine.page.summary.edges === 19 && document.getElementById('model').selectedOptions[0].textContent.startsWith('tiny-llama') && globalThis.vitrine.live.ready && globalThis.vitrine.live.about.d_model === globalThis.vitrine.page.width);
    await settled(page);
    await page.locator('.grid .rows .line input').nth(3).click();
    await page.waitForTimeout(300);
    await settled(page);
    await sameAsCommandLine(page, gguf);
    // A model without circuits gets one from the typed pair, with a score for every edge.
    await page.getByRole('button', { name: /^Score the edges/ }).click();
    await page.waitForFunction(() => globalThis.vitrine.page.summary.scored && globalThis.vitrine.curve.points.length > 5 && !globalThis.vitrine.live.client.busy);
    await sameAsCommandLine(page, gguf);
    const kept = page.locator('#model option[value^="kept:"]');
    await kept.waitFor({ state: 'attached' });
    assert.match(await kept.textContent(), /^tiny-llama\.gguf/);
    const hash = (await kept.getAttribute('value')).slice(5);
    assert.equal(hash, createHash('sha256').update(await readFile(gguf)).digest('hex'));
    await page.goto(`${server.url}circuit.html#model=kept:${hash}`);
    await page.reload();
    await settled(page);
    assert.equal(await page.evaluate(() => globalThis.vitrine.page.summary.edges), 19);
    await quiet(opened);
    await opened.context.close();
  });

  test('a Hugging Face folder runs, picked or dropped, and a broken one ends in one sentence', async () => {
    const made = join(await mkdtemp(join(tmpdir(), 'vitrine-')), 'tiny');
    execFileSync(binary, ['--quiet', 'model', 'convert', fileURLToPath(new URL('../fixtures/gguf/tiny-llama.gguf', import.meta.url)), made], { stdio: 'ignore' });
    const names = ['config.json', 'model.safetensors', 'tokenizer.json'];
    const files = await Promise.all(names.map(async (name) => ({ name, mimeType: 'application/octet-stream', buffer: await readFile(join(made, name)) })));
    const opened = await inspector();
    const { page } = opened;
    const notice = page.locator('#notice');
    const runs = async (clean, corrupted) => {
      await page.waitForFunction(() => globalThis.vitrine.page.summary.edges === 19 && globalThis.vitrine.live.ready && globalThis.vitrine.live.about.d_model === 32);
      await page.locator('#clean').fill(clean);
      await page.locator('#corrupted').fill(corrupted);
      await page.waitForFunction((clean) => globalThis.vitrine.live.reading && globalThis.vitrine.live.tokens === clean.length, clean);
      await page.waitForTimeout(600);
      await settled(page);
      assert.equal(await notice.isVisible(), false);
      return sameAsCommandLine(page, made);
    };
    await page.locator('#files').setInputFiles(names.map((name) => join(made, name)));
    await runs('glkdf', 'kldgb');
    await page.locator('.grid .rows .line input').nth(3).click();
    await page.waitForTimeout(300);
    await settled(page);
    await sameAsCommandLine(page, made);

    // Each is refused in a sentence, and the page goes on with what it had.
    const instead = (name, buffer) => files.map((file) => (file.name === name ? { ...file, buffer } : file));
    const [config, weights] = files.map((file) => file.buffer);
    const broken = [
      ['no config', files.slice(1), /config\.json/],
      ['no tokenizer', files.slice(0, 2), /./],
      ['cut weights', instead('model.safetensors', weights.subarray(0, weights.length - 1000)), /model\.safetensors|data|bytes|end/],
      ['cut header', instead('model.safetensors', weights.subarray(0, 40)), /./],
      ['a tensor too few layers', instead('config.json', Buffer.from(config.toString().replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))), /layers\.1/],
      ['another width', instead('config.json', Buffer.from(config.toString().replace('"hidden_size": 32', '"hidden_size": 64'))), /shape/],
      ['no JSON', instead('tokenizer.json', Buffer.from('{')), /tokenizer/],
    ];
    for (const [name, drop, words] of broken) {
      await page.evaluate(() => {
        document.getElementById('notice').hidden = true;
        document.getElementById('notice').textContent = '';
      });
      await page.locator('#files').setInputFiles(drop);
      await notice.waitFor({ state: 'visible', timeout: 30_000 });
      const said = await notice.textContent();
      assert.match(said, /^[^\n]{8,420}[.!?…]$/, `${name}: ${said}`);
      assert.match(said, words, `${name}: ${said}`);
    }

    // Dropped together, after all that.
    await page.evaluate((files) => {
      document.getElementById('notice').hidden = true;
      const data = new DataTransfer();
      for (const [name, bytes] of files) data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
      dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
    }, files.map((file) => [file.name, file.buffer.toString('base64')]));
    await runs('bcdf', 'fdcb');
    await quiet(opened);
    await opened.context.close();
  });

  test('weights named in the address come from this site only', async () => {
    const opened = await visit(browser, server.url, { path: 'circuit.html#weights=http://127.0.0.2/x.gguf' });
    await opened.page.locator('#notice').waitFor({ state: 'visible' });
    assert.match(await opened.page.locator('#notice').textContent(), /from this site only/);
    await quiet(opened);
    await opened.context.close();
  });

  test('hostile files end in one sentence, and the page goes on', async () => {
    const opened = await inspector();
    const { page } = opened;
    const fixtures = new URL('../fixtures/hostile/', import.meta.url);
    const files = (await readdir(fixtures)).filter((name) => /\.(gguf|safetensors|json)$/.test(name));
    const own = {
      'empty.json': '', 'brackets.json': '['.repeat(100_000), 'huge-shape.json': '{"format":"vitrine.circuit/1","shape":{"n_layers":999999999,"n_heads":999999,"n_kv_heads":1,"embedding_nodes":"split"},"kept":0,"edges":[]}',
      'backwards.txt': 'm1 -> m0\n', 'markup.json': '{"format":"vitrine.circuit/1<img src=x onerror=alert(1)>"}', 'text.txt': 'not -> a <b>node</b>', 'zeros.json': '\0\0\0\0',
    };
    const drops = Object.entries(own).map(([name, text]) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) }));
    for (const name of files.filter((_, at) => at % 4 === 0)) drops.push({ name, mimeType: 'application/octet-stream', buffer: await readFile(new URL(name, fixtures)) });
    const notice = page.locator('#notice');
    for (const file of drops) {
      await page.evaluate(() => {
        document.getElementById('notice').hidden = true;
        document.getElementById('notice').textContent = '';
      });
      await page.locator('#files').setInputFiles(file);
      await notice.waitFor({ state: 'visible', timeout: 30_000 });
      const words = await notice.textContent();
      assert.match(words, /^[^\n]{8,420}[.!?…]$/, `${file.name}: ${words}`);
      assert.equal(await notice.locator('*').count(), 0, 'no markup from a file');
    }
    // Dropped, not picked.
    await page.evaluate(() => {
      document.getElementById('notice').hidden = true;
      const data = new DataTransfer();
      data.items.add(new File(['m9 -> m0'], 'dropped.txt'));
      dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
    });
    await notice.waitFor({ state: 'visible' });
    await page.selectOption('#model', 'reverse');
    await page.waitForFunction(() => globalThis.vitrine.page.summary.edges === 94);
    await settled(page);
    assert.equal(await notice.isVisible(), false);
    await sameAsCommandLine(page, join(folder, 'models/tracr/reverse'));
    assert.deepEqual(opened.seen.foreign, []);
    await opened.context.close();
  });

  test('prompts that cannot be compared are refused in a sentence', async () => {
    const opened = await inspector();
    const { page } = opened;
    for (const [clean, corrupted, words] of [['when sam', 'when', /same number/], ['', 'when', /empty/], ['zebra', 'zebra', /not among the/]]) {
      await page.locator('#clean').fill(clean);
      await page.locator('#corrupted').fill(corrupted);
      await page.waitForFunction((source) => new RegExp(source).test(document.getElementById('live-error').textContent), words.source);
    }
    await page.getByRole('button', { name: 'Another example' }).click();
    await page.locator('table.outputs').waitFor();
    assert.equal(await page.locator('#live-error').isVisible(), false);
    await quiet(opened);
    await opened.context.close();
  });

  test('Edge Pruning stops, goes on, ends with the command line’s circuit, which opens in the inspector', async () => {
    const opened = await visit(browser, server.url, { path: 'prune.html#model=small' });
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.waitForFunction(() => globalThis.vitrine.page.records.length > 8, null, { timeout: 120_000 });
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    const goOn = page.getByRole('button', { name: 'Go on' });
    await goOn.waitFor({ state: 'visible', timeout: 60_000 });
    const stopped = await page.evaluate(() => globalThis.vitrine.page.records.map((record) => record.step));
    assert.deepEqual(stopped, stopped.map((_, at) => at + 1), 'every step once');
    await goOn.click();
    await page.waitForFunction(() => /^Done/.test(document.getElementById('status').textContent) || !document.getElementById('notice').hidden, null, { timeout: 280_000 });
    const steps = await page.evaluate(() => globalThis.vitrine.page.records.map((record) => record.step));
    assert.deepEqual(steps, Array.from({ length: 600 }, (_, at) => at + 1), 'goes on where it stopped');
    // The shipped circuit was found by the command line with the same seed.
    const found = JSON.parse(await page.evaluate(() => globalThis.vitrine.page.circuit));
    const shipped = JSON.parse(await readFile(join(folder, 'models/small/circuit-41.json'), 'utf8'));
    assert.deepEqual(found.edges, shipped.edges);
    const edges = Number(await page.locator('#found').getAttribute('data-edges'));
    await page.getByRole('link', { name: 'Open in the inspector' }).click();
    await settled(page);
    assert.equal(await page.evaluate(() => globalThis.vitrine.page.summary.shown), edges);
    await quiet(opened);
    await opened.context.close();
  });

  test('a program pruned in the page ends with its known circuit', async () => {
    const opened = await visit(browser, server.url, { path: 'prune.html#model=hist' });
    const { page } = opened;
    await page.waitForFunction(() => globalThis.vitrine);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.waitForFunction(() => /^Done/.test(document.getElementById('status').textContent) || !document.getElementById('notice').hidden, null, { timeout: 280_000 });
    assert.equal(await page.locator('#notice').isVisible(), false);
    const found = JSON.parse(await page.evaluate(() => globalThis.vitrine.page.circuit)).edges;
    const truth = JSON.parse(await readFile(join(folder, 'models/tracr/hist/edges.json'), 'utf8')).minimal_interchange;
    assert.deepEqual(found.map(String).sort(), truth.map(String).sort());
    await quiet(opened);
    await opened.context.close();
  });

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 768, 1440]) {
      test(`fits ${width} px and is accessible, ${colorScheme}`, async () => {
        for (const path of ['', 'circuit.html#model=small&node=a1.h2', 'prune.html']) {
          const { page, context } = await visit(browser, server.url, { path, context: { colorScheme, viewport: { width, height: 800 }, bypassCSP: true } });
          if (path.startsWith('circuit')) await settled(page);
          else await page.waitForLoadState('networkidle');
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, path);
          assert.deepEqual(await serious(page), [], path);
          await context.close();
        }
      });
    }
  }
});
