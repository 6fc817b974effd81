/**
 * Baselines that are not trained: directions in the place of an SAE's decoder rows, of the same norms, read by their own
 * transpose and as sparse as the SAE. What a map or a score shows of them, it shows of any directions.
 */
import type { JsonObject } from '../../protocol/notebook.js';
import { isJsonObject } from '../../protocol/objects.js';
import type { CallOptions } from '../compute/call.js';
import { gemm, transposed } from '../compute/gemm.js';
import { symmetricEigen } from '../compute/linalg.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { columnMeans, rowNorms } from '../compute/rows.js';
import { firstRows } from './bDecInit.js';
import { createSae } from './sae.js';
import type { ActivationSource } from './source.js';
import type { Sae } from './types.js';

export const DIRECTIONS = ['pca', 'random'] as const;
export type Directions = (typeof DIRECTIONS)[number];

/** Activations of which the mean and the principal directions are. */
const SAMPLE_ROWS = 16_384;

/**
 * An SAE whose decoder rows are directions: `random` ones, each with the norm of the same row of `sae`, or the principal
 * directions of the activations with both signs, by variance, with the largest norms first (at most 2 × width, and no
 * more than the SAE has). W_enc column = W_dec row / its squared norm: a feature alone gives the projection on it. Top-k
 * with the k of the SAE's L0; b_dec is the mean of the first 16,384 activations.
 */
export async function directionSae(
  kind: Directions,
  sae: Sae,
  source: ActivationSource,
  { l0, seed }: { l0: number; seed: number },
  call: CallOptions,
): Promise<Sae> {
  const x = await firstRows(source, SAMPLE_ROWS, call);
  const mean = columnMeans(x);
  const norms = rowNorms(sae.decoder);
  const W_dec =
    kind === 'random' ? randomRows(norms, source.width, seed) : principalRows(x, mean, [...norms].sort((a, b) => b - a)); // prettier-ignore
  const dSae = W_dec.rows;
  const encoder = W_dec.data.slice();
  rowNorms(W_dec).forEach((norm, f) => {
    for (let j = f * W_dec.cols; j < (f + 1) * W_dec.cols; j++) encoder[j] = norm > 0 ? encoder[j] / norm ** 2 : 0;
  });
  const { config } = sae;
  const training = isJsonObject(config.metadata.training) ? config.metadata.training : {};
  const { finalL0: _, finalExplainedVariance: __, ...given }: JsonObject = training;
  const k = Math.min(Math.max(1, Math.round(l0)), dSae);
  return createSae(
    {
      architecture: 'topk',
      dIn: source.width,
      dSae,
      k,
      rescaleActsByDecoderNorm: true,
      applyBDecToInput: true,
      normalizeActivations: 'none',
      hookName: config.hookName,
      modelName: config.modelName,
      ...(config.modelId === undefined ? {} : { modelId: config.modelId }),
      ...(config.contextSize === undefined ? {} : { contextSize: config.contextSize }),
      metadata: { training: { ...given, baseline: kind, finalL0: k } },
    },
    {
      W_enc: matrix(source.width, dSae, transposed(encoder, dSae, source.width)),
      b_enc: new Float32Array(dSae),
      W_dec,
      b_dec: Float32Array.from(mean),
    },
  );
}

/** Isotropic directions of these norms. */
function randomRows(norms: Float64Array, d: number, seed: number): Matrix {
  const random = new Random(seed).fork('random directions');
  return scaledTo(matrix(norms.length, d, random.normals(new Float32Array(norms.length * d))), norms);
}

function principalRows(x: Matrix, mean: Float64Array, norms: readonly number[]): Matrix {
  const d = x.cols;
  const centred = Float32Array.from(x.data, (v, at) => v - mean[at % d]);
  const gram = gemm(transposed(centred, x.rows, d), centred, d, d, x.rows);
  const { vectors } = symmetricEigen(Float64Array.from(gram), d);
  const pairs = Math.max(1, Math.min(d, Math.floor(norms.length / 2)));
  const rows = matrix(2 * pairs, d);
  for (let c = 0; c < pairs; c++)
    for (let j = 0; j < d; j++) {
      rows.data[2 * c * d + j] = vectors[j * d + c];
      rows.data[(2 * c + 1) * d + j] = -vectors[j * d + c];
    }
  return scaledTo(rows, norms);
}

/** Row f scaled to norm[f]; a row of an SAE that is 0 gives a row that is 0. */
function scaledTo(m: Matrix, norms: ArrayLike<number>): Matrix {
  rowNorms(m).forEach((norm, f) => {
    for (let j = f * m.cols; j < (f + 1) * m.cols; j++) m.data[j] *= norms[f] / norm;
  });
  return m;
}
