/** Token sets: texts or ready rows of ids, cut to sequences of one length, with an identity. */
import { filled } from '../verb/filled.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { requireSame } from '../artifacts/identity.js';
import { requireWhole } from '../compute/require.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { ndarray, toInt32, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import { choice, flag, whole, type Given } from '../verb/option.js';
import type { Tokenizer, TokenSet } from './types.js';

/** Ground truth of generated texts, as synthetic stories carry it. */
export interface TextConcepts {
  /** By concept id; id 0 is none. */
  names: readonly string[];
  /** Per text: triples start, end, concept id (UTF-16 offsets). A token has the concept of its first character with one. */
  spans: readonly Int32Array[];
}

/** How texts are cut into token sequences. */
export const TOKENS = {
  context: whole({ doc: 'Tokens per sequence; a bos token counts.', min: 1, usual: 128 }),
  samples: whole({
    doc: 'Sequences; fewer than wanted is an error.',
    min: 1,
    fallback: 'as many as the texts give',
  }),
  bos: flag({
    doc: "Begin each sequence with the tokenizer's bos token. A bos token makes features that fire on it alone.",
    fallback: "as the model's tokenizer does for a text (Llama and Gemma do, GPT-2 and Pythia do not)",
  }),
  pack: choice(['concatenate', 'each'], {
    doc: "'concatenate': one long stream cut into sequences; 'each': one sequence per text, its first tokens, and texts too short to fill a sequence are left out, or filled up with { pad: true }.",
    usual: 'concatenate',
  }),
  pad: flag({
    doc: "With pack 'each': fill short texts up on the right with the tokenizer's padding token (or its end token) instead of leaving them out. Padding changes nothing before it, and counts in no statistic.",
    usual: false,
  }),
  separator: choice(['eos', 'none'], {
    doc: 'What follows each text when concatenating: the end-of-text token, or nothing.',
    usual: 'eos',
  }),
} as const;

export type TokenizeOptions = Omit<Given<typeof TOKENS>, 'context'> & {
  readonly context: number;
  /** Where the texts came from; goes into the set's own source. */
  readonly source: JsonObject;
  readonly concepts?: TextConcepts;
};

/** Tokens in order, with their concepts, growing. */
interface Stream {
  tokens: Int32Array;
  concepts: Uint8Array | undefined;
  padding: Uint8Array | undefined;
  length: number;
}

/**
 * Tokenizes texts into sequences × context. Throws when the texts give no sequence, or fewer than wanted, with the
 * counts; texts beyond what is wanted are not read.
 */
export function tokenizeTexts(texts: readonly string[], tokenizer: Tokenizer, options: TokenizeOptions): TokenSet {
  const { context, samples: sequences, source, concepts } = options;
  const { pack, pad, separator } = filled(TOKENS, options);
  const bos = options.bos ?? tokenizer.addsBos ?? false;
  checkOptions(texts, tokenizer, { ...options, bos });
  // With bos, the first place of each sequence is taken.
  const content = bos ? context - 1 : context;
  const stream: Stream = {
    tokens: new Int32Array(1024),
    concepts: concepts && new Uint8Array(1024),
    padding: pad ? new Uint8Array(1024) : undefined,
    length: 0,
  };
  let read = 0;
  let short = 0;
  let empty = 0;
  let tokens = 0;
  for (; read < texts.length; read++) {
    if (sequences !== undefined && stream.length >= sequences * content) break;
    const ids = tokenizer.encode(texts[read]);
    const ofToken = concepts && tokenConcepts(texts[read], ids, tokenizer, concepts, read);
    tokens += ids.length;
    if (pack === 'each') {
      if (ids.length === 0) empty++;
      if (ids.length < content) short++;
      if (ids.length >= content) append(stream, ids.subarray(0, content), ofToken);
      else if (pad && ids.length > 0) appendPadded(stream, ids, ofToken, content, paddingToken(tokenizer));
    } else {
      append(stream, ids, ofToken);
      if (separator === 'eos') append(stream, Int32Array.of(tokenizer.eosId as number), undefined);
    }
  }
  const available = Math.floor(stream.length / content);
  const rows = sequences ?? available;
  if (rows === 0 || available < rows) {
    const wanted = sequences === undefined ? 'a sequence' : `${sequences} sequences`;
    throw new Error(
      `${texts.length} texts of ${tokens} tokens give ${available} sequences of ${context} tokens` +
        `${pack === 'each' && !pad ? ` (${short} texts are shorter; { pad: true } fills them up)` : ''}, but ${wanted} ${sequences === undefined ? 'is' : 'are'} needed; use more texts or a smaller context`,
    );
  }
  const packed = cut(stream, rows, context, bos ? tokenizer.bosId : undefined);
  const dropped: JsonObject =
    pack === 'each'
      ? { [pad ? 'emptyTexts' : 'shortTexts']: pad ? empty : short }
      : { leftTokens: stream.length - rows * content };
  return createTokenSet(packed.tokens, rows, context, tokenizer, {
    source: {
      ...source,
      texts: read,
      bos,
      pack,
      ...(pack === 'concatenate' ? { separator } : {}),
      ...(pad ? { pad } : {}),
      dropped,
    },
    padding: packed.padding,
    concepts: concepts && packed.concepts && { names: [...concepts.names], ids: packed.concepts },
  });
}

/**
 * Sequences from ready rows of token ids (a pretokenised `input_ids` column), [rows, length] integers: the first
 * `context` tokens of each row (default all of them). Throws on ids outside the tokenizer's vocabulary.
 */
export function tokensFromRows(
  rows: NdArray,
  tokenizer: Tokenizer,
  options: { context?: number; sequences?: number; padding?: Uint8Array; source: JsonObject },
): TokenSet {
  if (rows.shape.length !== 2) throw new Error(`rows of token ids are 2-d but the array is [${rows.shape.join(', ')}]`);
  const [count, length] = rows.shape;
  const context = options.context ?? length;
  const sequences = options.sequences ?? count;
  if (context > length) throw new Error(`rows have ${length} tokens but context is ${context}; use ${length} or less`);
  if (sequences > count) throw new Error(`${sequences} sequences are wanted but there are ${count} rows`);
  const ids = toInt32(rows);
  const tokens = new Int32Array(sequences * context);
  const padding = options.padding && new Uint8Array(tokens.length);
  for (let s = 0; s < sequences; s++) {
    tokens.set(ids.subarray(s * length, s * length + context), s * context);
    if (options.padding) padding?.set(options.padding.subarray(s * length, s * length + context), s * context);
  }
  return createTokenSet(tokens, sequences, context, tokenizer, {
    padding,
    source: { ...options.source, rows: sequences, pretokenised: true },
  });
}

/** The sequences of a set that a call runs over. @throws RangeError for sequences that the set does not have */
export function askedSequences(
  { sequences }: TokenSet,
  asked: { firstSequence?: number; sequences?: number },
): { first: number; count: number } {
  const { firstSequence: first = 0, sequences: count = sequences - first } = asked;
  if (Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0 && first + count <= sequences)
    return { first, count };
  throw new RangeError(
    `sequences ${first} to ${first + count - 1} were asked for, but the token set of ${sequences} has 0 to ${sequences - 1}`,
  );
}

/** A TokenSet over ready tokens, sequences × context. Throws when sizes or ids do not fit. */
export function createTokenSet(
  tokens: Int32Array,
  sequences: number,
  context: number,
  tokenizer: Tokenizer,
  o: { source: JsonObject; concepts?: TokenSet['concepts']; padding?: Uint8Array },
): TokenSet {
  requireWhole('sequences', sequences, 1);
  requireWhole('context', context, 1);
  if (tokens.length !== sequences * context) {
    throw new RangeError(
      `${sequences} sequences of ${context} need ${sequences * context} tokens but got ${tokens.length}`,
    );
  }
  const bad = tokens.findIndex((id) => id < 0 || id >= tokenizer.vocabSize);
  if (bad >= 0) {
    throw new RangeError(
      `token id ${tokens[bad]} (position ${bad}) is outside the tokenizer's vocabulary of ${tokenizer.vocabSize}`,
    );
  }
  if (o.concepts && o.concepts.ids.length !== tokens.length) {
    throw new RangeError(`${tokens.length} tokens but ${o.concepts.ids.length} concept ids`);
  }
  if (o.padding && o.padding.length !== tokens.length)
    throw new RangeError(`${tokens.length} tokens but padding of ${o.padding.length}`);
  // A set without padding is the same set whether or not it was asked for.
  const padding = o.padding?.includes(1) ? o.padding : undefined;
  return {
    id: sha256(['fgnb tokens', `${sequences} ${context} ${tokenizer.id}`, tokens, ...(padding ? [padding] : [])]),
    tokens,
    sequences,
    context,
    tokenizer,
    source: o.source,
    ...(o.concepts ? { concepts: o.concepts } : {}),
    ...(padding ? { padding } : {}),
  };
}

/** Saves a TokenSet as one safetensors file: `tokens` I32 [sequences, context], `concepts` and `padding` U8 when there are any. */
export async function saveTokenSet(path: string, set: TokenSet): Promise<void> {
  const shape = [set.sequences, set.context];
  await writeSafetensors(
    path,
    {
      tokens: ndarray('I32', shape, set.tokens),
      ...(set.concepts ? { concepts: ndarray('U8', shape, set.concepts.ids) } : {}),
      ...(set.padding ? { padding: ndarray('U8', shape, set.padding) } : {}),
    },
    {
      format: 'fgnb tokens 1',
      id: set.id,
      tokenizer: set.tokenizer.id,
      source: canonicalJson(set.source, 'source'),
      ...(set.concepts ? { conceptNames: JSON.stringify(set.concepts.names) } : {}),
    },
  );
}

/** Loads a TokenSet. Throws MismatchError when it was made with another tokenizer, and an error when it was changed. */
export async function loadTokenSet(path: string, tokenizer: Tokenizer): Promise<TokenSet> {
  const file = await SafetensorsFile.open(path);
  try {
    const { format, id, tokenizer: madeWith, source, conceptNames } = file.metadata;
    if (format !== 'fgnb tokens 1')
      throw new Error(`${path} is no saved token set; expected a safetensors file that saveTokenSet wrote`);
    requireSame(
      `${path} was made with another tokenizer`,
      { name: 'the file', id: madeWith },
      { name: 'this tokenizer', id: tokenizer.id },
    );
    const { shape, data } = await file.read('tokens');
    const set = createTokenSet(data as Int32Array, shape[0], shape[1], tokenizer, {
      source: JSON.parse(source) as JsonObject,
      padding: file.names().includes('padding') ? ((await file.read('padding')).data as Uint8Array) : undefined,
      concepts: conceptNames
        ? { names: JSON.parse(conceptNames) as string[], ids: (await file.read('concepts')).data as Uint8Array }
        : undefined,
    });
    if (set.id !== id) throw new Error(`${path} is damaged: its tokens hash to ${set.id} but it was saved as ${id}`);
    return set;
  } finally {
    await file.close();
  }
}

function checkOptions(texts: readonly string[], tokenizer: Tokenizer, options: TokenizeOptions): void {
  const { context, bos = false, pack, pad, separator, concepts } = filled(TOKENS, options);
  if (bos && tokenizer.bosId === undefined)
    throw new Error('bos is wanted but the tokenizer has no begin token; use { bos: false }');
  if (bos && context < 2)
    throw new RangeError('context is 1, which bos fills; give { context } of at least 2, or { bos: false }');
  if (pad && pack !== 'each') throw new Error("padding is for one sequence per text; use { pack: 'each', pad: true }");
  if (pad) paddingToken(tokenizer);
  if (pack === 'concatenate' && separator === 'eos' && tokenizer.eosId === undefined) {
    throw new Error("the tokenizer has no end-of-text token to part the texts; use { separator: 'none' }");
  }
  if (concepts && concepts.spans.length !== texts.length) {
    throw new RangeError(`${texts.length} texts but concept spans of ${concepts.spans.length}`);
  }
  if (concepts && concepts.names.length > 256)
    throw new RangeError(`${concepts.names.length} concepts: at most 256 fit`);
}

function paddingToken({ padId, eosId }: Tokenizer): number {
  const token = padId ?? eosId;
  if (token === undefined)
    throw new Error('the tokenizer has no padding and no end token to fill short texts up with; leave { pad } out');
  return token;
}

/** A text's tokens and, behind them, padding up to `length`. */
function appendPadded(
  stream: Stream,
  ids: Int32Array,
  concepts: Uint8Array | undefined,
  length: number,
  token: number,
): void {
  append(stream, ids, concepts);
  const start = stream.length;
  append(stream, new Int32Array(length - ids.length).fill(token), undefined);
  stream.padding?.fill(1, start, stream.length);
}

function append(stream: Stream, ids: Int32Array, concepts: Uint8Array | undefined): void {
  const needed = stream.length + ids.length;
  if (needed > stream.tokens.length) {
    const size = Math.max(needed, 2 * stream.tokens.length);
    const tokens = new Int32Array(size);
    tokens.set(stream.tokens);
    stream.tokens = tokens;
    const grown = (values: Uint8Array): Uint8Array => {
      const out = new Uint8Array(size);
      out.set(values);
      return out;
    };
    stream.concepts = stream.concepts && grown(stream.concepts);
    stream.padding = stream.padding && grown(stream.padding);
  }
  stream.tokens.set(ids, stream.length);
  if (concepts) stream.concepts?.set(concepts.subarray(0, ids.length), stream.length);
  stream.length = needed;
}

/** First rows of the stream as rows × context, each begun with bos when it is given. */
function cut(
  stream: Stream,
  rows: number,
  context: number,
  bos: number | undefined,
): { tokens: Int32Array; concepts?: Uint8Array; padding?: Uint8Array } {
  const head = bos === undefined ? 0 : 1;
  const content = context - head;
  const spread = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
    for (let r = 0; r < rows; r++) to.set(from.subarray(r * content, (r + 1) * content), r * context + head);
    return to;
  };
  const size = rows * context;
  return {
    tokens: spread(stream.tokens, new Int32Array(size).fill(bos ?? 0)),
    concepts: stream.concepts && spread(stream.concepts, new Uint8Array(size)),
    padding: stream.padding && spread(stream.padding, new Uint8Array(size)),
  };
}

/** Concept ids of the tokens of text number `index`. Throws when they do not fit it: never a silent shift. */
function tokenConcepts(
  text: string,
  ids: Int32Array,
  tokenizer: Tokenizer,
  { names, spans }: TextConcepts,
  index: number,
): Uint8Array {
  const ofCharacter = new Uint8Array(text.length);
  const triples = spans[index];
  if (triples.length % 3 !== 0)
    throw new RangeError(`text ${index} has ${triples.length} span numbers: expected triples`);
  for (let s = 0; s < triples.length; s += 3) {
    const [start, end, concept] = triples.subarray(s, s + 3);
    if (!(start >= 0 && start < end && end <= text.length && concept >= 0 && concept < names.length)) {
      throw new RangeError(
        `text ${index} of ${text.length} characters has a span ${start} to ${end} of concept ${concept} of ${names.length}`,
      );
    }
    ofCharacter.fill(concept, start, end);
  }
  const out = new Uint8Array(ids.length);
  let at = 0;
  for (let t = 0; t < ids.length; t++) {
    const piece = tokenizer.piece(ids[t]);
    if (!text.startsWith(piece, at)) {
      const rest = JSON.stringify(text.slice(at, at + 20));
      throw new Error(
        `text ${index}: token ${t} reads ${JSON.stringify(piece)} where the text has ${rest}; its concepts cannot be placed`,
      );
    }
    const end = at + piece.length;
    while (at < end && out[t] === 0) out[t] = ofCharacter[at++];
    at = end;
  }
  return out;
}
