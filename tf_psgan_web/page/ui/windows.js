// Pictures of any extent, put together from windows that the pool computes.

const PIECE = 512; // pixels

/**
 * Draws a rectangle of cells into a new canvas.
 *
 * @param {object} pool
 * @param {object} scene see `texture/scene.js`.
 * @param {number} cell side of a cell in pixels.
 * @param {{ row: number, col: number, rows: number, cols: number }} cells
 * @param {(part: number) => void} [onProgress] called with the finished part, 0 to 1.
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function picture(pool, scene, cell, { row, col, rows, cols }, onProgress = () => {}) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [cols * cell, rows * cell];
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot make a picture of that size");
  const step = pool.remote && scene.torus[0] ? rows : PIECE / cell; // a server makes a seamless tile as a whole
  const pieces = [];
  for (let down = 0; down < rows; down += step) {
    for (let right = 0; right < cols; right += step) pieces.push([down, right]);
  }
  let finished = 0;
  await Promise.all(
    pieces.map(async ([down, right]) => {
      const extent = { rows: Math.min(step, rows - down), cols: Math.min(step, cols - right) };
      const request = { scene, row: row + down, col: col + right, ...extent, reduce: 1 };
      const pixels = await pool.pixels(request, 1e7);
      context.putImageData(new ImageData(pixels, extent.cols * cell, extent.rows * cell), right * cell, down * cell);
      onProgress(++finished / pieces.length);
    }),
  );
  return canvas;
}
