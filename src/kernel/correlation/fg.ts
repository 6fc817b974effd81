/** fg.correlation: which feature of A is which of B, and how alike the two geometries are. */
import { labelWords, type FeatureLabel, type TokenShare } from '../../protocol/tokens.js';
import { sideBaselines, storesBeside } from '../activations/baselines.js';
import { sameRows } from '../activations/ignored.js';
import { keptLabels } from '../activations/kept.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import { gatherRows } from '../compute/rows.js';
import { matrixId, sha256 } from '../io/hash.js';
import * as picture from '../present/correlation.js';
import { baselinesFor } from '../sae/baselines.js';
import type { Sae } from '../sae/types.js';
import { forEach } from '../verb/beside.js';
import { CALL, KEPT, thing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { namespace } from '../verb/namespace.js';
import { nullsApart, renamed } from '../verb/nulls.js';
import { flag, only, whole, type Given, type Parsed } from '../verb/option.js';
import { CLUSTER } from '../verb/split.js';
import { verb, type Work } from '../verb/verb.js';
import { correlateArtifact, correlationKey } from './artifact.js';
import { relations, stability, transfer } from './fgGeometry.js';
import { grid } from './fgGrid.js';
import { judge, judgements } from './fgJudge.js';
import { splitting } from './fgSplitting.js';
import { pairAssociations } from './association.js';
import { CORRELATE, CORRELATE_MEMORY, CORRELATE_SHARDS, SAME_TOKEN, SCORES } from './options.js';
import { hubs } from './hubs.js';
import type { Part } from './lists.js';
import { TILES } from './split.js';
import { TOKEN_SHARDS } from './tokenShards.js';
import { pairLabels } from './pairLabels.js';
import { sharedNulls } from './sharedNulls.js';
import {
  FILTERS,
  requireFilters,
  RESTRICTION,
  restrictMap,
  type CorrelationMap,
  type FilteredMap,
  type Filters,
} from './restrict.js';
import { sameTokenRunNames, sameTokenScore } from './sameToken.js';
import { scoreRunNames, similarityScores, type ScoreOptions } from './scores.js';
import type { PairedMap, SimilarityScore } from './types.js';

const storeArg = (name: string) => thing<SparseActivations>(name, 'What fg.activations.save returned.');
const mapArg = thing<PairedMap>('map', 'What fg.correlation.map returned.');
const saeArg = (name: string, side: string) => thing<Sae>(name, `The SAE of side ${side} of the map.`);

const MAP = { ...CORRELATE, ...CORRELATE_MEMORY } as const;

const map = verb({
  doc: "Exact Pearson r (float64) of every feature of A with every feature of B over the tokens that both stores hold and neither ignores: the best counterparts of each feature in both directions, and the matched pairs. Dead, constant and rarely firing features have no counterpart (-1, NaN). The same call again loads the result, an artifact of kind 'correlation'.",
  args: [storeArg('a'), storeArg('b')],
  options: { ...MAP, baselines: sideBaselines('maps'), ...CORRELATE_SHARDS, ...CLUSTER, ...KEPT },
  errors: ['Stores of other tokens are refused, naming both.'],
  kinds: ['correlation'],
  run: (work, a, b) => mapped(work, a, b),
  beside: ({ options }, a, b) =>
    Object.fromEntries(storesBeside(a, b, options.baselines).map(([kind, ...args]) => [kind, { args }])),
  split: {
    unit: ({ shardsOf }) => (shardsOf === 'tokens' ? 'blocks of tokens' : 'features of B, then of A'),
    version: 1,
    pieces: (options, a, b) => shardsOf(options).pieces([a, b], only(MAP, options)),
    key: (options, a, b) => correlationKey(a, b, only(MAP, options)),
    make: ({ options, call, ...at }, a, b) => shardsOf(options).make([a, b], only(MAP, options), { ...at, ...call }),
    merge: ({ shards, ...work }, a, b) =>
      mapped(work, a, b, () =>
        shardsOf(work.options).parts([a, b], shards, { ...only(MAP, work.options), ...work.call }),
      ),
  },
  show: (made) => picture.mapItems(made),
});

/** How a call is cut. */
const shardsOf = ({ shardsOf: of }: Parsed<typeof CORRELATE_SHARDS>) => (of === 'tokens' ? TOKEN_SHARDS : TILES);

/** The map; `parts` gives the lists of all features where shards hold them. */
async function mapped(
  { env, options, call }: Pick<Work<typeof MAP & typeof KEPT>, 'env' | 'options' | 'call'>,
  a: SparseActivations,
  b: SparseActivations,
  parts?: () => Promise<Part[]>,
): Promise<CorrelationMap> {
  const how = { ...only(MAP, options), fresh: options.fresh && !parts, ...call, env, parts };
  const { value, cached, record } = await correlateArtifact(a, b, env.store, how);
  env.tellCached('Correlation map', cached, record);
  return restrictable(env, { ...value, a, b });
}

/** Labels of the features of both sides. */
async function labelsOf(env: Environment, { a, b }: PairedMap): Promise<[FeatureLabel[], FeatureLabel[]]> {
  return [await keptLabels(env, a), await keptLabels(env, b)];
}

const filter = verb({
  doc: 'The same map with fewer matched pairs; `map.restrict(options)` is the same. Filters that are given are applied in the order of the options, and the pairs and their mean r before and after each are shown. What takes a map takes the result: pictures, scores, cards and tables see the pairs that stayed and no others.',
  args: [mapArg],
  options: { ...RESTRICTION, ...CALL },
  errors: ['A call without any filter, and one with both `steps` and filters beside them, are refused.'],
  check: (options) => void stepsOf(options),
  async run({ env, options, call }, given): Promise<FilteredMap> {
    const labels = async (of: 'mass' | 'peaks') => {
      const [a, b] = (await labelsOf(env, given)).map((side) =>
        side.map((label) => (of === 'peaks' ? label.peaks : labelWords(label))),
      );
      return [a, b] as const;
    };
    return restrictable(env, await restrictMap({ map: given, labels, of: options.labels, ...call }, stepsOf(options)));
  },
  // Features that are named by their numbers are other ones in a baseline.
  beside: ({ options }, given) =>
    stepsOf(options).some(({ features }) => features) ? {} : forEach(given.baselines ?? {}, (map) => ({ args: [map] })),
  show: (left, { env }) => env.displayButLast(picture.filteredOutputs(left)),
});

/** The filters of a call, in the order in which they are applied. */
function stepsOf(options: Filters & { steps?: readonly Filters[] }): readonly Filters[] {
  const own = only(FILTERS, { ...options });
  if (!options.steps) return requireFilters('fg.correlation.filter', [own]);
  if (Object.keys(own).length > 0)
    throw new TypeError(
      `fg.correlation.filter: filters are given in \`steps\` and beside it (${Object.keys(own).join(', ')}); write all of them into steps`,
    );
  return requireFilters('fg.correlation.filter', options.steps);
}

/** The map with its method `restrict`. */
function restrictable<M extends Omit<PairedMap, 'baselines'>>(
  env: Environment,
  made: M,
): M & Pick<CorrelationMap, 'restrict'> {
  const restrict = filter.bind(env, 'map.restrict').bind(undefined, made);
  return Object.defineProperty(made, 'restrict', { value: restrict, enumerable: false }) as never;
}

/** The option of scores of a map. */
const mapBaselines = flag({
  doc: "Show the same of the map's baselines beside (fg.correlation.map with { baselines }).",
  default: false,
  identity: false,
});

/** The baselines of a map. @throws where it was made without any */
function baselineMaps(map: PairedMap, asked: boolean): Readonly<Record<string, PairedMap>> {
  if (!asked) return {};
  if (map.baselines) return map.baselines;
  throw new Error('the map has no baselines: make it by fg.correlation.map(a, b, { baselines: true })');
}

/** The baseline of a side's SAE in a baseline of the map, or the SAE itself where it stands for all. */
function sideOf(env: Environment, kind: string, sae: Sae, { meta }: SparseActivations): Sae {
  if (meta.sae.id === sae.id) return sae;
  const baseline = (baselinesFor(env, sae, true) as Readonly<Record<string, Sae | undefined>>)[kind];
  return baseline ?? sae;
}

/** The options that a cell gave, as similarityScores() takes them. */
function scoreOptions(given: Given<typeof SCORES>, saeA: Sae, saeB: Sae): ScoreOptions {
  const { pools, metrics = SCORES.metrics.usual, ...rest } = nullsApart(only(SCORES, given));
  const { x = saeA.decoder, y = saeB.decoder } = (pools ?? {}) as Partial<NonNullable<ScoreOptions['pools']>>;
  return {
    ...renamed(rest, { neighbors: 'neighbours' }),
    metrics,
    shareNulls: sharedNulls,
    ...(rest.null === 'random-features' ? { pools: { x, y } } : {}),
  };
}

/** Scores, and those of baselines by kind where they were asked for. */
export interface SimilarityScores extends Array<SimilarityScore> {
  readonly baselines?: Readonly<Record<string, SimilarityScore[]>>;
}

function requireSaeOf({ meta: { sae: own } }: SparseActivations, sae: Sae, side: string): void {
  requireSame(
    `the map's side ${side} was made with another SAE`,
    { name: `activations of ${own.name}`, id: own.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  );
}

/** Fewer have no geometry. */
const LEAST_PAIRS = 3;

const scores = verb({
  doc: 'Similarity of the decoder rows of matched pairs, each score beside its null: the variant computed, the number of pairs, and p = (k + 1)/(R + 1).',
  args: [saeArg('saeA', 'A'), saeArg('saeB', 'B'), mapArg],
  options: { ...SCORES, baselines: mapBaselines, ...CLUSTER, ...CALL },
  errors: [
    'An SAE that the map was not made with, and a map of fewer than 3 pairs, are refused.',
    "`neighbors` without the metric 'jaccard', and `pools` without the null 'random-features', are refused.",
  ],
  beside: ({ env, options }, saeA, saeB, given) =>
    forEach(baselineMaps(given, options.baselines), (map, kind) => ({
      args: [sideOf(env, kind, saeA, map.a), sideOf(env, kind, saeB, map.b), map],
    })),
  check({ metrics, neighbors, pools, nulls: { kind } }, saeA, saeB, given) {
    if (neighbors !== undefined && !metrics?.includes('jaccard'))
      throw new TypeError(
        "fg.correlation.scores: neighbors is read by the metric 'jaccard' alone, which is not asked for",
      );
    if ((pools.x ?? pools.y) !== undefined && kind !== 'random-features')
      throw new TypeError(
        "fg.correlation.scores: pools are read by the null 'random-features' alone; ask for it by nulls: { kind }",
      );
    requireSaeOf(given.a, saeA, 'A');
    requireSaeOf(given.b, saeB, 'B');
    const n = given.pairs.r.length;
    if (n < LEAST_PAIRS)
      throw new RangeError(`fg.correlation.scores: the map has ${n} pair${n === 1 ? '' : 's'} (${given.method}); ${LEAST_PAIRS} are needed at least, and many more for a score that says something: restrict it less`); // prettier-ignore
  },
  run: ({ options, call, remember }, saeA, saeB, { pairs }): Promise<SimilarityScores> =>
    similarityScores(gatherRows(saeA.decoder, pairs.a), gatherRows(saeB.decoder, pairs.b), {
      ...scoreOptions(options, saeA, saeB),
      ...call,
      remember,
    }),
  split: {
    unit: 'null runs and half-samples',
    version: 3,
    inputs: (options, saeA, saeB, given) => ({
      ...{ a: matrixId(saeA.decoder), b: matrixId(saeB.decoder), map: given.id },
      // A filtered map has the id of the whole one.
      pairs: sha256([given.pairs.a, given.pairs.b]),
      ...(options.pools.x ? { poolX: matrixId(options.pools.x) } : {}),
      ...(options.pools.y ? { poolY: matrixId(options.pools.y) } : {}),
    }),
    pieces(options, saeA, saeB, { pairs }) {
      const n = pairs.a.length;
      const names = scoreRunNames(n, scoreOptions(options, saeA, saeB));
      return {
        pieces: names,
        work: { amount: names.length, unit: `runs of ${n} pairs` },
        memory:
          8 * n * 6 * (saeA.decoder.cols + saeB.decoder.cols) +
          (options.metrics?.includes('rsa') ? 16 * Math.min(n, 4096) ** 2 : 0),
        disk: 48 * names.length,
      };
    },
  },
  show: (found, _, _saeA, _saeB, given) => picture.similarityItems(found, given),
});

const sameToken = verb({
  doc: 'Are matched features called by the same tokens? Shares of pairs with a label token in common, with the same first one, and the mean Jaccard index, each beside a null; and `raw`, the share with a raw peak token in common, as published. Intervals are bootstraps over the pairs.',
  args: [mapArg],
  options: { ...SAME_TOKEN, baselines: mapBaselines, ...CLUSTER, ...CALL },
  beside: ({ options }, given) => forEach(baselineMaps(given, options.baselines), (map) => ({ args: [map] })),
  async run({ env, options, call, remember }, given) {
    const [labelsA, labelsB] = await labelsOf(env, given);
    return sameTokenScore(labelsA, labelsB, given.pairs, {
      ...nullsApart(only(SAME_TOKEN, options)),
      ...{ ...call, remember },
    });
  },
  split: {
    unit: 'null runs and intervals',
    version: 1,
    // A filtered map has the id of the whole one.
    inputs: (_, given) => ({ map: given.id, pairs: sha256([given.pairs.a, given.pairs.b]) }),
    pieces(options, { pairs, featuresA, featuresB }) {
      const names = sameTokenRunNames(nullsApart(only(SAME_TOKEN, options)));
      return {
        pieces: names,
        work: { amount: names.length, unit: `shuffles of ${pairs.a.length} pairs, and intervals over them` },
        // Labels of all features of both sides, and the tokens of each pair as numbers.
        memory: 1024 * (featuresA + featuresB) + 256 * pairs.a.length,
        disk: 96 * names.length,
      };
    },
  },
  show: (score) => picture.sameTokenItems(score),
});

const labels = verb({
  doc: 'What matched features do together: for each pair of the map, in its order, up to 5 words with their share of Σ a·b over the tokens, largest first, down to a tenth of the first; [] for a pair that never fires together. Two features of other labels can correlate by a word that neither is called by.',
  args: [mapArg],
  options: CALL,
  run: ({ call }, { a, b, pairs }): Promise<TokenShare[][]> => pairLabels(a, b, pairs, call),
  show: (found, _, given) => picture.pairLabelItems(found, given),
});

const hubsOf = verb({
  doc: 'Features that many pairs share, on both sides: one feature of A that is the best of many of B says little about any of them.',
  args: [mapArg],
  options: { least: whole({ doc: 'Pairs that make a hub.', min: 2, default: 2 }), ...CALL },
  run: ({ options }, { pairs }) => Promise.resolve(hubs(pairs, options.least)),
  show: async (found, { env }, given) => {
    const [a, b] = await labelsOf(env, given);
    return picture.hubItems(found, { A: a, B: b }, given);
  },
});

const associations = verb({
  doc: 'The matched pairs by every measure, in the order of the map: Pearson r and cosine of activations; tokens on which both fire; Jaccard index and phi of firing, and their mutual information in bits. One pass over both stores, float64.',
  args: [mapArg],
  options: CALL,
  async run({ call }, given) {
    const [a, b] = await sameRows(given.a, given.b, call);
    return pairAssociations(a, b, given.pairs, call);
  },
  show: (found, _, given) => picture.associationItems(found, given),
});

export const correlation = namespace({
  name: 'correlation',
  doc: 'Which feature of A is which of B, by how they fire over the same tokens, and how alike the two geometries are. docs/scores.md has every formula, what its null means, and how it fails.',
  example: `// Two dictionaries that share most of their features, and what they do on the same events
const base = await fg.synthetic.world({ features: 64, dim: 32, seed: 0 })
const twins = await fg.synthetic.twins(base, { shared: 0.7 })
const { a, b } = await fg.synthetic.twinActivations(twins, { samples: 2000 })
const map = await fg.correlation.map(a, b, { match: 'mutual' })
const kept = await map.restrict({ minFirings: 20, without: 'junk', minR: 0.5 })
await fg.correlation.associations(kept)
await fg.correlation.hubs(await fg.correlation.map(a, b, { by: 'phi' }))
// What A's features became in B, by activations: B has two for each of three of A's
const split = await fg.synthetic.twins(base, { shared: 1, splits: 3, dimB: 32 })
const acts = await fg.synthetic.twinActivations(split, { samples: 2000 })
await fg.correlation.splitting(split.a.dictionary, split.b.dictionary, { activations: { small: acts.a, large: acts.b } })
// Two seeds of one SAE: what comes back, whether one rotation joins them, and relations between words
const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 60, context: 32, samples: 60 })
const train = (seed) => fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 96, steps: 30, trainBatchSizeTokens: 256, seed })
const [saeA, saeB] = [await train(1), await train(2)]
await fg.correlation.stability([saeA, saeB], { least: 0.5, nulls: 9 })
const seeds = await fg.correlation.map(await fg.activations.save(lm, saeA, text), await fg.activations.save(lm, saeB, text))
const [sideA, sideB] = [{ sae: saeA, model: lm }, { sae: saeB, model: lm }]
await fg.correlation.transfer(sideA, sideB, seeds, { nulls: 9, sequences: 20 })
await fg.correlation.relations(sideA, sideB, seeds, { pairs: [['he', 'she'], ['boy', 'girl'], ['day', 'night']], nulls: 99 })`,
  verbs: {
    map,
    filter,
    hubs: hubsOf,
    scores,
    sameToken,
    labels,
    associations,
    grid,
    splitting,
    relations,
    transfer,
    stability,
    judge,
    judgements,
  },
});
