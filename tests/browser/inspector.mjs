// What tests do with the circuit inspector, on the site and inside a report: the same controls.
import assert from 'node:assert/strict';
import { logits, sameAsCommandLine, settled } from './site.mjs';

/** The circuit's first logit as the page holds it. */
const firstPruned = (page) => page.locator('td.pruned [data-logit]').first().getAttribute('data-logit');

/** Moves the point on the curve by keys, to a smaller circuit; its logits are the command line's. @returns {Promise<number>} the size chosen */
export async function movePoint(page, model) {
  const point = page.getByRole('slider', { name: 'Edges kept' });
  const was = Number(await point.getAttribute('aria-valuenow'));
  await point.focus();
  for (let press = 0; press < 3; press += 1) await page.keyboard.press('PageUp');
  await page.keyboard.press('ArrowLeft');
  const size = Number(await point.getAttribute('aria-valuenow'));
  assert.notEqual(size, was, 'the point moves');
  await page.waitForFunction((size) => globalThis.vitrine.page.summary.size === size, size);
  await page.waitForTimeout(100);
  await settled(page);
  await sameAsCommandLine(page, model);
  return size;
}

/** Switches the first edge of the list: the circuit's logits change and nothing else, and they are the command line's. @returns {Promise<string>} the circuit's first logit before */
export async function switchEdge(page, model) {
  const before = await logits(page);
  const was = await firstPruned(page);
  await page.locator('.grid .rows .line input').first().click();
  await page.waitForFunction((old) => document.querySelector('td.pruned [data-logit]').dataset.logit !== old, was);
  await settled(page);
  const after = await logits(page);
  const common = Object.keys(before).filter((id) => after[id]);
  assert.ok(common.some((id) => Math.abs(before[id][1] - after[id][1]) > 1e-3), 'the circuit says something else');
  assert.ok(common.every((id) => before[id][0] === after[id][0] && before[id][2] === after[id][2]), 'the other runs do not change');
  await sameAsCommandLine(page, model);
  return was;
}
