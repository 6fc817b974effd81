/** GPT-2's bytes_to_unicode: a printable character for every byte, so that a vocabulary of text can hold bytes. */

/** By byte: printable Latin-1 stands for itself, the other bytes for 256 + n. */
export const charOfByte: readonly string[] = (() => {
  let other = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : 256 + other++);
  });
})();

const byteOfChar = new Map(charOfByte.map((char, byte) => [char, byte]));
const utf8 = new TextEncoder();

/** The UTF-8 bytes of a text as byte-level characters. */
export function toByteLevel(text: string): string {
  let out = '';
  for (const byte of utf8.encode(text)) out += charOfByte[byte];
  return out;
}

/** The text of byte-level characters; one that is not written in them (added tokens are not) reads as it is. */
export function fromByteLevel(token: string): string {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfChar.get(token[i]);
    if (byte === undefined) return token;
    bytes[i] = byte;
  }
  return lossyText(bytes);
}

/** Invalid UTF-8 becomes U+FFFD, one per maximal wrong part, as in Rust's from_utf8_lossy. */
export function lossyText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Names of the byte tokens of a text, "<0xC3>", as models with byte_fallback have them. */
export function byteTokens(text: string): string[] {
  return Array.from(utf8.encode(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
}
