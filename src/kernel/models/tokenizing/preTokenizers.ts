/** Pre-tokenizers of tokenizer.json: how a text is cut into the words that the model reads one by one. */
import { toByteLevel } from './bytes.js';
import { behaviorOf, compilePattern, PUNCTUATION, SPACE, splitAt, WORD, type Behavior } from './pattern.js';

/** A part of a text, and whether it is the one that the text begins with. */
export interface Piece {
  text: string;
  first: boolean;
}

export type PreTokenize = (piece: Piece) => Piece[];

interface PreTokenizerJson {
  type?: string;
  pretokenizers?: unknown[];
  [key: string]: unknown;
}

/** The pre-tokenizer that a tokenizer.json asks for. Throws on a kind that is not read, naming it. */
export function createPreTokenizer(json: unknown): PreTokenize {
  if (json === null || json === undefined) return (piece) => [piece];
  const given = json as PreTokenizerJson;
  switch (given.type) {
    case 'Sequence': {
      const all = (given.pretokenizers ?? []).map(createPreTokenizer);
      return (piece) => all.reduce((pieces, cut) => pieces.flatMap(cut), [piece]);
    }
    case 'ByteLevel':
      return byteLevel(given);
    case 'Whitespace':
      return cutting(new RegExp(`[${WORD}]+|[^${WORD}${SPACE}]+`, 'gu'), 'Removed', true);
    case 'WhitespaceSplit':
      return cutting(new RegExp(SPACE, 'gu'), 'Removed');
    case 'BertPreTokenizer': {
      const words = cutting(new RegExp(SPACE, 'gu'), 'Removed');
      const marks = cutting(new RegExp(`[${PUNCTUATION}]`, 'gu'), 'Isolated');
      return (piece) => words(piece).flatMap(marks);
    }
    case 'Punctuation':
      return cutting(new RegExp(`[${PUNCTUATION}]`, 'gu'), behaviorOf(given.behavior, 'Isolated'));
    case 'Digits':
      return cutting(/\p{N}/gu, given.individual_digits ? 'Isolated' : 'Contiguous');
    case 'Split':
      return cutting(compilePattern(given.pattern), behaviorOf(given.behavior, 'Isolated'), given.invert === true);
    case 'CharDelimiterSplit':
      return cutting(compilePattern({ String: given.delimiter }), 'Removed');
    case 'Metaspace':
      return metaspace(given);
    case 'FixedLength':
      return fixedLength(given.length);
    default:
      throw new Error(
        `the tokenizer's pre-tokenizer "${String(given.type)}" is not supported; use a model whose tokenizer.json has another`,
      );
  }
}

function cutting(pattern: RegExp, behavior: Behavior, invert = false): PreTokenize {
  return ({ text, first }) =>
    splitAt(text, pattern, behavior, invert).map(([part, start]) => ({ text: part, first: first && start === 0 }));
}

function byteLevel({ add_prefix_space: prefix, use_regex: useRegex }: PreTokenizerJson): PreTokenize {
  const words = new RegExp(
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
    'gu',
  );
  const cut = useRegex === false ? (piece: Piece): Piece[] => [piece] : cutting(words, 'Isolated');
  return ({ text, first }) => {
    const spaced = prefix !== false && !text.startsWith(' ') ? ` ${text}` : text;
    return cut({ text: spaced, first }).map((piece) => ({ text: toByteLevel(piece.text), first: piece.first }));
  };
}

function metaspace(json: PreTokenizerJson): PreTokenize {
  const { replacement = '▁', add_prefix_space: legacy, split = true } = json;
  const mark = String(replacement);
  const scheme = legacy === false ? 'never' : (json.prepend_scheme ?? 'always');
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never')
    throw new Error(`tokenizer: prepend_scheme ${JSON.stringify(scheme)} is none of always, first, never`);
  const cut =
    split === false ? (piece: Piece): Piece[] => [piece] : cutting(compilePattern({ String: mark }), 'MergedWithNext');
  return ({ text, first }) => {
    const marked = text.replaceAll(' ', () => mark);
    const prepend = !marked.startsWith(mark) && (scheme === 'always' || (scheme === 'first' && first));
    return cut({ text: prepend ? mark + marked : marked, first });
  };
}

function fixedLength(length: unknown): PreTokenize {
  const size = length ?? 5;
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 1)
    throw new Error(`tokenizer: FixedLength has the length ${JSON.stringify(length)}: expected a whole number ≥ 1`);
  return ({ text, first }) => {
    const chars = Array.from(text);
    return Array.from({ length: Math.ceil(chars.length / size) }, (_, i) => ({
      text: chars.slice(i * size, (i + 1) * size).join(''),
      first: first && i === 0,
    }));
  };
}
