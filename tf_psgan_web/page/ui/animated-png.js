// Animated PNG files (W3C "Portable Network Graphics, Third Edition", acTL, fcTL and fdAT), from the PNG files of frames.
//
// The pixels stay those of the frames; every browser plays the file, again and again.

const SIGNATURE = 8; // bytes
const WITHOUT_DATA = 12; // bytes of a chunk: length, type and checksum

/**
 * @param {Blob[]} frames PNG files of one extent and one pixel format.
 * @param {number} milliseconds that each is shown.
 * @returns {Promise<Blob>}
 */
export async function animatedPng(frames, milliseconds) {
  const files = await Promise.all(frames.map(async (frame) => new Uint8Array(await frame.arrayBuffer())));
  const parts = [files[0].slice(0, SIGNATURE)];
  let sequence = 0;
  for (const [i, file] of files.entries()) {
    const chunks = chunksOf(file);
    const begin = chunks.findIndex(({ type }) => type === "IDAT");
    const header = chunks[0].data;
    if (i === 0) {
      const [first, ...more] = chunks.slice(0, begin); // more: the colour space
      parts.push(chunk("IHDR", first.data), chunk("acTL", numbers(files.length, 0)));
      parts.push(...more.map(({ type, data }) => chunk(type, data)));
    }
    const control = new Uint8Array(26); // from its top left corner, over what was there
    control.set(numbers(sequence++));
    control.set(header.subarray(0, 8), 4); // width and height
    new DataView(control.buffer).setUint16(20, milliseconds);
    new DataView(control.buffer).setUint16(22, 1000);
    parts.push(chunk("fcTL", control));
    for (const { data } of chunks.filter(({ type }) => type === "IDAT")) {
      parts.push(i === 0 ? chunk("IDAT", data) : chunk("fdAT", numbers(sequence++), data));
    }
  }
  return new Blob([...parts, chunk("IEND")], { type: "image/png" });
}

function chunksOf(file) {
  const view = new DataView(file.buffer);
  const found = [];
  for (let at = SIGNATURE; at < file.length; at += WITHOUT_DATA + found.at(-1).data.length) {
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    found.push({ type, data: file.subarray(at + 8, at + 8 + view.getUint32(at)) });
  }
  return found;
}

function chunk(type, ...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const made = new Uint8Array(WITHOUT_DATA + length);
  const view = new DataView(made.buffer);
  view.setUint32(0, length);
  made.set(
    [...type].map((letter) => letter.charCodeAt(0)),
    4,
  );
  let at = 8;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  view.setUint32(at, checksum(made.subarray(4, at)));
  return made;
}

function numbers(...values) {
  const made = new Uint8Array(4 * values.length);
  for (const [i, value] of values.entries()) new DataView(made.buffer).setUint32(4 * i, value);
  return made;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 as in PNG. */
function checksum(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}
