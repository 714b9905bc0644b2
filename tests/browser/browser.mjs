// What every browser test needs: Chromium, and a page that notes everything it should not do.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { chromium } from 'playwright-core';

export const executable = process.env.VITRINE_CHROMIUM ?? '/usr/bin/chromium';

/** @param {string[]} [flags] more than every test has; `--enable-unsafe-webgpu` gives a GPU that is a program */
export function launch(flags = []) {
  return chromium.launch({
    executablePath: executable,
    args: [
      ...flags,
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export function fileUrl(path) {
  return pathToFileURL(resolve(path)).href;
}

// Opens a file in a page of its own and records requests, console errors, exceptions, dialogs and policy violations.
export async function open(browser, path, { context: options = {}, before, hash = '' } = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, acceptDownloads: true, ...options });
  // Machines that build and test at once are slow, not wrong.
  context.setDefaultNavigationTimeout(120_000);
  const page = await context.newPage();
  const seen = { requests: [], errors: [], dialogs: [] };
  page.on('request', (request) => {
    // The empty icon and what the page itself saves never leave the machine.
    if (!/^(data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.errors.push(message.text());
  });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('dialog', (dialog) => {
    seen.dialogs.push(dialog.message());
    dialog.dismiss();
  });
  if (options.javaScriptEnabled !== false) {
    await page.addInitScript(() => {
      globalThis.violations = [];
      document.addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(event.violatedDirective + ' ' + event.blockedURI));
    });
    if (before) await page.addInitScript(before);
  }
  const url = fileUrl(path);
  await page.goto(url + hash);
  return { context, page, seen, url };
}

// What a page must not do, whatever stands in it: ask for anything, break the policy, complain.
export async function quiet({ page, seen, url }) {
  const violations = await page.evaluate(() => globalThis.violations);
  assert.deepEqual([...new Set(seen.requests.map((request) => request.split('#')[0]))], [url], 'the page asks for nothing but itself');
  assert.deepEqual(violations, [], 'nothing runs against the policy');
  assert.deepEqual(seen.errors, [], 'nothing is wrong on the console');
  assert.deepEqual(seen.dialogs, []);
}

// What stands out over the side of the window.
export async function overflow(page) {
  return page.evaluate(() => {
    const wide = document.documentElement.clientWidth;
    const inside = (element) => element.closest('.scroll, .graph, pre, .sr, .skip, [hidden]') !== null;
    const broad = [...document.body.querySelectorAll('*')].filter((element) => !inside(element) && element.getBoundingClientRect().right > wide + 1);
    return { by: document.documentElement.scrollWidth - wide, broad: broad.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)) };
  });
}

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Serious findings of axe-core on a page that was opened with `bypassCSP`.
export async function serious(page) {
  await page.evaluate(axeSource);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations
    .filter((violation) => ['serious', 'critical'].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
}

// Chromium silently drops saved files beyond ten in quick succession, so this takes its time.
export async function downloaded(page, click) {
  await page.waitForTimeout(400);
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  const stream = await download.createReadStream();
  const parts = [];
  for await (const part of stream) parts.push(part);
  const bytes = Buffer.concat(parts);
  return { name: download.suggestedFilename(), bytes, text: bytes.toString('utf8') };
}

// A CSV reader of the standard kind (RFC 4180), written for the tests.
export function readCsv(text) {
  const rows = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (quoted) {
      if (c === '"' && text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"') quoted = true;
    else if (c === ',') {
      rows.at(-1).push(cell);
      cell = '';
    } else if (c === '\r' && text[at + 1] === '\n') {
      rows.at(-1).push(cell);
      cell = '';
      rows.push([]);
      at += 1;
    } else cell += c;
  }
  if (rows.at(-1).length === 0 && cell === '') rows.pop();
  return rows;
}
