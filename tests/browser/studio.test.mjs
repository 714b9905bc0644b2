// The screenshot studio as a person meets it, and against the command line.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { downloaded, launch, serious } from './browser.mjs';
import { binary, cli, folder, serve, visit } from './site.mjs';

const skip = folder ? false : 'skipped: VITRINE_SITE not set';
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `the screenshot studio in the browser: ${skip}\n`);

describe('screenshot studio', { skip, timeout: 600_000 }, () => {
  let browser;
  let server;
  before(async () => {
    [browser, server] = await Promise.all([launch(), serve()]);
  });
  after(async () => {
    await browser?.close();
    server?.end();
  });

  const studio = async (hash = '', context = {}) => {
    const opened = await visit(browser, server.url, { path: `studio.html${hash}`, context });
    await opened.page.waitForFunction(() => globalThis.vitrine || !document.getElementById('notice').hidden);
    assert.equal(await opened.page.locator('#notice').isHidden(), true, await opened.page.locator('#notice').innerText());
    return opened;
  };
  const address = (settings) => `#${new URLSearchParams(settings)}`;

  test('pictures are those of the command line, pixel by pixel', async () => {
    const { page, context, seen } = await studio();
    const cases = [
      ['It was a bright cold day.', { patches: '40' }, ['--patches', '40']],
      ['Ελληνικά, 日本語, שלום, 😀', { patches: '128', prefix: true }, ['--patches', '128', '--prefix']],
      ['two\nlines\tand a tab', { layout: 'page' }, ['--page', '256x512', '--newline', 'line']],
      ['two letters a patch', { layout: 'mono', patches: '40', marker: false }, ['--mono', '--patches', '40', '--no-end-marker']],
      ['small and black', { patches: '40', size: '10', 'one-bit': true, fallback: false }, ['--patches', '40', '--size', '10', '--one-bit', '--no-fallback']],
      ['narrow patches', { patches: '40', patch: '16x8' }, ['--patches', '40', '--patch', '16x8']],
      ['', { patches: '40' }, ['--patches', '40']],
    ];
    const usual = { layout: 'strip', patches: '40', patch: '16x16', size: '13.9', prefix: false, marker: true, fallback: true, 'one-bit': false };
    for (const [text, settings, options] of cases) {
      await page.locator('#text').fill(text);
      for (const [id, value] of Object.entries({ ...usual, ...settings })) {
        const field = page.locator(`#${id}`);
        if (typeof value === 'boolean') await field.setChecked(value);
        else if (id === 'size') await field.fill(value);
        else if (await field.isVisible()) await field.selectOption(value);
      }
      const expected = cli('screenshot', 'render', '--text', text, ...options);
      assert.equal(await page.locator('#hash').innerText(), expected.hash, text);
      const found = await page.evaluate(() => globalThis.vitrine.page.found);
      assert.deepEqual(found.report, expected.report, text);
      assert.deepEqual(found.bytes_under, expected.bytes_under, text);
    }
    assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
    await context.close();
  });

  test('the shown command draws the shown picture', async () => {
    const { page, context } = await studio(address({ text: "it's <b> “quoted”", layout: 'page', patch: '8x8', size: '11' }));
    const command = await page.locator('#command').innerText();
    const place = await mkdtemp(join(tmpdir(), 'vitrine-studio-'));
    execFileSync('bash', ['-c', command.replace(/^vitrine/, `'${binary}'`)], { cwd: place });
    const shown = await downloaded(page, () => page.locator('#save-png').click());
    assert.deepEqual(await readFile(join(place, 'picture.png')), shown.bytes);
    await context.close();
  });

  test('patches are walked, read and hidden, and the address keeps what is shown', async () => {
    const { page, context } = await studio(address({ text: 'abc def ghi jkl mno pqr', rate: '0.25', seed: '3' }));
    const hidden = () => page.evaluate(() => Array.from(globalThis.vitrine.page.hidden));
    const drawn = await hidden();
    assert.equal(drawn.reduce((a, b) => a + b), 10, 'a quarter of 40');
    await page.locator('#seed').fill('4');
    assert.notDeepEqual(await hidden(), drawn);
    await page.locator('#seed').fill('3');
    assert.deepEqual(await hidden(), drawn, 'the same seed hides the same patches');
    await page.locator('#drawn').focus();
    await page.keyboard.press('Home');
    assert.match(await page.locator('#told').innerText(), /^Patch 1 holds “ab?c?”, bytes 0 to \d/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const turned = await hidden();
    assert.equal(turned[1], 1 - drawn[1]);
    assert.deepEqual(turned.filter((_, at) => at !== 1), drawn.filter((_, at) => at !== 1));
    await page.locator('#own').click();
    assert.deepEqual(await hidden(), drawn);
    const box = await page.locator('#given').boundingBox();
    await page.mouse.click(box.x + 5, box.y + 5);
    assert.equal((await hidden())[0], 1 - drawn[0], 'a click does it too');
    await page.locator('#text').fill('another text');
    await page.waitForFunction(() => location.hash.includes('another'));
    const again = await studio(new URL(page.url()).hash);
    assert.equal(await again.page.locator('#text').inputValue(), 'another text');
    assert.equal(await again.page.locator('#rate').inputValue(), '0.25');
    await again.context.close();
    const json = JSON.parse((await downloaded(page, () => page.locator('#save-json').click())).text);
    assert.equal(json.schema, 'vitrine.screenshot/1');
    assert.equal(json.bytes_under.length, 40);
    await context.close();
  });

  test('what cannot be drawn is said, and hostile text stays text', async () => {
    const { page, context } = await studio(address({ patches: '128' }));
    await page.locator('#text').fill('<img src=x onerror=alert(1)> \u202e 😀😀 \u0007');
    assert.match(await page.locator('#missing').innerText(), /^No font has U\+1F600 \(2 times\)\.$/);
    assert.equal(await page.locator('#report tr.loss').filter({ hasText: 'boxes' }).locator('td').innerText(), '2');
    assert.equal(await page.locator('main img').count(), 0);
    await page.locator('#seed').fill('-1');
    await page.locator('#notice', { hasText: 'The seed has to be a whole number, 0 or more.' }).waitFor();
    await page.locator('#seed').fill('0');
    assert.ok(await page.locator('#notice').isHidden());
    await page.locator('#measure').click();
    await page.waitForFunction(() => /strips a second/.test(document.getElementById('speed').textContent));
    console.log(`# ${await page.locator('#speed').innerText()}, headless Chromium`);
    assert.match(await page.locator('#missing').innerText(), /U\+1F600/, 'the text is there again afterwards');
    await context.close();
  });

  test('no serious accessibility finding, narrow and wide', async () => {
    for (const [width, colorScheme] of [[360, 'light'], [1400, 'dark']]) {
      const { page, context } = await studio('', { viewport: { width, height: 900 }, colorScheme });
      assert.deepEqual(await serious(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      await context.close();
    }
  });
});
