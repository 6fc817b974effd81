/**
 * Bytes as text in an element of a page: seven characters for six bytes (base64 takes eight), of 116 that UTF-8 writes as one
 * byte and HTML keeps as they are: no NUL, no white space, no `<`. The last k bytes are k + 1 characters.
 */
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

const isKept = (c: number): boolean => c > 0 && c < 127 && c !== 0x3c && c !== 0x20 && !(c >= 9 && c <= 13) && c !== 26;
const CODES = Uint8Array.from({ length: 127 }, (_, c) => c)
  .filter(isKept)
  .slice(-116);
const BASE = CODES.length;
const [BYTES, CHARACTERS] = [6, 7];
const VALUES = new Float64Array(128).fill(NaN);
CODES.forEach((code, value) => (VALUES[code] = value));

export function textOfBytes(bytes: Uint8Array): string {
  const rest = bytes.length % BYTES;
  const out = new Uint8Array(Math.floor(bytes.length / BYTES) * CHARACTERS + (rest && rest + 1));
  let at = 0;
  for (let i = 0; i < bytes.length; i += BYTES) {
    const n = Math.min(BYTES, bytes.length - i);
    let value = 0;
    for (let k = n - 1; k >= 0; k--) value = 256 * value + bytes[i + k];
    for (let k = 0; k <= n; k++) {
      const more = Math.floor(value / BASE);
      out[at++] = CODES[value - BASE * more];
      value = more;
    }
  }
  return new TextDecoder().decode(out);
}

/** The bytes of such a text. @throws Error for another text */
export function bytesOfText(text: string): Uint8Array<ArrayBuffer> {
  const rest = text.length % CHARACTERS;
  const out = new Uint8Array(Math.floor(text.length / CHARACTERS) * BYTES + (rest && rest - 1));
  let at = 0;
  for (let i = 0; i < text.length; i += CHARACTERS) {
    const n = Math.min(CHARACTERS, text.length - i);
    let value = 0;
    for (let k = n - 1; k >= 0; k--) value = BASE * value + (VALUES[text.charCodeAt(i + k)] ?? NaN);
    for (let k = 0; k < n - 1; k++) {
      out[at++] = value % 256;
      value = Math.floor(value / 256);
    }
    if (value !== 0) throw new Error('The data of this page is damaged: export the page again.');
  }
  return out;
}
