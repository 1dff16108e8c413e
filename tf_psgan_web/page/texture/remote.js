// Windows of planes from a server: the same requests as to `worker.js`, answered by the HTTP API of `psgan-viewer`.
//
// What an address can describe (a texture, a morph) is asked by address; the browser and caches keep it. Scenes, whose
// cells have weights of their own, are sent.

import { weightsOf } from "./paint.js";
import { HALO } from "./scene.js";

const TILE = 256;
const BLOCK = 512; // side in pixels of what a server computes at once: four map tiles are cut from it
const KEPT_BLOCKS = 24;
const FIRST_DELAY = 500; // milliseconds before a request that failed for a while is sent again, doubled each time
const LONGEST_DELAY = 5000;

/** What a worker is to the pool (`postMessage`, `onmessage`, `terminate`), but it asks a server. */
export class RemoteWorker {
  #folder = "";
  #identity = "";
  #asked = null; // the AbortController of the request on its way
  #onTrouble;

  onmessage = () => {};
  onerror = () => {};

  /** @param {(message: string) => void} onTrouble called when the server does not answer, and with "" when it does. */
  constructor(onTrouble) {
    this.#onTrouble = onTrouble;
  }

  async postMessage(message) {
    if (message.type === "open") {
      [this.#folder, this.#identity] = [message.folder, message.model.identity];
      this.#answer({ type: "opened", error: "" });
      return;
    }
    const began = performance.now();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    const version = { folder: this.#folder, identity: this.#identity, onTrouble: this.#onTrouble };
    try {
      const pixels = hasAddress(message.scene)
        ? await this.#pixels(new URL(addressOf(message, this.#identity), this.#folder), signal)
        : await sceneTile(version, message, signal);
      this.#answer({ type: "rendered", pixels, milliseconds: performance.now() - began });
    } catch (error) {
      this.#answer({ type: "failed", message: error.message });
    }
  }

  /** Gives up the request on its way. */
  cancel() {
    this.#asked?.abort();
  }

  terminate() {
    this.onmessage = () => {};
    this.cancel();
  }

  #answer(data) {
    queueMicrotask(() => this.onmessage({ data }));
  }

  async #pixels(address, signal) {
    const response = await answer(address, this.#onTrouble, signal);
    // A picture that takes longer than the server allows (504) would take as long again.
    if (!response.ok) throw new Error((await problemOf(response)).detail);
    return pixelsOf(await response.blob());
  }
}

/**
 * The response to a request, which is sent again while nothing answers or the server is not ready (503).
 *
 * @param {URL | string} address
 * @param {(message: string) => void} onTrouble called when the server does not answer, and with "" when it does.
 * @param {AbortSignal} [signal] ends the waiting.
 * @param {object} [options] further ones of `fetch`.
 * @returns {Promise<Response>}
 */
export async function answer(address, onTrouble, signal, options = {}) {
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, LONGEST_DELAY)) {
    const response = await fetch(address, { ...options, signal }).catch((error) => {
      if (signal?.aborted) throw error;
      return null;
    });
    if (response && response.status !== 503) {
      onTrouble("");
      return response;
    }
    const loads = response && (await problemOf(response)).detail.includes("loaded");
    onTrouble(
      loads
        ? "The server is loading its models. They come when they are ready."
        : "The server does not answer. What is missing comes when it does.",
    );
    await pause(delay, signal);
  }
}

/**
 * The extent of a seamless tile nearest to a wanted one that the texture's waves fit.
 *
 * @param {string} folder address of the version, ending in /.
 * @param {object} model its description.
 * @param {object} scene see `scene.js`.
 * @param {number} cells a side.
 * @param {(message: string) => void} onTrouble as of `answer`.
 * @returns {Promise<number[]>} rows and cols in cells.
 */
export async function fit(folder, model, scene, cells, onTrouble) {
  const request = { scene: { ...scene, torus: [cells, cells] }, row: 0, col: 0, rows: cells, cols: cells, reduce: 1 };
  const cell = model.pixels_per_cell;
  const asked = { ...request, cell };
  const corner = { ...asked, rows: 1, cols: 1 };
  const response = hasAddress(scene)
    ? await answer(new URL(addressOf(asked, model.identity), folder), onTrouble) // cached if it fits
    : await answer(sceneAddress(folder, model.identity), onTrouble, undefined, posted(sceneBody(corner)));
  if (response.ok) return [cells, cells];
  const { detail, fits } = await problemOf(response);
  if (!fits) throw new Error(detail);
  return [fits.height / cell, fits.width / cell];
}

/** Whether a scene is one texture or a morph, without anything painted or moved. */
export function hasAddress({ weights, dabs, map, change }) {
  return weights[0] === 1 && !dabs.length && !map && !change;
}

/** The body of a request for a scene: the weights of the cells that its pixels depend on, and the rest. */
export function sceneBody({ scene, row, col, rows, cols, reduce, cell }) {
  const { seed, textures, torus, change } = scene;
  const uniform = !scene.dabs.length && !scene.map && !scene.corners;
  // A mixture that is the same everywhere needs one cell: the server continues it.
  const [tall, wide] = uniform ? [1, 1] : [rows + 2 * HALO, cols + 2 * HALO];
  const [down, right] = [row - HALO, col - HALO].map((first, axis) =>
    Array.from({ length: axis ? wide : tall }, (_, i) => first + i),
  );
  const weights = weightsOf(scene, down, right, cell);
  const used = textures.map((_, i) => i).filter((i) => weights[i].some(Boolean));
  return JSON.stringify({
    seed: String(seed),
    textures: used.map((i) => textures[i].key),
    weights: base64(used.map((i) => weights[i])),
    rows: tall,
    cols: wide,
    first_row: down[0],
    first_col: right[0],
    period_height: torus[0] * cell,
    period_width: torus[1] * cell,
    time: change?.time ?? 0,
    amount: change?.amount ?? 0,
    top: row * cell,
    left: col * cell,
    height: rows * cell,
    width: cols * cell,
    reduce,
  });
}

/** The pixels of a scene; a map tile at the plane's own scale is cut from a block that it shares with its neighbours. */
async function sceneTile(version, message, signal) {
  const { row, col, rows, cols, reduce, cell, scene } = message;
  const height = (rows * cell) / reduce;
  const width = (cols * cell) / reduce;
  const isTile = !message.fast && reduce === 1 && height === TILE && width === TILE && !scene.torus[0];
  if (!isTile || row % rows || col % cols) {
    return cut(await posts(version, message, sceneBody(message), signal), 0, 0, height, width);
  }
  const side = BLOCK / cell;
  const [top, left] = [row, col].map((at) => Math.floor(at / side) * side);
  const block = await shared(version, { ...message, row: top, col: left, rows: side, cols: side }, signal);
  return cut(block, (row - top) * cell, (col - left) * cell, height, width);
}

const blocks = new Map(); // by version and body: { picture, waiting, control, done }, the longest unused first

/** Forgets the pictures of blocks; those on their way stay with whoever waits for them. */
export function forgetBlocks() {
  blocks.clear();
}

/** A block that several tiles wait for; it is given up with the last of them. */
async function shared(version, message, signal) {
  const body = sceneBody(message);
  const key = `${version.folder} ${version.identity} ${body}`;
  let block = blocks.get(key);
  if (!block) {
    const control = new AbortController();
    block = { picture: posts(version, message, body, control.signal), waiting: 0, control };
    block.picture.catch(() => blocks.get(key) === block && blocks.delete(key));
  }
  blocks.delete(key);
  blocks.set(key, block);
  for (const [other, { waiting }] of blocks) if (blocks.size > KEPT_BLOCKS && !waiting) blocks.delete(other);
  block.waiting++;
  let gone = () => {};
  try {
    const aborted = new Promise((_, reject) => {
      gone = () => reject(signal.reason);
      signal.addEventListener("abort", gone);
    });
    const picture = await Promise.race([block.picture, aborted]);
    block.done = true;
    return picture;
  } finally {
    signal.removeEventListener("abort", gone);
    if (--block.waiting === 0 && !block.done) {
      block.control.abort();
      if (blocks.get(key) === block) blocks.delete(key);
    }
  }
}

/** The picture of a scene as RGBA: { data, width }. */
async function posts({ folder, identity, onTrouble }, message, body, signal) {
  const address = sceneAddress(folder, identity, message.fast ? "jpg" : "png");
  const response = await answer(address, onTrouble, signal, posted(body));
  if (!response.ok) throw new Error((await problemOf(response)).detail);
  return { data: await pixelsOf(await response.blob()), width: (message.cols * message.cell) / message.reduce };
}

function sceneAddress(folder, identity, suffix = "png") {
  return new URL(`scene.${suffix}${identity ? `?identity=${identity}` : ""}`, folder);
}

function posted(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body };
}

function cut({ data, width: stride }, top, left, height, width) {
  const pixels = new Uint8ClampedArray(4 * height * width);
  for (let row = 0; row < height; row++) {
    const from = 4 * ((top + row) * stride + left);
    pixels.set(data.subarray(from, from + 4 * width), 4 * row * width);
  }
  return pixels;
}

/** Float32 arrays one after the other, little-endian, in base64. */
function base64(arrays) {
  const view = new DataView(new ArrayBuffer(4 * arrays.length * arrays[0].length));
  let at = 0;
  for (const array of arrays) {
    for (const value of array) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  let text = "";
  for (const byte of new Uint8Array(view.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

/** The address of a request's pixels, relative to that of its version. */
export function addressOf({ scene, row, col, rows, cols, reduce, cell }, identity) {
  const [top, left, height, width] = [row * cell, col * cell, rows * cell, cols * cell];
  const { seed, textures, corners, torus } = scene;
  const numbers = textures.map(({ key }) => key);
  const query = (values) => new URLSearchParams({ ...values, seed, ...(identity ? { identity } : {}) });
  if (torus[0]) return `tile.png?${query({ texture: numbers[0], height, width })}`;
  const side = TILE * reduce;
  if (height === side && width === side && top % side === 0 && left % side === 0) {
    const place = [seed, -Math.log2(reduce), left / side, `${top / side}.png`];
    const first = corners ? ["morph", numbers.slice(0, 4), corners.height, corners.width] : [numbers[0]];
    return `${[...first, ...place].join("/")}${identity ? `?identity=${identity}` : ""}`;
  }
  const window = { top, left, height, width };
  if (!corners) return `window.png?${query({ texture: numbers[0], ...window })}`;
  const over = { extent_height: corners.height, extent_width: corners.width };
  return `morph.png?${query({ textures: numbers.slice(0, 4), ...over, ...window })}`;
}

/** RGBA of a picture's file. */
async function pixelsOf(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, width, height).data;
}

async function problemOf(response) {
  return response.json().catch(() => ({ detail: `HTTP ${response.status}` }));
}

/** Waits; rejects when the signal aborts. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
