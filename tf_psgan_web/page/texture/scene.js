// Scenes of the texture plane: from a seed, textures and their weights to the network's input, as in
// `tf_psgan.plane.chunks.latents`.
//
// A scene is a plain object, so that it can be sent to a worker:
//   seed       BigInt
//   textures   [{ key, vector }]: a string that identifies the texture, and its global vector (numbers)
//   weights    of the textures where nothing is painted, numbers that sum to 1
//   dabs       what is painted (`paint.js`), or []
//   corners    null, or { height, width } in pixels: the first four textures lie at the corners of that extent from the
//              origin on, and between them is a blend
//   map        weights that cover a rectangle of cells (the camera's picture), or null
//   torus      [rows, cols] in cells for a seamless tile, [0, 0] for the endless plane
//   change     null, or { time, amount }: position in a loop and how far the noise moves

import { Int64 } from "./int64.js";
import * as noise from "./noise.js";
import { weightsOf } from "./paint.js";
import * as waves from "./waves.js";

/** Cells that a window needs beyond each of its edges (`geometry.HALO`). */
export const HALO = 2;

/** Largest distance from the origin in pixels (`geometry.MAX_PIXEL`). */
export const MAX_PIXEL = 2 ** 40;

/** Makes latents for one model. Remembers the waves of textures and tori. */
export class SceneLatents {
  #model;
  #turns = new Map();

  constructor(model) {
    this.#model = model;
  }

  /** Channels of the network's input. */
  get channels() {
    const { local_channels, global_channels, waves: count, quadrature } = this.#model;
    return local_channels + global_channels + count * (quadrature ? 2 : 1);
  }

  /**
   * The network's input for a rectangle of cells with its halo.
   *
   * @param {object} scene see above.
   * @param {number} row, col: first cell of the rectangle, without its halo.
   * @param {number} rows, cols: its extent in cells.
   * @returns {{ data: Float32Array, dims: number[] }} [1, rows + 4, cols + 4, channels].
   */
  latents(scene, row, col, rows, cols) {
    const model = this.#model;
    const stride = this.channels;
    const down = cellsFrom(row - HALO, rows + 2 * HALO, scene.torus[0]);
    const right = cellsFrom(col - HALO, cols + 2 * HALO, scene.torus[1]);
    const data = new Float32Array(down.length * right.length * stride);
    const seed = Int64.fromBigInt(scene.seed);
    noise.local(seed, down, right, model.local_channels, data, stride, scene.change);
    const phases = noise.phases(seed, model.waves);
    const weights = weightsOf(scene, down, right, model.pixels_per_cell);
    scene.textures.forEach((texture, index) => {
      const weight = weights[index];
      if (!weight.some(Boolean)) return;
      const { vector, turns } = this.#anchor(texture, scene.torus);
      const width = right.length;
      addVector(vector, weight, data, stride, model.local_channels);
      const share = (i, j) => weight[i * width + j];
      const first = model.local_channels + model.global_channels;
      waves.add(turns, phases, down, right, model.quadrature, share, data, stride, first);
    });
    return { data, dims: [1, down.length, right.length, stride] };
  }

  /** The wave numbers of a texture, in steps. */
  steps(texture) {
    return waves.stepsOf(this.#model, texture.vector);
  }

  #anchor(texture, torus) {
    const key = `${texture.key} ${torus}`;
    if (!this.#turns.has(key)) {
      this.#turns.set(key, { vector: texture.vector, turns: waves.turnsOf(this.steps(texture), ...torus) });
    }
    return this.#turns.get(key);
  }
}

function cellsFrom(first, count, period) {
  return Array.from({ length: count }, (_, i) => (period ? (((first + i) % period) + period) % period : first + i));
}

function addVector(vector, weight, out, stride, first) {
  for (let cell = 0, at = first; cell < weight.length; cell++, at += stride) {
    if (weight[cell] === 0) continue;
    for (let channel = 0; channel < vector.length; channel++) {
      out[at + channel] += Math.fround(weight[cell] * vector[channel]);
    }
  }
}
