// The panel that blends a second texture into the first.

import { chips, thumbnail } from "./chips.js";
import { element, labelled } from "./elements.js";

/** @param {object} app see `main.js`. */
export function blendPanel(app) {
  const node = element("div");
  const items = app.model.textures.map((texture) => ({
    key: texture.key,
    label: texture.key,
    draw: () => thumbnail(app.pool, app.model, texture),
  }));
  const row = chips(items, "Second texture", (key) => app.update({ blend: key, amount: app.state.amount || 0.5 }));
  const amount = element("input", { type: "range", min: 0, max: 100, step: 1 });
  amount.oninput = () => {
    const blend = app.state.blend || app.model.textures[1].key;
    app.update({ blend, amount: Number(amount.value) / 100 });
  };
  const refresh = () => {
    row.choose(app.state.blend);
    amount.value = String(Math.round(app.state.amount * 100));
  };
  node.append(
    element("p", { className: "hint" }, "Choose a second texture and how much of it."),
    row.node,
    element("div", { className: "row" }, ...labelled("Blend", amount)),
  );
  refresh();
  return { node, refresh };
}
