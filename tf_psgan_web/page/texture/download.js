// Fetches a file with progress.

import { answer, pause } from "./remote.js";

const ATTEMPTS = 4;
const DELAY = 1000; // milliseconds, doubled each time

/**
 * A file; it is fetched again while its host does not answer, and a few times where its body ends in the middle.
 *
 * @param {string} address of the file.
 * @param {object} [options]
 * @param {(bytes: number) => void} [options.onBytes] called with the number of bytes that have newly arrived.
 * @param {(message: string) => void} [options.onTrouble] called when the host does not answer, and with "" when it does.
 * @param {AbortSignal} [options.signal] ends the download.
 * @returns {Promise<Blob>}
 */
export async function download(address, { onBytes = () => {}, onTrouble = () => {}, signal } = {}) {
  let parts = null;
  for (let attempt = 1; !parts; attempt++) {
    const response = await answer(address, onTrouble, signal);
    if (!response.ok) throw new Error(`${address} cannot be loaded (HTTP ${response.status})`);
    try {
      parts = await partsOf(response, onBytes);
    } catch (error) {
      if (signal?.aborted) throw error;
      if (attempt === ATTEMPTS) throw new Error(`${address} cannot be loaded (${error.message})`);
      await pause(DELAY * 2 ** (attempt - 1), signal);
    }
  }
  const type = address.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Blob(parts, { type });
}

async function partsOf(response, onBytes) {
  const parts = [];
  let bytes = 0;
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) return parts;
      parts.push(value);
      bytes += value.length;
      onBytes(value.length);
    }
  } catch (error) {
    onBytes(-bytes); // they come again
    throw error;
  }
}
