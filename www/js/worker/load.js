// Models from the site, from a report, or from files that a person chose. Files are read in ranges where the format allows it, so that a checkpoint is never held twice.

const MOST_TEXT = 64 << 20;

/** @param {{ core: any, backend: any }} device @param {any} source @param {(progress: any) => void} progress */
export async function open({ core, backend }, source, progress) {
  if (source.kind === 'program') {
    const [config, weights] = await parts(source, 'config.json', 'model.safetensors');
    return core.Subject.program(text(config), weights, backend);
  }
  if (source.kind === 'small') {
    const [config, weights, words] = await parts(source, 'config.json', 'model.safetensors', 'words.json');
    return core.Subject.small(config, weights, text(words), backend);
  }
  const files = source.files;
  const named = (name) => files.find((file) => file.name === name);
  await compare(core, files, source.hashes ?? {}, progress);
  progress({ words: 'Reading the weights' });
  const gguf = files.find((file) => /\.gguf$/i.test(file.name));
  if (gguf) return source.blocks ? core.Subject.ggufInBlocks(ranges(gguf), backend) : core.Subject.gguf(ranges(gguf), backend);
  if (source.blocks) throw new Error('only a GGUF holds its weights in blocks');
  const config = await whole(named('config.json'), 'config.json');
  const weights = files.filter((file) => /\.safetensors$/i.test(file.name));
  if (weights.length === 0) throw new Error('a model folder needs model.safetensors beside config.json');
  if (weights.length > 1) {
    const [tokenizer, index] = await Promise.all(['tokenizer.json', 'model.safetensors.index.json'].map((name) => whole(named(name), name)));
    return core.Subject.sharded(config, tokenizer, index, weights.map((file) => file.name), weights.map(ranges), backend);
  }
  const [file] = weights;
  if (named('tokenizer.json')) return core.Subject.folder(config, await whole(named('tokenizer.json'), 'tokenizer.json'), ranges(file), backend);
  const bytes = await whole(file, file.name);
  if (named('words.json')) return core.Subject.small(config, bytes, text(await whole(named('words.json'), 'words.json')), backend);
  return core.Subject.program(text(config), bytes, backend);
}

/** Files that a model comes with: already in hand, or on the site. @param {any} source @param {...string} names @returns {Promise<Uint8Array[]>} */
function parts(source, ...names) {
  return Promise.all(names.map((name) => source.parts?.[name] ?? fetched(source.base + name)));
}

/** Whether the files are those that a report was made with. A single file may have another name. @param {Record<string, string>} hashes */
async function compare(core, files, hashes, progress) {
  const wanted = Object.entries(hashes);
  for (const [name, hash] of wanted) {
    const file = files.find((one) => one.name === name) ?? (wanted.length === 1 && files.length === 1 ? files[0] : null);
    if (!file) throw new Error(`this model also needs its file ${name}`);
    progress({ words: `Comparing the SHA-256 of ${file.name}` });
    if (core.sha256(ranges(file)) !== hash) throw new Error(`${file.name} is not the file that this report was made with: its SHA-256 differs`);
  }
}

/** A file that core reads in ranges, at once: workers may. @param {File} file */
function ranges(file) {
  const sync = new FileReaderSync();
  return { size: file.size, read: (offset, length) => new Uint8Array(sync.readAsArrayBuffer(file.slice(offset, offset + length))) };
}

async function whole(file, name) {
  if (!file) throw new Error(`a model folder needs ${name}`);
  if (file.size > MOST_TEXT) throw new Error(`${name} is larger than ${MOST_TEXT >> 20} MiB`);
  return new Uint8Array(await file.arrayBuffer());
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.split('/').slice(-2).join('/')} is not there (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

function text(bytes) {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
