// The panel that paints textures on the plane.

import { chips, textureItems } from "./chips.js";
import { button, element, labelled } from "./elements.js";
import { MOST_DABS } from "./state.js";

/** @param {object} app see `main.js`. */
export function paintPanel(app) {
  const node = element("div");
  const items = textureItems(app);
  let brush = app.model.textures[1].key;
  const row = chips(items, "Texture of the brush", (key) => {
    brush = key;
  });
  row.choose(brush);
  const size = element("input", { type: "range", min: 24, max: 400, value: 120, step: 8 });
  const erase = button("Eraser", () => {
    brush = "";
    row.choose("");
  });
  const undo = button("Undo", () => undoStroke());
  const clear = button("Clear", () => {
    strokes.length = 0;
    app.update({ dabs: [] });
  });
  node.append(
    element(
      "p",
      { className: "hint" },
      "Draw on the texture. Two fingers or the arrow keys move it; link and files keep the painting.",
    ),
    row.node,
    element("div", { className: "row" }, ...labelled("Brush", size), erase, undo, clear),
  );

  const surface = app.map.getContainer();
  const strokes = []; // number of dabs before each stroke
  let last = null;

  const dab = (event) => {
    const { lat, lng } = app.map.mouseEventToLatLng(event);
    const radius = Math.round(Number(size.value) / 2 ** app.map.getZoom());
    if (last && Math.hypot(lat - last.lat, lng - last.lng) < radius / 3) return;
    if (app.state.dabs.length >= MOST_DABS) {
      return app.say(`A painting has ${MOST_DABS} dabs at most; clear it or use a larger brush.`);
    }
    last = { lat, lng };
    const added = { x: Math.round(lng), y: Math.round(lat), radius, texture: brush };
    app.update({ dabs: [...app.state.dabs, added] }, [added.y - radius, added.x - radius, 2 * radius, 2 * radius]);
  };
  const begin = (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    strokes.push(app.state.dabs.length);
    last = null;
    surface.setPointerCapture(event.pointerId);
    surface.addEventListener("pointermove", move);
    dab(event);
  };
  const move = (event) => event.isPrimary && dab(event);
  const end = () => surface.removeEventListener("pointermove", move);
  const undoStroke = () => app.update({ dabs: app.state.dabs.slice(0, strokes.pop() ?? 0) });

  return {
    node,
    refresh: () => {},
    open() {
      app.map.dragging.disable();
      surface.classList.add("painting");
      surface.addEventListener("pointerdown", begin);
      for (const name of ["pointerup", "pointercancel"]) surface.addEventListener(name, end);
    },
    close() {
      app.map.dragging.enable();
      surface.classList.remove("painting");
      surface.removeEventListener("pointerdown", begin);
      for (const name of ["pointerup", "pointercancel"]) surface.removeEventListener(name, end);
      end();
    },
  };
}
