// From the network's picture to 8-bit pixels.

import { HALO } from "./scene.js";

/**
 * Cuts the halo from the network's picture and converts it to bytes, as `tf_psgan.plane.chunks.pixels` does.
 *
 * @param {Float32Array} images [1, height + 4, width + 4, 3] in [-1, 1].
 * @param {number} height, width: in pixels, without the halo.
 * @param {number} [reduce] side of the blocks of pixels that are averaged to one: a power of two that divides both.
 * @returns {Uint8ClampedArray} RGBA [height / reduce, width / reduce, 4].
 */
export function toPixels(images, height, width, reduce = 1) {
  const pixels = new Uint8ClampedArray(height * width * 4); // rounds ties to even, as TensorFlow does
  const line = (width + 2 * HALO) * 3;
  for (let row = 0, to = 0; row < height; row++) {
    let from = (row + HALO) * line + HALO * 3;
    for (let col = 0; col < width; col++, to += 4, from += 3) {
      for (let channel = 0; channel < 3; channel++) {
        pixels[to + channel] = Math.fround(Math.fround(images[from + channel] + 1) * 127.5);
      }
      pixels[to + 3] = 255;
    }
  }
  return reduce > 1 ? averaged(pixels, height, width, reduce) : pixels;
}

function averaged(pixels, height, width, side) {
  const out = new Uint8ClampedArray((height / side) * (width / side) * 4);
  for (let row = 0, to = 0; row < height; row += side) {
    for (let col = 0; col < width; col += side) {
      for (let channel = 0; channel < 4; channel++, to++) {
        let sum = 0;
        for (let i = 0; i < side; i++) {
          for (let j = 0; j < side; j++) sum += pixels[((row + i) * width + col + j) * 4 + channel];
        }
        out[to] = sum / (side * side);
      }
    }
  }
  return out;
}
