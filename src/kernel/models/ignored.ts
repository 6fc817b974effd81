/**
 * Which positions of a token set are no text: padding, the tokens that mark begin and end, and what a caller or an SAE's
 * file leaves out. Training, saving, evaluating and conformance ask here, so that all of them count the same rows.
 */
import type { JsonObject } from '../../protocol/notebook.js';
import type { Tokenizer, TokenSet } from './types.js';

/** Start, stop and step of positions in each sequence, as Python's slice() has them; null: not given. */
export type PositionSlice = readonly [start: number | null, stop: number | null, step: number | null];

/** What is left out besides padding. */
export interface Ignoring {
  /** Token ids, ascending, each once: wherever they stand. */
  readonly ids: readonly number[];
  /** The first position of every sequence, which holds the begin token. */
  readonly begins: boolean;
  /** Positions that count; absent: all. */
  readonly slice?: PositionSlice;
}

/** Tokens that mark something, as SAELens's exclude_special_tokens: true leaves them out: begin, end and padding. */
function markIds({ bosId, eosId, padId }: Tokenizer): number[] {
  return ascending([bosId, eosId, padId].filter((id) => id !== undefined));
}

const ascending = (ids: readonly number[]): number[] => [...new Set(ids)].sort((a, b) => a - b);

/**
 * Marks that are left out unless a caller says otherwise: where the tokenizer has a begin token of its own, begin, end and
 * padding tokens wherever they stand. Where one token begins and ends texts (GPT-2, Pythia), it parts the texts of the
 * streams that such models learn from, and stays; but for the one that { bos: true } puts before every sequence.
 */
function marksOf({ tokens, sequences, context, tokenizer }: TokenSet): Ignoring {
  const { bosId, eosId, padId } = tokenizer;
  const own = bosId !== undefined && bosId !== eosId;
  const marks = own ? markIds(tokenizer) : padId !== undefined && padId !== eosId ? [padId] : [];
  const begins = !own && bosId !== undefined && sequences > 0 && Array.from({ length: sequences }, (_, s) => tokens[s * context]).every((id) => id === bosId); // prettier-ignore
  return { ids: marks.filter((id) => tokens.includes(id)), begins };
}

/**
 * What a call leaves out: the ids that it names, or the marks of the tokens when it names none; [] for nothing.
 * @param excluded ids of an SAE's file (exclude_special_tokens; true: all marks), which hold when a call names none
 */
export function ignoringOf(
  tokens: TokenSet,
  ignoreTokens?: readonly number[],
  trained: { excluded?: readonly number[] | true; slice?: PositionSlice } = {},
): Ignoring {
  const { excluded, slice } = trained;
  const sliced = slice ? { slice } : {};
  if (ignoreTokens) return { ids: ascending(ignoreTokens), begins: false, ...sliced };
  const marks = marksOf(tokens);
  const more = excluded === true ? markIds(tokens.tokenizer) : (excluded ?? []);
  return { ids: ascending([...marks.ids, ...more]), begins: marks.begins, ...sliced };
}

/** For identities; {} when nothing is left out. */
export function ignoringParameters({ ids, begins, slice }: Ignoring): JsonObject {
  return {
    ...(ids.length > 0 ? { ignoreTokens: [...ids] } : {}),
    ...(begins ? { ignoreBegins: true } : {}),
    ...(slice ? { positions: [...slice] } : {}),
  };
}

/** Whether each position of a sequence counts (1), by Python's slice rule. */
function countedPositions([start, stop, step]: PositionSlice, context: number): Uint8Array {
  const by = step ?? 1;
  const at = (bound: number | null, otherwise: number): number => {
    if (bound === null) return otherwise;
    return Math.max(by > 0 ? 0 : -1, Math.min(by > 0 ? context : context - 1, bound < 0 ? bound + context : bound));
  };
  const [first, end] = by > 0 ? [at(start, 0), at(stop, context)] : [at(start, context - 1), at(stop, -1)];
  const counted = new Uint8Array(context);
  for (let p = first; by > 0 ? p < end : p > end; p += by) counted[p] = 1;
  return counted;
}

/** 1 where a position counts in no statistic, sequences × context; undefined where every position counts. */
export function ignoredPositions(
  { tokens, padding, context }: Pick<TokenSet, 'tokens' | 'padding' | 'context'>,
  { ids, begins, slice }: Ignoring,
): Uint8Array | undefined {
  const named = new Set(ids);
  const counted = slice && countedPositions(slice, context);
  const out = Uint8Array.from(tokens, (id, i) => {
    const position = i % context;
    const left = padding?.[i] === 1 || named.has(id) || (begins && position === 0) || counted?.[position] === 0;
    return left ? 1 : 0;
  });
  return out.includes(1) ? out : undefined;
}
