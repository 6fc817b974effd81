/** correlate: the map between the features of two activation stores over the same tokens. */
import { freemem } from 'node:os';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { sameRows } from '../activations/ignored.js';
import { countedTokens, positionShares, usableFeatures } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { argmaxPairs, mutualPairs, oneToOnePairs, takePairs, type Pairs } from './match.js';
import { correlateSettings, type CorrelateOptions, type CorrelateSettings } from './options.js';
import { bestPartners, featureSums, type FeatureSums, type Partners, type Spans, type Taken } from './pearson.js';
import { columnsOf, pairedSpans, type TokenSpan } from './spans.js';
import type { FeatureMap } from './types.js';

/** Bumped when the same inputs give another map. */
export const CORRELATION_VERSION = 1;

/** Throws unless both stores hold the same tokens in the same order, naming both. */
export function requireSameTokens(a: SparseActivations, b: SparseActivations): void {
  const name = ({ meta }: SparseActivations): string => `the token set of ${meta.sae.name} on ${meta.model.name}`;
  requireSame(
    'features are correlated over the same tokens; save both activations from one token set',
    { name: `A, ${name(a)},`, id: a.meta.tokenSet.id },
    { name: `B, ${name(b)},`, id: b.meta.tokenSet.id },
  );
  if (a.meta.tokens !== b.meta.tokens) {
    throw new Error(`activations A hold ${a.meta.tokens} tokens but B ${b.meta.tokens}: one of the stores is damaged`);
  }
}

/**
 * Exact Pearson r in float64 between the features of `a` and `b` over all tokens that neither ignores: the best `counterparts` features of
 * the other side for every feature, in both directions, and the pairs matched from them. Dead, constant and rarely
 * firing features have no counterpart (-1, NaN) and are nobody's. Ties go to the lower index. The stores stay on disk
 * shard by shard when they do not fit `memoryBytes`; F × F is never held.
 */
export async function correlate(
  givenA: SparseActivations,
  givenB: SparseActivations,
  options: CorrelateOptions = {},
): Promise<FeatureMap> {
  const settings = correlateSettings(options);
  requireSameTokens(givenA, givenB);
  const [a, b] = await sameRows(givenA, givenB, options);
  const tokens = requireTokens(a);
  const sumsA = await participants(a, settings, options);
  const sumsB = await participants(b, settings, options);
  const memory = options.memoryBytes ?? Math.min(2 ** 31, freemem() / 2);
  const toA = await spanSource(b, a, memory);
  const toB = await spanSource(a, b, memory);
  const n = settings.counterparts;
  const { signal, onProgress } = options;
  const call = { signal, onProgress, n };
  const aOfB = await bestPartners(sumsB, sumsA, toA.spans, {
    ...call,
    blockBytes: toA.blockBytes,
    label: 'best A of each B',
  });
  const bOfA = await bestPartners(sumsA, sumsB, toB.spans, {
    ...call,
    blockBytes: toB.blockBytes,
    label: 'best B of each A',
  });
  const more = (queries: Int32Array, count: number, taken: Taken): Promise<Partners> =>
    bestPartners(sumsB, sumsA, toA.spans, {
      ...call,
      blockBytes: toA.blockBytes,
      n: count,
      queries,
      taken,
      label: 'one-to-one matching',
    });
  const pairs =
    settings.match === 'argmax'
      ? argmaxPairs(aOfB)
      : settings.match === 'mutual'
        ? mutualPairs(aOfB, bOfA)
        : await oneToOnePairs(aOfB, sumsA.features, more);
  return {
    id: sha256(['correlation', String(CORRELATION_VERSION), a.id, b.id, JSON.stringify(settings)]),
    tokens,
    featuresA: a.meta.features,
    featuresB: b.meta.features,
    counterparts: n,
    bestAofB: aOfB.index,
    rAofB: Float32Array.from(aOfB.r),
    bestBofA: bOfA.index,
    rBofA: Float32Array.from(bOfA.r),
    pairs: atLeast(pairs, settings.minR),
    method: describe(settings),
    minFirings: settings.minFirings,
  };
}

/** Tokens to correlate over. */
function requireTokens({ meta }: SparseActivations): number {
  const tokens = countedTokens(meta);
  if (tokens >= 2) return tokens;
  throw new RangeError(
    `correlation needs at least 2 tokens but there are ${tokens}${meta.ignored ? ' that neither store ignores' : ''}`,
  );
}

async function participants(
  activations: SparseActivations,
  settings: CorrelateSettings,
  options: CallOptions,
): Promise<FeatureSums> {
  const { minFirings, maxShareAtOnePosition } = settings;
  const positions = maxShareAtOnePosition < 1 ? await positionShares(activations, options) : undefined;
  const usable = usableFeatures(activations.statistics, { minFirings, positions, maxShareAtOnePosition });
  return featureSums(activations.statistics, countedTokens(activations.meta), usable);
}

/** Where the spans of a pass come from: kept in memory with their columns, or read again for each block of queries. */
export async function spanSource(
  query: SparseActivations,
  base: SparseActivations,
  memory: number,
): Promise<{ spans: Spans; blockBytes?: number }> {
  // Two passes keep rows (8 bytes an entry with I32) and columns (8 bytes) of both sides.
  const resident = 16 * (query.meta.nonZeros + base.meta.nonZeros) + 16 * query.meta.tokens;
  if (resident > memory / 2) return { spans: () => pairedSpans(query, base), blockBytes: memory / 2 };
  const spans: Array<Required<TokenSpan>> = [];
  for await (const span of pairedSpans(query, base)) {
    spans.push({ ...span, columns: columnsOf(span.query, query.meta.features) });
  }
  return { spans };
}

function atLeast(pairs: Pairs, minR: number): Pairs {
  return takePairs(
    pairs,
    Array.from(pairs.r.keys()).filter((i) => pairs.r[i] >= minR),
  );
}

function describe({ match, counterparts, minFirings, minR, maxShareAtOnePosition }: CorrelateSettings): string {
  const parts = [`Pearson r of activations, ${match}`, `top ${counterparts}`, `≥ ${minFirings} firings`];
  if (minR > -1) parts.push(`r ≥ ${minR}`);
  if (maxShareAtOnePosition < 1) parts.push(`≤ ${maxShareAtOnePosition} of firings on one position`);
  return parts.join(', ');
}
