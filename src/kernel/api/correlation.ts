/** fg.correlation: which feature of A is which of B, and how alike the two geometries are. */
import { gatherRows } from '../compute/rows.js';
import { requireSame } from '../artifacts/store.js';
import { featureLabels } from '../activations/labels.js';
import type { SparseActivations } from '../activations/types.js';
import { correlateArtifact } from '../correlation/artifact.js';
import type { CorrelateOptions } from '../correlation/map.js';
import { similarityScores, type ScoreOptions } from '../correlation/scores.js';
import { sameTokenScore, type SameTokenOptions, type SameTokenScore } from '../correlation/sameToken.js';
import type { PairedMap, SimilarityScore } from '../correlation/types.js';
import type { Sae } from '../sae/types.js';
import { defaultExamples } from '../activations/kept.js';
import type { Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { count, scoreTable, withDisplay, withSummary, type Displayed } from '../present/items.js';

export interface CorrelationMapOptions extends CorrelateOptions {
  /** Compute again even when the map is in the artifact folder. */
  fresh?: boolean;
}

/** Which feature of A is which of B, and how alike the two geometries are. */
export interface CorrelationApi {
  /**
   * Exact Pearson r (float64) of every feature of A with every feature of B over the tokens that both stores hold: the
   * best counterparts of each feature in both directions, and the matched pairs. The same call again loads the result.
   * Stores of other tokens are refused, naming both.
   */
  map(a: SparseActivations, b: SparseActivations, options?: CorrelationMapOptions): Promise<PairedMap>;
  /**
   * Similarity of the decoder rows of matched pairs, each score beside its null. Default metrics: SVCCA, CCA, RSA and
   * CKA, 100 null runs, seed 0. An SAE that the map was not made with is refused.
   */
  scores(map: PairedMap, saeA: Sae, saeB: Sae, options?: Partial<ScoreOptions>): Promise<Displayed<SimilarityScore[]>>;
  /** Do matched features peak on the same tokens? Shares of pairs, each beside a null of shuffled pairs. */
  sameToken(map: PairedMap, options?: SameTokenOptions): Promise<Displayed<SameTokenScore>>;
}

const MAP_OPTIONS: OptionNames<CorrelationMapOptions> = {
  counterparts: true,
  minFirings: true,
  match: true,
  minR: true,
  maxShareAtOnePosition: true,
  memoryBytes: true,
  fresh: true,
  ...CALL,
};
const SCORE_OPTIONS: OptionNames<ScoreOptions> = {
  metrics: true,
  nulls: true,
  seed: true,
  null: true,
  pools: true,
  neighbours: true,
  rsaRows: true,
  ...CALL,
};
const SAME_TOKEN_OPTIONS: OptionNames<SameTokenOptions> = { nulls: true, seed: true, ...CALL };

function requireSaeOf(activations: SparseActivations, sae: Sae, side: string): void {
  requireSame(
    `the map's side ${side} was made with another SAE`,
    { name: `activations of ${activations.meta.sae.name}`, id: activations.meta.sae.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  );
}

function describe(map: PairedMap): string {
  const { a, b, r } = map.pairs;
  const mean = r.length > 0 ? `, mean r ${(r.reduce((sum, x) => sum + x, 0) / r.length).toFixed(3)}` : '';
  return `A ${map.a.meta.sae.name} ↔ B ${map.b.meta.sae.name}: ${count(r.length)} pairs of ${count(new Set(a).size)} features of A and ${count(new Set(b).size)} of B${mean}, over ${count(map.tokens)} tokens (${map.method})`;
}

export function correlationApi(env: Environment): CorrelationApi {
  return {
    async map(a, b, options = {}) {
      requireGiven({ a, b });
      requireOptions('fg.correlation.map', options, MAP_OPTIONS);
      const { value, cached, record } = await env.call(options, (call) =>
        correlateArtifact(a, b, env.store, { ...options, ...call }),
      );
      env.tellCached('Correlation map', cached, record);
      const map = { ...value, a, b };
      return withSummary(map, () => describe(map));
    },
    async scores(map, saeA, saeB, options = {}) {
      requireGiven({ map, saeA, saeB });
      requireOptions<Partial<ScoreOptions>>('fg.correlation.scores', options, SCORE_OPTIONS);
      requireSaeOf(map.a, saeA, 'A');
      requireSaeOf(map.b, saeB, 'B');
      const scores = await env.call(options, (call) =>
        similarityScores(gatherRows(saeA.decoder, map.pairs.a), gatherRows(saeB.decoder, map.pairs.b), {
          metrics: ['svcca', 'cca', 'rsa', 'cka'],
          nulls: 100,
          seed: 0,
          ...options,
          ...call,
        }),
      );
      return withDisplay(scores, () =>
        scoreTable(scores, `Similarity of decoder rows, ${map.pairs.a.length} pairs (${map.method})`),
      );
    },
    async sameToken(map, options = {}) {
      requireGiven({ map });
      requireOptions('fg.correlation.sameToken', options, SAME_TOKEN_OPTIONS);
      const [a, b] = [await defaultExamples(env, map.a), await defaultExamples(env, map.b)];
      const score = await env.call(options, (call) =>
        sameTokenScore(featureLabels(a), featureLabels(b), map.pairs, { ...options, ...call }),
      );
      const { shared, jaccard, top, raw, pairs, excluded } = score;
      return withDisplay(score, () =>
        scoreTable(
          [shared, jaccard, top, raw],
          `Same-token score, ${pairs} pairs${excluded > 0 ? ` (${excluded} with a dead feature left out)` : ''}`,
        ),
      );
    },
  };
}
