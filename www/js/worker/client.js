// A worker that answers one request at a time, from the page's side: calls become promises, progress becomes callbacks, stopping is asking or ending.

import { bundles, compile, worker } from '../host.js';

export class Client {
  /** @param {string} script name of a worker of this folder @param {'cpu'|'decode'|'sql'} [bundle] what it runs */
  constructor(script, bundle = 'cpu') {
    this.script = script;
    this.bundle = bundle;
    this.worker = null;
    this.calls = new Map();
    this.next = 1;
  }

  async start() {
    if (this.worker) return;
    const own = worker(this.script);
    this.worker = own;
    own.onmessage = ({ data }) => {
      const call = this.calls.get(data.id);
      if (!call) return;
      if (data.progress !== undefined) call.progress?.(data.progress);
      else {
        this.calls.delete(data.id);
        if (data.broken) {
          // What it held is lost; the next call starts afresh.
          own.terminate();
          call.reject(new Error(data.error));
          this.fail(new Error(data.error));
        } else if (data.error !== undefined) call.reject(new Error(data.error));
        else call.resolve(data.value);
      }
    };
    own.onerror = (event) => {
      event.preventDefault();
      this.fail(new Error(event.message || 'the worker could not be started'));
    };
    const name = (await bundles())[this.bundle];
    if (!name) throw new Error(`this site was put together without the program of this page (scripts/web-bundle ${this.bundle})`);
    const compiled = await compile(name);
    // What the address says of the device; see device.js.
    const device = new URLSearchParams(location.hash.slice(1)).get('device');
    own.postMessage({ id: 0, compiled, bundle: name, device });
  }

  /**
   * @param {string} op @param {any} [argument] @param {(progress: any) => void} [progress]
   * @returns {Promise<any>}
   */
  async call(op, argument, progress) {
    await this.start();
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.calls.set(id, { resolve, reject, progress });
      this.worker.postMessage({ id, op, argument });
    });
  }

  /** Asks the running call to stop after its current piece. */
  ask() {
    this.worker?.postMessage({ id: 0, stop: true });
  }

  /** Ends the worker with all it holds. */
  end() {
    this.worker?.terminate();
    this.fail(new Error('stopped'));
  }

  fail(error) {
    this.worker = null;
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) call.reject(error);
  }

  get busy() {
    return this.calls.size > 0;
  }
}
