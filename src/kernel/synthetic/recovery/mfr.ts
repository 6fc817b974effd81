/**
 * Mutual feature regularization (Marks et al., arXiv 2411.01220): SAEs that train side by side on the same data and are
 * pulled towards each other's features, on the hypothesis that features which several SAEs find are real.
 *
 *   x̂ᵢ = Σ_{j ∈ top-k} ReLU(eᵢⱼ · x) êᵢⱼ          tied: decoder row êᵢⱼ = eᵢⱼ / ‖eᵢⱼ‖, no biases
 *   L  = Σᵢ mean (x̂ᵢ − x)² + w(t) · mean_{i<j} (1 − MMCS(i, j))
 *
 * The mean of the squared error is over samples and dimensions. MMCS(i, j) is the mean over rows of i of the largest
 * cosine with a row of j ('max', as published first) or over the pairs of largest total cosine ('hungarian', as
 * published last). w(t) rises along a quarter cosine wave to `coupling`.
 */
import { pushAll } from '../../../protocol/lists.js';
import { filled } from '../../verb/filled.js';
import { breathe, checkAborted, type CallOptions } from '../../compute/call.js';
import { initGemm } from '../../compute/gemm.js';
import { matrix, type Matrix } from '../../compute/matrix.js';
import { Random } from '../../compute/random.js';
import { adamUpdate } from '../../sae/adam.js';
import { ActivationBuffer } from '../../sae/buffer.js';
import { loadTrainingState, saveTrainingState, type TrainingState } from '../../sae/checkpoint.js';
import { createSae } from '../../sae/sae.js';
import { DivergedError } from '../../sae/stopped.js';
import type { Sae } from '../../sae/types.js';
import { choice, real, whole, type Given } from '../../verb/option.js';
import { worldSource } from './activations.js';
import { orthonormalRows } from '../../compute/orthonormal.js';
import type { World } from '../types.js';
import { couplingAt, couplingGradient, reconstructionGradient, tied } from './mfrGradients.js';

/** Bumped when the same options give other SAEs. */
export const MFR_VERSION = 3;

export const MFR = {
  saes: whole({ doc: 'SAEs side by side.', min: 1, usual: 2 }),
  features: whole({ doc: 'Latents of each.', min: 1, fallback: "the world's features" }),
  k: whole({ doc: 'Latents kept per sample.', min: 1, fallback: "the world's mean L0, rounded up" }),
  mmcs: choice(['max', 'hungarian'], {
    doc: "What the coupling raises: 'max', the mean of the largest cosines; 'hungarian', of the matched ones.",
    usual: 'max',
  }),
  warmUpSteps: whole({ doc: 'Steps over which the weight of the coupling rises.', min: 0, fallback: 'steps / 10' }),
  steps: whole({ doc: 'Of training.', min: 1, usual: 1000 }),
  batchSize: whole({ doc: 'Samples of a batch.', min: 1, usual: 1024 }),
  lr: real({ doc: "Adam's learning rate.", above: 0, usual: 0.003 }),
  samples: whole({
    doc: "Samples of the world's stream that training goes over, again and again.",
    min: 1,
    usual: 100_000,
  }),
  seed: whole({ doc: 'SAE i starts from a random orthogonal matrix of its own.', usual: 0 }),
};

export interface MfrParameters extends Given<typeof MFR> {
  /** Weight w of the coupling term; 0 trains the SAEs apart. Default 0.01. */
  coupling?: number;
}

export interface MfrHistoryRow {
  step: number;
  /** By SAE. */
  mse: number[];
  /** Mean over pairs. */
  mmcs: number;
  weight: number;
}

/** Where the state of a run is kept, and who hears of it. */
export interface MfrWatched {
  /** Folder of the state, written every tenth of the steps and when the run is stopped. */
  checkpoint?: string;
  report?: (message: string) => void;
  /** Receives the SAEs of a stopped run, with the number of steps done. */
  onStopped?: (result: MfrResult, step: number) => Promise<void>;
}

export interface MfrResult {
  saes: Sae[];
  history: MfrHistoryRow[];
}

/** Options with their defaults for this world. @throws RangeError for what cannot be trained */
export function mfrSettings(world: World, o: MfrParameters): Required<MfrParameters> {
  const meanL0 = world.frequencies.reduce((sum, p) => sum + p, 0);
  const { steps, saes, mmcs, batchSize, lr, samples, seed } = filled(MFR, o);
  const s: Required<MfrParameters> = {
    saes,
    features: o.features ?? world.features,
    k: o.k ?? Math.max(1, Math.ceil(meanL0)),
    coupling: o.coupling ?? 0.01,
    mmcs,
    warmUpSteps: o.warmUpSteps ?? Math.ceil(steps / 10),
    steps,
    batchSize,
    lr,
    samples,
    seed,
  };
  if (s.k > s.features) throw new RangeError(`k is ${s.k} but the SAEs have ${s.features} features`);
  if (s.batchSize > s.samples)
    throw new RangeError(`batches of ${s.batchSize} need as many samples; there are ${s.samples}`);
  if (s.coupling > 0 && s.saes < 2) throw new RangeError('coupling needs at least 2 SAEs');
  return s;
}

/** Orthonormal rows while they fit, else orthonormal columns: what torch.nn.init.orthogonal_ makes. */
function orthogonal(rows: number, cols: number, random: Random): Matrix {
  if (rows <= cols) return orthonormalRows(rows, cols, random);
  const q = orthonormalRows(cols, rows, random);
  const out = matrix(rows, cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out.data[i * cols + j] = q.data[j * rows + i];
  return out;
}

/** One SAE in training. */
export interface Member {
  e: Matrix;
  gradient: Float32Array;
  moments: { m: Float32Array; v: Float32Array };
}

const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** SAEs side by side with what their next step depends on. */
class Together {
  readonly members: Member[];
  readonly history: MfrHistoryRow[] = [];
  readonly x: Matrix;
  readonly buffer: ActivationBuffer;
  step = 0;

  constructor(
    readonly world: World,
    readonly s: Required<MfrParameters>,
    readonly call: CallOptions,
  ) {
    const random = new Random(s.seed).fork('mutual feature regularization');
    this.members = Array.from({ length: s.saes }, (_, i) => {
      const e = orthogonal(s.features, world.dim, random.fork(`SAE ${i}`));
      const zeros = (): Float32Array => new Float32Array(e.data.length);
      return { e, gradient: zeros(), moments: { m: zeros(), v: zeros() } };
    });
    const capacity = Math.min(s.samples, Math.max(2 * s.batchSize, 65_536));
    const source = worldSource(world, s.samples);
    this.buffer = new ActivationBuffer(source, { batchSize: s.batchSize, capacity, seed: s.seed }, call);
    this.x = matrix(s.batchSize, world.dim);
  }

  /** One step; a cancelled one changes nothing. */
  async next(): Promise<void> {
    const { s, call, history } = this;
    checkAborted(call.signal, 'mutual feature regularization');
    await this.buffer.next(this.x.data);
    const row = await trainStep(this.members, this.x, this.step, s);
    const every = Math.max(1, Math.floor(s.steps / 200));
    if (this.step % every === 0 || this.step === s.steps - 1) history.push(row);
    this.step++;
    const detail = `MSE ${row.mse.map((v) => v.toPrecision(3)).join(', ')}, MMCS ${row.mmcs.toFixed(3)}`;
    call.onProgress?.({
      label: 'mutual feature regularization',
      done: this.step,
      total: s.steps,
      unit: 'steps',
      detail,
    });
    await breathe();
  }

  state(): TrainingState<MfrHistoryRow> {
    const joined = (of: (member: Member) => Float32Array): Float32Array => joinedArrays(this.members.map(of));
    return {
      step: this.step,
      parameters: joined(({ e }) => e.data),
      m: joined(({ moments }) => moments.m),
      v: joined(({ moments }) => moments.v),
      sinceFired: new Int32Array(0),
      buffer: this.buffer.state(),
      scale: 1,
      memory: [],
      bDec: { method: 'zeros', offset: null },
      history: this.history,
    };
  }

  restore(state: TrainingState<MfrHistoryRow>): void {
    this.step = state.step;
    pushAll(this.history, state.history);
    this.buffer.restore(state.buffer);
    this.members.forEach(({ e, moments }, i) => {
      const at = i * e.data.length;
      const part = (of: Float32Array): Float32Array => of.subarray(at, at + e.data.length);
      e.data.set(part(state.parameters));
      moments.m.set(part(state.m));
      moments.v.set(part(state.v));
    });
  }

  result(): MfrResult {
    const { members, world, s, history } = this;
    return { saes: members.map((member, i) => toSae(member, world, s, i)), history };
  }
}

function joinedArrays(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
}

/**
 * Trains the SAEs together with Adam on the world's stream. The same options and seed give the same SAEs, stopped and
 * gone on with or not. The coupling draws nothing at random: with { coupling: 0 } the same seed starts from the same
 * weights and sees the same batches, so two runs differ by the coupling alone.
 */
export async function trainMutual(
  world: World,
  { signal, onProgress, checkpoint, report, onStopped, ...options }: MfrParameters & CallOptions & MfrWatched = {},
): Promise<MfrResult> {
  const s = mfrSettings(world, options);
  await initGemm();
  const run = { world: world.id, ...s };
  const together = new Together(world, s, { signal, onProgress });
  const found = checkpoint ? await loadTrainingState<MfrHistoryRow>(checkpoint, run, report) : undefined;
  if (found) together.restore(found);
  const save = async (): Promise<void> => {
    if (checkpoint) await saveTrainingState(checkpoint, together.state(), run);
  };
  const keepLast = async (folder: string): Promise<void> => {
    const good = await loadTrainingState<MfrHistoryRow>(folder, run, report);
    if (!good) return;
    const last = new Together(world, s, {});
    last.restore(good);
    await onStopped?.(last.result(), last.step);
  };
  const every = Math.max(1, Math.ceil(s.steps / 10));
  try {
    while (together.step < s.steps) {
      if (together.step > 0 && together.step % every === 0) await save();
      await together.next();
    }
    await save();
  } catch (error) {
    if (signal?.aborted) {
      await save();
      if (together.step > 0) await onStopped?.(together.result(), together.step);
    }
    if (error instanceof DivergedError && checkpoint) await keepLast(checkpoint);
    throw error;
  } finally {
    await together.buffer.close();
  }
  return together.result();
}

/** One step of all: losses of the batch before the update, which moves `members`. */
export async function trainStep(
  members: Member[],
  x: Matrix,
  step: number,
  s: Required<MfrParameters>,
): Promise<MfrHistoryRow> {
  const now = members.map((member) => tied(member.e));
  for (const member of members) member.gradient.fill(0);
  const mse = members.map((member, i) => reconstructionGradient(now[i], x, s.k, member.gradient));
  const bad = mse.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0)
    throw new DivergedError(
      `SAE ${bad} diverged at step ${step}: its MSE is ${mse[bad]}; try a lower { lr } (now ${s.lr})`,
    );
  const weight = couplingAt(step, s.coupling, s.warmUpSteps);
  const pairs = (members.length * (members.length - 1)) / 2;
  let mmcs = 0;
  for (let i = 0; i < members.length; i++)
    for (let j = i + 1; j < members.length; j++)
      mmcs +=
        (await couplingGradient(now[i], now[j], s.mmcs, weight / pairs, members[i].gradient, members[j].gradient)) /
        pairs;
  for (const { e, gradient, moments } of members) adamUpdate(e.data, gradient, moments, step + 1, s.lr, 1, ADAM);
  return { step, mse, mmcs: pairs > 0 ? mmcs : NaN, weight };
}

/** The trained SAE in the canonical form: encoder as it is, decoder rows of norm 1, no biases. */
function toSae({ e }: Member, world: World, s: Required<MfrParameters>, index: number): Sae {
  const { unit } = tied(e);
  const W_enc = matrix(e.cols, e.rows);
  for (let f = 0; f < e.rows; f++) for (let j = 0; j < e.cols; j++) W_enc.data[j * e.rows + f] = e.data[f * e.cols + j];
  return createSae(
    {
      architecture: 'topk',
      dIn: e.cols,
      dSae: e.rows,
      k: s.k,
      applyBDecToInput: false,
      normalizeActivations: 'none',
      hookName: 'world',
      modelName: `tied SAE ${index + 1} of ${s.saes}, coupling ${s.coupling}`,
      modelId: world.id,
      metadata: { mutualFeatureRegularization: { ...s, index } },
    },
    { W_enc, b_enc: new Float32Array(e.rows), W_dec: unit, b_dec: new Float32Array(e.cols) },
  );
}
