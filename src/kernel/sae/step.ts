/**
 * Loss and gradients of one training batch, by hand: what SAELens 6.18 computes with autograd. B rows x, f features.
 *
 *   mse      = 1/B Σ_b ‖x̂_b − x_b‖²                               (sum over dims, mean over tokens)
 *   standard = mse + λ/B Σ_b Σ_i f_bi ‖W_dec,i‖
 *   topk     = mse + the auxiliary loss of dead features           (auxK.ts)
 *
 * With rescaleActsByDecoderNorm, top-k selects by z·‖W_dec,i‖; decoding divides the norm out again, so it changes which
 * features are selected and nothing else: no gradient passes through the norms.
 */
import { gemm } from '../compute/gemm.js';
import { matrix } from '../compute/matrix.js';
import { columnMeans, rowNorms } from '../compute/rows.js';
import { addAuxLoss, gatherDead } from './auxK.js';
import { inPieces, type Block } from './block.js';
import { denseBackward, denseDecode } from './denseGradient.js';
import type { Parameters } from './parameters.js';
import { positiveEntries, rectify, scatterEntries, topKEntries } from './select.js';
import { byFeature, sparseBackward, sparseDecode, type RowEntries } from './sparseGradient.js';

export interface StepShape {
  architecture: 'standard' | 'topk';
  /** topk only. */
  k: number;
  applyBDecToInput: boolean;
  rescaleActsByDecoderNorm: boolean;
  auxLossCoefficient: number;
  auxIncludesBDec: boolean;
}

export interface StepInput {
  /** [B × d_in] */
  x: Float32Array;
  /** λ of this step; standard only. */
  l1Coefficient: number;
  /** [d_sae], 1 = dead: what the auxiliary loss of a topk SAE revives. */
  dead?: Uint8Array;
  /** Runs between pieces of work; throws to stop the step. */
  breakAt?: () => void;
}

export interface StepResult {
  /** All terms. */
  loss: number;
  mse: number;
  /** Σ_i f_i‖W_dec,i‖, mean over tokens, before λ; 0 for topk. */
  l1: number;
  /** The auxiliary term as it enters the loss. */
  aux: number;
  /** Mean number of firing features per token. */
  l0: number;
  /** 1 − SSE/SST about the batch mean; NaN when all rows are equal. */
  explainedVariance: number;
  /** [d_sae]: 1 where the feature fired in this batch. */
  fired: Uint8Array;
}

/** Floats of one block of pre-activations: 256 MB. */
const BLOCK_FLOATS = 1 << 26;
/** Multiply-adds of one piece of typed-array work: about 0.2 s. */
const PIECE_MACS = 1e8;
const DENSE_SHARE = 0.01;

/** Sums over the blocks of a batch. */
interface Totals {
  squaredError: number;
  aux: number;
  entries: number;
  /** [d_sae], Σ_b f. */
  featureSums: Float64Array;
  fired: Uint8Array;
}

/** Computes batches of one shape, reusing its scratch memory. */
export class TrainingStep {
  private readonly memory = new Map<string, Float32Array>();

  /** `denseShare`: share of firing entries above which matrix products beat sparse loops. */
  constructor(
    private readonly shape: StepShape,
    private readonly denseShare = DENSE_SHARE,
  ) {}

  /** Fills `g` with the gradients of the loss and returns its terms. */
  async run(p: Parameters, g: Parameters, input: StepInput): Promise<StepResult> {
    const { dIn, dSae } = p;
    const { x, l1Coefficient, breakAt } = input;
    const standard = this.shape.architecture === 'standard';
    const batch = x.length / dIn;
    const norms = standard || this.shape.rescaleActsByDecoderNorm ? rowNorms(matrix(dSae, dIn, p.W_dec)) : undefined;
    const totals: Totals = {
      squaredError: 0,
      aux: 0,
      entries: 0,
      featureSums: new Float64Array(dSae),
      fired: new Uint8Array(dSae),
    };
    g.flat.fill(0);
    const step = Math.max(1, Math.min(batch, Math.floor(BLOCK_FLOATS / dSae)));
    for (let first = 0; first < batch; first += step) {
      const block = this.block(p, x, first, Math.min(batch, first + step));
      await this.preActivations(p, block, standard ? undefined : norms, breakAt);
      await this.runBlock(p, g, block, norms, input, totals);
    }
    let l1 = 0;
    if (standard) l1 = penalizeDecoder(p, g, norms!, totals.featureSums, l1Coefficient / batch) / batch;
    if (this.shape.applyBDecToInput) subtractInputGradient(p, g);
    const mse = totals.squaredError / batch;
    const spread = squaresAboutMean(x, dIn);
    return {
      loss: mse + (standard ? l1Coefficient * l1 : totals.aux),
      mse,
      l1,
      aux: totals.aux,
      l0: totals.entries / batch,
      explainedVariance: spread > 0 ? 1 - totals.squaredError / spread : NaN,
      fired: totals.fired,
    };
  }

  private block(p: Parameters, x: Float32Array, first: number, last: number): Block {
    const rows = last - first;
    const part = x.subarray(first * p.dIn, last * p.dIn);
    let input = part;
    if (this.shape.applyBDecToInput) {
      input = this.scratch('input', part.length);
      for (let at = 0; at < part.length;) for (let j = 0; j < p.dIn; j++, at++) input[at] = part[at] - p.b_dec[j];
    }
    const z = this.scratch('z', rows * p.dSae);
    return { rows, batch: x.length / p.dIn, x: part, input, z, error: this.scratch('error', part.length) };
  }

  /** z = (input · W_enc + b_enc), times decoder norms when these are given. */
  private preActivations(
    p: Parameters,
    block: Block,
    norms: Float64Array | undefined,
    breakAt?: () => void,
  ): Promise<void> {
    const { dIn, dSae } = p;
    return inPieces(block.rows, 2 * dIn * dSae, breakAt, (first, last) => {
      const z = block.z.subarray(first * dSae, last * dSae);
      gemm(block.input.subarray(first * dIn, last * dIn), p.W_encT, last - first, dSae, dIn, { transB: true, out: z });
      for (let at = 0; at < z.length; at += dSae) {
        if (norms) for (let f = 0; f < dSae; f++) z[at + f] = (z[at + f] + p.b_enc[f]) * norms[f];
        else for (let f = 0; f < dSae; f++) z[at + f] += p.b_enc[f];
      }
    });
  }

  private async runBlock(
    p: Parameters,
    g: Parameters,
    block: Block,
    norms: Float64Array | undefined,
    { l1Coefficient, dead, breakAt }: StepInput,
    totals: Totals,
  ): Promise<void> {
    const topk = this.shape.architecture === 'topk';
    // Before the dense path overwrites z.
    const revive = topk && dead && this.shape.auxLossCoefficient > 0 ? gatherDead(block, p.dSae, dead) : undefined;
    const selectNorms = topk && this.shape.rescaleActsByDecoderNorm ? norms : undefined;
    let entries = topk ? topKEntries(block, p.dSae, this.shape.k, selectNorms) : undefined;
    const count = entries ? entries.indptr[block.rows] : rectify(block.z);
    const dense = count > this.denseShare * block.z.length;
    if (dense && entries) scatterEntries(entries, block.z, p.dSae);
    if (!dense) entries ??= positiveEntries(block, p.dSae, count);

    if (dense) await denseDecode(p, block, breakAt);
    else await this.sparseDecode(entries!, p, block, breakAt);
    totals.squaredError += subtractInPlace(block.error, block.x);
    totals.entries += count;
    if (entries) sumEntries(entries, totals);
    else sumDense(block, p.dSae, totals);
    if (revive) totals.aux += await addAuxLoss(p, g, block, revive, selectNorms, this.shape, breakAt);

    scaleAndSumColumns(block.error, 2 / block.batch, g.b_dec);
    const penalty = !topk && l1Coefficient > 0 ? norms!.map((n) => (l1Coefficient / block.batch) * n) : undefined;
    if (dense) return denseBackward(p, g, block, penalty, (name, length) => this.scratch(name, length), breakAt);
    const grouped = byFeature(entries!, p.dSae);
    const back = { gradient: block.error, input: block.input, penalty };
    const cost = (3 * p.dIn * (count + 1)) / p.dSae;
    await inPieces(
      p.dSae,
      cost,
      breakAt,
      (first, last) => sparseBackward(grouped, p, g, back, first, last),
      PIECE_MACS,
    );
  }

  private sparseDecode(entries: RowEntries, p: Parameters, block: Block, breakAt?: () => void): Promise<void> {
    const cost = (p.dIn * (entries.indptr[block.rows] + 1)) / block.rows;
    return inPieces(
      block.rows,
      cost,
      breakAt,
      (first, last) => sparseDecode(entries, p, block.error, first, last),
      PIECE_MACS,
    );
  }

  private scratch(name: string, length: number): Float32Array {
    let array = this.memory.get(name);
    if (!array || array.length < length) this.memory.set(name, (array = new Float32Array(length)));
    return array.length === length ? array : array.subarray(0, length);
  }
}

/** a −= b; returns Σ a² after it. */
function subtractInPlace(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const e = a[i] - b[i];
    a[i] = e;
    sum += e * e;
  }
  return sum;
}

function scaleAndSumColumns(m: Float32Array, scale: number, sums: Float32Array): void {
  const total = new Float64Array(sums.length);
  for (let at = 0; at < m.length;) {
    for (let j = 0; j < total.length; j++, at++) {
      m[at] *= scale;
      total[j] += m[at];
    }
  }
  for (let j = 0; j < total.length; j++) sums[j] += total[j];
}

function sumEntries({ rows, indptr, features, values }: RowEntries, totals: Totals): void {
  for (let e = 0; e < indptr[rows]; e++) {
    totals.featureSums[features[e]] += values[e];
    totals.fired[features[e]] = 1;
  }
}

function sumDense(block: Block, dSae: number, totals: Totals): void {
  for (let at = 0; at < block.z.length;) {
    for (let f = 0; f < dSae; f++, at++) {
      if (block.z[at] > 0) {
        totals.featureSums[f] += block.z[at];
        totals.fired[f] = 1;
      }
    }
  }
}

/** Adds the penalty's gradient on decoder rows, λ/B · Σ_b f · W/‖W‖ (0 for a zero row); returns Σ_b Σ_i f‖W_dec,i‖. */
function penalizeDecoder(
  p: Parameters,
  g: Parameters,
  norms: Float64Array,
  sums: Float64Array,
  weight: number,
): number {
  let total = 0;
  for (let f = 0; f < p.dSae; f++) {
    total += sums[f] * norms[f];
    if (sums[f] === 0 || norms[f] === 0 || weight === 0) continue;
    const factor = (weight * sums[f]) / norms[f];
    for (let j = f * p.dIn; j < (f + 1) * p.dIn; j++) g.W_dec[j] += factor * p.W_dec[j];
  }
  return total;
}

/** The encoder sees x − b_dec: its gradient reaches b_dec as −Σ_f db_enc · W_enc row. */
function subtractInputGradient(p: Parameters, g: Parameters): void {
  const sum = new Float64Array(p.dIn);
  for (let f = 0; f < p.dSae; f++) {
    const weight = g.b_enc[f];
    if (weight !== 0) for (let j = 0; j < p.dIn; j++) sum[j] += weight * p.W_encT[f * p.dIn + j];
  }
  for (let j = 0; j < p.dIn; j++) g.b_dec[j] -= sum[j];
}

/** Σ (x − column mean)². */
function squaresAboutMean(x: Float32Array, d: number): number {
  const mean = columnMeans(matrix(x.length / d, d, x));
  let sum = 0;
  for (let at = 0; at < x.length;) for (let j = 0; j < d; j++, at++) sum += (x[at] - mean[j]) ** 2;
  return sum;
}
