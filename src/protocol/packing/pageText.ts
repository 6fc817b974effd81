/**
 * Bytes as text in an element of a page: two characters for 13 bits, of the 91 printable ones that are neither `<` nor a
 * backslash nor a double quote; six bits or less at the end are one character. 23 % longer than the bytes, where base64 is
 * 33 %.
 */
declare const TextDecoder: new (label?: string) => { decode(bytes: Uint8Array): string };

const CODES = Uint8Array.from({ length: 94 }, (_, i) => 33 + i).filter((c) => !'"<\\'.includes(String.fromCharCode(c)));
const BASE = CODES.length;
const [PAIR_BITS, LAST_BITS] = [13, 6];
const VALUES = new Int16Array(128).fill(-1);
CODES.forEach((code, value) => (VALUES[code] = value));

export function textOfBytes(bytes: Uint8Array): string {
  const out = new Uint8Array(2 * Math.ceil((8 * bytes.length) / PAIR_BITS));
  let [bits, held, at] = [0, 0, 0];
  for (const byte of bytes) {
    bits |= byte << held;
    held += 8;
    if (held < PAIR_BITS) continue;
    const value = bits & ((1 << PAIR_BITS) - 1);
    out[at++] = CODES[value % BASE];
    out[at++] = CODES[Math.floor(value / BASE)];
    bits >>>= PAIR_BITS;
    held -= PAIR_BITS;
  }
  if (held > 0) out[at++] = CODES[bits % BASE];
  if (held > LAST_BITS) out[at++] = CODES[Math.floor(bits / BASE)];
  return new TextDecoder().decode(out.subarray(0, at));
}

/** The bytes of such a text. @throws Error for a text of other characters */
export function bytesOfText(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.length >> 1;
  const last = text.length % 2;
  const out = new Uint8Array(Math.floor((pairs * PAIR_BITS + last * LAST_BITS) / 8));
  let [bits, held, at] = [0, 0, 0];
  const take = (value: number, more: number): void => {
    if (value < 0 || value >= 1 << more) throw new Error('The data of this page is damaged: export the page again.');
    bits |= value << held;
    for (held += more; held >= 8; held -= 8) {
      out[at++] = bits & 255;
      bits >>>= 8;
    }
  };
  const valueAt = (i: number): number => VALUES[text.charCodeAt(i)] ?? -1;
  for (let p = 0; p < pairs; p++) {
    const [low, high] = [valueAt(2 * p), valueAt(2 * p + 1)];
    take(low < 0 || high < 0 ? -1 : low + BASE * high, PAIR_BITS);
  }
  if (last) take(valueAt(text.length - 1), LAST_BITS);
  return out;
}
