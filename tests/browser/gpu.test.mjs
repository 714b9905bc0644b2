// The circuit page on WebGPU, by Chromium's software adapter: the second bundle, its self-check, and the CPU wherever there is no GPU.
import assert from 'node:assert/strict';
import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch } from './browser.mjs';
import { folder, logits, serve, visit } from './site.mjs';

const shipped = folder ? JSON.parse(await readFile(join(folder, 'bundles.json'), 'utf8')).gpu : null;
const skip = shipped ? false : `skipped: ${folder ? 'the site was built without scripts/web-bundle gpu' : 'VITRINE_SITE not set'}`;
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `WebGPU in the browser: ${skip}\n`);
/** Compiling shaders for a program that plays a GPU takes its time. */
const PATIENCE = 1_500_000;

describe('WebGPU', { skip, timeout: 3_600_000 }, () => {
  let server;
  before(async () => {
    server = await serve();
  });
  after(() => server?.end());

  /** The shipped model, run on the device that the address asks for. */
  async function run(browser, device, site = server.url) {
    const fetched = [];
    const opened = await visit(browser, site);
    const { page } = opened;
    page.on('request', (request) => fetched.push(request.url()));
    await page.goto(`${site}circuit.html${device ? `#device=${device}` : ''}`);
    await page.waitForFunction(() => globalThis.vitrine?.live.reading && !globalThis.vitrine.live.client.busy, null, { timeout: PATIENCE });
    return { ...opened, status: await page.locator('#status').textContent(), logits: await logits(page), gpu: fetched.some((url) => url.includes('/gpu/')) };
  }

  function agree(found, expected) {
    let largest = 0;
    let compared = 0;
    for (const [id, row] of Object.entries(expected)) {
      row.forEach((value, at) => {
        if (!found[id]) return;
        largest = Math.max(largest, Math.abs(value - found[id][at]));
        compared += 1;
      });
    }
    assert.ok(compared >= 9, `${compared} logits compared`);
    assert.ok(largest < 1e-3, `largest difference ${largest}`);
    return largest;
  }

  test('a GPU that passes its check runs the circuit and gives the CPU’s logits, before and after a switch', async (t) => {
    const browser = await launch(['--enable-unsafe-webgpu']);
    try {
      const cpu = await run(browser, 'cpu');
      assert.match(cpu.status, /CPU/);
      assert.ok(!cpu.gpu, 'the second bundle is not fetched where nothing asks for it');
      const gpu = await run(browser, 'gpu');
      assert.match(gpu.status, /Runs on this machine’s GPU/);
      assert.ok(gpu.gpu);
      t.diagnostic(`largest difference ${agree(gpu.logits, cpu.logits)}`);
      for (const { page } of [cpu, gpu]) {
        const old = await page.locator('td.pruned [data-logit]').first().getAttribute('data-logit');
        await page.locator('.grid .rows .line input').first().click();
        await page.waitForFunction((was) => document.querySelector('td.pruned [data-logit]').dataset.logit !== was, old, { timeout: PATIENCE });
      }
      t.diagnostic(`after a switch ${agree(await logits(gpu.page), await logits(cpu.page))}`);
      assert.deepEqual(gpu.seen.errors, [], 'nothing is wrong on the console');
      assert.deepEqual(gpu.seen.foreign, []);
      assert.deepEqual(await gpu.page.evaluate(() => globalThis.violations), []);
    } finally {
      await browser.close();
    }
  });

  test('without a GPU the CPU runs it, the page says why, and the second bundle stays where it is', async () => {
    const browser = await launch();
    try {
      const { status, gpu } = await run(browser, 'gpu');
      assert.match(status, /Runs on this machine’s CPU, as this browser (offers no GPU|has no WebGPU)\./);
      assert.ok(!gpu);
    } finally {
      await browser.close();
    }
  });

  test('a GPU that computes wrongly is not used', async () => {
    // A copy of the site whose check finds fault: what is tested is what the page does about it.
    const copy = await mkdtemp(join(tmpdir(), 'vitrine-site-'));
    await cp(folder, copy, { recursive: true });
    await appendFile(join(copy, 'gpu/vitrine_web.js'), "\nBackend.prototype.check = async () => 'its outputs differ from the CPU’s by 3.000 of their size';\n");
    const [browser, other] = await Promise.all([launch(['--enable-unsafe-webgpu']), serve(copy)]);
    try {
      const { status, gpu } = await run(browser, 'gpu', other.url);
      assert.match(status, /Runs on this machine’s CPU, as the GPU could not be used: its outputs differ from the CPU’s by 3\.000 of their size\./);
      assert.ok(gpu);
    } finally {
      await browser.close();
      other.end();
      await rm(copy, { recursive: true });
    }
  });
});
