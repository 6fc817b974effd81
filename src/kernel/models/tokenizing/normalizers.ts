/** Normalizers of tokenizer.json: what is done to a text before it is cut. */
import { toByteLevel } from './bytes.js';
import { compilePattern, SPACE } from './pattern.js';
import { precompiled } from './precompiled.js';

export type Normalize = (text: string) => string;

interface NormalizerJson {
  type?: string;
  normalizers?: unknown[];
  [key: string]: unknown;
}

/** The normalizer that a tokenizer.json asks for. Throws on a kind that is not read, naming it. */
export function createNormalizer(json: unknown): Normalize {
  if (json === null || json === undefined) return (text) => text;
  const given = json as NormalizerJson;
  switch (given.type) {
    case 'Sequence': {
      const all = (given.normalizers ?? []).map(createNormalizer);
      return (text) => all.reduce((result, normalize) => normalize(result), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = given.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return lowercase;
    case 'Strip':
      return strip(given.strip_left !== false, given.strip_right !== false);
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Prepend': {
      const prefix = String(given.prepend);
      return (text) => (text === '' ? text : prefix + text);
    }
    case 'Replace': {
      const pattern = compilePattern(given.pattern);
      const content = String(given.content);
      return (text) => text.replace(pattern, () => content);
    }
    case 'Nmt':
      return (text) => text.replace(NMT_REMOVED, '').replace(NMT_SPACES, ' ');
    case 'ByteLevel':
      return toByteLevel;
    case 'BertNormalizer':
      return bert(given);
    case 'Precompiled':
      return precompiled(given.precompiled_charsmap);
    default:
      throw new Error(
        `the tokenizer's normalizer "${String(given.type)}" is not supported; use a model whose tokenizer.json has another`,
      );
  }
}

// The control characters are what these patterns are about.
// eslint-disable-next-line no-control-regex
const NMT_REMOVED = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g;
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

/** Letter by letter, as Rust does: JavaScript's toLowerCase makes another sigma at the end of a word. */
function lowercase(text: string): string {
  return text.includes('Σ') ? Array.from(text, (char) => char.toLowerCase()).join('') : text.toLowerCase();
}

function strip(left: boolean, right: boolean): Normalize {
  const start = new RegExp(`^${SPACE}+`, 'u');
  const isSpace = new RegExp(SPACE, 'u');
  return (text) => {
    const rest = left ? text.replace(start, '') : text;
    let end = rest.length;
    // No white space lies outside the Basic Multilingual Plane. A pattern anchored at the end would take n² steps.
    while (right && end > 0 && isSpace.test(rest[end - 1])) end--;
    return rest.slice(0, end);
  };
}

const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bert({
  clean_text: clean,
  handle_chinese_chars: chinese,
  strip_accents: accents,
  lowercase: lower,
}: NormalizerJson): Normalize {
  const controls = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}]/gu;
  const spaces = new RegExp(SPACE, 'gu');
  return (text) => {
    let out = text;
    if (clean) out = out.replace(controls, '').replace(spaces, ' ');
    if (chinese) out = out.replace(CHINESE, ' $& ');
    if (accents ?? lower) out = out.normalize('NFD').replace(/\p{Mn}/gu, '');
    return lower ? lowercase(out) : out;
  };
}
