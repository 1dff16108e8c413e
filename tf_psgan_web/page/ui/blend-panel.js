// The panel that blends textures: a second one into the first, or four over a part of the plane.

import { chips, textureItems } from "./chips.js";
import { cornerControls } from "./corners.js";
import { element, labelled } from "./elements.js";
import { canBlend } from "./state.js";

/** @param {object} app see `main.js`. */
export function blendPanel(app) {
  const parts = [...(canBlend(app.model) ? [secondTexture(app)] : []), cornerControls(app)];
  const refresh = () => {
    for (const part of parts) part.refresh();
  };
  return { node: element("div", {}, ...parts.map(({ node }) => node)), refresh };
}

function secondTexture(app) {
  const items = textureItems(app);
  const change = (blend, amount) => app.update({ blend, amount, corners: "" });
  const row = chips(items, "Second texture", (key) => change(key, app.state.amount || 0.5));
  const amount = element("input", { type: "range", min: 0, max: 100, step: 1 });
  amount.oninput = () => change(app.state.blend || app.model.textures[1].key, Number(amount.value) / 100);
  const refresh = () => {
    row.choose(app.state.blend);
    amount.value = String(Math.round(app.state.amount * 100));
  };
  const node = element(
    "div",
    {},
    element("p", { className: "hint" }, "Choose a second texture and how much of it."),
    row.node,
    element("div", { className: "row" }, ...labelled("Blend", amount)),
  );
  refresh();
  return { node, refresh };
}
