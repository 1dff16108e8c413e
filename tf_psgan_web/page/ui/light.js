// From a picture's light to weights of textures: one value a cell, from dark to light through the textures in turn.

/**
 * The weights of textures for the light of cells: linear interpolation along the textures.
 *
 * @param {Uint8ClampedArray} pixels RGBA, one pixel a cell.
 * @param {number} textures how many, at least one; the first for the darkest cell, the last for the lightest.
 * @returns {Float32Array[]} of each texture, one weight a cell; they sum to 1.
 */
export function weightsFromLight(pixels, textures) {
  const count = pixels.length / 4;
  const light = new Float32Array(count);
  for (let cell = 0, at = 0; cell < count; cell++, at += 4) {
    light[cell] = 0.2126 * pixels[at] + 0.7152 * pixels[at + 1] + 0.0722 * pixels[at + 2];
  }
  // The whole range is used, whatever the light in the room; a picture of one colour stays at its own light.
  const [dark, bright] = [light.reduce((a, b) => Math.min(a, b)), light.reduce((a, b) => Math.max(a, b))];
  const [low, range] = bright - dark > 16 ? [dark, bright - dark] : [0, 255];
  return Array.from({ length: textures }, (_, texture) =>
    light.map((value) => Math.max(0, 1 - Math.abs(((value - low) / range) * (textures - 1) - texture))),
  );
}

/**
 * A picture reduced to one pixel a cell; what does not have the extent's proportions is cut off.
 *
 * @param {CanvasImageSource} source a video or an image.
 * @param {number} width, height: of the source in pixels.
 * @param {CanvasRenderingContext2D} context of a canvas of as many pixels as cells.
 * @param {boolean} mirrored left and right exchanged, as in a mirror.
 * @returns {Uint8ClampedArray} RGBA.
 */
export function reduced(source, width, height, context, mirrored) {
  const { width: cols, height: rows } = context.canvas;
  const scale = Math.max(cols / width, rows / height);
  context.save();
  context.imageSmoothingQuality = "high";
  context.translate(cols / 2, rows / 2);
  context.scale(mirrored ? -scale : scale, scale);
  context.drawImage(source, -width / 2, -height / 2);
  context.restore();
  return context.getImageData(0, 0, cols, rows).data;
}
