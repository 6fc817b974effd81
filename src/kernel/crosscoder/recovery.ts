/** Crosscoders of twins against truth: which features are exclusive, and which only look so. */
import { filled } from '../verb/filled.js';
import { bestOfRows, cosines, unitRows } from '../compute/cosines.js';
import type { CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { relationsOf } from '../synthetic/twins/truth.js';
import type { Twins } from '../synthetic/twins/twins.js';
import type { CrosscoderEvaluation } from './evaluate.js';
import type { Crosscoder } from './types.js';
import { share } from '../synthetic/recovery/absorption.js';
import { nulls as nullRuns } from '../verb/common.js';
import type { NullsInline } from '../verb/nulls.js';
import type { Given } from '../verb/option.js';

/** Raised when the same inputs give another recovery. */
export const RECOVERY_VERSION = 1;

/** One way to call features exclusive, held against truth. */
export interface ExclusivesFound {
  /** 'decoder norms' or 'latent scaling'. */
  by: string;
  /** Features that it calls exclusive to a side and that hold a true feature of that side. */
  exclusive: number;
  /** Of these, features that hold a feature which both twins have. */
  falseExclusive: number;
  /** falseExclusive / exclusive; NaN when there is none. */
  rate: number;
  /** The mean rate when as many features are called exclusive at random, and p that so low a rate is chance. */
  null: { mean: number; runs: number; seed: number };
  p: number;
  /** True exclusive features that a feature called exclusive to their side holds / true exclusive features. */
  recovered: number;
}

export interface CrosscoderRecovery {
  crosscoder: { name: string; id: string };
  /** Features that fired and hold a true feature, of each side. */
  holding: number;
  /** Features that fired and hold none at minCosine. */
  unmatched: number;
  /** True features that both twins have, and those that each has alone. */
  sharedFeatures: number;
  exclusiveFeatures: { a: number; b: number };
  /** Shared pairs of which one feature holds both members and is not called exclusive / shared pairs. */
  sharedRecovered: number;
  found: ExclusivesFound[];
  minCosine: number;
}

export const RECOVERY = {
  minCosine: share(
    'A feature of the crosscoder holds the true feature of largest cosine when it is at least this.',
    0.7,
  ),
  nulls: nullRuns({ doc: 'Draws of as many features at random.', runs: 100, draws: 'Of the draws.' }),
};

/** What a feature of the crosscoder holds on a side: a true feature, or −1. */
interface Held {
  feature: Int32Array;
}

async function heldBy(crosscoder: Crosscoder, side: 0 | 1, twins: Twins, minCosine: number): Promise<Held> {
  const world = side === 0 ? twins.a : twins.b;
  const decoder = crosscoder.decoders[side];
  const { index, cosine } = bestOfRows(await cosines(unitRows(decoder, 'decoder'), world.dictionary), false);
  return { feature: index.map((f, i) => (cosine[i] >= minCosine ? f : -1)) };
}

/**
 * Holds what decoder norms and latent scaling call exclusive against the truth of twins. A feature that is exclusive to
 * a side holds the true feature of that side with the largest cosine, from minCosine (default 0.7) on.
 */
export async function crosscoderRecovery(
  crosscoder: Crosscoder,
  twins: Twins,
  evaluation: CrosscoderEvaluation,
  options: NullsInline<Given<typeof RECOVERY>> & CallOptions = {},
): Promise<CrosscoderRecovery> {
  const { minCosine, runs, seed } = filled({ ...RECOVERY, ...RECOVERY.nulls.members }, options);
  const truth = relationsOf(twins.truth, twins.a.features, twins.b.features);
  const inBoth = [new Uint8Array(twins.a.features), new Uint8Array(twins.b.features)];
  const pairs: Array<[a: number, b: number]> = [];
  for (const b of truth.findable) {
    inBoth[1][b] = 1;
    for (const a of truth.counterparts(b).keys()) {
      inBoth[0][a] = 1;
      pairs.push([a, b]);
    }
  }
  const held = [await heldBy(crosscoder, 0, twins, minCosine), await heldBy(crosscoder, 1, twins, minCosine)];
  const { home, homeAfter, firings } = evaluation;
  /** The true feature that a feature holds on the side where its decoder is longer. */
  const main = Array.from(home, (_, f) => {
    const side = crosscoder.shares.data[2 * f] >= 0.5 ? 0 : 1;
    return { side, feature: firings[f] > 0 ? held[side].feature[f] : -1 };
  });
  const holding = main.flatMap(({ feature }, f) => (feature >= 0 ? [f] : []));
  const both = (f: number): boolean => inBoth[main[f].side][main[f].feature] === 1;
  const alone = inBoth.map((list) => list.reduce((n, each) => n + 1 - each, 0));

  const judge = (by: string, homes: Int32Array): ExclusivesFound => {
    const called = holding.filter((f) => homes[f] >= 0);
    const falseExclusive = called.filter(both).length;
    const chance = Array.from({ length: runs }, (_, run) => {
      const order = Uint32Array.from(holding);
      new Random(seed).fork(by).fork(run).shuffle(order);
      return order.subarray(0, called.length).filter((f) => both(f)).length;
    });
    const right = new Set(called.filter((f) => !both(f)).map((f) => `${main[f].side} ${main[f].feature}`));
    return {
      by,
      exclusive: called.length,
      falseExclusive,
      rate: falseExclusive / called.length,
      null: { mean: chance.reduce((a, b) => a + b, 0) / runs / called.length, runs, seed },
      p: (chance.filter((n) => n <= falseExclusive).length + 1) / (runs + 1),
      recovered: right.size / (alone[0] + alone[1]),
    };
  };
  const joint = new Set(
    holding.filter((f) => homeAfter[f] === -1).map((f) => `${held[0].feature[f]} ${held[1].feature[f]}`),
  );
  return {
    crosscoder: { name: crosscoder.name, id: crosscoder.id },
    holding: holding.length,
    unmatched: main.filter(({ feature }, f) => firings[f] > 0 && feature < 0).length,
    sharedFeatures: pairs.length,
    exclusiveFeatures: { a: alone[0], b: alone[1] },
    sharedRecovered: pairs.filter(([a, b]) => joint.has(`${a} ${b}`)).length / pairs.length,
    found: [judge('decoder norms', home), judge('latent scaling', homeAfter)],
    minCosine,
  };
}
