// Windows of planes from a server: the same requests as to `worker.js`, answered by the HTTP API of `psgan-viewer`.

const TILE = 256;
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
    try {
      const pixels = await this.#pixels(new URL(addressOf(message, this.#identity), this.#folder), this.#asked.signal);
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
 * @returns {Promise<Response>}
 */
export async function answer(address, onTrouble, signal) {
  for (let delay = FIRST_DELAY; ; delay = Math.min(2 * delay, LONGEST_DELAY)) {
    const response = await fetch(address, { signal }).catch((error) => {
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
  const address = new URL(addressOf({ ...request, cell }, model.identity), folder);
  const response = await answer(address, onTrouble); // cached if it fits
  if (response.ok) return [cells, cells];
  const { detail, fits } = await problemOf(response);
  if (!fits) throw new Error(detail);
  return [fits.height / cell, fits.width / cell];
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

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
