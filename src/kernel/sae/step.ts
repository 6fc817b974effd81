/**
 * Loss and gradients of one training batch, by hand: what SAELens 6.18 computes with autograd. B rows x, f features.
 *
 *   mse  = 1/B Σ_b ‖x̂_b − x_b‖²                               (sum over dims, mean over tokens)
 *   loss = mse + what the architecture adds                    (its file in architectures/)
 */
import type { RowEntries, RowRule } from '../compute/entries/firing.js';
import { EntryMemory } from '../compute/entries/memory.js';
import { breathe } from '../compute/call.js';
import { gemm, unshared } from '../compute/gemm.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { NARROW, rowCuts } from '../compute/productCuts.js';
import { gatherValues } from '../compute/rows.js';
import type { TeamOptions } from '../compute/shared/phases.js';
import type { BatchLoss, Firing, Pass, TrainingRun } from './architectures/training.js';
import { largestOf } from './batchTopK.js';
import { PIECE_FLOPS, type Block, type BlockRows } from './block.js';
import type { Parameters } from './parameters.js';
import { densePass, passTotals, sparsePass, type PassTools, type PassTotals } from './pass.js';
import { PassWork, type PassRows } from './passWork.js';
import { firingBy, scatterEntries, touchedEntries } from './selectFiring.js';

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
/** Entries of a row that there is room for before any were counted. */
const FIRST_ROOM = 128;
/** Of the least value that fired in the batch before, the share above which those of the next are looked for. */
const LEAST_SHARE = 0.95;

export interface StepOptions {
  /** Share of firing entries above which matrix products beat sparse loops. */
  denseShare?: number;
  /** Who does the work. */
  team?: TeamOptions;
  /** Where an architecture makes products of its own, if not here. */
  device?: GraphDevice;
}

/** A batch on its way: its loss, and the sums of each of its passes. */
interface Run {
  readonly p: Parameters;
  readonly g: Parameters;
  readonly loss: BatchLoss;
  readonly passes: readonly Pass[];
  readonly totals: readonly PassTotals[];
  readonly batch: number;
  /** Σ (target − column mean)², computed when it is first asked for. */
  readonly spread: () => number;
  /** Whether the gradients of both matrices hold nothing yet. */
  fresh: boolean;
  readonly breakAt?: () => void;
}

/** Computes batches of one shape, reusing its scratch memory. */
export class TrainingStep {
  private readonly memory = new Map<string, Float32Array>();
  private held: EntryMemory | undefined;
  private readonly work: PassWork;
  private readonly denseShare: number;
  private readonly device: GraphDevice | undefined;
  /** Of the blocks before, for guesses that change no result: most entries of a row, the least value that fired. */
  private readonly before = { perRow: FIRST_ROOM, dense: false, least: 0 };

  /** @param shape `applyBDecToInput`: the encoder sees x − b_dec */
  constructor(
    private readonly training: TrainingRun,
    private readonly shape: { applyBDecToInput: boolean },
    { denseShare = DENSE_SHARE, team, device }: StepOptions = {},
  ) {
    this.denseShare = denseShare;
    this.device = device;
    this.work = new PassWork(team);
  }

  /** Fills `g` with the gradients of the loss and returns its terms. */
  async run(p: Parameters, g: Parameters, { x, target = x, step, dead, breakAt }: StepInput): Promise<StepResult> {
    const { dIn, dOut, dSae } = p;
    const rows = x.length / dIn;
    g.flat.fill(0, (dIn + dOut) * dSae);
    const loss = this.training.loss({ p, g, rows, step, dead, device: this.device, breakAt });
    const passes = [loss, ...(loss.further ?? [])];
    const totals = passes.map(({ widths }) => passTotals(dSae, widths?.length ?? 1));
    let squares: number | undefined;
    const spread = (): number => (squares ??= squaresAboutMean(target, dOut));
    const run: Run = { p, g, loss, passes, totals, batch: rows, spread, fresh: true, breakAt };
    if (loss.dead || loss.addBlock) clear(run);
    const blockRows = loss.wholeBatch ? rows : Math.max(1, Math.min(rows, Math.floor(BLOCK_FLOATS / dSae)));
    for (let first = 0; first < rows; first += blockRows) {
      const last = Math.min(rows, first + blockRows);
      const part = {
        rows: last - first,
        x: x.subarray(first * dIn, last * dIn),
        target: target.subarray(first * dOut, last * dOut),
      };
      if (!(await this.found(run, part))) await this.looked(run, part, blockRows);
      breakAt?.();
    }
    clear(run);
    const terms = loss.terms(totals);
    if (this.shape.applyBDecToInput)
      for (const bias of new Set(passes.map((pass) => pass.bias ?? g.b_enc))) subtractInputGradient(p, g, bias);
    const squaredError = totals[0].squaredErrors.at(-1)!;
    return {
      loss: squaredError / rows + terms.added,
      mse: squaredError / rows,
      l1: terms.l1 ?? 0,
      aux: terms.aux ?? 0,
      l0: totals[0].firing / rows,
      explainedVariance: spread() > 0 ? 1 - squaredError / spread() : NaN,
      fired: totals[0].fired,
    };
  }

  /** A block whose firing entries a rule says, where nothing else looks at pre-activations and few are expected. */
  private async found(run: Run, part: PassRows): Promise<boolean> {
    const { p, g, loss, totals, breakAt } = run;
    const { fires, scale, widths = [p.dSae], dead, addBlock, further } = loss;
    const rule = fires && this.ruleOfRows(fires);
    if (!rule || further || this.before.dense) return false;
    breakAt?.();
    const found = await this.work.find(p, part, {
      rule,
      scale,
      shift: this.shape.applyBDecToInput ? p.b_dec : undefined,
      prefixes: widths.length,
      room: fires.kind === 'batch' ? 2 * fires.count : Math.ceil(1.5 * this.before.perRow * part.rows),
      meanwhile: run.spread,
    });
    const entries = found && this.kept(fires, found, scale);
    if (!entries || entries.indptr[part.rows] > this.denseShare * part.rows * p.dSae) return false;
    this.remember(entries);
    const block = { rows: part.rows, batch: run.batch, x: part.target, input: this.work.input };
    dead?.see(columnsOf(p, block, dead.features, scale), block);
    await sparsePass(p, g, block, entries, loss, totals[0], this.tools(run, addBlock));
    run.fresh = false;
    return true;
  }

  /** The rule by which rows are looked through one by one. */
  private ruleOfRows(fires: NonNullable<Pass['fires']>): RowRule | undefined {
    if (fires.kind !== 'batch') return fires;
    return this.before.least > 0 ? { kind: 'above', bound: LEAST_SHARE * this.before.least } : undefined;
  }

  /** The entries that fire of those found; undefined where some may be missing. */
  private kept(
    fires: NonNullable<Pass['fires']>,
    found: RowEntries,
    scale: Float64Array | undefined,
  ): RowEntries | undefined {
    // prettier-ignore
    if (fires.kind !== 'batch') return found;
    if (found.indptr[found.rows] < fires.count) return undefined;
    const { entries, least } = largestOf(found, fires.count, scale);
    this.tell(fires, least);
    this.work.replace(entries);
    return entries;
  }

  private tell(fires: Pass['fires'], least: number | undefined): void {
    if (fires?.kind !== 'batch' || least === undefined) return;
    this.before.least = least;
    fires.tell(least);
  }

  private remember({ rows, indptr }: RowEntries): void {
    this.before.perRow = Math.max(this.before.perRow, indptr[rows] / rows);
  }

  /** A block whose pre-activations are kept, since passes look at them in their own ways or most of them count. */
  private async looked(run: Run, part: PassRows, blockRows: number): Promise<void> {
    const { p, g, loss, passes, totals, breakAt } = run;
    const block = this.block(p, part, run.batch, blockRows);
    if (!loss.ownProducts) await preActivations(p, block, loss.scale, breakAt);
    loss.dead?.see(gatherColumns(block, p.dSae, loss.dead.features), block);
    const kept = passes.length > 1 ? this.scratch('z of later passes', block.z.length) : undefined;
    kept?.set(block.z);
    for (const [i, pass] of passes.entries()) {
      if (i > 0) block.z.set(kept!);
      const { count, entries } = await this.firing(pass, block, loss.scale);
      const tools = this.tools(run, i === 0 ? loss.addBlock : undefined);
      const dense = count > this.denseShare * block.z.length;
      if (i === 0) this.before.dense = dense;
      if (dense) {
        if (entries) scatterEntries(entries, block.z, p.dSae);
        clear(run);
        await densePass(p, g, block, pass, totals[i], tools);
      } else {
        const sparse = entries ?? touchedEntries(block, count);
        this.remember(sparse);
        this.work.put(p, { rows: block.rows, x: block.input, target: block.x }, pass.widths?.length ?? 1, sparse);
        await sparsePass(p, g, block, sparse, pass, totals[i], tools);
        run.fresh = false;
      }
    }
  }

  private async firing(pass: Pass, block: Block, scale: Float64Array | undefined): Promise<Firing> {
    if (!pass.fires) return pass.select!(block);
    const firing = firingBy(pass.fires, block, scale);
    this.tell(pass.fires, firing.least);
    return firing;
  }

  private tools({ fresh, breakAt }: Run, atError?: PassTools['atError']): PassTools {
    return { scratch: this.scratch, work: this.work, fresh, breakAt, atError };
  }

  private block(p: Parameters, { rows, x, target }: PassRows, batch: number, blockRows: number): Block {
    let input = x;
    if (this.shape.applyBDecToInput) {
      input = this.scratch('input', x.length);
      for (let at = 0; at < x.length;) for (let j = 0; j < p.dIn; j++, at++) input[at] = x[at] - p.b_dec[j];
    }
    // The last block of a batch, of fewer rows, has the memory of those before it.
    if (!this.held || this.held.rows < blockRows || this.held.cols !== p.dSae) {
      this.held = undefined;
      this.held = new EntryMemory(blockRows, p.dSae);
    }
    const memory = this.held;
    return { rows, batch, x: target, input, z: memory.z.subarray(0, rows * p.dSae), memory };
  }

  private readonly scratch = (name: string, length: number): Float32Array => {
    let array = this.memory.get(name);
    if (!array || array.length < length) this.memory.set(name, (array = new Float32Array(length)));
    return array.length === length ? array : array.subarray(0, length);
  };
}

/** Zeros for what adds to the gradients of the matrices. */
function clear(run: Run): void {
  if (run.fresh) run.g.flat.fill(0, 0, (run.p.dIn + run.p.dOut) * run.p.dSae);
  run.fresh = false;
}

/** z = (input · W_enc + b_enc), times `scale` of the feature where it is given. */
async function preActivations(
  { dIn, dSae, W_encT, b_enc }: Parameters,
  { rows, input, z, memory }: Block,
  scale: Float64Array | undefined,
  breakAt?: () => void,
): Promise<void> {
  const encoder = unshared(W_encT);
  let first = 0;
  for (const last of rowCuts(rows, Math.ceil(PIECE_FLOPS / (2 * dIn * dSae)))) {
    if (first > 0) {
      await breathe();
      breakAt?.();
    }
    const out = z.subarray(first * dSae, last * dSae);
    gemm(input.subarray(first * dIn, last * dIn), encoder, last - first, dSae, dIn, { transB: true, out });
    memory.shift(first, last, b_enc, scale);
    first = last;
  }
}

/** Pre-activations of some features alone [rows × features], with the bits that preActivations gives. */
function columnsOf(
  { dIn, W_encT, b_enc }: Parameters,
  { rows, input }: BlockRows,
  features: Int32Array,
  scale: Float64Array | undefined,
): Float32Array {
  const count = features.length;
  // Results with few columns are summed in another order.
  const width = Math.max(count, NARROW + 1);
  const encoder = new Float32Array(width * dIn);
  encoder.set(gatherValues(W_encT, dIn, features));
  const wide = gemm(input, encoder, rows, width, dIn, { transB: true });
  const z = width === count ? wide : new Float32Array(rows * count);
  for (let i = 0; i < rows; i++)
    for (let c = 0; c < count; c++) {
      const sum = Math.fround(wide[i * width + c] + b_enc[features[c]]);
      z[i * count + c] = scale ? sum * Math.fround(scale[features[c]]) : sum;
    }
  return z;
}

/** The same out of block.z. */
function gatherColumns({ rows, z }: Block, dSae: number, features: Int32Array): Float32Array {
  const count = features.length;
  const columns = new Float32Array(rows * count);
  for (let i = 0; i < rows; i++) for (let c = 0; c < count; c++) columns[i * count + c] = z[i * dSae + features[c]];
  return columns;
}

/** The encoder sees x − b_dec: its gradient reaches b_dec as −Σ_f Σ_b dL/dz · W_enc row. */
function subtractInputGradient(p: Parameters, g: Parameters, bias: Float32Array): void {
  const { dIn, dSae, W_encT } = p;
  const sum = new Float64Array(dIn);
  for (let f = 0; f < dSae; f++) {
    const weight = bias[f];
    if (weight !== 0) for (let j = 0, at = f * dIn; j < dIn; j++, at++) sum[j] += weight * W_encT[at];
  }
  for (let j = 0; j < dIn; j++) g.b_dec[j] -= sum[j];
}

/**
 * Σ (x − column mean)², as that of the differences to the first row less what their means make: at most as many digits are
 * lost as the number of rows has, and equal rows give 0.
 */
export function squaresAboutMean(x: Float32Array, d: number): number {
  const origin = Float64Array.from(x.subarray(0, d));
  const sums = new Float64Array(d);
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let at = 0;
  // Four sums at a time, so that none waits for the one before.
  for (; at + 4 * d <= x.length; at += 4 * d) {
    const [p, q, r] = [at + d, at + 2 * d, at + 3 * d];
    for (let j = 0; j < d; j++) {
      const c = origin[j];
      const e0 = x[at + j] - c;
      const e1 = x[p + j] - c;
      const e2 = x[q + j] - c;
      const e3 = x[r + j] - c;
      s0 += e0 * e0;
      s1 += e1 * e1;
      s2 += e2 * e2;
      s3 += e3 * e3;
      sums[j] += e0 + e1 + (e2 + e3);
    }
  }
  for (; at < x.length; at += d)
    for (let j = 0; j < d; j++) {
      const e = x[at + j] - origin[j];
      s0 += e * e;
      sums[j] += e;
    }
  const rows = x.length / d;
  return sums.reduce((left, sum) => left - (sum * sum) / rows, s0 + s1 + s2 + s3);
}
