/** fg.correlation: which feature of A is which of B, and how alike the two geometries are. */
import { defaultExamples } from '../activations/kept.js';
import { featureLabels } from '../activations/labels.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import { gatherRows } from '../compute/rows.js';
import * as picture from '../present/correlation.js';
import type { Sae } from '../sae/types.js';
import { CALL, KEPT, nulls, nullsOf, rowsOption, thing } from '../verb/common.js';
import type { Environment } from '../verb/environment.js';
import { namespace } from '../verb/namespace.js';
import { group, membersGiven, only, value, whole, type Given } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { correlateArtifact } from './artifact.js';
import { filterMap, FILTERS } from './filters.js';
import { CORRELATE, CORRELATE_MEMORY } from './options.js';
import { sameTokenScore } from './sameToken.js';
import { METRICS, similarityScores, type MetricName, type ScoreOptions } from './scores.js';
import type { PairedMap } from './types.js';

const storeArg = (name: string) => thing<SparseActivations>(name, 'What fg.activations.save returned.');
const mapArg = thing<PairedMap>('map', 'What fg.correlation.map returned.');
const saeArg = (name: string, side: string) => thing<Sae>(name, `The SAE of side ${side} of the map.`);

const map = verb({
  doc: "Exact Pearson r (float64) of every feature of A with every feature of B over the tokens that both stores hold and neither ignores: the best counterparts of each feature in both directions, and the matched pairs. Dead, constant and rarely firing features have no counterpart (-1, NaN). The same call again loads the result, an artifact of kind 'correlation'.",
  args: [storeArg('a'), storeArg('b')],
  options: { ...CORRELATE, ...CORRELATE_MEMORY, ...KEPT },
  errors: ['Stores of other tokens are refused, naming both.'],
  async run({ env, options, call }, a, b) {
    const { value, cached, record } = await correlateArtifact(a, b, env.store, { ...options, ...call });
    env.tellCached('Correlation map', cached, record);
    return { ...value, a, b } as PairedMap;
  },
  show: (made) => picture.mapItems(made),
});

/** Peak tokens of the features of both sides. */
async function labelsOf(env: Environment, { a, b }: PairedMap): Promise<[string[][], string[][]]> {
  return [featureLabels(await defaultExamples(env, a)), featureLabels(await defaultExamples(env, b))];
}

const filter = verb({
  doc: 'The same map with fewer matched pairs: those of a least r, without tokens that carry no concept, of words alone, with a peak token in common. Filters that are given are applied in the order of the options, and the pairs and their mean r after each are shown. What takes a map takes the result.',
  args: [mapArg],
  options: { ...FILTERS, ...CALL },
  errors: ['A call without any filter is refused.'],
  check(options) {
    if (Object.keys(only(FILTERS, options)).length === 0)
      throw new TypeError(`fg.correlation.filter: no filter is given; give one of ${Object.keys(FILTERS).join(', ')}`);
  },
  run: async ({ env, options }, given) => filterMap(given, ...(await labelsOf(env, given)), only(FILTERS, options)),
  show: (left) => picture.filteredItems(left),
});

const SCORES = {
  metrics: value<readonly MetricName[]>(
    `an array of some of ${METRICS.map((name) => `'${name}'`).join(', ')}`,
    { doc: 'Which scores, in this order.', fallback: "['svcca', 'cca', 'rsa', 'cka']" },
    (v) => Array.isArray(v) && v.length > 0 && v.every((name) => METRICS.includes(name as MetricName)),
  ),
  nulls: nullsOf(['shuffle', 'random-features'], {
    doc: "Null runs beside each score: 'shuffle', the same rows paired at random; 'random-features', as many random rows of `pools` on each side.",
    runs: 100,
    draws: "Draws the null, and RSA's rows.",
  }),
  pools: group(
    { x: rowsOption({ doc: 'Of side A.' }), y: rowsOption({ doc: 'Of side B.' }) },
    { doc: "Rows that the null 'random-features' draws from.", fallback: 'the two decoders' },
  ),
  neighbors: whole({ doc: "Neighbours for 'jaccard'.", min: 1, fallback: '10' }),
  rsaRows: whole({ doc: 'RSA samples this many pairs when there are more.', min: 3, max: 4096, fallback: '4,096' }),
};

/** The room's options of what a cell gave. */
function scoreOptions(given: Given<typeof SCORES>, saeA: Sae, saeB: Sae): ScoreOptions {
  const { metrics = ['svcca', 'cca', 'rsa', 'cka'], neighbors, pools, rsaRows } = given;
  const { kind, runs, seed } = membersGiven(given.nulls, 'runs');
  const { x = saeA.decoder, y = saeB.decoder } = (pools ?? {}) as Partial<NonNullable<ScoreOptions['pools']>>;
  const drawn = kind === 'random-features' ? { pools: { x, y } } : {};
  return { metrics, nulls: runs, seed, null: kind, neighbours: neighbors, rsaRows, ...drawn };
}

function requireSaeOf({ meta: { sae: own } }: SparseActivations, sae: Sae, side: string): void {
  requireSame(
    `the map's side ${side} was made with another SAE`,
    { name: `activations of ${own.name}`, id: own.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  );
}

const scores = verb({
  doc: 'Similarity of the decoder rows of matched pairs, each score beside its null: the variant computed, the number of pairs, and p = (k + 1)/(R + 1).',
  args: [saeArg('saeA', 'A'), saeArg('saeB', 'B'), mapArg],
  options: { ...SCORES, ...CALL },
  errors: [
    'An SAE that the map was not made with is refused.',
    "`neighbors` without the metric 'jaccard', and `pools` without the null 'random-features', are refused.",
  ],
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
  },
  run: ({ options, call }, saeA, saeB, { pairs }) =>
    similarityScores(gatherRows(saeA.decoder, pairs.a), gatherRows(saeB.decoder, pairs.b), {
      ...scoreOptions(options, saeA, saeB),
      ...call,
    }),
  show: (found, _, _saeA, _saeB, given) => picture.similarityItems(found, given),
});

const sameToken = verb({
  doc: 'Do matched features peak on the same tokens? Shares of pairs with a peak token in common, with the same first one, and the mean Jaccard index, each beside a null.',
  args: [mapArg],
  options: {
    nulls: nulls({ doc: 'Runs with the pairs shuffled.', runs: 100, draws: 'Draws the shuffles.' }),
    ...CALL,
  },
  async run({ env, options, call }, given) {
    const [labelsA, labelsB] = await labelsOf(env, given);
    const { runs, seed } = membersGiven(options.nulls, 'runs');
    return sameTokenScore(labelsA, labelsB, given.pairs, { nulls: runs, seed, ...call });
  },
  show: (score) => picture.sameTokenItems(score),
});

export const correlation = namespace({
  name: 'correlation',
  doc: 'Which feature of A is which of B, by how they fire over the same tokens, and how alike the two geometries are.',
  example: `// Two dictionaries that share most of their features, and what they do on the same events
const base = await fg.synthetic.world({ features: 64, dim: 32, seed: 0 })
const twins = await fg.synthetic.twins(base, { shared: 0.7 })
const { a, b } = await fg.synthetic.twinActivations(twins, { samples: 2000 })
const map = await fg.correlation.map(a, b, { match: 'mutual' })
await fg.correlation.filter(map, { minR: 0.5 })`,
  verbs: { map, filter, scores, sameToken },
});
