/** How every similarity score depends on the share of features that two models really share, beside its null. */
import { filled } from '../../verb/filled.js';
import { pushAll } from '../../../protocol/lists.js';
import type { CallOptions } from '../../compute/call.js';
import { Random } from '../../compute/random.js';
import { gatherRows } from '../../compute/rows.js';
import { correlate } from '../../correlation/map.js';
import type { Match } from '../../correlation/match.js';
import { similarityScores } from '../../correlation/scores.js';
import { METRICS } from '../../correlation/usual.js';
import type { SimilarityScore } from '../../correlation/types.js';
import { sampleActivations } from '../recovery/activations.js';
import { nulls as nullRuns } from '../../verb/common.js';
import type { NullsApart } from '../../verb/nulls.js';
import { choice, group, numbers, several, whole, type Given } from '../../verb/option.js';
import { relationsOf } from '../twins/truth.js';
import { createTwins, OTHER_TWINS, type Twins } from '../twins/twins.js';
import { MATCHERS } from './pipeline.js';
import type { World } from '../types.js';

/** Bumped when the same inputs give another response. */
export const RESPONSE_VERSION = 1;

export const RESPONSE = {
  fractions: numbers({ doc: 'Shared fractions.', min: 0, max: 1, usual: [0, 0.25, 0.5, 0.75, 1] }),
  metrics: several(METRICS, { doc: 'Similarity scores.', usual: METRICS, fallback: 'all' }),
  pairing: choice(['truth', ...MATCHERS], {
    doc: "Which rows are paired. 'truth': shared features with their counterparts, the others at random, so that n is the same for every fraction; else by correlating events and matching, as the pipeline does.",
    usual: 'truth',
  }),
  samples: whole({ doc: "Events correlated over where `pairing` is not 'truth'.", min: 1, usual: 10_000 }),
  nulls: nullRuns({ doc: 'Null runs of each score, whose rows are paired at random.', runs: 50, seed: 'the seed' }),
  seed: whole({ doc: 'Of the random pairing and of the events.', usual: 0 }),
  twins: group(OTHER_TWINS, { doc: 'What else the twins are made of; their shared fraction is what varies.' }),
};
export interface ResponseParameters extends NullsApart<Given<typeof RESPONSE>> {}

export interface ResponseRow extends SimilarityScore {
  /** Share of A's features that B has. */
  shared: number;
  /** Share of the paired rows that truly correspond. */
  truePairs: number;
}

export interface ScoreResponse {
  world: string;
  pairing: 'truth' | Match;
  rows: ResponseRow[];
}

/** True pairs as they are, the rest of either side paired at random; as many pairs as A has features. */
function truthPairs(twins: Twins, seed: number): { a: Int32Array; b: Int32Array } {
  const random = new Random(seed).fork('random partners');
  const { pairs, splits, absorptions } = twins.truth;
  const a = [...pairs.a];
  const b = [...pairs.b];
  for (const split of splits) {
    a.push(split.a);
    b.push(split.b[0]);
  }
  for (const { parent, child } of absorptions) {
    a.push(parent.a, child.a);
    b.push(parent.b, child.b);
  }
  const rest = (features: number, taken: number[]): number[] => {
    const has = new Set(taken);
    return Array.from({ length: features }, (_, f) => f).filter((f) => !has.has(f));
  };
  const restA = rest(twins.a.features, a);
  const restB = rest(twins.b.features, [...b, ...splits.map((s) => s.b[1])]);
  random.shuffle(restB);
  pushAll(a, restA);
  pushAll(b, restB.slice(0, restA.length));
  return { a: Int32Array.from(a), b: Int32Array.from(b) };
}

async function pairsOf(
  twins: Twins,
  options: ResponseParameters & CallOptions,
): Promise<{ a: Int32Array; b: Int32Array }> {
  const { pairing, samples, seed, signal, onProgress } = filled(RESPONSE, options);
  if (pairing === 'truth') return truthPairs(twins, seed);
  const stream = { samples, seed: seed + 1_000_003, events: twins.events.id, signal, onProgress };
  const a = await sampleActivations(twins.a, undefined, stream);
  const b = await sampleActivations(twins.b, undefined, stream);
  const { pairs } = await correlate(a, b, { match: pairing, counterparts: 1, minFirings: 10, signal, onProgress });
  return pairs;
}

/**
 * Twins over one base world at several shared fractions, and every score of the decoder rows of their pairs. A score
 * that is worth reading rises with the fraction and stays off its null; one that starts high, stays flat, or moves with
 * its null does not measure what is shared.
 */
export async function scoreResponse(
  world: World,
  options: ResponseParameters & CallOptions = {},
): Promise<ScoreResponse> {
  const { runs } = RESPONSE.nulls.members;
  const { fractions, metrics, pairing, nulls = runs.usual, seed } = filled(RESPONSE, options);
  const { signal, onProgress, nullSeed = seed } = options;
  const rows: ResponseRow[] = [];
  for (const shared of fractions) {
    const twins = await createTwins(world, { ...options.twins, shared });
    const pairs = await pairsOf(twins, options);
    const isTrue = trueShare(twins, pairs);
    const scores = await similarityScores(
      gatherRows(twins.a.dictionary, pairs.a),
      gatherRows(twins.b.dictionary, pairs.b),
      {
        metrics,
        nulls,
        seed: nullSeed,
        signal,
        onProgress,
      },
    );
    for (const score of scores) rows.push({ ...score, shared: twins.sharedFraction, truePairs: isTrue });
  }
  return { world: world.id, pairing, rows };
}

function trueShare(twins: Twins, pairs: { a: Int32Array; b: Int32Array }): number {
  const truth = relationsOf(twins.truth, twins.a.features, twins.b.features);
  let hits = 0;
  pairs.a.forEach((a, i) => void (truth.kind(a, pairs.b[i]) && hits++));
  return hits / pairs.a.length;
}
