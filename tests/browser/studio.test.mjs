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
  const WRITER = join(root, 'www/models/screenshot/facts.safetensors');
  /** The same of the tab that writes on. */
  const written = (page) => page.waitForFunction(() => globalThis.vitrine.page.writing.found && !globalThis.vitrine.page.writing.asking && globalThis.vitrine.page.writing.done === globalThis.vitrine.page.writing.wanted);
  const beside = (page) => page.evaluate(() => globalThis.vitrine.page.writing.found);
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
    for (const text of ["it's <b> “quoted”", '--out of sight']) {
      const { page, context } = await studio(address({ text, layout: 'page', patch: '8x8', size: '11' }));
      const command = await page.locator('#command').innerText();
      const place = await mkdtemp(join(tmpdir(), 'vitrine-studio-'));
      execFileSync('bash', ['-c', command.replace(/^vitrine/, `'${binary}'`)], { cwd: place });
      const shown = await downloaded(page, () => page.locator('#save-png').click());
      assert.deepEqual(await readFile(join(place, 'picture.png')), shown.bytes);
      await context.close();
    }
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
    assert.match(await page.locator('#given-told').innerText(), /^Patch 8 shows tokens .*, bytes? \d.*; hidden, redrawn with a loss of \d/);
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

  test('what the page writes on and what its text costs is what the command line says', async () => {
    let [worst, slowest] = [0, 0];
    const context = 'lena has 7 red kites\nomar has 2 blue maps';
    for (const [settings, options] of [
      [{}, ['--facts', '14', '--most', '12']],
      [{ facts: '8', temperature: '1', draw: '4', most: '20' }, ['--facts', '8', '--most', '20', '--temperature', '1', '--seed', '4']],
      [{ context, other: 'ruth has 3 pink hats', prompt: 'who has maps?', target: "omar. what has lena? 7 red kites. it's <b>", count: '0.6.7.8' }, ['--context', context, '--other', 'ruth has 3 pink hats', '--prompt', 'who has maps?', '--target', "omar. what has lena? 7 red kites. it's <b>", '--count', '0,6,7,8', '--most', '12']],
      [{ context: '-7 red kites', prompt: '--who', target: '-omar' }, ['--context=-7 red kites', '--prompt=--who', '--target=-omar', '--most', '12']],
      [{ context, prompt: 'who has maps?' }, ['--context', context, '--prompt', 'who has maps?', '--target', '', '--most', '12']],
    ]) {
      const { page, context: opened, seen } = await studio(address({ tab: 'write', ...settings }));
      await written(page);
      const found = await beside(page);
      const expected = cli('screenshot', 'continue', '--beside', '--model', WRITER, ...options).beside;
      const words = (one) => [one.scored, one.counted, one.target, one.context, one.other, one.after.map((after) => [after.kind, after.continuation, after.stop])];
      const values = (one) => one.after.flatMap((after) => [...after.tokens.map((token) => token.log_prob), ...after.target.map((token) => token.log_prob), after.nats ?? 0, after.ratio ?? 0]);
      assert.deepEqual(words(found), words(expected));
      values(found).forEach((value, at) => (worst = Math.max(worst, Math.abs(value - values(expected)[at]))));
      const command = await page.locator('#beside-command').innerText();
      const again = JSON.parse(execFileSync('bash', ['-c', `${command} --json`.replace(/^vitrine/, `'${binary}'`).replace('www/models', join(root, 'www/models'))], { encoding: 'utf8' })).beside;
      assert.deepEqual(again, expected, 'the shown command asks the same');
      slowest = Math.max(slowest, found.milliseconds);
      assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
      await opened.close();
    }
    console.log(`# largest difference ${worst.toExponential(1)}, slowest answer ${slowest.toFixed(0)} ms`);
    assert.ok(worst < 1e-4, `largest difference ${worst}`);
  });

  test('the picture is what helps: bars, means, keys and the address', async () => {
    const { page, context } = await studio();
    assert.ok(await page.locator('#write-panel').isHidden());
    await page.locator('#read-tab').focus();
    await page.keyboard.press('ArrowRight');
    await written(page);
    assert.ok(await page.locator('#read-panel').isHidden());
    assert.equal(await page.evaluate(() => document.activeElement.id), 'write-tab');
    assert.match(await page.locator('#about-writer').innerText(), /On pages kept out the perplexity of an answer is/);
    const found = await beside(page);
    const [nothing, picture, wrong] = found.after;
    assert.ok(picture.ratio < 0.7 && wrong.ratio > 0.7, `${picture.ratio} ${wrong.ratio}`);
    assert.ok(picture.nats < nothing.nats);
    assert.deepEqual((await page.locator('#continued th').allInnerTexts()).map((text) => text.trim()), ['after nothing', 'after the picture', 'after the wrong picture', 'after the words']);
    assert.equal(await page.locator('#costs button').count(), found.target.length);
    assert.equal(await page.locator('#costs button').first().locator('rect').count(), 4);
    assert.equal(await page.locator('#costs-table tbody tr').count(), found.target.length);
    assert.deepEqual(await page.locator('#means tbody tr').nth(1).locator('td.number').allInnerTexts(), [picture.nats.toFixed(3), picture.perplexity.toFixed(2), picture.ratio.toFixed(3)]);
    // Heights of bars are nats.
    const counted = found.target.findIndex((token) => token.counts);
    const heights = await page.locator('#costs button').nth(counted).locator('rect').evaluateAll((all) => all.map((rect) => Number(rect.getAttribute('height'))));
    const most = Math.max(1, ...found.after.flatMap((after) => after.target.map((one) => -one.log_prob)));
    heights.forEach((height, at) => assert.ok(Math.abs(height - Math.max(1, (-found.after[at].target[counted].log_prob / most) * 56)) < 1e-6));
    // Numbers by keyboard, and a token that no longer counts.
    await page.locator('#costs button').first().focus();
    for (let at = 0; at < counted; at += 1) await page.keyboard.press('ArrowRight');
    assert.match(await page.locator('#costs-told').innerText(), new RegExp(`^Token ${counted + 1} “.*”, counts: after nothing ${(-nothing.target[counted].log_prob).toFixed(3)} nats, a perplexity of`));
    await page.keyboard.press('Enter');
    await written(page);
    const fewer = await beside(page);
    assert.equal(fewer.counted, found.counted - 1);
    const others = fewer.target.flatMap((token, at) => (token.counts ? [-fewer.after[0].target[at].log_prob] : []));
    assert.ok(Math.abs(fewer.after[0].nats - others.reduce((a, b) => a + b) / others.length) < 1e-9);
    await page.waitForFunction(() => /tab=write/.test(location.hash) && /count=/.test(location.hash));
    const again = await studio(new URL(page.url()).hash);
    await written(again.page);
    assert.deepEqual((await beside(again.page)).after, fewer.after);
    // The other tab starts when it is asked for.
    await again.page.locator('#read-tab').click();
    await answered(again.page);
    assert.ok(await again.page.locator('#answers').isVisible());
    await again.context.close();
    await page.locator('#count-all').click();
    await written(page);
    assert.equal((await beside(page)).counted, found.target.length);
    // Swapped, the true picture is the wrong one.
    // The next example is asked of the worker first: until it is there the old answer stands.
    const changed = async (button) => {
      const before = await page.evaluate(() => globalThis.vitrine.page.writing.asked.context);
      await page.locator(button).click();
      await page.waitForFunction((old) => globalThis.vitrine.page.writing.asked.context !== old, before);
      await written(page);
    };
    await changed('#more-facts');
    const right = (await beside(page)).after[1];
    await changed('#swap');
    assert.deepEqual((await beside(page)).after[2].target, right.target);
    await page.locator('#prompt').fill('<img src=x onerror=alert(1)>');
    await written(page);
    assert.equal(await page.locator('main img').count(), 0);
    await page.locator('#most').fill('0');
    await page.locator('#notice', { hasText: 'Tokens to write, at most has to be a whole number, 1 or more.' }).waitFor();
    await page.locator('#most').fill('4');
    await written(page);
    const json = JSON.parse((await downloaded(page, () => page.locator('#save-beside').click())).text);
    assert.deepEqual([json.schema, json.asked.most, json.beside.after.length], ['vitrine.screenshot-beside/1', 4, 4]);
    assert.equal((await downloaded(page, () => page.locator('#save-costs').click())).text.trim().split('\r\n').length, json.beside.target.length + 1);
    assert.equal((await downloaded(page, () => page.locator('#save-continued').click())).text.trim().split('\r\n').length, json.beside.after.flatMap((after) => after.tokens).length + 1);
    await context.close();
  });

  test('all of it works offline after load', async () => {
    const { page, context } = await studio();
    await answered(page);
    await page.waitForFunction(() => globalThis.vitrine.page.models.files.size === 3);
    await context.setOffline(true);
    await page.locator('#write-tab').click();
    await written(page);
    await page.locator('#read-tab').click();
    await page.locator('#compare').check();
    await answered(page);
    assert.equal(await page.locator('#models h3').count(), 3);
    await page.locator('#measure').click();
    await page.waitForFunction(() => /strips a second; one look of this model [\d.]+ ms$/.test(document.getElementById('speed').textContent));
    console.log(`# ${await page.locator('#speed').innerText()}`);
    await context.setOffline(false);
    await page.reload();
    await page.waitForFunction(() => globalThis.vitrine);
    await answered(page);
    const took = await page.evaluate(() => performance.now());
    console.log(`# first answer on a warm cache after ${took.toFixed(0)} ms`);
    await context.close();
  });

  test('a file of the other kind opens on the other tab, and one that is none leaves what was there', async () => {
    const { page, context, seen } = await studio(address({ tab: 'write' }));
    await written(page);
    const before = await beside(page);
    const place = await mkdtemp(join(tmpdir(), 'vitrine-writer-'));
    const good = await readFile(WRITER);
    for (const [name, bytes] of Object.entries({ 'short.safetensors': good.subarray(0, 5000), 'cut.safetensors': good.subarray(0, good.length - 7), 'noise.safetensors': Buffer.alloc(4096, 0xa7) })) {
      await writeFile(join(place, name), bytes);
      await page.locator('#writer-file').setInputFiles(join(place, name));
      await page.waitForFunction(() => !document.getElementById('notice').hidden);
      assert.doesNotMatch(await page.locator('#notice').innerText(), /unreachable|RuntimeError|panicked/);
      await page.locator('#draw').fill(String(name.length));
      await written(page);
      assert.ok(await page.locator('#notice').isHidden(), 'an old notice goes');
      assert.equal(await page.locator('#writer').inputValue(), 'facts');
    }
    await page.locator('#writer-file').setInputFiles(WRITER);
    await page.waitForFunction(() => document.getElementById('writer').value === 'own-writer');
    await written(page);
    assert.deepEqual((await beside(page)).after, before.after, 'the same file, the same answers');
    await page.locator('#writer-file').setInputFiles(MODEL);
    await answered(page);
    await page.locator('#read-panel').waitFor();
    assert.equal(await page.locator('#model').inputValue(), 'own');
    assert.deepEqual([seen.foreign, seen.errors], [[], []]);
    await context.close();
  });

  test('no serious accessibility finding, narrow and wide', async () => {
    for (const [width, colorScheme] of [[360, 'light'], [1400, 'dark']]) {
      const { page, context } = await studio(address({ tab: 'write', temperature: '1' }), { viewport: { width, height: 900 }, colorScheme });
      await written(page);
      assert.deepEqual(await serious(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      await context.close();
    }
    for (const [width, colorScheme] of [[360, 'light'], [1400, 'dark']]) {
      const { page, context } = await studio(address({ compare: '1', typos: '0.2' }), { viewport: { width, height: 900 }, colorScheme });
      await answered(page);
      assert.deepEqual(await serious(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px`);
      await context.close();
    }
  });
});
