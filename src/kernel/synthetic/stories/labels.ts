/**
 * Is interpretation by dataset examples right? The concept that a feature's top examples name, against what it detects.
 */
import { filled } from '../../verb/filled.js';
import type { FeatureExample } from '../../../protocol/bundle.js';
import { Random } from '../../compute/random.js';
import { besideNull } from '../../correlation/nulls.js';
import type { SimilarityScore } from '../../correlation/types.js';
import type { TokenSet } from '../../models/types.js';
import { nulls as nullRuns } from '../../verb/common.js';
import type { NullsApart, Renamed } from '../../verb/nulls.js';
import { real, whole, type Given } from '../../verb/option.js';
import type { ConceptScores } from './concepts.js';

export const LABELS = {
  minF1: real({ doc: 'A feature has a concept when its best F1 is at least this.', above: 0, max: 1, usual: 0.3 }),
  top: whole({ doc: 'Top examples that vote.', min: 1, usual: 5 }),
  nulls: nullRuns({ doc: 'Labels shuffled among features.', runs: 100 }),
};
export interface LabelParameters extends NullsApart<Renamed<Given<typeof LABELS>, { top: 'examples' }>> {}

export interface LabelScores {
  /** Index into names by feature: what the peak tokens of its top examples name, −1 = no concept or no examples. */
  named: Int32Array;
  /** Share of the top examples' peaks that carry that concept. */
  agreement: Float32Array;
  /** Features with examples and enough firings; those that have a concept (minF1), and those that have none. */
  features: number;
  withConcept: number;
  without: number;
  /** Of features without a concept: share whose label names one. */
  falseNames: number;
  /** Of features whose label names a concept: share of their top examples with it, and of all their firings. */
  peakPurity: number;
  firingPurity: number;
  /** Share of features with a concept whose label names it, beside shuffled labels. */
  score: SimilarityScore;
}

/** What the peaks of a feature's examples name: the most frequent concept, ties to the stronger example. */
function vote(peaks: readonly number[]): { concept: number; share: number } {
  const counts = new Map<number, number>();
  for (const c of peaks) counts.set(c, (counts.get(c) ?? 0) + 1);
  let concept = -1;
  let most = 0;
  for (const [c, n] of counts) if (n > most) [concept, most] = [c, n];
  return { concept, share: peaks.length > 0 ? most / peaks.length : 0 };
}

/**
 * Labels by dataset examples against truth. `examples` by feature id, best first, of the same tokens (topExamples).
 */
export function labelScores(
  scores: ConceptScores,
  tokens: TokenSet,
  examples: ReadonlyArray<readonly FeatureExample[]>,
  options: LabelParameters = {},
): LabelScores {
  const { runs, seed: from } = LABELS.nulls.members;
  const schema = { minF1: LABELS.minF1, examples: LABELS.top, nulls: runs, seed: from };
  const { minF1, examples: count, nulls, seed } = filled(schema, options);
  const index = new Map(Array.from(scores.ids, (id, i) => [id, i] as const));
  const { ofFeature, parameters } = scores;
  if (examples.length !== ofFeature.f1.length)
    throw new RangeError(`examples of ${examples.length} features but scores of ${ofFeature.f1.length}`);
  const ids = tokens.concepts!.ids;
  const votes = examples.map((list) =>
    vote(list.slice(0, count).map((e) => index.get(ids[e.sequence * tokens.context + e.position]) ?? -1)),
  );
  const named = Int32Array.from(votes, (v) => v.concept);
  const taking = Array.from(named.keys()).filter(
    (f) => examples[f].length > 0 && ofFeature.firings[f] >= parameters.minFirings,
  );
  const having = taking.filter((f) => ofFeature.f1[f] >= minF1);
  const lacking = taking.filter((f) => ofFeature.f1[f] < minF1);
  const naming = taking.filter((f) => named[f] >= 0);
  const right = (labels: readonly number[]): number =>
    having.filter((f, i) => labels[i] === ofFeature.concept[f]).length / having.length;
  const random = new Random(seed).fork('shuffled labels');
  const labels = taking.map((f) => named[f]);
  const nullValues = Array.from({ length: nulls }, () => {
    const order = random.permutation(labels.length);
    return right(having.map((_, i) => labels[order[i]]));
  });
  const share = (of: readonly number[], value: (f: number) => number): number =>
    of.reduce((sum, f) => sum + value(f), 0) / of.length;
  return {
    named,
    agreement: Float32Array.from(votes, (v) => v.share),
    features: taking.length,
    withConcept: having.length,
    without: lacking.length,
    falseNames: share(lacking, (f) => (named[f] >= 0 ? 1 : 0)),
    peakPurity: share(naming, (f) => votes[f].share),
    firingPurity: share(
      naming,
      (f) => scores.coFirings[f * (scores.names.length + 1) + named[f]] / ofFeature.firings[f],
    ),
    score: besideNull(right(having.map((f) => named[f])), nullValues, {
      metric: 'labels that name the concept',
      variant: `most frequent concept of the top ${count} examples' peaks; features of best F1 ≥ ${minF1}`,
      n: having.length,
      seed,
      kind: 'labels shuffled among features',
    }),
  };
}
