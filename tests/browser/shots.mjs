// Pictures of a report for people to look at: light and dark, narrow and wide.
//   node shots.mjs FOLDER REPORT.html
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { launch, open } from './browser.mjs';

const [folder, report = process.env.VITRINE_REPORT] = process.argv.slice(2);
if (!folder || !report) {
  console.error('usage: node shots.mjs FOLDER REPORT.html');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
const browser = await launch();
for (const colorScheme of ['light', 'dark']) {
  for (const width of [400, 1400]) {
    const { context, page } = await open(browser, report, { context: { viewport: { width, height: 1000 }, colorScheme } });
    const path = join(folder, `${basename(report, '.html')}-${colorScheme}-${width}.png`);
    await page.screenshot({ path, fullPage: true });
    console.log(path);
    await context.close();
  }
}
await browser.close();
