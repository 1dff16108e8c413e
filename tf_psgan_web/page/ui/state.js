// What the page shows, as one object: model, seed, textures, painting and view. It is written to the address, so that a
// link shows the same pixels.

import { Int64 } from "../texture/int64.js";
import { globalVector } from "../texture/noise.js";
import { MAX_PIXEL } from "../texture/scene.js";

export const ZOOM = { least: -3, most: 3 };
const SEEDS = [-(2n ** 63n), 2n ** 63n - 1n];
export const MOST_DABS = 400; // longer addresses are cut by some programs

/** The state of a page that is opened without anything in its address. */
export function initial() {
  return {
    model: "",
    seed: 0n,
    texture: "",
    blend: "",
    amount: 0,
    corners: "",
    extent: 2048,
    dabs: [],
    x: 0,
    y: 0,
    zoom: 0,
  };
}

/** The state that an address's fragment describes; whatever is missing or wrong is as in `initial`. */
export function fromAddress(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = initial();
  state.model = given.get("model") ?? "";
  state.seed = integer(given.get("seed"), ...SEEDS) ?? 0n;
  state.texture = given.get("texture") ?? "";
  state.blend = given.get("blend") ?? "";
  state.amount = number(given.get("amount"), 0, 1) ?? 0;
  state.corners = cornersFrom(given.get("corners") ?? "");
  state.extent = Math.round(number(given.get("extent"), 1, MAX_PIXEL) ?? state.extent);
  for (const axis of ["x", "y"]) state[axis] = number(given.get(axis), -MAX_PIXEL, MAX_PIXEL) ?? 0;
  state.zoom = Math.round(number(given.get("zoom"), ZOOM.least, ZOOM.most) ?? 0);
  state.dabs = dabsFrom((given.get("paint") ?? "").split("*"));
  return state;
}

/** The fragment of the address of a state, with # in front. */
export function toAddress(state) {
  const parts = new URLSearchParams();
  const first = initial();
  for (const name of ["model", "seed", "texture", "blend", "amount", "corners", "extent", "x", "y", "zoom"]) {
    if (state[name] !== first[name]) parts.set(name, String(state[name]));
  }
  if (state.dabs.length) {
    parts.set("paint", state.dabs.flatMap(({ x, y, radius, texture }) => [x, y, radius, texture]).join("*"));
  }
  return `#${parts}`;
}

/**
 * The scene of a state (`texture/scene.js`). A server of an older export knows no blend of two textures and no painting.
 *
 * @param {object} state see `initial`.
 * @param {object} model the description in meta.json.
 */
export function sceneOf(state, model) {
  const corners = state.corners && model.global_channels ? { height: state.extent, width: state.extent } : null;
  const keys = corners ? state.corners.split("*") : [state.texture || model.textures[0].key];
  const blends = canBlend(model);
  if (!corners && blends && state.blend && state.amount > 0) keys.push(state.blend);
  const weights = !corners && keys.length > 1 ? [1 - state.amount, state.amount] : [1];
  const dabs = (blends ? state.dabs : []).map((dab) => {
    if (dab.texture && !keys.includes(dab.texture)) keys.push(dab.texture);
    return { ...dab, texture: dab.texture ? keys.indexOf(dab.texture) : -1 };
  });
  const textures = keys.map((key) => textureOf(key, model));
  while (weights.length < textures.length) weights.push(0);
  return { seed: state.seed, textures, weights, dabs, corners, map: null, torus: [0, 0], change: null };
}

/** Whether a model shows blends, paintings and loops: here always, over a server if its export has scenes. */
export function canBlend(model) {
  return !model.server || model.scenes;
}

/** A texture by its key or its label: one of the model's own, or a number, which selects a global vector. */
export function textureOf(key, model) {
  const own = model.textures.find((texture) => texture.key === key || texture.label === key);
  if (own) return own;
  const wanted = integer(key, ...SEEDS);
  if (wanted === null || !model.global_channels) return model.textures[0];
  return { key, vector: [...globalVector(Int64.fromBigInt(wanted), model.global_channels)] };
}

/** A random seed. */
export function randomSeed() {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/** A text as an integer between two bounds, or null. */
export function integer(text, low, high) {
  if (!/^[+-]?\d{1,20}$/.test(text ?? "")) return null;
  const value = BigInt(text);
  return value < low || value > high ? null : value;
}

function number(text, low, high) {
  const value = Number.parseFloat(text ?? "");
  return value >= low && value <= high ? value : null;
}

/** Four textures with * between them, or "". */
function cornersFrom(text) {
  return text.split("*").length === 4 ? text : "";
}

/** The dabs of a list x, y, radius, texture, x, ...; those with a wrong value are left out. */
function dabsFrom(values) {
  const dabs = [];
  for (let at = 0; at + 3 < values.length && dabs.length < MOST_DABS; at += 4) {
    const [x, y] = [0, 1].map((axis) => number(values[at + axis], -MAX_PIXEL, MAX_PIXEL));
    const radius = number(values[at + 2], 1, 1e4);
    if (![x, y, radius].includes(null)) dabs.push({ x, y, radius, texture: values[at + 3] });
  }
  return dabs;
}
