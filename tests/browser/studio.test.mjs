// The screenshot studio as a person meets it, and against the command line.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { downloaded, launch, serious } from './browser.mjs';
import { binary, cli, folder, root, serve, visit } from './site.mjs';

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
  const MODEL = join(root, 'www/models/screenshot/ptp.safetensors');
  /** Waits until the model has answered all that was asked. */
  const answered = (page) => page.waitForFunction(() => globalThis.vitrine.page.answers.look && !globalThis.vitrine.page.asking && globalThis.vitrine.page.done === globalThis.vitrine.page.wanted);
  const looked = (page) => page.evaluate(() => {
    const { look, asked } = globalThis.vitrine.page.answers;
    return { ...look, given: Array.from(look.given), redrawn: Array.from(look.redrawn), asked };
  });
  /** Every number of a look, in order. */
  const numbers = (look) => [...look.tokens.flatMap((token) => [token.log_prob ?? 0, ...token.top.map((guess) => guess.log_prob), ...(token.attention?.patches ?? [])]), ...look.patches.flatMap((patch) => [patch.loss ?? 0, ...(patch.attention?.patches ?? [])])];

  test('pictures are those of the command line, pixel by pixel', async () => {
    const { page, context, seen } = await studio(address({ model: 'off' }));
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
    const { page, context } = await studio(address({ model: 'off', text: 'abc def ghi jkl mno pqr', rate: '0.25', seed: '3' }));
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
    await page.locator('#given').click({ position: { x: 5, y: 5 } });
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

  test('words and patches are masked by hand, and the model redraws and reads them', async () => {
    const { page, context, seen } = await studio(address({ text: 'She was very happy to see her sister.', rate: '0', words: '0' }));
    await answered(page);
    assert.ok(await page.locator('#layouts').isHidden(), 'the layout is the model’s');
    assert.match(await page.locator('#about-model').innerText(), /trained for \d+ minutes of processor time.*40 patches, two letters each/);
    const calm = await looked(page);
    assert.deepEqual([calm.redrawn, calm.drawn], [calm.given, 'She was very happy to see her sister.'], 'nothing is hidden, so nothing is redrawn');
    assert.match(await page.locator('#redrawn-words').innerText(), /nothing is redrawn/);
    // A word by the keyboard: Tab reaches the row, arrows go along it.
    await page.locator('#pieces button').first().focus();
    for (let at = 0; at < 2; at += 1) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await answered(page);
    const masked = await looked(page);
    assert.deepEqual(masked.tokens.map((token) => token.masked).flatMap((one, at) => (one ? [at] : [])), [2]);
    assert.match(masked.drawn, /^S?he?.*<mask>/);
    assert.equal(await page.locator('#pieces button').nth(2).getAttribute('aria-pressed'), 'true');
    assert.equal(await page.locator('#masked-list h4').count(), 1);
    assert.equal(await page.locator('#masked-list li').count(), 5);
    // Patches by a click and by the keyboard.
    await page.locator('#given').click({ position: { x: 6 * 32 + 5, y: 5 } });
    await page.locator('#given').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await answered(page);
    const hidden = await looked(page);
    assert.deepEqual(hidden.patches.flatMap((patch, at) => (patch.hidden ? [at] : [])), [6, 7]);
    assert.ok(hidden.patches[6].loss > 0 && hidden.patches[5].loss === null);
    const part = (pixels, patch) => Array.from({ length: 16 }, (_, y) => pixels.slice(y * 640 + patch * 16, y * 640 + patch * 16 + 16)).flat();
    assert.notDeepEqual(part(hidden.redrawn, 6), part(hidden.given, 6), 'redrawn, not copied');
    assert.deepEqual(part(hidden.redrawn, 5), part(hidden.given, 5));
    assert.match(await page.locator('#given-told').innerText(), /^Patch 8 shows tokens .*; hidden, redrawn with a loss of \d/);
    assert.equal(await page.locator('#plot rect.bar').count(), 2);
    // The address brings all of it back.
    await page.waitForFunction(() => location.hash.includes('hide=') && location.hash.includes('mask='));
    const again = await studio(new URL(page.url()).hash);
    await answered(again.page);
    assert.deepEqual((await looked(again.page)).redrawn, hidden.redrawn);
    await again.context.close();
    await page.locator('#own').click();
    await answered(page);
    assert.deepEqual((await looked(page)).tokens.filter((token) => token.masked), []);
    assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
    await context.close();
  });

  test('what the page reads is what the command line reads', async () => {
    const { page, context } = await studio(address({ text: 'x' }));
    const cases = [
      [{ text: 'She was very happy to see her sister at the end of the day.', seed: '3' }, []],
      [{ text: 'My dear friend, you must not be so angry.', rate: '0.25', words: '0', spans: '0' }, ['--rate', '0.25', '--text-rate', '0', '--single']],
      [{ text: 'The people of this country have a right to know.', hide: '3.4.9', mask: '2.5', rate: '0', words: '0' }, ['--rate', '0', '--text-rate', '0', '--hide', '3,4,9', '--mask', '2,5']],
      [{ text: 'She was very happy to see her sister.', typos: '0.3', noise: '0.2', blur: '1', font: '12' }, ['--typos', '0.3', '--noise', '0.2', '--blur', '1', '--font-px', '12']],
      [{ text: 'She was very happy.', model: 'none' }, ['--untrained', '0']],
      [{ text: 'two lines\nand é 日 '.repeat(12) }, []],
    ];
    let [worst, slowest] = [0, 0];
    for (const [settings, options] of cases) {
      const opened = await studio(address(settings));
      await answered(opened.page);
      const found = await looked(opened.page);
      const place = await mkdtemp(join(tmpdir(), 'vitrine-look-'));
      const expected = cli('screenshot', 'reconstruct', '--model', MODEL, '--text', settings.text, '--seed', settings.seed ?? '2', ...options, '--out', join(place, 'seen.png')).look;
      assert.deepEqual([found.drawn, found.free.text, found.attended, found.all_drawn], [expected.drawn, expected.free.text, expected.attended, expected.all_drawn]);
      assert.deepEqual(found.tokens.map((token) => [token.text, token.bytes, token.masked, token.drawn]), expected.tokens.map((token) => [token.text, token.bytes, token.masked, token.drawn]));
      const [a, b] = [numbers(found), numbers(expected)];
      assert.equal(a.length, b.length);
      a.forEach((value, at) => (worst = Math.max(worst, Math.abs(value - b[at]))));
      // Pixels are rounded, so that the last bit of a number may turn one by a grey level.
      const shown = await downloaded(opened.page, () => opened.page.locator('#save-sheet').click());
      const size = (png) => [png.readUInt32BE(16), png.readUInt32BE(20)];
      assert.deepEqual(size(shown.bytes), size(await readFile(join(place, 'seen.png'))));
      const command = await opened.page.locator('#look-command').innerText();
      execFileSync('bash', ['-c', command.replace(/^vitrine/, `'${binary}'`).replace('www/models', join(root, 'www/models')).replace('seen.png', join(place, 'again.png'))]);
      assert.deepEqual(await readFile(join(place, 'again.png')), await readFile(join(place, 'seen.png')), 'the shown command asks the same');
      slowest = Math.max(slowest, found.milliseconds);
      await opened.context.close();
    }
    console.log(`# largest difference ${worst.toExponential(1)}, slowest look ${slowest.toFixed(0)} ms`);
    assert.ok(worst < 1e-4, `largest difference ${worst}`);
    await context.close();
  });

  test('three models side by side, stress that is seen and stress that is not', async () => {
    const { page, context } = await studio(address({ text: 'She was very happy to see her sister.', words: '0', compare: '1' }));
    await answered(page);
    assert.deepEqual(await page.locator('#models h3').allInnerTexts(), ['PTP', 'pixels only', 'before training']);
    const losses = await page.evaluate(() => [globalThis.vitrine.page.answers.look, ...globalThis.vitrine.page.answers.others.map((one) => one.look)].map((look) => look.loss.text));
    assert.ok(losses[0] < 2.5 && losses[1] > 5 && losses[2] > 5, `only PTP reads: ${losses}`);
    const calm = await looked(page);
    await page.locator('#stress summary').click();
    // Cyrillic letters are the same pixels to this eye, digits are not.
    await page.locator('#alike').fill('1');
    await answered(page);
    const alike = await looked(page);
    assert.notEqual(alike.drawn, calm.drawn);
    assert.deepEqual([alike.given, alike.loss], [calm.given, calm.loss]);
    await page.locator('#alike').fill('0');
    await page.locator('#digits').fill('1');
    await answered(page);
    const digits = await looked(page);
    assert.ok(digits.loss.text > calm.loss.text + 0.5, `${digits.loss.text} ${calm.loss.text}`);
    const row = page.locator('#moved tbody tr').first();
    assert.deepEqual(await row.locator('td').allInnerTexts(), [calm.loss.text.toFixed(2), digits.loss.text.toFixed(2)]);
    await page.locator('#calm').click();
    await answered(page);
    assert.ok(await page.locator('#moved').isHidden());
    await page.locator('#from').selectOption('patch');
    await page.locator('#given').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    assert.match(await page.locator('#heat-told').innerText(), /^From patch 1 “Sh” it looks at patch/);
    const json = JSON.parse((await downloaded(page, () => page.locator('#save-look').click())).text);
    assert.deepEqual([json.schema, json.look.tokens.length], ['vitrine.screenshot-look/1', calm.tokens.length]);
    const rows = (await downloaded(page, () => page.locator('#save-tokens').click())).text.trim().split('\r\n');
    assert.equal(rows.length, calm.tokens.length + 1);
    assert.equal((await downloaded(page, () => page.locator('#save-patches').click())).text.trim().split('\r\n').length, 41);
    await context.close();
  });

  test('a model of the person’s own, and files that are none', async () => {
    const { page, context, seen } = await studio(address({ text: 'She was very happy.' }));
    await answered(page);
    const before = await looked(page);
    const place = await mkdtemp(join(tmpdir(), 'vitrine-hostile-'));
    const good = await readFile(MODEL);
    const files = { 'short.safetensors': good.subarray(0, 5000), 'noise.safetensors': Buffer.alloc(4096, 0xa7), 'empty.safetensors': Buffer.alloc(0), 'model.txt': Buffer.from('hello') };
    for (const [name, bytes] of Object.entries(files)) {
      await writeFile(join(place, name), bytes);
      await page.locator('#file').setInputFiles(join(place, name));
      await page.waitForFunction(() => !document.getElementById('notice').hidden);
      const said = await page.locator('#notice').innerText();
      assert.match(said, /^[A-Z].*\.$/, said);
      assert.doesNotMatch(said, /unreachable|RuntimeError|panicked/);
      await page.locator('#seed').fill(String(name.length));
      await answered(page);
      assert.ok(await page.locator('#notice').isHidden(), 'an old notice goes');
      assert.equal(await page.locator('#model').inputValue(), 'ptp', 'the model from before stays');
    }
    await page.locator('#seed').fill('2');
    await page.locator('#file').setInputFiles(MODEL);
    await page.waitForFunction(() => document.getElementById('model').value === 'own');
    await answered(page);
    assert.deepEqual((await looked(page)).tokens, before.tokens, 'the same file, the same answers');
    await page.locator('#model').selectOption('off');
    assert.ok(await page.locator('#answers').isHidden());
    assert.ok(await page.locator('#layouts').isVisible());
    assert.deepEqual([seen.foreign, seen.errors], [[], []]);
    await context.close();
  });

  test('no serious accessibility finding, narrow and wide', async () => {
    for (const [width, colorScheme] of [[360, 'light'], [1400, 'dark']]) {
      const { page, context } = await studio(address({ compare: '1', typos: '0.2' }), { viewport: { width, height: 900 }, colorScheme });
      await answered(page);
      assert.deepEqual(await serious(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      await context.close();
    }
  });
});
