/** Which tokens hold what: sums of activations by token, read as the words of a label. */
import { normalizeToken, type TokenShare } from '../../protocol/tokens.js';
import type { CallOptions } from '../compute/call.js';
import { everyFiring } from './firings.js';
import { sumPairs, type RowSums } from './pairSums.js';
import type { SparseActivations } from './types.js';

/** Tokens of a label, at most. */
const LABEL_TOKENS = 5;
/** A token of a label holds at least this share of what its first one holds. */
const LEAST_OF_FIRST = 0.1;

/** The different tokens of a store as columns 0, 1, … in order of their ids, and their words. */
export class TokenColumns {
  /** [tokens]: the column of each token of the store. */
  readonly at: Int32Array;
  /** Text of each column's token. */
  readonly pieces: string[];
  /** Columns of equal words (spaces and case aside) have equal numbers. */
  private readonly word: Int32Array;

  constructor(tokenIds: Int32Array, pieceOf: (tokenId: number) => string) {
    const ids = Int32Array.from(new Set(tokenIds)).sort();
    const column = new Map<number, number>();
    ids.forEach((id, c) => column.set(id, c));
    this.at = tokenIds.map((id) => column.get(id)!);
    this.pieces = Array.from(ids, pieceOf);
    const words = new Map<string, number>();
    this.word = Int32Array.from(this.pieces, (piece) => {
      const word = normalizeToken(piece);
      if (!words.has(word)) words.set(word, words.size);
      return words.get(word)!;
    });
  }

  get count(): number {
    return this.pieces.length;
  }

  /**
   * Words by share of the whole sum, largest first, each written as its heaviest spelling; ties to the lower token id.
   * [] where nothing was added.
   */
  shares({ columns, sums }: Pick<RowSums, 'columns' | 'sums'>, top = Infinity): TokenShare[] {
    const words = new Map<number, { sum: number; best: number; column: number }>();
    let total = 0;
    columns.forEach((column, i) => {
      total += sums[i];
      const word = this.word[column];
      const known = words.get(word);
      if (!known) words.set(word, { sum: sums[i], best: sums[i], column });
      else {
        known.sum += sums[i];
        if (sums[i] > known.best) Object.assign(known, { best: sums[i], column });
      }
    });
    return [...words.values()]
      .sort((a, b) => b.sum - a.sum || a.column - b.column)
      .slice(0, top)
      .map(({ sum, column }) => ({ token: this.pieces[column], share: sum / total }));
  }

  /** The words of a label: at most five, each with at least a tenth of the share of the first. */
  label(sums: RowSums): TokenShare[] {
    const tokens = this.shares(sums, LABEL_TOKENS);
    return tokens.filter(({ share }) => share >= LEAST_OF_FIRST * tokens[0].share);
  }
}

/** The columns of a store's tokens. */
export const tokenColumns = async (activations: SparseActivations): Promise<TokenColumns> =>
  new TokenColumns(await activations.tokenIds(), (id) => activations.piece(id));

export interface MassOptions extends CallOptions {
  /** Pairs of feature and token held at once; default 4,194,304. More are read in further passes. */
  limit?: number;
}

/**
 * By feature id: the words of its label, by share of its activation mass Σ a over all tokens (float64); [] for a dead
 * feature. One pass over the shards while the pairs of feature and token fit `limit`.
 */
export async function massLabels(activations: SparseActivations, options: MassOptions = {}): Promise<TokenShare[][]> {
  const columns = await tokenColumns(activations);
  const labels: TokenShare[][] = [];
  await sumPairs(
    activations.meta.features,
    (add) => everyFiring(activations, 'token mass', options, (f, t, value) => add(f, columns.at[t], value)),
    (_, sums) => labels.push(columns.label(sums)),
    options.limit,
  );
  return labels;
}

/**
 * [features]: share of each feature's activation mass that lies on tokens of a kind, 0 to 1; NaN for a dead feature.
 * One pass.
 */
export async function massShares(
  activations: SparseActivations,
  isKind: (token: string) => boolean,
  call: CallOptions = {},
): Promise<Float64Array> {
  const columns = await tokenColumns(activations);
  const kind = columns.pieces.map(isKind);
  const { sum } = activations.statistics;
  const mass = new Float64Array(activations.meta.features);
  await everyFiring(activations, 'token mass', call, (f, t, value) => {
    if (kind[columns.at[t]]) mass[f] += value;
  });
  return mass.map((of, f) => (sum[f] > 0 ? of / sum[f] : NaN));
}
