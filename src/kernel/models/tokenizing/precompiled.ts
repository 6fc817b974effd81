/** SentencePiece's precompiled character map: the normalizer "Precompiled" of tokenizer.json. */

/** 64 MB of base64; SentencePiece's own maps are under 1 MB. */
const MAX_LENGTH = 2 ** 26;

const utf8 = new TextEncoder();

/**
 * Replaces graphemes, or else single characters, by the map's rules. The map is base64 of: the trie's size in bytes
 * (u32), a double-array trie (Darts) over UTF-8, and replacements ended by zero bytes.
 * Throws when it is no such thing.
 */
export function precompiled(charsmap: unknown): (text: string) => string {
  if (charsmap === null || charsmap === undefined || charsmap === '') return (text) => text;
  if (typeof charsmap !== 'string' || charsmap.length > MAX_LENGTH)
    throw new Error('tokenizer: precompiled_charsmap is not base64 of a character map');
  const bytes = Buffer.from(charsmap, 'base64');
  const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length)
    throw new Error(`tokenizer: precompiled_charsmap of ${bytes.length} bytes claims a trie of ${size} bytes`);
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const replacements = bytes.subarray(4 + size);
  const replacement = (part: string): string | undefined => {
    const at = shortestPrefix(trie, utf8.encode(part));
    if (at === undefined) return undefined;
    const end = replacements.indexOf(0, at);
    return replacements.toString('utf8', at, end < 0 ? replacements.length : end);
  };
  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  return (text) => {
    let out = '';
    for (const { segment } of graphemes.segment(text)) {
      // The library looks at graphemes of fewer than 6 bytes as a whole, at others character by character.
      const whole = utf8.encode(segment).length < 6 ? replacement(segment) : undefined;
      if (whole !== undefined) out += whole;
      else for (const char of segment) out += replacement(char) ?? char;
    }
    return out;
  };
}

/** Value of the shortest key that the bytes begin with; the library takes the first it finds. */
function shortestPrefix(trie: Uint32Array, key: Uint8Array): number | undefined {
  const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let at = offsetOf(trie[0]);
  for (const byte of key) {
    if (byte === 0) return undefined;
    at ^= byte;
    const unit = trie[at];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    at ^= offsetOf(unit);
    if ((unit >>> 8) & 1) return trie[at] === undefined ? undefined : trie[at] & 0x7fffffff;
  }
  return undefined;
}
