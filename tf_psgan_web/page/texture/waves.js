// Plane waves, exact at any distance from the origin, as in `tf_psgan.latents.waves`, `torus` and `wave_numbers`.
//
// Wave numbers are integer steps of 2^-32 turns per cell, below 2^53 in size; phases are 64-bit integers of 2^-64
// turns, so that sums and products wrap at whole turns.

import { Int64 } from "./int64.js";

const STEPS_PER_TURN = 2 ** 32;
const RADIANS = (2 * Math.PI) / 2 ** 64;
const RADIANS_PER_STEP = (2 * Math.PI) / STEPS_PER_TURN;
const RELATIVE = 0.05; // `torus.RELATIVE` and `torus.ABSOLUTE`: what a torus may move a wave by
const ABSOLUTE = 0.02;
const NEAR = 64;

/**
 * The wave numbers of a texture: `wave_numbers.of_textures`.
 *
 * @param {object} model the description in meta.json.
 * @param {Float32Array} vector the texture's global vector.
 * @returns {number[][]} [waves][2], steps, row before column.
 */
export function stepsOf(model, vector) {
  if (!model.wave_mlp) return model.wave_steps;
  const { hidden_kernel, hidden_bias, out_kernel, out_bias } = model.wave_mlp;
  const hidden = product(vector, hidden_kernel).map((sum, unit) => Math.max(sum + hidden_bias[unit], 0));
  const out = product(hidden, out_kernel).map((sum, unit) => sum + out_bias[unit]);
  return Array.from({ length: model.waves }, (_, wave) =>
    [0, 1].map((axis) => {
      const alongAxis = model.wave_angles === "any" || wave % 2 === axis;
      return alongAxis ? roundEven(out[2 * wave + axis] * (STEPS_PER_TURN / (2 * Math.PI))) : 0;
    }),
  );
}

/**
 * The turns per cell of waves: `torus.turns`.
 *
 * @param {number[][]} steps [waves][2].
 * @param {number} rows, cols: extent of the torus in cells; 0 along an endless axis.
 * @returns {Int64[][]} [waves][2].
 */
export function turnsOf(steps, rows = 0, cols = 0) {
  return steps.map((wave) =>
    [rows, cols].map((extent, axis) => (extent ? closed(wave[axis], extent) : turn(wave[axis]))),
  );
}

/**
 * The waves at cells, written with a weight added into a field: `waves.at_cells` times a weight.
 *
 * @param {Int64[][]} turns [waves][2], from `turnsOf`.
 * @param {Int64[]} phases of the waves at cell (0, 0).
 * @param {number[]} rows, cols: cells.
 * @param {boolean} quadrature whether each wave has its cosine, too.
 * @param {(row: number, col: number) => number} weight of the texture at a cell, by indices into rows and cols.
 * @param {Float32Array} out [rows, cols, stride]; `first` is the first channel of the waves.
 */
export function add(turns, phases, rows, cols, quadrature, weight, out, stride, first) {
  const count = turns.length;
  const down = rows.map((row) => turns.map((wave, i) => times(wave[0], row).add(phases[i].high, phases[i].low)));
  const right = cols.map((col) => turns.map((wave) => times(wave[1], col)));
  const phase = new Int64();
  let at = first;
  for (let row = 0; row < rows.length; row++) {
    for (let col = 0; col < cols.length; col++, at += stride) {
      const share = weight(row, col);
      if (share === 0) continue;
      for (let wave = 0; wave < count; wave++) {
        phase.set(down[row][wave]).add(right[col][wave].high, right[col][wave].low);
        const angle = Math.fround(phase.toNumber() * RADIANS);
        out[at + wave] += Math.fround(share * Math.fround(Math.sin(angle)));
        if (quadrature) out[at + count + wave] += Math.fround(share * Math.fround(Math.cos(angle)));
      }
    }
  }
}

/** How much a torus distorts waves; 1 is the most that does not change their look: `torus.strain`. */
export function strain(steps, rows, cols) {
  let worst = 0;
  for (const wave of steps) {
    const moved = [rows, cols].map((extent, axis) =>
      extent ? ((Number(whole(wave[axis], extent)) / extent) * STEPS_PER_TURN - wave[axis]) * RADIANS_PER_STEP : 0,
    );
    const allowed = Math.max(RELATIVE * Math.hypot(...wave) * RADIANS_PER_STEP, ABSOLUTE);
    worst = Math.max(worst, Math.hypot(...moved) / allowed);
  }
  return worst;
}

/** The extent [rows, cols] nearest to a wanted one that the waves of all textures fit, or null: `torus.nearest_fits`. */
export function nearestFit(textures, rows, cols) {
  let best = null;
  let bestCost = Infinity;
  for (let down = -NEAR; down <= NEAR; down++) {
    for (let right = -NEAR; right <= NEAR; right++) {
      const cost = Math.abs(down) + Math.abs(right);
      const extent = [rows + down, cols + right];
      if (cost >= bestCost || Math.min(...extent) < 1) continue;
      if (textures.every((steps) => strain(steps, ...extent) <= 1)) [best, bestCost] = [extent, cost];
    }
  }
  return best;
}

/** A vector times a kernel [in][out]; every sum in float64 from its first term to its last. */
function product(vector, kernel) {
  return kernel[0].map((_, unit) => kernel.reduce((sum, row, i) => sum + vector[i] * row[unit], 0));
}

function turn(steps) {
  return new Int64(Int64.fromNumber(steps).low, 0);
}

function times(turns, cell) {
  const factor = Int64.fromNumber(cell);
  return new Int64(turns.high, turns.low).multiply(factor.high, factor.low);
}

/** The whole number of turns around a torus nearest to that of a wave, ties to even: `torus.whole`. */
function whole(steps, extent) {
  const size = BigInt(Math.abs(steps)) * BigInt(extent);
  const below = size >> 32n;
  const rest = size & 0xffffffffn;
  const up = rest > 0x80000000n || (rest === 0x80000000n && below & 1n);
  const rounded = up ? below + 1n : below;
  return steps < 0 ? -rounded : rounded;
}

function closed(steps, extent) {
  const size = BigInt(extent);
  const rest = ((whole(steps, extent) % size) + size) % size;
  return Int64.fromBigInt((rest << 64n) / size);
}

/** To the nearest integer, ties to even, as TensorFlow rounds. */
function roundEven(value) {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
