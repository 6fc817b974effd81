/**
 * Loss and gradients of one training batch, by hand: what SAELens 6.18 computes with autograd. B rows x, f features.
 *
 *   mse  = 1/B Σ_b ‖x̂_b − x_b‖²                               (sum over dims, mean over tokens)
 *   loss = mse + what the architecture adds                    (its file in architectures/)
 */
import { gemm } from '../compute/gemm.js';
import { matrix } from '../compute/matrix.js';
import { columnMeans } from '../compute/rows.js';
import type { BatchLoss, TrainingRun } from './architectures/training.js';
import { inPieces, type Block } from './block.js';
import { denseBackward, denseDecode } from './denseGradient.js';
import type { Parameters } from './parameters.js';
import { positiveEntries, scatterEntries } from './selectFiring.js';
import { byFeature, sparseBackward, sparseDecode, type RowEntries } from './sparseGradient.js';

export interface StepInput {
  /** [B × d_in] */
  x: Float32Array;
  /** 0-based: coefficients may change with it. */
  step: number;
  /** [d_sae], 1 = dead; undefined while there is none yet. */
  dead?: Uint8Array;
  /** Runs between pieces of work; throws to stop the step. */
  breakAt?: () => void;
}

export interface StepResult {
  /** All terms. */
  loss: number;
  mse: number;
  /** The sparsity penalty, such as Σ_i f_i‖W_dec,i‖, mean over tokens, before its coefficient; 0 where there is none. */
  l1: number;
  /** The auxiliary term as it enters the loss; 0 where there is none. */
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
  entries: number;
  /** [d_sae], Σ_b f. */
  features: Float64Array;
  fired: Uint8Array;
}

/** Computes batches of one shape, reusing its scratch memory. */
export class TrainingStep {
  private readonly memory = new Map<string, Float32Array>();

  /**
   * @param shape `applyBDecToInput`: the encoder sees x − b_dec
   * @param denseShare share of firing entries above which matrix products beat sparse loops
   */
  constructor(
    private readonly training: TrainingRun,
    private readonly shape: { applyBDecToInput: boolean },
    private readonly denseShare = DENSE_SHARE,
  ) {}

  /** Fills `g` with the gradients of the loss and returns its terms. */
  async run(p: Parameters, g: Parameters, { x, step, dead, breakAt }: StepInput): Promise<StepResult> {
    const { dIn, dSae } = p;
    const rows = x.length / dIn;
    const added = this.training.loss({ p, g, rows, step, dead, breakAt });
    const totals: Totals = {
      squaredError: 0,
      entries: 0,
      features: new Float64Array(dSae),
      fired: new Uint8Array(dSae),
    };
    g.flat.fill(0);
    const blockRows = Math.max(1, Math.min(rows, Math.floor(BLOCK_FLOATS / dSae)));
    for (let first = 0; first < rows; first += blockRows) {
      const block = this.block(p, x, first, Math.min(rows, first + blockRows));
      await this.preActivations(p, block, added.scale, breakAt);
      await this.runBlock(p, g, block, added, totals, breakAt);
    }
    const terms = added.terms(totals);
    if (this.shape.applyBDecToInput) subtractInputGradient(p, g);
    const mse = totals.squaredError / rows;
    const spread = squaresAboutMean(x, dIn);
    return {
      loss: mse + terms.added,
      mse,
      l1: terms.l1 ?? 0,
      aux: terms.aux ?? 0,
      l0: totals.entries / rows,
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

  /** z = (input · W_enc + b_enc), times `scale` of the feature where it is given. */
  private preActivations(
    p: Parameters,
    block: Block,
    scale: Float64Array | undefined,
    breakAt?: () => void,
  ): Promise<void> {
    const { dIn, dSae } = p;
    return inPieces(block.rows, 2 * dIn * dSae, breakAt, (first, last) => {
      const z = block.z.subarray(first * dSae, last * dSae);
      gemm(block.input.subarray(first * dIn, last * dIn), p.W_encT, last - first, dSae, dIn, { transB: true, out: z });
      for (let at = 0; at < z.length; at += dSae) {
        if (scale) for (let f = 0; f < dSae; f++) z[at + f] = (z[at + f] + p.b_enc[f]) * scale[f];
        else for (let f = 0; f < dSae; f++) z[at + f] += p.b_enc[f];
      }
    });
  }

  private async runBlock(
    p: Parameters,
    g: Parameters,
    block: Block,
    added: BatchLoss,
    totals: Totals,
    breakAt?: () => void,
  ): Promise<void> {
    const firing = added.select(block);
    const { count } = firing;
    let { entries } = firing;
    const dense = count > this.denseShare * block.z.length;
    if (dense && entries) scatterEntries(entries, block.z, p.dSae);
    if (!dense) entries ??= positiveEntries(block, p.dSae, count);

    if (dense) await denseDecode(p, block, breakAt);
    else await this.sparseDecode(entries!, p, block, breakAt);
    totals.squaredError += subtractInPlace(block.error, block.x);
    totals.entries += count;
    if (entries) sumEntries(entries, totals);
    else sumDense(block, p.dSae, totals);
    await added.addBlock?.(block);

    scaleAndSumColumns(block.error, 2 / block.batch, g.b_dec);
    const { penalty } = added;
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
    totals.features[features[e]] += values[e];
    totals.fired[features[e]] = 1;
  }
}

function sumDense(block: Block, dSae: number, totals: Totals): void {
  for (let at = 0; at < block.z.length;) {
    for (let f = 0; f < dSae; f++, at++) {
      if (block.z[at] > 0) {
        totals.features[f] += block.z[at];
        totals.fired[f] = 1;
      }
    }
  }
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
