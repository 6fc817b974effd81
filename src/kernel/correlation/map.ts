/** correlate: the map between the features of two activation stores over the same tokens. */
import { requireSame } from '../artifacts/store.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { sameRows } from '../activations/ignored.js';
import { countedTokens } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { Candidates, hungarianPairs, sinkhornPairs } from './assignedPairs.js';
import { argmaxPairs, mutualPairs, oneToOnePairs, takePairs, type Pairs } from './match.js';
import { ASSOCIATION_NAMES } from './association.js';
import {
  allLists,
  listed,
  mergedParts,
  moreLists,
  openSides,
  partOf,
  type KeepPart,
  type Lists,
  type Part,
  type PartRange,
  type Sides,
} from './lists.js';
import { correlateSettings, settingsIdentity, type CorrelateOptions, type CorrelateSettings } from './options.js';
import type { FeatureSums, Partners, PartnersOptions, Prices, Taken } from './pearson.js';
import { tokenBlock } from './spans.js';
import type { FeatureMap } from './types.js';

/** Bumped when the same inputs give another map. */
export const CORRELATION_VERSION = 1;

/** How products are added up, where there are several blocks of tokens: the last bits of r depend on it. */
export function sumsIdentity({ meta: a }: SparseActivations, { meta: b }: SparseActivations): { tokenBlock?: number } {
  const block = tokenBlock(a.features, b.features);
  return a.tokens > block ? { tokenBlock: block } : {};
}

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
 * Exact Pearson r in float64 (or another measure, `by`) between the features of `a` and `b` over all tokens that
 * neither ignores: the best `counterparts` features of the other side for every feature, in both directions, and the
 * pairs matched from them. Dead, constant and rarely firing features have no counterpart (-1, NaN) and are no feature's
 * counterpart. Ties go to the lower index. Stores that do not fit `memoryBytes` are read shard by shard; F × F is never
 * held.
 *
 * `keepPart` is asked for every block of features of a long run, those of matching too, so that a stopped one goes on.
 * `parts`: what correlateParts() made of all features, to the same bits; they are merged and only matching is left.
 * `blockTokens`: tokens that are added up by themselves, tokenBlock() of them by default.
 */
export async function correlate(
  givenA: SparseActivations,
  givenB: SparseActivations,
  options: CorrelateOptions & { keepPart?: KeepPart; parts?: readonly Part[]; blockTokens?: number } = {},
): Promise<FeatureMap> {
  const settings = correlateSettings(options);
  requireSameTokens(givenA, givenB);
  const [a, b] = await sameRows(givenA, givenB, options);
  const tokens = requireTokens(a);
  const sides = await openSides(a, b, settings, options);
  const { signal, onProgress } = options;
  const call = { signal, onProgress };
  const made = options.parts
    ? mergedParts(options.parts, a.meta.features, b.meta.features, listed(settings))
    : await allLists(sides, listed(settings), call, options.keepPart);
  const { aOfB, bOfA, pairs } = await matched(sides, made, settings, call, options.keepPart);
  const n = settings.counterparts;
  return {
    id: sha256([
      'correlation',
      String(CORRELATION_VERSION),
      a.id,
      b.id,
      JSON.stringify({ ...settingsIdentity(settings), ...sumsIdentity(a, b) }),
    ]),
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

/** The best `counterparts` of each feature, and the pairs, from lists of all features. */
async function matched(
  sides: Sides,
  { aOfB, bOfA }: Lists,
  { match, counterparts }: CorrelateSettings,
  call: CallOptions,
  keep?: KeepPart,
): Promise<Lists & { pairs: Pairs }> {
  const { a, b } = sides;
  let round = 0;
  // Rounds are asked for in the same order every time, since each follows from the lists before it.
  const bestA = (options: Pick<PartnersOptions, 'n' | 'queries' | 'taken' | 'prices' | 'label'>): Promise<Partners> =>
    moreLists(sides, `${match} ${round++}`, { ...call, ...options }, keep);
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

/**
 * The lists of some ranges of features, one after the other, for `parts` of correlate(): made on other machines or after
 * an interruption, to the same bits. Features are counted through both sides, those of B first.
 */
export async function* correlateParts(
  givenA: SparseActivations,
  givenB: SparseActivations,
  ranges: readonly PartRange[],
  options: CorrelateOptions & { blockTokens?: number } = {},
): AsyncGenerator<Part> {
  if (ranges.length === 0) return;
  const settings = correlateSettings(options);
  requireSameTokens(givenA, givenB);
  const [a, b] = await sameRows(givenA, givenB, options);
  requireTokens(a);
  const sides = await openSides(a, b, settings, options);
  for (const range of ranges) {
    checkAborted(options.signal, 'correlate');
    yield await partOf(sides, range, listed(settings), options);
  }
}

/** Tokens to correlate over. */
function requireTokens({ meta }: SparseActivations): number {
  const tokens = countedTokens(meta);
  if (tokens >= 2) return tokens;
  throw new RangeError(
    `correlation needs at least 2 tokens but there are ${tokens}${meta.ignored ? ' that neither store ignores' : ''}`,
  );
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
