/**
 * Loss and gradients of one training batch, by hand: what SAELens 6.18 computes with autograd. B rows x, f features.
 *
 *   mse  = 1/B Σ_b ‖x̂_b − x_b‖²                               (sum over dims, mean over tokens)
 *   loss = mse + what the architecture adds                    (its file in architectures/)
 */
import { EntryMemory } from '../compute/entries/memory.js';
import { gemm } from '../compute/gemm.js';
import { matrix } from '../compute/matrix.js';
import { columnMeans } from '../compute/rows.js';
import type { TrainingRun } from './architectures/training.js';
import { inPieces, type Block, type BlockMemory } from './block.js';
import type { Parameters } from './parameters.js';
import { passTotals, runPass } from './pass.js';

export interface StepInput {
  /** [B × d_in] */
  x: Float32Array;
  /** [B × d_out]: what is to be predicted; default x. */
  target?: Float32Array;
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
/** Measured at d of 128 to 1,024 on two cores: 8 to 17 %. */
const DENSE_SHARE = 0.08;

/** Computes batches of one shape, reusing its scratch memory. */
export class TrainingStep {
  private readonly memory = new Map<string, Float32Array>();
  private blocks: { readonly rows: number; readonly memory: BlockMemory } | undefined;

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
  async run(p: Parameters, g: Parameters, { x, target = x, step, dead, breakAt }: StepInput): Promise<StepResult> {
    const { dIn, dOut, dSae } = p;
    const rows = x.length / dIn;
    g.flat.fill(0);
    const added = this.training.loss({ p, g, rows, step, dead, breakAt });
    const passes = [added, ...(added.further ?? [])];
    const totals = passes.map(({ widths }) => passTotals(dSae, widths?.length ?? 1));
    const blockRows = added.wholeBatch ? rows : Math.max(1, Math.min(rows, Math.floor(BLOCK_FLOATS / dSae)));
    for (let first = 0; first < rows; first += blockRows) {
      const last = Math.min(rows, first + blockRows);
      const block = this.block(
        p,
        x.subarray(first * dIn, last * dIn),
        target.subarray(first * dOut, last * dOut),
        rows,
      );
      await preActivations(p, block, added.scale, breakAt);
      const kept = passes.length > 1 ? this.scratch('z of later passes', block.z.length) : undefined;
      kept?.set(block.z);
      for (const [i, pass] of passes.entries()) {
        if (i > 0) block.z.set(kept!);
        const tools = { scratch: this.scratch, denseShare: this.denseShare, breakAt };
        await runPass(p, g, block, pass, totals[i], tools, i === 0 ? added.addBlock : undefined);
      }
    }
    const terms = added.terms(totals);
    if (this.shape.applyBDecToInput)
      for (const bias of new Set(passes.map((pass) => pass.bias ?? g.b_enc))) subtractInputGradient(p, g, bias);
    const squaredError = totals[0].squaredErrors.at(-1)!;
    const spread = squaresAboutMean(target, dOut);
    return {
      loss: squaredError / rows + terms.added,
      mse: squaredError / rows,
      l1: terms.l1 ?? 0,
      aux: terms.aux ?? 0,
      l0: totals[0].firing / rows,
      explainedVariance: spread > 0 ? 1 - squaredError / spread : NaN,
      fired: totals[0].fired,
    };
  }

  private block(p: Parameters, part: Float32Array, target: Float32Array, batch: number): Block {
    const rows = part.length / p.dIn;
    let input = part;
    if (this.shape.applyBDecToInput) {
      input = this.scratch('input', part.length);
      for (let at = 0; at < part.length;) for (let j = 0; j < p.dIn; j++, at++) input[at] = part[at] - p.b_dec[j];
    }
    const memory = this.memoryOf(p, rows);
    const z = memory.z.subarray(0, rows * p.dSae);
    return { rows, batch, x: target, input, z, memory, error: this.scratch('error', target.length) };
  }

  /** The memory of blocks of this many rows; the last block of a batch, of fewer, has that of those before it. */
  private memoryOf({ dIn, dOut, dSae }: Parameters, rows: number): BlockMemory {
    const room = this.blocks ? Math.max(rows, this.blocks.rows) : rows;
    const slots = { decoder: [dSae, dOut], gradient: [room, dOut], input: [room, dIn] } as const;
    const shape = { rows: room, cols: dSae, slots };
    if (!this.blocks?.memory.fits(shape)) this.blocks = { rows: room, memory: new EntryMemory(shape) };
    return this.blocks.memory;
  }

  private readonly scratch = (name: string, length: number): Float32Array => {
    let array = this.memory.get(name);
    if (!array || array.length < length) this.memory.set(name, (array = new Float32Array(length)));
    return array.length === length ? array : array.subarray(0, length);
  };
}

/** z = (input · W_enc + b_enc), times `scale` of the feature where it is given. */
function preActivations(
  { dIn, dSae, W_encT, b_enc }: Parameters,
  { rows, input, z, memory }: Block,
  scale: Float64Array | undefined,
  breakAt?: () => void,
): Promise<void> {
  return inPieces(rows, 2 * dIn * dSae, breakAt, (first, last) => {
    const out = z.subarray(first * dSae, last * dSae);
    gemm(input.subarray(first * dIn, last * dIn), W_encT, last - first, dSae, dIn, { transB: true, out });
    memory.shift(first, last, b_enc, scale);
  });
}

/** The encoder sees x − b_dec: its gradient reaches b_dec as −Σ_f Σ_b dL/dz · W_enc row. */
function subtractInputGradient(p: Parameters, g: Parameters, bias: Float32Array): void {
  const sum = new Float64Array(p.dIn);
  for (let f = 0; f < p.dSae; f++) {
    const weight = bias[f];
    if (weight !== 0) for (let j = 0; j < p.dIn; j++) sum[j] += weight * p.W_encT[f * p.dIn + j];
  }
  for (let j = 0; j < p.dIn; j++) g.b_dec[j] -= sum[j];
}

/** Σ (x − column mean)². */
export function squaresAboutMean(x: Float32Array, d: number): number {
  const mean = columnMeans(matrix(x.length / d, d, x));
  let sum = 0;
  for (let at = 0; at < x.length;) for (let j = 0; j < d; j++, at++) sum += (x[at] - mean[j]) ** 2;
  return sum;
}
