// Workers that compute windows of one model, one for each core, or one on a GPU, or that ask a server; and the queue of
// their requests.

import { download } from "./download.js";
import { fit, forgetBlocks, RemoteWorker } from "./remote.js";
import { SceneLatents } from "./scene.js";
import { nearestFit } from "./waves.js";

const FILES = {
  wasm: ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"],
  webgpu: ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
};
const MOST_WORKERS = 8;
const REMOTE_WORKERS = 6; // as many connections as browsers open to one host
const ATTEMPTS = 3;

/** Renders windows of a model's planes. */
export class Pool {
  #waiting = [];
  #idle = [];
  #options = null;
  #closed = false;
  #workers = new Set();

  /** "webgpu", "wasm" or "server". */
  backend = "";
  /** What was decided against, or "". */
  note = "";
  /** Mean time of the last windows in milliseconds for 256 x 256 pixels. */
  milliseconds = 0;

  /**
   * @param {object} model the description in meta.json.
   * @param {string} folder address of the model's folder, ending in /.
   * @param {object} [options]
   * @param {(bytes: number) => void} [options.onBytes] progress of downloads.
   * @param {"webgpu" | "wasm" | ""} [options.backend] instead of the one that suits the device.
   * @param {(message: string) => void} [options.onTrouble] called when a server does not answer, and with "" when it
   *   does again.
   * @param {AbortSignal} [options.signal] ends the downloads.
   */
  static async open(model, folder, { onBytes, backend = "", onTrouble = () => {}, signal } = {}) {
    const pool = new Pool();
    if (model.server) {
      pool.#options = { model, folder, backend: "server", onTrouble };
      await pool.#openAll(REMOTE_WORKERS);
      return pool;
    }
    const fetched = (address) => download(address, { onBytes, onTrouble, signal });
    const network = await (await fetched(new URL("model.onnx", folder).href)).arrayBuffer();
    const wanted = backend || ((await hasGpu()) ? "webgpu" : "wasm");
    try {
      await pool.#start(wanted, model, network, fetched);
    } catch (error) {
      if (wanted !== "webgpu") throw error;
      pool.note = `WebGPU is not used: ${error.message}.`;
      await pool.#start("wasm", model, network, fetched);
    }
    return pool;
  }

  /** Whether a server computes the pixels; it takes requests of 2048 x 2048 pixels. */
  get remote() {
    return this.backend === "server";
  }

  /** Number of workers that have started. */
  get workers() {
    return this.#workers.size;
  }

  /** Number of windows that are being computed. */
  get busy() {
    return this.#workers.size - this.#idle.length;
  }

  /** Number of windows that wait for a worker. */
  get waiting() {
    return this.#waiting.length;
  }

  /**
   * Requests a window.
   *
   * @param {object} request scene, row, col, rows, cols and reduce, as for the worker's `render`.
   * @param {() => number} priority the lowest is computed first; evaluated when a worker is free.
   * @param {(pixels: Uint8ClampedArray | null, message: string) => void} done called once unless cancelled.
   * @returns {() => void} cancels the request.
   */
  render(request, priority, done) {
    const job = { request, priority, done, attempts: 0, cancelled: false };
    this.#waiting.push(job);
    queueMicrotask(() => this.#dispatch());
    return () => {
      job.cancelled = true;
      const at = this.#waiting.indexOf(job);
      if (at >= 0) this.#waiting.splice(at, 1);
      else job.worker?.cancel?.();
    };
  }

  /** `render` as a promise. */
  pixels(request, priority = 0) {
    return new Promise((resolve, reject) => {
      this.render(
        request,
        () => priority,
        (pixels, message) => (pixels ? resolve(pixels) : reject(new Error(message))),
      );
    });
  }

  /**
   * The extent of a seamless tile nearest to a wanted one that the waves of a scene's textures fit.
   *
   * @param {object} scene see `scene.js`.
   * @param {number} cells a side.
   * @returns {Promise<number[]>} rows and cols in cells.
   */
  async fit(scene, cells) {
    const { model, folder, onTrouble } = this.#options;
    if (this.remote) return fit(folder, model, scene, cells, onTrouble);
    const latents = new SceneLatents(model);
    const used = scene.textures.filter((_, i) => scene.weights[i] > 0);
    const steps = used.map((texture) => latents.steps(texture));
    const extent = nearestFit(steps, cells, cells);
    if (!extent) throw new Error("no extent near this one fits the texture's waves");
    return extent;
  }

  /** Ends the workers; requests that wait are dropped. */
  close() {
    this.#closed = true;
    this.#waiting = [];
    if (this.remote) forgetBlocks();
    for (const worker of this.#workers) worker.terminate();
  }

  async #start(backend, model, network, fetched) {
    const [module, glue, wasm] = FILES[backend].map(
      (name) => new URL(`../vendor/onnxruntime-web/${name}`, import.meta.url).href,
    );
    // Downloaded once for all workers, with progress.
    const binary = URL.createObjectURL(await fetched(wasm));
    this.#options = { model, network, backend, runtime: { module, glue, wasm: binary } };
    const count = backend === "webgpu" ? 1 : Math.min(navigator.hardwareConcurrency || 2, MOST_WORKERS);
    await this.#openAll(count);
  }

  async #openAll(count) {
    await this.#open();
    this.backend = this.#options.backend;
    for (let i = 1; i < count; i++) this.#open().catch(() => {}); // fewer workers are slower, no more
  }

  async #open() {
    const { onTrouble, ...options } = this.#options;
    const worker = options.folder
      ? new RemoteWorker(onTrouble)
      : new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) =>
        data.type === "opened" && !data.error ? resolve() : reject(new Error(data.error || data.message));
      worker.onerror = (event) => reject(new Error(event.message || "the worker cannot be started"));
      worker.postMessage({ type: "open", ...options });
    }).catch((error) => {
      worker.terminate();
      throw error;
    });
    if (this.#closed) return worker.terminate();
    worker.onmessage = ({ data }) => this.#answer(worker, data);
    worker.onerror = (event) => this.#lost(worker, event.message);
    this.#workers.add(worker);
    this.#idle.push(worker);
    this.#dispatch();
  }

  #dispatch() {
    while (this.#idle.length && this.#waiting.length) {
      const ranks = this.#waiting.map((job) => job.priority());
      const best = ranks.reduce((least, rank, i) => (rank < ranks[least] ? i : least), 0);
      const [job] = this.#waiting.splice(best, 1);
      const worker = this.#idle.pop();
      worker.job = job;
      job.worker = worker;
      job.attempts++;
      worker.postMessage({ type: "render", cell: this.#options.model.pixels_per_cell, ...job.request });
    }
  }

  #answer(worker, data) {
    const { job } = worker;
    worker.job = job.worker = null;
    this.#idle.push(worker);
    if (data.type === "rendered") {
      const { rows, cols } = job.request;
      const area = rows * cols * this.#options.model.pixels_per_cell ** 2;
      const each = (data.milliseconds * 256 ** 2) / area;
      this.milliseconds = this.milliseconds ? 0.8 * this.milliseconds + 0.2 * each : each;
    }
    try {
      if (data.type !== "rendered") this.#again(job, data.message);
      else if (!job.cancelled) job.done(data.pixels, "");
    } finally {
      this.#dispatch(); // whatever has become of this one
    }
  }

  #lost(worker, message) {
    worker.terminate();
    this.#workers.delete(worker);
    this.#open().catch(() => {
      if (!this.#workers.size) for (const job of this.#waiting.splice(0)) job.done(null, message);
    });
    if (worker.job) this.#again(worker.job, message);
  }

  #again(job, message) {
    if (job.cancelled) return;
    if (job.attempts < ATTEMPTS) this.#waiting.push(job);
    else job.done(null, message);
  }
}

/** Whether the device has a GPU for WebGPU; a processor that plays one is slower than WebAssembly. */
async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter));
}
