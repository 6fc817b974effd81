/** Float32 to IEEE 754 half precision. */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bits of the nearest half, ties to even; overflow gives infinity, NaN stays NaN. */
export function toF16(value: number): number {
  float[0] = value;
  const x = bits[0];
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x33000000) return sign;
  const exponent = (magnitude >>> 23) - 112;
  // Below the normal range the implicit bit is shifted in by hand.
  const shift = exponent > 0 ? 13 : 14 - exponent;
  const mantissa = exponent > 0 ? magnitude - 0x38000000 : (magnitude & 0x7fffff) | 0x800000;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const kept = mantissa >>> shift;
  return sign | (kept + (rest > half || (rest === half && kept & 1) ? 1 : 0));
}

/** Bits of the bfloat16 nearest to each float32, ties to even: its upper half. NaN stays NaN. */
export function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i];
    // Bits past an infinity's are NaNs': rounding could make them an infinity.
    out[i] = (b & 0x7fffffff) > 0x7f800000 ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}
