// The built site, served by the program itself, and a page that notes everything it should not do.
//   VITRINE_SITE   folder of the built pages (trunk build makes dist/)
//   VITRINE_BIN    the program; target/release/vitrine without
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { downloaded } from './browser.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const folder = process.env.VITRINE_SITE;
export const binary = process.env.VITRINE_BIN ?? join(root, 'target/release/vitrine');

/** Starts `vitrine serve`; answers its address and how to end it. */
export async function serve(site = folder) {
  const child = spawn(binary, ['serve', '--dir', site, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', () => reject(new Error('vitrine serve ended')));
  });
  return { url, end: () => child.kill() };
}

/** What the command line prints as JSON. */
export function cli(...args) {
  return JSON.parse(execFileSync(binary, [...args, '--json'], { encoding: 'utf8' }));
}

/** Opens a page of the site and records requests, console errors, exceptions and policy violations. */
export async function visit(browser, url, { path = '', context: options = {} } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true, ...options });
  // Machines that build and test at once are slow, not wrong.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const seen = { foreign: [], errors: [], violations: [] };
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) seen.foreign.push(request.url());
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.errors.push(message.text());
  });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) seen.errors.push(`${response.status()} ${response.url()}`);
  });
  if (options.javaScriptEnabled !== false) {
    await page.addInitScript(() => {
      globalThis.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
  }
  await page.goto(url + path);
  return { context, page, seen };
}

/** Waits until the inspector has run its circuit. */
export async function settled(page) {
  await page.waitForFunction(() => globalThis.vitrine?.live.reading && !globalThis.vitrine.live.client.busy, null, { timeout: 120_000 });
}

/** Logits on the page: by output id, of full, pruned and corrupted runs. */
export function logits(page) {
  return page.evaluate(() =>
    Object.fromEntries([...document.querySelectorAll('table.outputs tbody tr')].map((row) => [row.dataset.id, [...row.querySelectorAll('[data-logit]')].map((cell) => Number(cell.dataset.logit))])),
  );
}

/** Runs the circuit that the inspector would save, by the command line, on the page's own prompts; the logits are the same. @returns {Promise<number>} the largest difference */
export async function sameAsCommandLine(page, model) {
  const folder = await mkdtemp(join(tmpdir(), 'vitrine-'));
  const circuit = join(folder, 'circuit.json');
  const saved = await downloaded(page, () => page.getByRole('button', { name: 'Circuit (JSON)' }).click());
  await writeFile(circuit, saved.text);
  const state = await page.evaluate(() => ({ clean: document.getElementById('clean').value, corrupted: document.getElementById('corrupted').value, ablation: document.getElementById('ablation').value, position: globalThis.vitrine.live.position }));
  const { reading } = cli('circuit', 'logits', model, '--circuit', circuit, '--clean', state.clean, '--corrupted', state.corrupted, '--ablation', state.ablation, '--position', String(state.position), '--top', '8');
  const shown = await logits(page);
  let compared = 0;
  let largest = 0;
  for (const row of reading.rows) {
    if (!shown[row.id]) continue;
    row.logits.forEach((value, run) => {
      largest = Math.max(largest, Math.abs(value - shown[row.id][run]));
      compared += 1;
    });
  }
  assert.ok(compared >= 3, `${compared} logits compared`);
  assert.ok(largest < 1e-4, `largest difference ${largest}`);
  return largest;
}
