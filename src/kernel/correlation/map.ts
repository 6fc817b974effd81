/** correlate: the map between the features of two activation stores over the same tokens. */
import { freemem } from 'node:os';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { sameRows } from '../activations/ignored.js';
import { countedTokens, positionShares, usableFeatures } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { Candidates, CANDIDATES, hungarianPairs, sinkhornPairs } from './assignedPairs.js';
import { argmaxPairs, mutualPairs, oneToOnePairs, takePairs, type Pairs } from './match.js';
import { ASSOCIATION_NAMES, associationSums, isOfFiring, ofFiring, type Association } from './association.js';
import { correlateSettings, settingsIdentity, type CorrelateOptions, type CorrelateSettings } from './options.js';
import {
  bestPartners,
  type FeatureSums,
  type Partners,
  type PartnersOptions,
  type Prices,
  type Spans,
  type Taken,
} from './pearson.js';
import { columnsOf, pairedSpans, type TokenSpan } from './spans.js';
import type { FeatureMap } from './types.js';

/** Bumped when the same inputs give another map. */
export const CORRELATION_VERSION = 1;

/** Throws unless both stores hold the same tokens in the same order, naming both. */
export function requireSameTokens(a: SparseActivations, b: SparseActivations): void {
  const name = ({ meta }: SparseActivations): string => `the token set of ${meta.sae.name} on ${meta.model.name}`;
  requireSame(
    'features are correlated over the same tokens; save both activations from one token set, or, for models with different tokenizers, bring them to the same rows by fg.activations.align',
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
 * firing features have no counterpart (-1, NaN) and are no feature's counterpart. Ties go to the lower index. The stores stay on disk
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
  const sides: Sides = {
    a: sumsA,
    b: sumsB,
    toA: await spanSource(b, a, memory, settings.by),
    toB: await spanSource(a, b, memory, settings.by),
  };
  const { signal, onProgress } = options;
  const { aOfB, bOfA, pairs } = await matched(sides, settings, { signal, onProgress });
  const n = settings.counterparts;
  return {
    id: sha256(['correlation', String(CORRELATION_VERSION), a.id, b.id, JSON.stringify(settingsIdentity(settings))]),
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

/** Features of both sides, and where the products of a B feature with all As come from, and of an A with all Bs. */
interface Sides {
  a: FeatureSums;
  b: FeatureSums;
  toA: SpanSource;
  toB: SpanSource;
}

/** The best `counterparts` of each feature, and the pairs. */
async function matched(
  { a, b, toA, toB }: Sides,
  { match, counterparts }: CorrelateSettings,
  call: CallOptions,
): Promise<{ aOfB: Partners; bOfA: Partners; pairs: Pairs }> {
  const whole = match === 'hungarian' || match === 'sinkhorn';
  // What weighs all features at once begins with more of each.
  const n = whole ? Math.max(counterparts, CANDIDATES) : counterparts;
  const bestA = (options: Pick<PartnersOptions, 'n' | 'queries' | 'taken' | 'prices' | 'label'>): Promise<Partners> =>
    bestPartners(b, a, toA.spans, { ...call, blockBytes: toA.blockBytes, ...options });
  const aOfB = await bestA({ n, label: 'best A of each B' });
  const bOfA = await bestPartners(a, b, toB.spans, {
    ...call,
    ...{ n, blockBytes: toB.blockBytes, label: 'best B of each A' },
  });
  const lists = { aOfB: firstOf(aOfB, counterparts), bOfA: firstOf(bOfA, counterparts) };
  if (match === 'argmax') return { ...lists, pairs: argmaxPairs(lists.aOfB) };
  if (match === 'mutual') return { ...lists, pairs: mutualPairs(lists.aOfB, lists.bOfA) };
  if (match === 'one-to-one') {
    const label = 'one-to-one matching';
    const more = (queries: Int32Array, count: number, taken: Taken) => bestA({ n: count, queries, taken, label });
    return { ...lists, pairs: await oneToOnePairs(aOfB, a.features, more) };
  }
  const candidates = new Candidates(a.features, b.features);
  candidates.add(aOfB, 'aOfB');
  candidates.add(bOfA, 'bOfA');
  if (match === 'sinkhorn') {
    const takes = ({ inverseNorm }: FeatureSums) => Array.from(inverseNorm, (norm) => !Number.isNaN(norm));
    return { ...lists, pairs: sinkhornPairs(candidates, { a: takes(a), b: takes(b) }) };
  }
  const more = (prices: Prices, count: number) => bestA({ n: count, prices, label: 'assignment: all other pairs' });
  return { ...lists, pairs: await hungarianPairs(candidates, more, call) };
}

/** The first `n` of each list. */
function firstOf({ n: all, index, r }: Partners, n: number): Partners {
  if (n === all) return { n, index, r };
  const first = (_: unknown, i: number): boolean => i % all < n;
  return { n, index: index.filter(first), r: r.filter(first) };
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
  const { minFirings, maxShareAtOnePosition, by } = settings;
  const positions = maxShareAtOnePosition < 1 ? await positionShares(activations, options) : undefined;
  const usable = usableFeatures(activations.statistics, { minFirings, positions, maxShareAtOnePosition });
  return associationSums(by, activations.statistics, countedTokens(activations.meta), usable);
}

/** The spans of a pass, and the memory for a block of queries where they are read again for each. */
interface SpanSource {
  spans: Spans;
  blockBytes?: number;
}

/** Where the spans of a pass come from: kept in memory with their columns, or read again for each block of queries. */
export async function spanSource(
  query: SparseActivations,
  base: SparseActivations,
  memory: number,
  by: Association = 'pearson',
): Promise<SpanSource> {
  const read = <S extends TokenSpan>(span: S): S => (isOfFiring(by) ? ofFiring(span) : span);
  // Two passes keep rows (8 bytes an entry with I32) and columns (8 bytes) of both sides.
  const resident = 16 * (query.meta.nonZeros + base.meta.nonZeros) + 16 * query.meta.tokens;
  if (resident > memory / 2) return { spans: () => eachSpan(pairedSpans(query, base), read), blockBytes: memory / 2 };
  const spans: Array<Required<TokenSpan>> = [];
  for await (const span of pairedSpans(query, base)) {
    spans.push(read({ ...span, columns: columnsOf(span.query, query.meta.features) }));
  }
  return { spans };
}

async function* eachSpan(spans: AsyncIterable<TokenSpan>, read: (span: TokenSpan) => TokenSpan) {
  for await (const span of spans) yield read(span);
}

function atLeast(pairs: Pairs, minR: number): Pairs {
  return takePairs(
    pairs,
    Array.from(pairs.r.keys()).filter((i) => pairs.r[i] >= minR),
  );
}

function describe({ by, match, counterparts, minFirings, minR, maxShareAtOnePosition }: CorrelateSettings): string {
  const parts = [`${ASSOCIATION_NAMES[by]}, ${match}`, `top ${counterparts}`, `≥ ${minFirings} firings`];
  if (minR > -1) parts.push(`${by === 'pearson' ? 'r' : 'value'} ≥ ${minR}`);
  if (maxShareAtOnePosition < 1) parts.push(`≤ ${maxShareAtOnePosition} of firings on one position`);
  return parts.join(', ');
}
