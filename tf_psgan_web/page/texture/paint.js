// Which texture has which weight at each cell: one mixture everywhere, a morph between four corners, a map laid over the
// plane, and dabs of a brush on it.
//
// A dab is { x, y, radius, texture }: a soft disc around a pixel of the plane in which one texture (an index into the
// scene's textures) covers what was there; -1 brings the scene's own mixture back. Weights are taken at the centres of
// cells and always sum to 1, so a painting is a function on the plane like everything else.

/**
 * The weights of a scene's textures over cells.
 *
 * @param {object} scene see `scene.js`.
 * @param {number[]} rows, cols: cells, in any order.
 * @param {number} cell side of a cell in pixels.
 * @returns {Float32Array[]} of each texture, [rows * cols].
 */
export function weightsOf(scene, rows, cols, cell) {
  const count = rows.length * cols.length;
  const weights = scene.weights.map((weight) => new Float32Array(count).fill(weight));
  if (scene.corners) layCorners(scene.corners, weights, rows, cols, cell);
  if (scene.map) layMap(scene.map, weights, rows, cols);
  const own = scene.dabs.length ? weights.map((weight) => weight.slice()) : [];
  for (const dab of scene.dabs) cover(dab, own, weights, rows, cols, cell);
  return weights;
}

/** The part of dabs that can reach a rectangle of pixels. */
export function dabsNear(dabs, top, left, height, width) {
  return dabs.filter(
    ({ x, y, radius }) =>
      x + radius > left && x - radius < left + width && y + radius > top && y - radius < top + height,
  );
}

/** How much a dab covers at a distance from its centre: 1 inside, 0 from its radius on, smooth between. */
export function coverage(distance, radius) {
  const t = Math.min(1, Math.max(0, 2 * (1 - distance / radius)));
  return t * t * (3 - 2 * t);
}

function cover(dab, own, weights, rows, cols, cell) {
  for (let i = 0, at = 0; i < rows.length; i++) {
    const down = (rows[i] + 0.5) * cell - dab.y;
    for (let j = 0; j < cols.length; j++, at++) {
      const share = coverage(Math.hypot(down, (cols[j] + 0.5) * cell - dab.x), dab.radius);
      if (share === 0) continue;
      for (let texture = 0; texture < weights.length; texture++) {
        const painted = dab.texture < 0 ? own[texture][at] : Number(dab.texture === texture);
        weights[texture][at] += share * (painted - weights[texture][at]);
      }
    }
  }
}

/** Lays the first four textures over { height, width } pixels from the origin, as `Morph` of `texture_fields` does. */
function layCorners({ height, width }, weights, rows, cols, cell) {
  const down = rows.map((row) => hats(row, cell, height));
  const right = cols.map((col) => hats(col, cell, width));
  for (let i = 0, at = 0; i < rows.length; i++) {
    for (let j = 0; j < cols.length; j++, at++) {
      for (let corner = 0; corner < 4; corner++) weights[corner][at] = down[i][corner >> 1] * right[j][corner & 1];
    }
  }
}

/** The weights of an axis' two ends at the centre of a cell: `texture_fields.hats`. */
function hats(cells, cell, extent) {
  const position = Math.min(1, Math.max(0, ((cells + 0.5) * cell) / extent));
  return [1 - position, 1 - Math.abs(position - 1)];
}

/** Lays { row, col, rows, cols, weights: [textures][rows * cols] } over the cells; beyond it its edge continues. */
function layMap(map, weights, rows, cols) {
  const inside = (value, count) => Math.min(count - 1, Math.max(0, value));
  for (let i = 0, at = 0; i < rows.length; i++) {
    const first = inside(rows[i] - map.row, map.rows) * map.cols;
    for (let j = 0; j < cols.length; j++, at++) {
      const from = first + inside(cols[j] - map.col, map.cols);
      for (let texture = 0; texture < weights.length; texture++) weights[texture][at] = map.weights[texture][from];
    }
  }
}
