// Signed 64-bit integers that wrap, as pairs of 32-bit words: the counters and phases of the texture plane.
//
// BigInt gives the same values; these pairs are about twenty times faster, and a tile needs thousands of products.

/** A 64-bit integer: its upper and its lower 32 bits. */
export class Int64 {
  constructor(high = 0, low = 0) {
    this.high = high | 0;
    this.low = low | 0;
  }

  /** From an integer that a double holds exactly (below 2^53 in size). */
  static fromNumber(value) {
    return new Int64().setNumber(value);
  }

  /** From a BigInt, modulo 2^64. */
  static fromBigInt(value) {
    const bits = BigInt.asUintN(64, value);
    return new Int64(Number(bits >> 32n), Number(bits & 0xffffffffn));
  }

  toBigInt() {
    return (BigInt(this.high) << 32n) | BigInt(this.low >>> 0);
  }

  /** The nearest double. */
  toNumber() {
    return this.high * 4294967296 + (this.low >>> 0);
  }

  set(other) {
    this.high = other.high;
    this.low = other.low;
    return this;
  }

  setNumber(value) {
    const high = Math.floor(value / 4294967296);
    this.high = high | 0;
    this.low = (value - high * 4294967296) | 0;
    return this;
  }

  /** this += (high, low). */
  add(high, low) {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  /** this *= (high, low). */
  multiply(high, low) {
    const upper = Math.imul(this.high, low) + Math.imul(this.low, high) + productHigh(this.low, low);
    this.low = Math.imul(this.low, low);
    this.high = upper | 0;
    return this;
  }

  /** this ^= this >>> count, a logical shift by 1 to 31. */
  xorShift(count) {
    const high = this.high >>> count;
    const low = (this.low >>> count) | (this.high << (32 - count));
    this.high ^= high;
    this.low ^= low;
    return this;
  }
}

/** The upper 32 bits of the product of two unsigned 32-bit words. */
function productHigh(a, b) {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) | 0;
}
