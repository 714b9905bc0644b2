// Files that a person chooses or drops: sorted into models and circuits, bounded before they are read.

/** Largest circuit file that a page reads: SmolLM2's whole EAP-IG graph is 8 MB. */
const MOST_CIRCUIT = 64 << 20;
/** Most files of one drop, folders included. */
const MOST_FILES = 200;

/** @param {{ button: HTMLElement, input: HTMLInputElement, target: HTMLElement, onFiles: (files: File[]) => void, onError: (error: unknown) => void }} options */
export function watch({ button, input, target, onFiles, onError }) {
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const files = [...input.files];
    input.value = '';
    if (files.length) onFiles(files);
  });
  let depth = 0;
  const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files');
  addEventListener('dragenter', (event) => {
    if (carries(event) && ++depth === 1) target.classList.add('dropping');
  });
  addEventListener('dragleave', (event) => {
    if (carries(event) && --depth <= 0) target.classList.remove('dropping');
  });
  addEventListener('dragover', (event) => {
    if (carries(event)) event.preventDefault();
  });
  addEventListener('drop', async (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    target.classList.remove('dropping');
    try {
      const files = await dropped(event.dataTransfer);
      if (files.length) onFiles(files);
    } catch (error) {
      onError(error);
    }
  });
}

/** Files of a drop, those directly inside a dropped folder too. @param {DataTransfer} transfer */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const folders = entries.filter((entry) => entry.isDirectory);
  if (folders.length === 0) return [...transfer.files];
  const files = [];
  for (const folder of folders) {
    const reader = folder.createReader();
    for (;;) {
      const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (batch.length === 0) break;
      for (const entry of batch.filter((one) => one.isFile)) files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      if (files.length > MOST_FILES) throw new Error(`the folder has more than ${MOST_FILES} files; choose the model’s own folder`);
    }
  }
  return files;
}

/** What the files are. @param {File[]} files @returns {{ model: File[], circuits: File[] }} */
export function sort(files) {
  const belongs = (file) => /\.(gguf|safetensors)$/i.test(file.name) || /^(config|tokenizer|words|model\.safetensors\.index)\.json$/i.test(file.name);
  const model = files.filter(belongs);
  const hasWeights = model.some((file) => /\.(gguf|safetensors)$/i.test(file.name));
  return { model: hasWeights ? model : [], circuits: hasWeights ? [] : files };
}

/** The text of a circuit file. @param {File} file */
export async function circuitText(file) {
  if (file.size > MOST_CIRCUIT) throw new Error(`${file.name} has ${Math.round(file.size / (1 << 20))} MiB; circuit files up to ${MOST_CIRCUIT >> 20} MiB can be opened here`);
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`${file.name} is not text, so it is no circuit`);
  }
}
