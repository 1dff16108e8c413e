// A worker that computes windows of texture planes with onnxruntime-web.
//
// Messages to it: { type: "open", model, network, runtime, backend }, then { type: "render", id, ... } of `Generator`.
// It answers { type: "opened" }, { type: "failed", message } or { type: "rendered", id, pixels, milliseconds }.

import { toPixels } from "./pixels.js";
import { SceneLatents } from "./scene.js";

let generator = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.type === "open") {
      generator = await Generator.open(data);
      self.postMessage({ type: "opened", error: await generator.check() });
    } else {
      const began = performance.now();
      const pixels = await generator.render(data);
      const answer = { type: "rendered", id: data.id, pixels, milliseconds: performance.now() - began };
      self.postMessage(answer, [pixels.buffer]);
    }
  } catch (error) {
    self.postMessage({ type: "failed", id: data.id, message: String(error?.message ?? error) });
  }
};

/** A model's network in a session, and what makes its input. */
class Generator {
  /**
   * @param {object} options
   * @param {object} options.model the description in meta.json.
   * @param {ArrayBuffer} options.network the ONNX file.
   * @param {{ module: string, wasm: string, glue: string }} options.runtime addresses of onnxruntime-web's files.
   * @param {"webgpu" | "wasm"} options.backend
   */
  static async open({ model, network, runtime, backend }) {
    const ort = await import(runtime.module);
    ort.env.wasm.wasmPaths = { mjs: runtime.glue, wasm: runtime.wasm };
    ort.env.wasm.numThreads = 1; // more need cross-origin isolation, which a static host seldom offers
    ort.env.logLevel = "error";
    const session = await ort.InferenceSession.create(network, { executionProviders: [backend], logSeverityLevel: 3 });
    return new Generator(model, session, ort.Tensor);
  }

  constructor(model, session, Tensor) {
    this.model = model;
    this.session = session;
    this.Tensor = Tensor;
    this.scenes = new SceneLatents(model);
  }

  /**
   * The pixels of a rectangle of cells: RGBA, averaged over blocks of `reduce` x `reduce`.
   *
   * @param {object} request scene (`scene.js`), row, col, rows, cols in cells, reduce.
   */
  async render({ scene, row, col, rows, cols, reduce }) {
    const { data, dims } = this.scenes.latents(scene, row, col, rows, cols);
    const latents = new this.Tensor("float32", data, dims);
    const { images } = await this.session.run({ latents });
    const found = await images.getData();
    const side = this.model.pixels_per_cell;
    const pixels = toPixels(found, rows * side, cols * side, reduce);
    images.dispose?.();
    return pixels;
  }

  /** Compares the reference window of the model with what this backend computes: "" if they agree. */
  async check() {
    const { seed, row, col, cells, pixels } = this.model.reference;
    const expected = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    const textures = this.model.textures.slice(0, 1);
    const scene = {
      seed: BigInt(seed),
      textures,
      weights: [1],
      dabs: [],
      corners: null,
      map: null,
      torus: [0, 0],
      change: null,
    };
    const found = await this.render({ scene, row, col, rows: cells, cols: cells, reduce: 1 });
    let worst = 0;
    for (let i = 0, j = 0; i < expected.length; i++, j++) {
      if (j % 4 === 3) j++; // opacity
      worst = Math.max(worst, Math.abs(expected[i] - found[j]));
    }
    return worst <= 1 ? "" : `its reference picture differs by ${worst} of 255`;
  }
}
