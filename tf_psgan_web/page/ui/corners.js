// Controls of a morph: four textures at the corners of a square from the plane's origin on, and a blend between them.

import { button, element, labelled } from "./elements.js";
import { textureOf, ZOOM } from "./state.js";

const NAMES = ["Top left", "Top right", "Bottom left", "Bottom right"];
const EXTENTS = [512, 1024, 2048, 4096, 8192];

/** @param {object} app see `main.js`. */
export function cornerControls(app) {
  const { textures } = app.model;
  const texts = NAMES.map((_, i) =>
    element("input", { type: "text", size: 5, value: textures[i % textures.length].key }),
  );
  const extent = element("select", {}, ...EXTENTS.map((n) => element("option", { value: n }, `${n} pixels`)));
  extent.value = "2048";
  const on = button("Morph", () => change(!app.state.corners), "main");
  const show = button("Show all of it", () => {
    const side = Number(extent.value);
    const zoom = Math.floor(Math.log2(Math.min(innerWidth, innerHeight) / side));
    app.map.setView([side / 2, side / 2], Math.max(ZOOM.least, Math.min(0, zoom)));
  });
  for (const control of [...texts, extent]) control.onchange = () => change(true);

  function change(wanted) {
    const keys = texts.map(({ value }) => textureOf(value.trim(), app.model).key);
    app.update({ corners: wanted ? keys.join("*") : "", extent: Number(extent.value) });
  }

  const refresh = () => {
    const { corners } = app.state;
    on.setAttribute("aria-pressed", String(Boolean(corners)));
    on.textContent = corners ? "End the morph" : "Morph";
    if (EXTENTS.includes(app.state.extent)) extent.value = String(app.state.extent);
    if (!corners) return;
    corners.split("*").forEach((key, i) => {
      texts[i].value = textureOf(key, app.model).key;
    });
  };
  const node = element(
    "div",
    {},
    element("p", { className: "hint" }, "A morph: four textures at the corners of a square, and a blend between them."),
    element("div", { className: "corners" }, ...NAMES.flatMap((name, i) => labelled(name, texts[i]))),
    element("div", { className: "row" }, ...labelled("Over", extent)),
    element("div", { className: "row" }, on, show),
  );
  refresh();
  return { node, refresh };
}
