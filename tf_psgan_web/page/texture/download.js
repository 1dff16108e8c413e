// Fetches a file with progress.

/**
 * @param {string} address of the file.
 * @param {(bytes: number) => void} [onBytes] called with the number of bytes that have newly arrived.
 * @returns {Promise<Blob>}
 */
export async function download(address, onBytes = () => {}) {
  let response;
  try {
    response = await fetch(address);
  } catch (error) {
    throw new Error(`${address} cannot be loaded (${error.message})`);
  }
  if (!response.ok) throw new Error(`${address} cannot be loaded (HTTP ${response.status})`);
  const parts = [];
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    onBytes(value.length);
  }
  const type = address.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Blob(parts, { type });
}
