// Decoded tokens a second in a page: vitrine's bundle and llama.cpp as WebAssembly (wllama), the same GGUF, one thread, in turn.
//   node decode-peer.mjs MODEL.gguf FOLDER_OF_WLLAMA [ROUNDS]
// Both run in headless Chromium. Time is the renderer's processor time, between a short and a long greedy continuation of the same prompt, so that
// the prompt and the start drop out.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';

const [model, peer, rounds = '3'] = process.argv.slice(2);
const bundle = join(fileURLToPath(new URL('../..', import.meta.url)), 'target/web/decode');
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };
const roots = { bundle, peer: join(peer, 'esm') };

const server = createServer((request, answer) => {
  const [, root, ...rest] = normalize(new URL(request.url, 'http://x').pathname).split('/');
  if (root === 'blank') return answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>.</title>');
  const path = root === 'model' ? model : roots[root] && join(roots[root], ...rest);
  try {
    const { size } = statSync(path);
    answer.writeHead(200, { 'content-type': TYPES[path.slice(path.lastIndexOf('.'))] ?? 'application/octet-stream', 'content-length': size });
    createReadStream(path).pipe(answer);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/`;

/** In the page: opens the model and answers with a function that decodes. */
async function vitrine(blocks) {
  const core = await import('/bundle/vitrine_web.js');
  await core.default({ module_or_path: fetch('/bundle/vitrine_web_bg.wasm') });
  const bytes = new Uint8Array(await (await fetch('/model')).arrayBuffer());
  const source = { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
  const subject = blocks ? core.Subject.ggufInBlocks(source, core.Backend.cpu()) : core.Subject.gguf(source, core.Backend.cpu());
  const decoding = new core.Decoding(subject);
  globalThis.go = (prompt, tokens) => {
    const asked = { prompt, method: { method: 'greedy' }, max_tokens: tokens, seed: 0 };
    const [found] = JSON.parse(decoding.run(JSON.stringify(asked), () => {})).hypotheses;
    return { tokens: found.ids.length, text: found.text };
  };
}

async function wllama() {
  const { Wllama } = await import('/peer/index.js');
  const llama = new Wllama({ default: '/peer/wasm/wllama.wasm' });
  const blob = await (await fetch('/model')).blob();
  await llama.loadModel([blob], { n_threads: 1, n_gpu_layers: 0, n_ctx: 256 });
  globalThis.go = async (prompt, tokens) => {
    const found = await llama.createCompletion({ prompt, max_tokens: tokens, temperature: 0 });
    return { tokens: found.usage.completion_tokens, text: found.choices[0].text };
  };
}

const PEERS = [
  ['vitrine, weights in blocks', vitrine, true],
  ['vitrine, single precision', vitrine, false],
  ['llama.cpp (wllama)', wllama, null],
];
const PROMPT = 'Once upon a time, in a small village';
const speeds = new Map(PEERS.map(([name]) => [name, []]));
for (let round = 0; round < Number(rounds); round += 1) {
  for (const [name, open, argument] of PEERS) {
    const browser = await launch();
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(String(error)));
    await page.goto(`${url}blank`);
    await page.evaluate(open, argument);
    const session = await browser.newBrowserCDPSession();
    const spent = async () => (await session.send('SystemInfo.getProcessInfo')).processInfo.filter(({ type }) => type === 'renderer').reduce((sum, { cpuTime }) => sum + cpuTime, 0);
    const measured = async (tokens) => {
      const began = await spent();
      const found = await page.evaluate(([prompt, tokens]) => globalThis.go(prompt, tokens), [PROMPT, tokens]);
      return { ...found, seconds: (await spent()) - began };
    };
    await measured(4);
    const [short, long] = [await measured(8), await measured(72)];
    speeds.get(name).push((long.tokens - short.tokens) / (long.seconds - short.seconds));
    if (round === 0) console.log(`${name}: ${JSON.stringify(long.text.slice(0, 70))}, ${long.tokens} tokens`);
    await browser.close();
  }
}
server.close();
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
console.log('| in a page, one thread | decoded tokens a processor second |\n| --- | --- |');
for (const [name, values] of speeds) console.log(`| ${name} | ${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}) |`);
