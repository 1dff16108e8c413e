// A row of textures to choose from, each with a live picture.

import { button, element } from "./elements.js";

const PIXELS = 128;

/**
 * @param {object[]} items { key, label, draw }: `draw` returns a promise of an ImageData or an image to show.
 * @param {string} label of the group for screen readers.
 * @param {(key: string) => void} onChoose
 * @returns {{ node: HTMLElement, choose: (key: string) => void }} `choose` marks one without calling `onChoose`.
 */
export function chips(items, label, onChoose) {
  const node = element("div", { className: "chips", role: "group", "aria-label": label });
  const choose = (key) => {
    for (const chip of node.children) chip.setAttribute("aria-pressed", String(chip.dataset.key === key));
  };
  for (const item of items) {
    const canvas = element("canvas", { width: PIXELS, height: PIXELS, "aria-hidden": "true" });
    const chip = button(
      "",
      () => {
        choose(item.key);
        onChoose(item.key);
      },
      "",
    );
    chip.dataset.key = item.key;
    chip.append(canvas, element("span", {}, item.label));
    node.append(chip);
    canvas.draw = () =>
      item.draw().then(
        (found) => show(canvas.getContext("2d"), found),
        () => {}, // the chip stays empty; the map shows the error
      );
    seen.observe(canvas);
  }
  return { node, choose };
}

/** Draws pictures when they come into view: a closed panel costs nothing. */
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.draw();
  }
});

/** The items of the model's own textures. A server is asked for them by number, also where they have names. */
export function textureItems(app) {
  return app.model.textures.map((texture) => ({
    key: texture.key,
    label: texture.label ?? texture.key,
    draw: () => thumbnail(app.pool, app.model, texture),
  }));
}

/** The picture of a chip: a window at the origin of a texture's plane. */
async function thumbnail(pool, model, texture) {
  const cells = PIXELS / model.pixels_per_cell;
  const textures = [texture];
  const scene = { seed: 0n, textures, weights: [1], dabs: [], corners: null, map: null, torus: [0, 0], change: null };
  const pixels = await pool.pixels({ scene, row: 0, col: 0, rows: cells, cols: cells, reduce: 1 }, 1e5);
  return new ImageData(pixels, PIXELS, PIXELS);
}

/** The middle of a model's poster. */
export async function posterThumbnail(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

function show(context, found) {
  if (found instanceof ImageData) return context.putImageData(found, 0, 0);
  const [x, y] = [(found.width - PIXELS) / 2, (found.height - PIXELS) / 2];
  context.drawImage(found, x, y, PIXELS, PIXELS, 0, 0, PIXELS, PIXELS);
}
