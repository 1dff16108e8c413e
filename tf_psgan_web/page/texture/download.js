// Fetches a file with progress.

import { answer } from "./remote.js";

/**
 * A file; it is fetched again while its host does not answer, or where that goes away in the middle.
 *
 * @param {string} address of the file.
 * @param {(bytes: number) => void} [onBytes] called with the number of bytes that have newly arrived.
 * @param {(message: string) => void} [onTrouble] called when the host does not answer, and with "" when it does.
 * @returns {Promise<Blob>}
 */
export async function download(address, onBytes = () => {}, onTrouble = () => {}) {
  let parts = null;
  while (!parts) {
    const response = await answer(address, onTrouble);
    if (!response.ok) throw new Error(`${address} cannot be loaded (HTTP ${response.status})`);
    parts = await partsOf(response, onBytes).catch(() => null);
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
