// The panel that makes pictures to take home: windows of the view, and seamless tiles.

import { button, element, labelled, pngOf, saveFile } from "./elements.js";
import { picture } from "./windows.js";

const SIDES = [256, 512, 1024, 2048, 4096];

/** @param {object} app see `main.js`. */
export function savePanel(app) {
  const { cell } = app;
  const side = element("select", {}, ...SIDES.map((n) => element("option", { value: n }, `${n} × ${n}`)));
  side.value = "512";
  const preview = element("div", { className: "preview", role: "img", "aria-label": "The tile, repeated 3 by 3" });
  const text = element("p", { className: "hint", role: "status" }, "");
  const tile = button("Make a seamless tile", () => working(makeTile), "main");
  const window = button("Save this view", () => working(saveWindow));
  const save = button("Save the tile", () => saveFile(made, `${app.entry.name}-tile.png`));
  const link = button("Copy the link", copyLink);
  let made = null;
  save.hidden = preview.hidden = true;

  async function working(work) {
    for (const control of [tile, window, save]) control.disabled = true;
    try {
      await work();
    } catch (error) {
      text.textContent = `This did not work: ${error.message}.`;
    } finally {
      for (const control of [tile, window, save]) control.disabled = false;
    }
  }

  const progress = (part) => {
    text.textContent = `${Math.round(100 * part)} % computed`;
  };

  /** The window of the chosen extent around the middle of the view, from the corner of a cell. */
  async function saveWindow() {
    const cells = Math.round(Number(side.value) / cell);
    const { lat, lng } = app.map.getCenter();
    const [row, col] = [lat, lng].map((middle) => Math.round(middle / cell - cells / 2));
    const canvas = await picture(app.pool, app.scene(), cell, { row, col, rows: cells, cols: cells }, progress);
    saveFile(await pngOf(canvas), `${app.entry.name}-${col * cell}-${row * cell}.png`);
    text.textContent = `${canvas.width} × ${canvas.height} pixels from x ${col * cell}, y ${row * cell}.`;
  }

  async function makeTile() {
    const scene = { ...app.scene(), dabs: [] };
    if (scene.corners) throw new Error("a morph has no seamless tile; switch it off");
    const cells = Math.round(Number(side.value) / cell);
    const extent = await app.pool.fit(scene, cells);
    const [rows, cols] = extent;
    const canvas = await picture(app.pool, { ...scene, torus: extent }, cell, { row: 0, col: 0, rows, cols }, progress);
    made = await pngOf(canvas);
    if (preview.dataset.url) URL.revokeObjectURL(preview.dataset.url);
    preview.dataset.url = URL.createObjectURL(made);
    preview.style.backgroundImage = `url(${preview.dataset.url})`;
    save.hidden = preview.hidden = false;
    const near =
      rows === cells && cols === cells ? "" : ", the nearest extent that closes without distorting the waves";
    text.textContent = `${cols * cell} × ${rows * cell} pixels${near}. Its edges continue exactly.`;
  }

  async function copyLink() {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    text.textContent = "The address of this page shows the same pixels.";
  }

  const node = element(
    "div",
    {},
    element("div", { className: "row" }, ...labelled("Extent", side), window, link),
    element("div", { className: "row" }, tile, save),
    text,
    preview,
  );
  return { node, refresh: () => {} };
}
