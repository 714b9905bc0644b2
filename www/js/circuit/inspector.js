// The circuit inspector, put together and started. The circuit lives in wasm on this thread (its calls take milliseconds); the model lives in a worker.

import { byId } from '../dom.js';
import { watch } from '../files.js';
import { models } from '../host.js';
import * as state from '../state.js';
import { handed } from '../store.js';
import { bindings } from '../wasm.js';
import { fault } from '../page.js';
import { measure, measureQuick, offerModels, scoreEdges, takeCircuit, takeModel, takeOther } from './choice.js';
import { Curve } from './curve.js';
import { busy, guarded, page, parts } from './desk.js';
import { Focus } from './focus.js';
import { Graph } from './graph.js';
import { Live } from './live.js';
import { take } from './opened.js';
import { build } from './parts.js';
import { saves } from './saves.js';
import { Table } from './table.js';
import { choose, chooseEdge, ends, list, name, resetCurve, resetSwitches, resize, shown, toggle } from './view.js';

function assemble() {
  parts.graph = new Graph(byId('graph'), {
    onNode: choose,
    onEdge: chooseEdge,
    edgesAt: (node) => Uint32Array.from([...page.sheet.edgesInto(node), ...page.sheet.edgesOutOf(node)]),
  });
  parts.focus = new Focus({ sheet: () => page.sheet, layout: () => page.layout, look: () => page.look, level: page.level + 1, ends, onSwitch: toggle, onNode: choose, onName: name });
  parts.curve = new Curve(byId('curve'), { onSize: resize });
  parts.table = new Table(byId('table'), { onSwitch: toggle, onChoose: chooseEdge, onSort: list });
  parts.live = new Live({
    masks: () => page.look.masks,
    onState: (changes) => state.write(changes),
    onAblation: (name) => {
      page.sheet.setAblation(name);
      resetCurve();
      shown();
    },
    onBusy: busy,
  });
  saves({ sheet: () => page.sheet, width: () => page.width, curve: parts.curve, live: parts.live, onError: fault });
}

function wire(target) {
  const { graph } = parts;
  const press = (id, action) => byId(id).addEventListener('click', action);
  byId('model').addEventListener('change', guarded(async () => {
    page.opened = null;
    history.replaceState(null, '', '#');
    state.write({ model: byId('model').value });
    await takeModel();
  }));
  byId('circuit').addEventListener('change', guarded(async () => {
    state.write({ circuit: byId('circuit').value, k: null, x: null, node: null, edge: null });
    await takeCircuit();
    await parts.live.retyped();
    await measureQuick();
  }));
  byId('other').addEventListener('change', guarded(async () => {
    state.write({ b: byId('other').value });
    await takeOther();
  }));
  byId('show-all').addEventListener('change', () => {
    state.write({ all: byId('show-all').checked ? 1 : null });
    shown(false);
  });
  byId('list-all').addEventListener('change', () => {
    state.write({ listed: byId('list-all').checked ? 'all' : null });
    list();
  });
  byId('search').addEventListener('input', () => {
    state.write({ find: byId('search').value });
    list();
  });
  press('zoom-in', () => graph.camera.zoom(1.35));
  press('zoom-out', () => graph.camera.zoom(1 / 1.35));
  press('zoom-fit', () => graph.camera.fit());
  press('measure', guarded(measure));
  press('score', guarded(scoreEdges));
  press('as-opened', () => {
    resetSwitches();
    resize(null);
  });
  press('reset', () => {
    resetSwitches();
    shown();
  });
  byId('choose').addEventListener('submit', (event) => event.preventDefault());
  watch({ button: byId('open'), input: byId('files'), target, onFiles: guarded(take), onError: fault });
}

/** Puts the inspector into `host` and shows what the address says. @param {HTMLElement} host @param {{ level?: number, target?: HTMLElement }} options level of its headings, and what is marked while files are dragged */
export async function inspect(host, { level = 2, target = document.body } = {}) {
  page.level = level;
  build(host, level);
  assemble();
  await guarded(async () => {
    busy('Starting');
    [page.core, page.library] = await Promise.all([bindings(), models()]);
    wire(target);
    const wish = state.read();
    const left = wish.circuit === 'handed' ? handed() : null;
    if (left) page.opened = { text: left, title: 'Circuit found by Edge Pruning' };
    // `#weights=models/x.gguf` opens a model file of this site.
    if (wish.weights) wish.model = `weights:${wish.weights}`;
    byId('show-all').checked = wish.all === '1';
    byId('list-all').checked = wish.listed === 'all';
    byId('search').value = wish.find ?? '';
    offerModels(wish.model ?? page.library[0].id);
    await takeModel({ ...wish, circuit: left ? 'file' : wish.circuit });
    if (wish.circuit === 'handed' && !left) fault('the circuit that Edge Pruning left here is gone, as this browser or this tab does not keep it; save it as a file there and open it here');
    // For scripts that look at the page from outside: tests and measurements.
    globalThis.vitrine = { graph: parts.graph, page, live: parts.live, curve: parts.curve };
  })();
}
