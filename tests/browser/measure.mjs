// Measures the site, by a script, in headless Chromium: first paint, the answer to a switched edge, frames of pan and zoom, and (with a GGUF) a large model.
//   VITRINE_SITE=dist node measure.mjs [MODEL.gguf]
// Figures depend on the machine and its load: it prints, it does not judge. Without a GPU Chromium paints in software.
import { launch } from './browser.mjs';
import { serve, settled, visit } from './site.mjs';

const [gguf] = process.argv.slice(2);
const [browser, server] = await Promise.all([launch(), serve()]);
const round = (value) => Math.round(value * 10) / 10;
const quantile = (values, share) => round([...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]);

for (const path of ['', 'circuit.html', 'prune.html', 'beam.html', 'readings.html', 'studio.html']) {
  const { page, context } = await visit(browser, server.url, { path });
  await page.waitForLoadState('networkidle');
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  console.log(`first paint of /${path}: ${round(paint)} ms`);
  await context.close();
}

{
  const { page, context } = await visit(browser, server.url, { path: 'circuit.html' });
  await settled(page);
  await page.waitForFunction(() => globalThis.vitrine.curve.points.length > 20);
  const times = await page.evaluate(async () => {
    const { live, page } = globalThis.vitrine;
    const all = [];
    for (let at = 0; at < 41; at += 1) {
      const edge = at % page.summary.edges;
      const began = performance.now();
      page.sheet.switch(edge, page.sheet.masks()[edge] === 0);
      page.look.masks = page.sheet.masks();
      await live.run();
      all.push(performance.now() - began);
    }
    return all;
  });
  console.log(`a switched edge is answered in ${quantile(times, 0.5)} ms (median), ${quantile(times, 0.95)} ms (95%), shipped model, CPU`);
  await context.close();
}

{
  const { page, context } = await visit(browser, server.url, { path: 'circuit.html#model=smollm2' });
  await page.waitForFunction(() => globalThis.vitrine?.page.summary, null, { timeout: 120_000 });
  for (const all of [false, true]) {
    const found = await page.evaluate(async (all) => {
      const { graph } = globalThis.vitrine;
      const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      const box = document.getElementById('show-all');
      const began = performance.now();
      if (box.checked !== all) box.click();
      while (!graph.ground.done) await wait(20);
      const painted = performance.now() - began;
      const frames = async (act) => {
        const times = [];
        await wait(600);
        while (!graph.ground.done) await wait(20);
        let last = await new Promise(requestAnimationFrame);
        for (let at = 0; at < 180; at += 1) {
          act(at);
          const now = await new Promise(requestAnimationFrame);
          times.push(now - last);
          last = now;
        }
        return times;
      };
      const pan = await frames((at) => graph.camera.pan(7 * Math.sin(at / 9), 6 * Math.cos(at / 7)));
      const zoom = await frames((at) => graph.camera.zoom(at % 60 < 30 ? 1.03 : 1 / 1.03, 400, 300));
      return { edges: graph.shown.length + graph.rest.length, painted, pan, zoom };
    }, all);
    for (const act of ['pan', 'zoom']) {
      console.log(`${act} over ${found.edges} edges: ${quantile(found[act], 0.5)} ms a frame (median), ${quantile(found[act], 0.95)} ms (95%); a whole picture in ${round(found.painted)} ms`);
    }
  }
  if (gguf) {
    const began = Date.now();
    await page.locator('#files').setInputFiles(gguf);
    await page.waitForFunction(() => globalThis.vitrine.live.about, null, { timeout: 600_000 });
    console.log(`${gguf}: loaded in ${round((Date.now() - began) / 1000)} s`);
    await settled(page);
    const { tokens, milliseconds } = await page.evaluate(async () => {
      const { live } = globalThis.vitrine;
      const began = performance.now();
      await live.run();
      return { tokens: live.tokens, milliseconds: performance.now() - began };
    });
    console.log(`a circuit on ${tokens} tokens: ${round(milliseconds / 1000)} s`);
    const pair = await page.evaluate(async () => {
      const { live } = globalThis.vitrine;
      const clean = 'When Mary and John went to the store near the old bridge in town, John gave a drink to';
      const began = performance.now();
      const { tokens } = await live.client.call('pair', { clean, corrupted: clean.replace(', John', ', Mary'), ablation: 'interchange' });
      return { tokens, milliseconds: performance.now() - began };
    });
    console.log(`a plain forward of ${pair.tokens} tokens: ${round(pair.milliseconds / 2000)} s`);
    const client = await browser.newBrowserCDPSession();
    const { processInfo } = await client.send('SystemInfo.getProcessInfo').catch(() => ({ processInfo: [] }));
    for (const { type, id } of processInfo.filter((one) => one.type === 'renderer')) {
      const status = await import('node:fs/promises').then((fs) => fs.readFile(`/proc/${id}/status`, 'utf8')).catch(() => '');
      const peak = status.match(/VmHWM:\s+(\d+)/)?.[1];
      if (peak) console.log(`${type} ${id}: peak memory ${Math.round(peak / 1024)} MiB`);
    }
  }
  await context.close();
}
await browser.close();
server.end();
