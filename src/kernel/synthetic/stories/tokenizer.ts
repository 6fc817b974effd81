/**
 * A byte-level BPE tokenizer (GPT-2's scheme) trained on texts, as the object of a Hugging Face tokenizer.json.
 * Source: Sennrich et al. 2016; byte alphabet and split pattern of GPT-2.
 */
export const END_OF_TEXT = '<|endoftext|>';
const SPLIT = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** GPT-2's printable stand-in for each byte. */
function byteAlphabet(): string[] {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : next++));
}

interface Word {
  pieces: string[];
  count: number;
}

function countWords(texts: readonly string[], alphabet: readonly string[]): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) for (const [word] of text.matchAll(SPLIT)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const encoder = new TextEncoder();
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([word, count]) => ({ pieces: [...encoder.encode(word)].map((byte) => alphabet[byte]), count }));
}

/** The most frequent adjacent pair; ties go to the lexically first, so the result does not depend on text order. */
function bestPair(words: readonly Word[]): [string, string] | undefined {
  const counts = new Map<string, number>();
  for (const { pieces, count } of words)
    for (let i = 1; i < pieces.length; i++) {
      const pair = `${pieces[i - 1]} ${pieces[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  let best: string | undefined;
  let most = 0;
  for (const [pair, count] of counts)
    if (count > most || (count === most && pair < best!)) {
      best = pair;
      most = count;
    }
  return best === undefined ? undefined : (best.split(' ') as [string, string]);
}

function merge(word: Word, [left, right]: [string, string]): void {
  const out: string[] = [];
  for (let i = 0; i < word.pieces.length; i++) {
    if (word.pieces[i] === left && word.pieces[i + 1] === right) {
      out.push(left + right);
      i++;
    } else out.push(word.pieces[i]);
  }
  word.pieces = out;
}

/**
 * Trains until `vocabSize` tokens (256 bytes, the merges, end-of-text last) or until every word is one token.
 * @throws RangeError when vocabSize is below 257.
 */
export function trainTokenizerJson(texts: readonly string[], vocabSize: number): Record<string, unknown> {
  if (vocabSize < 257)
    throw new RangeError(`a byte-level vocabulary needs at least 257 tokens but ${vocabSize} were asked for`);
  const alphabet = byteAlphabet();
  const words = countWords(texts, alphabet);
  const merges: [string, string][] = [];
  while (merges.length < vocabSize - 257) {
    const open = words.filter((word) => word.pieces.length > 1);
    const pair = bestPair(open);
    if (!pair) break;
    merges.push(pair);
    for (const word of open) merge(word, pair);
  }
  const tokens = [...alphabet, ...merges.map(([a, b]) => a + b)];
  const vocab: Record<string, number> = {};
  for (const token of tokens) if (!(token in vocab)) vocab[token] = Object.keys(vocab).length;
  const end = Object.keys(vocab).length;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: end,
        content: END_OF_TEXT,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab: { ...vocab, [END_OF_TEXT]: end },
      merges: merges.map(([a, b]) => `${a} ${b}`),
    },
  };
}
