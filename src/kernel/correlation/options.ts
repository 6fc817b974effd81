/** Options of matching the features of two stores. */
import type { CallOptions } from '../compute/call.js';
import { ASSOCIATIONS } from './association.js';
import { METRICS, SCORE_NULLS, USUAL } from './usual.js';
import { nulls, nullsOf, rowsOption } from '../verb/common.js';
import { choice, group, only, parseOptions, real, several, whole, type Given, type Parsed } from '../verb/option.js';

export const CORRELATE = {
  counterparts: whole({ doc: 'Partners kept per feature, in both directions.', min: 1, default: 3 }),
  minFirings: real({
    doc: 'Features that fire on fewer tokens take no part: r ≈ 1 between features of one firing means nothing.',
    min: 0,
    default: 10,
  }),
  match: choice(['argmax', 'mutual', 'one-to-one', 'hungarian', 'sinkhorn'], {
    doc: "'argmax': each B with its best A; 'mutual': each other's best; 'one-to-one': greedy by r, each feature once; 'hungarian': each feature once, so that the total r over all features is largest; 'sinkhorn': each B with the A that has the largest share of it in an entropic transport plan of cost 1 − r (regularisation 0.05, 80 iterations) over the 32 best of each feature.",
    default: 'argmax',
  }),
  minR: real({
    doc: 'Pairs below this r are dropped from `pairs`; the lists of counterparts keep them.',
    min: -1,
    max: 1,
    default: -1,
  }),
  by: choice(ASSOCIATIONS, {
    doc: "What is measured: 'pearson' r or 'cosine' of activations; of firing or not, 'jaccard' (tokens on which both fire over those on which one does), 'phi' (r of firing) or 'mutual-information' in bits. What the lists and pairs of the map call r is this. By cosine, Jaccard and mutual information features that never fire together are no counterparts.",
    default: 'pearson',
  }),
  maxShareAtOnePosition: real({
    doc: 'Leave out features with more than this share of their firings on one position, such as those of BOS; 1: none.',
    above: 0,
    default: 1,
  }),
} as const;

export type CorrelateParameters = Given<typeof CORRELATE>;
export type CorrelateSettings = Parsed<typeof CORRELATE>;

/** How the work is done; it does not change the result. */
export const CORRELATE_MEMORY = {
  memoryBytes: real({
    doc: 'Memory in bytes that the call may use.',
    above: 0,
    fallback: 'half of free memory, at most 1.5 GiB, so that the kernel stays below 2 GB',
    identity: false,
  }),
} as const;

/** What shards of a map are made of. */
export const CORRELATE_SHARDS = {
  shardsOf: choice(['features', 'tokens'], {
    doc: "With `cluster`, what a shard has: 'features', some features of one side against all of the other, over all tokens; 'tokens', the sums of all pairs of features over some tokens (of a million at least), which reads each store once but writes sums by features of A × features of B. docs/cluster.md says which is less.",
    default: 'features',
    identity: false,
  }),
} as const;

export type CorrelateOptions = CorrelateParameters & Given<typeof CORRELATE_MEMORY> & CallOptions;

/** Options with their defaults. @throws RangeError for values that make no sense */
export function correlateSettings(options: CorrelateParameters): CorrelateSettings {
  return parseOptions('correlate', only(CORRELATE, { ...options }), CORRELATE);
}

/** Settings as an identity has them: that of r is what it was before there were other measures. */
export function settingsIdentity({ by, ...rest }: CorrelateSettings): Omit<CorrelateSettings, 'by'> & { by?: string } {
  return by === 'pearson' ? rest : { ...rest, by };
}

/** Which of a feature's tokens a verb looks at. */
export const tokensOf = <D extends 'mass' | 'peaks'>(fallback: D) =>
  choice(['mass', 'peaks'], {
    doc: "Which tokens of a feature are looked at: 'mass', those that hold its activation, as fg.activations.labels lists them; 'peaks', those of its 5 largest activations, the published rule.",
    default: fallback,
  });

export const SAME_TOKEN = {
  labels: tokensOf('mass'),
  nulls: nulls({ doc: 'Runs with the pairs shuffled.', runs: USUAL.nulls, draws: 'Draws the shuffles.' }),
} as const;

export const SCORES = {
  metrics: several(METRICS, { doc: 'Which scores, in this order.', usual: ['svcca', 'cca', 'rsa', 'cka'] }),
  nulls: nullsOf(SCORE_NULLS, {
    doc: "Null runs beside each score: 'shuffle', the same rows paired at random; 'random-features', as many random rows of `pools` on each side.",
    runs: USUAL.nulls,
    draws: "Draws the null, and RSA's rows.",
  }),
  pools: group(
    { x: rowsOption({ doc: 'Of side A.' }), y: rowsOption({ doc: 'Of side B.' }) },
    { doc: "Rows that the null 'random-features' draws from.", fallback: 'the two decoders' },
  ),
  neighbors: whole({ doc: "Neighbours for 'jaccard'.", min: 1, usual: USUAL.neighbors }),
  intervals: whole({
    doc: 'Half-samples of the pairs for a 95 % interval of each score; 0: none.',
    min: 0,
    usual: USUAL.intervals,
  }),
  rsaRows: whole({ doc: 'RSA samples this many pairs when there are more.', min: 3, max: 4096, usual: USUAL.rsaRows }),
};
