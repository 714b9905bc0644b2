// The beam explorer as a person meets it, and against the command line.
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { downloaded, launch, serious } from './browser.mjs';
import { cli, folder, root, serve, visit } from './site.mjs';

const skip = folder ? false : 'skipped: VITRINE_SITE not set';
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `the beam explorer in the browser: ${skip}\n`);

const MODEL = join(root, 'tests/fixtures/gguf/tiny-llama.gguf');
const BLOCKS = join(root, 'tests/fixtures/gguf/blocks-llama.gguf');

describe('beam explorer', { skip, timeout: 900_000 }, () => {
  let browser;
  let server;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serve()]);
  });
  after(async () => {
    await browser?.close();
    server?.end();
  });

  const found = (page) => page.waitForFunction(() => globalThis.vitrine && !globalThis.vitrine.page.running && globalThis.vitrine.page.panels.every((panel) => panel.found));
  const explorer = async (hash = '', context = {}) => {
    const opened = await visit(browser, server.url, { path: `beam.html${hash}`, context });
    await found(opened.page);
    return opened;
  };
  const nodes = (page, method) => page.locator(`#method-${method} .node`).count();

  test('four methods search at once, time can be moved, and nothing is asked elsewhere', async () => {
    const { page, context, seen } = await explorer('#width=5&tokens=6');
    for (const id of ['beam', 'diverse', 'sample', 'stochastic']) assert.equal(await page.locator(`#method-${id} .found li`).count(), 5, id);
    const all = await nodes(page, 'beam');
    await page.locator('#step').fill('1');
    assert.equal(await nodes(page, 'beam'), 6, 'the prompt and a token of each hypothesis');
    await page.locator('#on').click();
    assert.equal(await page.locator('#step').inputValue(), '2');
    await page.locator('#step').fill('6');
    assert.equal(await nodes(page, 'beam'), all);
    await page.locator('#cuts').check();
    assert.ok((await nodes(page, 'beam')) > all, 'what was cut is there too');
    await page.locator('#step').fill('6');
    await page.locator('#play').click();
    await page.waitForFunction(() => document.getElementById('step').value === '2');
    await page.locator('#play').click();
    assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
    await context.close();
  });

  test('more width and another seed change what they should', async () => {
    const { page, context } = await explorer('#width=3&tokens=5&seed=4');
    const texts = (id) => page.locator(`#method-${id} .found`).innerText();
    const before = [await texts('beam'), await texts('stochastic')];
    await page.locator('#seed').fill('5');
    await page.locator('#search').click();
    await page.waitForFunction(() => globalThis.vitrine.page.panels[3].asked?.seed === 5);
    await found(page);
    assert.equal(await texts('beam'), before[0], 'a beam draws nothing');
    assert.notEqual(await texts('stochastic'), before[1]);
    await page.locator('#width').fill('7');
    await page.locator('#search').click();
    await page.waitForFunction(() => globalThis.vitrine.page.panels[3].found?.hypotheses.length === 7);
    await page.waitForURL(/width=7/);
    await context.close();
  });

  test('the tree is walked by keys and tells of each token', async () => {
    const { page, context } = await explorer('#width=3&tokens=4');
    const tree = page.locator('#method-beam');
    await tree.locator('.node[tabindex="0"]').focus();
    for (let i = 0; i < 6; i += 1) await page.keyboard.press('ArrowLeft');
    assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /^prompt/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const chosen = await page.evaluate(() => {
      const panel = globalThis.vitrine.page.panels[0];
      const node = panel.nodes[panel.chosen];
      return { text: node.text, share: Math.exp(node.log_prob), depth: node.tokens };
    });
    assert.equal(chosen.depth, 1);
    const told = await tree.locator('.told').innerText();
    assert.ok(told.startsWith(`${chosen.text} is token 1.`), told);
    assert.ok(told.includes(`${Number((100 * chosen.share).toPrecision(4))} %`), told);
    await context.close();
  });

  test('exports hold what is shown', async () => {
    const { page, context } = await explorer('#width=2&tokens=3');
    const json = JSON.parse((await downloaded(page, () => page.locator('#method-beam').getByRole('button', { name: 'Search (JSON)' }).click())).text);
    assert.equal(json.schema, 'vitrine.search/1');
    assert.equal(json.hypotheses.length, 2);
    assert.equal(json.asked.method.width, 2);
    const svg = (await downloaded(page, () => page.locator('#method-beam').getByRole('button', { name: 'Tree (SVG)' }).click())).text;
    assert.match(svg, /^<svg[^>]+xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    assert.ok(svg.includes('class="branch'));
    await context.close();
  });

  test('a model from disk decodes as on the command line', async () => {
    const { page, context } = await explorer('#width=5&tokens=6&seed=3');
    await page.locator('#files').setInputFiles(MODEL);
    await page.waitForFunction(() => document.getElementById('model').value === 'files' && document.getElementById('status').textContent === '');
    const shared = ['--max-tokens', '6', '--seed', '3'];
    const methods = { beam: ['beam', '--width', '5'], diverse: ['diverse', '--groups', '5', '--width', '1', '--strength', '0.5'], sample: ['top-p', '-p', '0.9', '--samples', '5'], stochastic: ['stochastic', '--width', '5'] };
    let largest = 0;
    for (const prompt of ['bcd', 'Once upon', 'a b c d e', 'zzz', '0 1 2', 'Hello, world', 'tree', 'x = y', 'ümlaut', '.']) {
      await page.locator('#prompt').fill(prompt);
      await page.locator('#search').click();
      await page.waitForFunction((prompt) => globalThis.vitrine.page.panels[3].asked?.prompt === prompt, prompt);
      await found(page);
      const shown = await page.evaluate(() => Object.fromEntries(globalThis.vitrine.page.panels.map((panel) => [panel.method.id, panel.found.hypotheses.map((h) => ({ ids: h.ids, log_prob: h.log_prob }))])));
      for (const [id, method] of Object.entries(methods)) {
        const expected = cli('decode', '--model', MODEL, '--prompt', prompt, ...shared, '--method', ...method).hypotheses;
        assert.deepEqual(shown[id].map((h) => h.ids), expected.map((h) => h.ids ?? h.tokens), `${id}, ${prompt}`);
        shown[id].forEach((h, i) => {
          largest = Math.max(largest, Math.abs(h.log_prob - expected[i].log_prob));
        });
      }
    }
    assert.ok(largest < 1e-4, `log-probabilities differ by ${largest}`);
    console.log(`# 10 prompts, 4 methods, largest difference of a log-probability ${largest.toExponential(1)}`);
    const command = await page.locator('#method-beam .command code').innerText();
    assert.match(command, /^vitrine decode --model tiny-llama\.gguf --prompt '\.' --max-tokens 6 --method beam --width 5 --trace$/);
    await context.close();
  });

  test('weights stay in the blocks of their file, as on the command line', async () => {
    const { page, context } = await explorer('#width=5&tokens=8');
    assert.ok(await page.locator('#weights').isHidden(), 'a shipped model has no blocks');
    await page.locator('#files').setInputFiles(BLOCKS);
    await page.waitForFunction(() => document.getElementById('model').value === 'files' && document.getElementById('status').textContent === '');
    const seen = {};
    for (const weights of ['single', 'blocks']) {
      await page.locator('#weights').selectOption(weights);
      await page.waitForFunction(() => document.getElementById('status').textContent === '');
      await page.locator('#prompt').fill(`the ${weights}`);
      await page.locator('#search').click();
      await page.waitForFunction((prompt) => globalThis.vitrine.page.panels[3].asked?.prompt === prompt, `the ${weights}`);
      await found(page);
      seen[weights] = await page.evaluate(() => globalThis.vitrine.page.panels[0].found.hypotheses.map((h) => ({ ids: h.ids, log_prob: h.log_prob })));
      // The sums are the same bits as natively; what is around them differs in the last places.
      const expected = cli('decode', '--model', BLOCKS, '--prompt', `the ${weights}`, '--max-tokens', '8', '--method', 'beam', '--width', '5', '--weights', weights).hypotheses;
      assert.deepEqual(seen[weights].map((h) => h.ids), expected.map((h) => h.ids));
      seen[weights].forEach((h, i) => assert.ok(Math.abs(h.log_prob - expected[i].log_prob) < 1e-4, `${h.log_prob} and ${expected[i].log_prob}`));
    }
    assert.match(await page.locator('#method-beam .command code').innerText(), / --weights blocks --trace$/);
    await context.close();
  });

  test('what cannot be decoded is refused in one sentence', async () => {
    const { page, context } = await explorer();
    const refused = async (words) => {
      await page.locator('#notice', { hasText: words }).waitFor({ timeout: 20_000 });
      assert.equal((await page.locator('#notice').innerText()).match(/[.!?]$/)?.length, 1, 'one sentence');
    };
    await page.locator('#prompt').fill('while <script>alert(1)</script>');
    await page.locator('#search').click();
    await refused(/`<` is not among the 77 words/);
    await page.locator('#prompt').fill('');
    await page.locator('#search').click();
    await refused(/empty|no token/i);
    const place = await mkdtemp(join(tmpdir(), 'vitrine-'));
    const broken = join(place, 'broken.gguf');
    await writeFile(broken, Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(60, 0xff)]));
    await page.locator('#files').setInputFiles(broken);
    await refused(/GGUF/);
    const note = join(place, 'note.json');
    await writeFile(note, '{}');
    await page.locator('#files').setInputFiles(note);
    await refused(/choose a GGUF file/i);
    // It still works afterwards.
    await page.locator('#model').selectOption('small');
    await page.waitForFunction(() => document.getElementById('status').textContent === '' && document.getElementById('prompt').value !== '');
    await page.locator('#search').click();
    await page.waitForFunction(() => document.getElementById('notice').hidden);
    await found(page);
    await context.close();
  });

  test('no serious accessibility finding, narrow and wide', async () => {
    for (const width of [360, 1400]) {
      const { page, context } = await explorer('#width=3&tokens=4', { viewport: { width, height: 900 } });
      assert.deepEqual(await serious(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'nothing sticks out');
      await context.close();
    }
  });
});
