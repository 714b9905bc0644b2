import { launch, open } from './browser.mjs';
const [file, scheme, width, ...ys] = process.argv.slice(2);
const b = await launch();
const { page } = await open(b, file, { context: { viewport: { width: Number(width), height: 1000 }, colorScheme: scheme } });
const w = Number(width);
for (const y of ys) { const [a, h] = y.split(':').map(Number);
  await page.screenshot({ path: `/work/scratch/report/shots/c-${scheme}-${width}-${a}.png`, fullPage: true, clip: { x: w > 1200 ? 140 : 0, y: a, width: w > 1200 ? 1130 : w, height: h } }); }
await b.close();
