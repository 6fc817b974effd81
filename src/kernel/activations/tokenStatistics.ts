/** Where a feature's activation lies: on which tokens and positions, on special tokens and punctuation. */
import { isPunctuation, isSpecialToken } from '../../protocol/tokens.js';
import { featureIds, whole, type Given } from '../verb/option.js';
import { everyFiring } from './firings.js';
import { sumPairs, type RowSums } from './pairSums.js';
import { tokenColumns, type MassOptions, type TokenColumns } from './tokenMass.js';
import type { SparseActivations } from './types.js';

/** A token, as the tokenizer writes it, and what a feature does on it. */
export interface FeatureToken {
  readonly token: string;
  /** Share of the feature's mass, 0 to 1. */
  readonly share: number;
  /** Firings on it. */
  readonly firings: number;
  /** How often it occurs in the text. */
  readonly occurrences: number;
  /** Mean activation where it fires. */
  readonly mean: number;
}

/** A position in the sequence, from 0, with its share of a feature's mass. */
export interface FeaturePosition {
  readonly position: number;
  readonly share: number;
  readonly firings: number;
}

/** Token statistics of a feature. Shares are of its activation mass, 0 to 1; NaN for a dead feature. */
export interface FeatureTokens {
  readonly feature: number;
  readonly firings: number;
  /** Σ of its activations, float64. */
  readonly mass: number;
  /** Different tokens on which it fires. */
  readonly distinct: number;
  /** Largest share first; ties to the lower token id. */
  readonly tokens: readonly FeatureToken[];
  /** Largest share first; ties to the earlier position. */
  readonly positions: readonly FeaturePosition[];
  /** Share at the first position of the sequences. */
  readonly first: number;
  /** Share on special tokens: those that mark begin, end and padding. */
  readonly special: number;
  /** Share on tokens of punctuation, symbols and white space alone. */
  readonly punctuation: number;
}

export const TOKENS = {
  features: featureIds({ doc: 'Features asked for.', fallback: 'all' }),
  top: whole({ doc: 'Tokens and positions listed for each.', min: 1, usual: 10 }),
} as const;

export type TokenStatisticsOptions = Given<typeof TOKENS> & MassOptions;

/** What a store's tokens are. */
interface Known {
  columns: TokenColumns;
  occurrences: Uint32Array;
  special: Uint8Array;
  punctuation: Uint8Array;
  top: number;
}

/** Sums by token (columns 0, 1, …) and, in the columns after these, by position. */
function statisticsOf(feature: number, { columns, sums, counts }: RowSums, known: Known): FeatureTokens {
  const { pieces } = known.columns;
  const total = { mass: 0, firings: 0, distinct: 0, first: 0, special: 0, punctuation: 0 };
  const entries = Array.from(columns, (column, i) => ({ column, sum: sums[i], firings: counts[i] }));
  const tokens = entries.filter(({ column }) => column < pieces.length);
  const positions = entries.slice(tokens.length);
  for (const { column, sum, firings } of tokens) {
    total.mass += sum;
    total.firings += firings;
    total.distinct++;
    if (known.special[column]) total.special += sum;
    if (known.punctuation[column]) total.punctuation += sum;
  }
  if (positions[0]?.column === pieces.length) total.first = positions[0].sum;
  const { mass } = total;
  const best = (list: typeof entries) => list.sort((a, b) => b.sum - a.sum || a.column - b.column).slice(0, known.top);
  return {
    feature,
    ...total,
    tokens: best(tokens).map(({ column, sum, firings }) => ({
      ...{ token: pieces[column], share: sum / mass, firings },
      ...{ occurrences: known.occurrences[column], mean: sum / firings },
    })),
    positions: best(positions).map(({ column, sum, firings }) => ({
      ...{ position: column - pieces.length, share: sum / mass, firings },
    })),
    first: total.first / mass,
    special: total.special / mass,
    punctuation: total.punctuation / mass,
  };
}

/**
 * Token statistics of features. One pass over the shards while the pairs of feature and token, and of feature and
 * position, fit `limit`. @throws RangeError for a feature outside the store
 */
export async function tokenStatistics(
  activations: SparseActivations,
  options: TokenStatisticsOptions = {},
): Promise<FeatureTokens[]> {
  const { features, context } = activations.meta;
  const asked = Array.from(options.features ?? Array.from({ length: features }, (_, f) => f));
  const row = new Int32Array(features).fill(-1);
  const wanted: number[] = [];
  for (const f of asked) {
    if (!Number.isInteger(f) || f < 0 || f >= features)
      throw new RangeError(`feature ${f} does not exist: features are 0 to ${features - 1}`);
    if (row[f] >= 0) continue;
    row[f] = wanted.length;
    wanted.push(f);
  }
  const columns = await tokenColumns(activations);
  const occurrences = new Uint32Array(columns.count);
  for (const column of columns.at) occurrences[column]++;
  const known: Known = {
    columns,
    occurrences,
    special: Uint8Array.from(columns.pieces, (piece) => Number(isSpecialToken(piece))),
    punctuation: Uint8Array.from(columns.pieces, (piece) => Number(isPunctuation(piece))),
    top: options.top ?? TOKENS.top.usual,
  };
  const found: FeatureTokens[] = [];
  await sumPairs(
    wanted.length,
    (add) =>
      everyFiring(activations, 'token statistics', options, (f, t, value) => {
        if (row[f] < 0) return;
        add(row[f], columns.at[t], value);
        add(row[f], columns.count + (t % context), value);
      }),
    (r, sums) => found.push(statisticsOf(wanted[r], sums, known)),
    options.limit,
  );
  return asked.map((f) => found[row[f]]);
}
