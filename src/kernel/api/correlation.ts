/** fg.correlation: which feature of A is which of B, and how alike the two geometries are. */
import type { CallOptions } from '../compute/call.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { requireSame } from '../artifacts/store.js';
import { featureLabels } from '../activations/labels.js';
import type { SparseActivations } from '../activations/types.js';
import { correlateArtifact } from '../correlation/artifact.js';
import type { CorrelateOptions } from '../correlation/map.js';
import { similarityScores, type ScoreOptions } from '../correlation/scores.js';
import { sameTokenScore, type SameTokenScore } from '../correlation/sameToken.js';
import type { FeatureMap, SimilarityScore } from '../correlation/types.js';
import type { Sae } from '../sae/types.js';
import { defaultExamples } from './activations.js';
import type { Environment } from './environment.js';
import { scoreTable, withDisplay, type Displayed } from './present.js';

/** A map that knows the activations it was made from. */
export interface PairedMap extends FeatureMap {
  readonly a: SparseActivations;
  readonly b: SparseActivations;
}

export interface CorrelationApi {
  /** Exact Pearson r over the tokens both stores hold; the same call again loads the result. */
  map(a: SparseActivations, b: SparseActivations, options?: CorrelateOptions & { fresh?: boolean }): Promise<PairedMap>;
  /** Similarity of the decoder rows of matched pairs, each score beside its null. */
  scores(map: PairedMap, saeA: Sae, saeB: Sae, options?: Partial<ScoreOptions>): Promise<Displayed<SimilarityScore[]>>;
  /** Do matched features peak on the same tokens? Beside a shuffled-pair null. */
  sameToken(map: PairedMap, options?: { nulls?: number; seed?: number } & CallOptions): Promise<SameTokenScore>;
}

/** Rows of m in the order of ids. */
function gather(m: Matrix, ids: Int32Array): Matrix {
  const data = new Float32Array(ids.length * m.cols);
  ids.forEach((id, i) => data.set(row(m, id), i * m.cols));
  return matrix(ids.length, m.cols, data);
}

function requireSaeOf(activations: SparseActivations, sae: Sae, side: string): void {
  requireSame(
    `the map's side ${side} was made with another SAE`,
    { name: `activations of ${activations.meta.sae.name}`, id: activations.meta.sae.id },
    { name: `SAE ${sae.name}`, id: sae.id },
  );
}

export function correlationApi(env: Environment): CorrelationApi {
  return {
    async map(a, b, options = {}) {
      const { value, cached, record } = await env.call(options, (call) =>
        correlateArtifact(a, b, env.store, { ...options, ...call }),
      );
      env.tellCached('Correlation map', cached, record);
      return { ...value, a, b };
    },
    async scores(map, saeA, saeB, options = {}) {
      requireSaeOf(map.a, saeA, 'A');
      requireSaeOf(map.b, saeB, 'B');
      const scores = await env.call(options, (call) =>
        similarityScores(gather(saeA.decoder, map.pairs.a), gather(saeB.decoder, map.pairs.b), {
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
      const [a, b] = [await defaultExamples(env, map.a), await defaultExamples(env, map.b)];
      return env.call(options, (call) =>
        sameTokenScore(featureLabels(a), featureLabels(b), map.pairs, { nulls: 100, seed: 0, ...options, ...call }),
      );
    },
  };
}
