// A report as a reader meets it: opened from disk, with and without scripts, by eye, keyboard and screen reader.
//   VITRINE_REPORT          a report with every kind of panel
//   VITRINE_REPORT_HOSTILE  a report whose labels try to break out
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { downloaded, fileUrl, launch, open, overflow, quiet, readCsv, serious } from './browser.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

async function checkHashes(page) {
  await page.getByRole('button', { name: 'Check hashes' }).click();
  const result = page.locator('#check-result');
  await result.waitFor({ state: 'visible' });
  return result.textContent();
}

// Contrast is computed from what is painted, so each scheme is looked at.
async function axe(path, colorScheme, width) {
  const { context, page } = await open(browser, path, { context: { bypassCSP: true, colorScheme, viewport: { width, height: 900 } } });
  await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
  const found = await serious(page);
  await context.close();
  return found;
}

function panelsOf(page) {
  return page.evaluate(() => JSON.parse(document.getElementById('data-findings-1').textContent).panels);
}

for (const [name, variable] of [
  ['report', 'VITRINE_REPORT'],
  ['hostile report', 'VITRINE_REPORT_HOSTILE'],
]) {
  const path = process.env[variable];
  const skip = path ? false : `skipped: ${variable} not set`;
  // tests/run lists every skip at its end.
  if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `${name} in the browser: ${skip}\n`);
  describe(name, { skip }, () => {
    test('opens from disk without a request, an error or a violation', async () => {
      const opened = await open(browser, path);
      assert.ok((await opened.page.title()).length > 0);
      await quiet(opened);
      await opened.context.close();
    });

    test('finds its own hashes right, with and without the browser’s SHA-256', async () => {
      const own = () => Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });
      for (const before of [undefined, own]) {
        const opened = await open(browser, path, { before });
        if (before) assert.equal(await opened.page.evaluate(() => crypto.subtle), undefined);
        assert.match(await checkHashes(opened.page), /^All \d+ data blocks match their SHA-256\.$/);
        await quiet(opened);
        await opened.context.close();
      }
    });

    test('finds a changed block', async () => {
      const { context, page } = await open(browser, path);
      await page.evaluate(() => {
        const block = document.getElementById('data-findings-1');
        block.textContent = block.textContent.replace('"kind":"series"', '"kind":"serieS"');
      });
      assert.match(await checkHashes(page), /^Not all is well: data-findings-1 differ/);
      await context.close();
    });

    test('shows tables, figures and caveats without scripts', async () => {
      const { context, page, seen, url } = await open(browser, path, { context: { javaScriptEnabled: false } });
      assert.ok((await page.locator('main table.data:visible').count()) > 0);
      assert.ok((await page.locator('main svg.fig:visible').count()) > 0);
      assert.ok((await page.locator('.caveats:visible li').count()) > 0);
      assert.ok((await page.locator('main svg.fig:visible path').first().boundingBox()) !== null);
      assert.equal(await page.locator('button:visible').count(), 0, 'no button that would do nothing');
      assert.deepEqual(seen.requests, [url]);
      await context.close();
    });

    for (const colorScheme of ['light', 'dark']) {
      for (const width of [360, 1400]) {
        test(`fits ${width} px and is accessible, ${colorScheme}`, async () => {
          const { context, page } = await open(browser, path, { context: { colorScheme, viewport: { width, height: 900 } } });
          const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
          assert.equal(paper[0] < 128, colorScheme === 'dark', `paper is ${paper}`);
          assert.deepEqual(await overflow(page), { by: 0, broad: [] });
          const shown = await page.locator(`svg.fig.${width < 500 ? 'narrow' : 'wide'}:visible`).count();
          const other = await page.locator(`svg.fig.${width < 500 ? 'wide' : 'narrow'}:visible`).count();
          assert.ok(shown > 0 && other === 0, `${shown} drawings of this size, ${other} of the other`);
          await context.close();
          assert.deepEqual(await axe(path, colorScheme, width), []);
        });
      }
    }

    test('captions wrap to what is seen of their tables and stay while those scroll', async () => {
      const { context, page } = await open(browser, path, { context: { viewport: { width: 360, height: 900 } } });
      await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
      const found = await page.evaluate(() => {
        const place = (element) => element.getBoundingClientRect();
        return [...document.querySelectorAll('.scroll')].filter((scroll) => scroll.querySelector('caption')).map((scroll) => {
          const words = scroll.querySelector('caption > span');
          const before = place(words);
          scroll.scrollLeft = 10_000;
          const after = place(words);
          return { broad: scroll.scrollWidth > scroll.clientWidth + 1, moved: Math.abs(after.left - before.left), beyond: Math.max(before.right, after.right) - (place(scroll).left + scroll.clientWidth) };
        });
      });
      assert.ok(found.some(({ broad }) => broad), 'a table is broader than the window');
      assert.deepEqual(found.filter(({ moved, beyond }) => moved > 1 || beyond > 1), []);
      await context.close();
    });

    test('saves every panel as CSV, JSON and SVG with the right content', async () => {
      const opened = await open(browser, path);
      const plain = await open(browser, path, { context: { bypassCSP: true } });
      const { page } = opened;
      const panels = await panelsOf(page);
      const tell = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
      for (const [index, panel] of panels.entries()) {
        const section = page.locator(`.panel[data-run="1"][data-panel="${index + 1}"]`);
        const json = await downloaded(page, () => section.getByRole('button', { name: 'JSON', exact: true }).click());
        assert.equal(json.name, `${panel.id}.json`);
        assert.deepEqual(JSON.parse(json.text), panel);
        const { body } = panel;
        if (body.kind !== 'text') {
          const csv = await downloaded(page, () => section.getByRole('button', { name: 'CSV', exact: true }).click());
          assert.equal(csv.name, `${panel.id}.csv`);
          const rows = readCsv(csv.text);
          if (body.kind === 'table') {
            assert.equal(rows.length, body.rows.length + 1);
            body.rows.forEach((row, at) =>
              row.forEach((cell, column) => {
                const found = rows[at + 1][column];
                if (typeof cell === 'number') assert.equal(Number(found), cell);
                else assert.equal(found, cell === null ? '' : tell(cell));
              }),
            );
          } else if (body.kind === 'series') {
            const points = body.lines.flatMap((line) => line.x.map((x, at) => [tell(line.name), x, line.y[at]]));
            assert.deepEqual(rows.slice(1).map(([line, x, y]) => [line, Number(x), Number(y)]), points);
          } else if (body.kind === 'bars') {
            assert.equal(rows.length, 1 + body.categories.length * body.groups.length);
          } else if (body.kind === 'searches') {
            const texts = body.trees.flatMap((tree) => [...tree.branches.map((branch) => [tell(tree.name), tell(branch.text), branch.score]), ...tree.list.map((listed) => [tell(tree.name), tell(listed.text), listed.score])]);
            assert.deepEqual(rows.slice(1).map(([name, , , text, score]) => [name, text, score === '' ? null : Number(score)]), texts);
          } else if (body.kind === 'circuit') {
            const edges = body.edges.map(([writer, reader, weight]) => [tell(body.writers[writer].name), tell(body.readers[reader].name), weight]);
            assert.deepEqual(rows.slice(1).map(([from, to, weight]) => [from, to, Number(weight)]), edges);
          }
        }
        if (['series', 'bars', 'circuit', 'searches'].includes(body.kind)) {
          const svg = await downloaded(page, () => section.getByRole('button', { name: 'SVG', exact: true }).click());
          // Parsed elsewhere: a style in a parsed document counts against the policy of the page that parses it.
          const read = await plain.page.evaluate((text) => {
            const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
            return { name: root.localName, style: root.querySelector('style')?.textContent.length ?? 0, paths: root.querySelectorAll('path, rect').length };
          }, svg.text);
          assert.equal(read.name, 'svg');
          assert.ok(read.style > 500 && read.paths > 0);
        }
      }
      await quiet(opened);
      await opened.context.close();
      await plain.context.close();
    });

    test('saves the JSON twin', async () => {
      const { context, page } = await open(browser, path);
      const twin = await downloaded(page, () => page.getByRole('button', { name: 'Download all data (JSON)' }).click());
      const data = JSON.parse(twin.text);
      assert.equal(data.schema, 'vitrine.report/1');
      assert.deepEqual(data.runs[0].findings.panels, await panelsOf(page));
      await context.close();
    });

    test('sorts and filters tables by their numbers', async () => {
      const opened = await open(browser, path);
      const { page } = opened;
      const panels = await panelsOf(page);
      const at = panels.findIndex((panel) => panel.body.kind === 'table' && panel.body.rows.length >= 8);
      assert.ok(at >= 0, 'the report has a table to sort');
      const { body } = panels[at];
      const column = body.columns.findIndex((entry) => entry.kind === 'number');
      const section = page.locator(`.panel[data-panel="${at + 1}"][data-run="1"]`);
      const heading = section.locator('thead th').nth(column);
      const order = () =>
        section.locator('tbody tr').evaluateAll((rows, index) => rows.map((row) => row.cells[index].textContent.replace(/,/g, '').replace('−', '-')), column);
      await heading.getByRole('button').click();
      assert.equal(await heading.getAttribute('aria-sort'), 'ascending');
      const up = (await order()).map(Number).filter((value) => !Number.isNaN(value));
      assert.deepEqual(up, [...up].sort((a, b) => a - b));
      await heading.getByRole('button').click();
      assert.equal(await heading.getAttribute('aria-sort'), 'descending');
      const down = (await order()).map(Number).filter((value) => !Number.isNaN(value));
      assert.deepEqual(down, [...up].reverse());
      await section.getByLabel('Filter rows').fill('no row has this');
      assert.equal(await section.locator('tbody tr:visible').count(), 0);
      await section.getByLabel('Filter rows').fill('');
      assert.equal(await section.locator('tbody tr:visible').count(), Math.min(body.rows.length, 1000));
      await quiet(opened);
      await opened.context.close();
    });

    test('circuits answer to pointer, keyboard and search', async () => {
      const opened = await open(browser, path);
      const { page } = opened;
      const panels = await panelsOf(page);
      const at = panels.findIndex((panel) => panel.body.kind === 'circuit' && panel.body.edges.length > 0);
      assert.ok(at >= 0, 'the report has a circuit');
      const { body } = panels[at];
      const section = page.locator(`.panel[data-panel="${at + 1}"][data-run="1"]`);
      const node = body.writers[body.edges[0][0]].node;
      const box = section.locator(`.node[data-n="${node}"]`);
      const kept = body.edges.filter((edge) => edge[3]);
      const out = kept.filter((edge) => body.writers[edge[0]].node === node).length;
      const into = kept.filter((edge) => body.readers[edge[1]].nodes.includes(node)).length;
      await box.hover();
      assert.equal(await section.locator('.edge.lit').count(), out + into);
      const words = await section.locator('figure .readout').textContent();
      assert.ok(words.includes(`Inputs: ${into}`) && words.includes(`Outputs: ${out}`), words);
      await page.mouse.move(0, 0);
      assert.equal(await section.locator('.edge.lit').count(), 0);

      assert.equal(await section.locator('.node[tabindex="0"]').count(), 1, 'one stop for the Tab key');
      await section.locator('.node[tabindex="0"]').focus();
      const first = await page.evaluate(() => document.activeElement.dataset.n);
      await page.keyboard.press('ArrowUp');
      assert.notEqual(await page.evaluate(() => document.activeElement.dataset.n), first);
      await page.keyboard.press('Enter');
      assert.equal(await section.locator('.node[aria-pressed="true"]').count(), 1);
      await page.keyboard.press('Escape');

      await section.locator('details.edges summary').click();
      const wanted = body.writers[body.edges[0][0]].name.replace(/[^\x20-\x7e]/g, '').slice(-6);
      await section.getByLabel('Find edges').fill(wanted);
      const hits = kept.filter((edge) => `${body.writers[edge[0]].name} → ${body.readers[edge[1]].name}`.toLowerCase().includes(wanted.toLowerCase())).length;
      assert.ok(hits > 0);
      assert.match(await section.locator('.found').textContent(), new RegExp(`^${hits} of ${kept.length} edges`));
      assert.equal(await section.locator('details.edges tbody tr').count(), Math.min(hits, 100));
      await quiet(opened);
      await opened.context.close();
    });

    test('the command copies as it is shown', async () => {
      const { context, page, url } = await open(browser, path, { context: { permissions: ['clipboard-read', 'clipboard-write'] } });
      assert.equal(url, fileUrl(path));
      const shown = await page.locator('.command code').first().textContent();
      await page.getByRole('button', { name: 'Copy' }).first().click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shown);
      assert.doesNotMatch(shown, /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/);
      await context.close();
    });

    test('prints', async () => {
      const { context, page } = await open(browser, path);
      await page.emulateMedia({ media: 'print' });
      assert.equal(await page.locator('nav:visible, .tools:visible').count(), 0);
      const pdf = await page.pdf({ format: 'A4' });
      assert.ok(pdf.length > 10_000);
      await context.close();
    });

    test('nothing that came as a label became anything but text', async () => {
      const { context, page } = await open(browser, path);
      const found = await page.evaluate(() => ({
        hacked: globalThis.hacked ?? null,
        odd: document.querySelectorAll('img, iframe, object, embed, form, base, [style], [onload], [onerror], [onmouseover]').length,
        scripts: [...document.scripts].filter((script) => script.type !== 'application/json').length,
        signs: /[\u0000-\u0008\u202a-\u202e\u2066-\u2069]/.test(document.body.innerText),
      }));
      assert.deepEqual(found, { hacked: null, odd: 0, scripts: 1, signs: false });
      await context.close();
    });
  });
}
