// What every test here needs: the bundle, the native program, files in ranges, and visible skips.
import { execFileSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
export const bundle = resolve(process.env.VITRINE_WASM ?? join(target, 'web/cpu'));
const program = resolve(process.env.VITRINE_BIN ?? join(target, 'release/vitrine'));

// A fresh instance: its own memory, so that a test can look at how large that grows. The module's text is loaded anew for each.
let instances = 0;
export async function load() {
  instances += 1;
  const module = await import(`${pathToFileURL(join(bundle, 'vitrine_web.js')).href}?${instances}`);
  const wasm = module.initSync({ module: readFileSync(join(bundle, 'vitrine_web_bg.wasm')) });
  return { ...module, megabytes: () => Math.round(wasm.memory.buffer.byteLength / 1e6) };
}

// A file as the bundle's `Source`.
export function source(path) {
  const file = openSync(path);
  return {
    size: fstatSync(file).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let at = 0;
      while (at < length) {
        const got = readSync(file, bytes, at, length - at, offset + at);
        if (got === 0) throw new Error(`${path} ends at ${offset + at}`);
        at += got;
      }
      return bytes;
    },
    close: () => closeSync(file),
  };
}

// Standard output of the native program as JSON.
export function native(...args) {
  return JSON.parse(execFileSync(program, [...args, '--json'], { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'inherit'] }));
}

// A file for the native program to read.
export function temporary(name, text) {
  const path = join(mkdtempSync(join(tmpdir(), 'vitrine-wasm-')), name);
  writeFileSync(path, text);
  return path;
}

// The reason to skip, noted for tests/run, or false.
export function unless(there, what, reason) {
  if (there) return false;
  if (process.env.VITRINE_SKIPS) appendFileSync(process.env.VITRINE_SKIPS, `wasm ${what}: skipped: ${reason}\n`);
  return `skipped: ${reason}`;
}

// SmolLM2 where `vitrine model get smollm2` puts it, or undefined.
export function smollm2() {
  const { VITRINE_CACHE, XDG_CACHE_HOME, HOME } = process.env;
  const folder = VITRINE_CACHE || (XDG_CACHE_HOME ? join(XDG_CACHE_HOME, 'vitrine/models') : join(HOME ?? '', '.cache/vitrine/models'));
  const path = join(folder, 'SmolLM2-135M-Instruct.Q4_1.gguf');
  return existsSync(path) ? path : undefined;
}

// A folder of the reference data, or undefined.
export function data(name) {
  const path = process.env.VITRINE_DATA && join(process.env.VITRINE_DATA, name);
  return path && existsSync(path) ? path : undefined;
}
