// Pictures of a report or of the site for people to look at: light and dark, narrow and wide.
//   node shots.mjs FOLDER REPORT.html
//   VITRINE_SITE=dist node shots.mjs FOLDER
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { launch, open } from './browser.mjs';
import { folder as site, serve, settled, visit } from './site.mjs';

const [folder, report = process.env.VITRINE_REPORT] = process.argv.slice(2);
if (!folder || !(report || site)) {
  console.error('usage: node shots.mjs FOLDER REPORT.html, or with VITRINE_SITE set: node shots.mjs FOLDER');
  process.exit(2);
}
await mkdir(folder, { recursive: true });
// Other widths than a telephone's and a desk's: VITRINE_WIDTHS=400,768
const widths = process.env.VITRINE_WIDTHS?.split(',').map(Number) ?? [360, 1400];
const browser = await launch();

/** @param {(context: any) => Promise<{ page: any, context: any }>} visit */
async function shoot(name, visit) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of widths) {
      const { context, page } = await visit({ viewport: { width, height: 1000 }, colorScheme });
      const path = join(folder, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
      console.log(path);
      await context.close();
    }
  }
}

if (report) {
  await shoot(basename(report, '.html'), async (context) => {
    const opened = await open(browser, report, { context });
    await computed(opened.page);
    return opened;
  });
}

/** Where the report computes: the numbers again, and the inspector with a chosen box; only the drawing where its model is not inside. */
async function computed(page) {
  if (!(await page.locator('#inspect').count())) return;
  if (await page.locator('#recompute').isVisible()) {
    await page.locator('#recompute').click();
    await page.waitForFunction(() => document.getElementById('recomputed').dataset.passed, null, { timeout: 120_000 });
    await page.locator('#inspect').click();
    await inspected(page);
  } else {
    await page.locator('#inspect').click();
    await drawn(page);
  }
  await page.locator('#interactive .node:not(.off)').nth(4).click();
  await page.waitForTimeout(600);
}

// What each picture of the site shows: a page, and what is done on it first.
const PAGES = {
  home: ['', async () => {}],
  circuit: ['circuit.html#model=small&node=a1.h2', inspected],
  compare: ['circuit.html#model=small&b=ep-14', inspected],
  program: ['circuit.html#model=reverse', inspected],
  smollm2: ['circuit.html#model=smollm2&node=a23.h3', drawn],
  beam: ['beam.html#width=5&tokens=10&cuts=1', (page) => page.waitForFunction(() => globalThis.vitrine && !globalThis.vitrine.page.running)],
  readings: ['readings.html#db=players', asked],
  plans: ['readings.html#db=films&q=What+is+the+title+of+films+that+have+screenings+with+visitors+above+300%3F&cuts=1', asked],
  model: ['studio.html#seed=3&compare=1', answered],
  stress: ['studio.html#seed=3&typos=0.2&noise=0.3', answered],
  studio: ['studio.html#text=The+%E2%98%80+is+out%2C+%D7%A9%D7%9C%D7%95%D7%9D+and+%E6%97%A5%E6%9C%AC%E8%AA%9E%2C+said+the+%F0%9F%98%80+fox+to+no+one+in+particular.&patches=128', (page) => page.waitForFunction(() => globalThis.vitrine)],
  writing: ['studio.html#tab=write', (page) => page.waitForFunction(() => globalThis.vitrine?.page.writing.found)],
  prune: ['prune.html#model=small', trained],
};

async function answered(page) {
  await page.waitForFunction(() => globalThis.vitrine?.page.answers.look && !globalThis.vitrine.page.asking);
  await page.waitForTimeout(300);
}

async function drawn(page) {
  await page.waitForFunction(() => globalThis.vitrine?.page.summary && globalThis.vitrine.graph.ground.done, null, { timeout: 120_000 });
}

async function asked(page) {
  await page.waitForFunction(() => globalThis.vitrine && !globalThis.vitrine.page.running && globalThis.vitrine.page.panels.every((panel) => panel.found));
  await page.waitForTimeout(300);
}

async function inspected(page) {
  await settled(page);
  await page.waitForFunction(() => globalThis.vitrine.curve.points.length > 10);
  await page.waitForTimeout(600);
}

async function trained(page) {
  await page.waitForFunction(() => globalThis.vitrine);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.waitForFunction(() => globalThis.vitrine.page.records.length > 260, null, { timeout: 300_000 });
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('button', { name: 'Go on' }).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(400);
}

if (site) {
  const server = await serve();
  const wanted = process.env.VITRINE_SHOTS?.split(',') ?? Object.keys(PAGES);
  for (const name of wanted) {
    const [path, act] = PAGES[name];
    await shoot(name, async (context) => {
      const visited = await visit(browser, server.url, { path, context });
      await act(visited.page);
      return visited;
    });
  }
  server.end();
}
await browser.close();
