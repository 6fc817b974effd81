/** Byte order of arrays from other machines. */

/** Reverses the bytes of every element of `size` bytes, in place. */
export function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  for (let at = 0; at + size <= bytes.length && size > 1; at += size) {
    for (let i = at, j = at + size - 1; i < j; i++, j--) [bytes[i], bytes[j]] = [bytes[j], bytes[i]];
  }
  return bytes;
}
