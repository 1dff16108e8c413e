// Counter-based noise, the same bits as `tf_psgan.latents.noise`: the value at (seed, row, col, channel) is a pure
// function of these. Keys are mixed by the finaliser of SplitMix64 (Steele, Lea and Flood 2014).

import { Int64 } from "./int64.js";

const GLOBAL = 1;
const PHASE = 2;
const LOCAL = 3;
const CHANGE = 5;

/** Mixes an integer counter into a key in place: `noise.fold`. */
export function fold(key, counter) {
  scratch.setNumber(counter + 1);
  return mix(key, scratch);
}

/** The float32 value of a key in [-1, 1): `noise.uniform`. */
export function uniform(key) {
  return (key.high >>> 8) * 2 ** -23 - 1;
}

/** The key of the local noise of a plane. */
export function localKey(seed) {
  return fold(new Int64().set(seed), LOCAL);
}

/**
 * The local channels of a rectangle of cells: `noise.local`.
 *
 * @param {Int64} seed of the plane.
 * @param {number[]} rows, cols: cells, integers below 2^53 in size.
 * @param {number} channels values at each cell.
 * @param {Float32Array} out [rows, cols, stride]; the first `channels` of each cell are written.
 * @param {number} stride channels of `out`.
 * @param {{time: number, amount: number}} [change] position in a loop and how far the noise moves.
 */
export function local(seed, rows, cols, channels, out, stride, change) {
  const plane = localKey(seed);
  const row = new Int64();
  const cell = new Int64();
  const value = new Int64();
  let at = 0;
  for (const down of rows) {
    fold(row.set(plane), down);
    for (const right of cols) {
      fold(cell.set(row), right);
      for (let channel = 0; channel < channels; channel++) {
        fold(value.set(cell), channel);
        const still = uniform(value);
        out[at + channel] = change ? changed(still, value, change) : still;
      }
      at += stride;
    }
  }
}

/** The global vector of a texture number: `noise.global_vector`, float32 [channels]. */
export function globalVector(texture, channels) {
  const key = mix(new Int64(0, GLOBAL), new Int64().set(texture).add(0, 1));
  return Float32Array.from({ length: channels }, (_, channel) => uniform(fold(new Int64().set(key), channel)));
}

/** The phases of waves at cell (0, 0): `noise.phases`, in units of 2^-64 turns. */
export function phases(seed, waves) {
  const key = fold(new Int64().set(seed), PHASE);
  return Array.from({ length: waves }, (_, wave) => fold(new Int64().set(key), wave));
}

/** A value at a time of a loop: `noise.changed`. `key` is the value's own and is changed. */
function changed(value, key, { time, amount }) {
  fold(key, CHANGE);
  const side = uniform(key);
  fold(key, 0);
  const begin = Math.PI * uniform(key);
  const quarter = (1 + value) / 4;
  const position = side < 0 ? quarter : 1 - quarter;
  const moved = position + amount * (Math.sin(2 * Math.PI * time + begin) - Math.sin(begin));
  return 1 - Math.abs(4 * (moved - Math.floor(moved)) - 2);
}

const scratch = new Int64();

function mix(key, counter) {
  // key = finaliser(key + golden * counter)
  counter.multiply(0x9e3779b9, 0x7f4a7c15);
  key.add(counter.high, counter.low);
  key.xorShift(30).multiply(0xbf58476d, 0x1ce4e5b9);
  key.xorShift(27).multiply(0x94d049bb, 0x133111eb);
  return key.xorShift(31);
}
