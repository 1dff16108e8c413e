// The panel that chooses what is shown: the model, the texture, the seed.

import { chips, posterThumbnail, textureItems } from "./chips.js";
import { button, element, labelled } from "./elements.js";
import { integer, randomSeed, textureOf } from "./state.js";

/** @param {object} app see `main.js`. */
export function texturePanel(app) {
  const node = element("div");
  const chosen = [];
  if (app.models.length > 1) {
    const items = app.models.map(({ name, folder, picture }) => ({
      key: name,
      label: name,
      draw: () => posterThumbnail(picture ?? `${folder}/poster.webp`),
    }));
    const row = chips(items, "Models", (name) => app.chooseModel(name));
    row.choose(app.entry.name);
    node.append(row.node);
  }
  if (app.model.global_channels) {
    const items = textureItems(app);
    const row = chips(items, "Textures", (key) => app.update({ texture: key, corners: "" }));
    chosen.push(() => row.choose(app.state.texture || app.model.textures[0].key));
    const number = element("input", { type: "text", inputMode: "numeric", size: 8, placeholder: "any integer" });
    number.onchange = () => app.update({ texture: textureOf(number.value.trim(), app.model).key, corners: "" });
    node.append(row.node, element("div", { className: "row" }, ...labelled("Texture number", number)));
  }
  const seed = element("input", { type: "text", inputMode: "numeric", size: 12 });
  seed.onchange = () =>
    app.update({ seed: integer(seed.value.trim(), -(2n ** 63n), 2n ** 63n - 1n) ?? app.state.seed });
  chosen.push(() => {
    seed.value = String(app.state.seed);
  });
  const another = button("Another one", () => app.update({ seed: randomSeed() }), "main");
  const origin = button("To the origin", () => app.map.setView([0, 0], 0));
  node.append(element("div", { className: "row" }, ...labelled("Seed", seed), another, origin));
  const refresh = () => {
    for (const choose of chosen) choose();
  };
  refresh();
  return { node, refresh };
}
