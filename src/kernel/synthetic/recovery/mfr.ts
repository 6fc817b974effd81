/**
 * Mutual feature regularization (Marks et al., arXiv 2411.01220): SAEs that train side by side on the same data and are
 * pulled towards each other's features, on the hypothesis that features which several SAEs find are real.
 *
 *   x̂ᵢ = Σ_{j ∈ top-k} ReLU(eᵢⱼ · x) êᵢⱼ          tied: decoder row êᵢⱼ = eᵢⱼ / ‖eᵢⱼ‖, no biases
 *   L  = Σᵢ mean (x̂ᵢ − x)² + w(t) · mean_{i<j} (1 − MMCS(i, j))
 *
 * The mean of the squared error is over samples and dimensions. MMCS(i, j) is the mean over rows of i of the largest
 * cosine with a row of j ('max', as published first) or over the pairs of largest total cosine ('hungarian', as
 * published last). w(t) rises along a quarter cosine wave to `coupling`. Gradients are exact wherever L has one: top-k,
 * ReLU and the choice of partners are taken as they stand.
 */
import { filled } from '../../verb/filled.js';
import { breathe, checkAborted, type CallOptions } from '../../compute/call.js';
import { gemm, initGemm } from '../../compute/gemm.js';
import { matrix, type Matrix } from '../../compute/matrix.js';
import { Random } from '../../compute/random.js';
import { topKRows } from '../../compute/topk.js';
import { rowNorms } from '../../compute/rows.js';
import { adamUpdate } from '../../sae/adam.js';
import { ActivationBuffer } from '../../sae/buffer.js';
import { createSae } from '../../sae/sae.js';
import type { Sae } from '../../sae/types.js';
import { choice, real, whole, type Given } from '../../verb/option.js';
import { worldSource } from './activations.js';
import { linearAssignment } from '../../compute/assignment.js';
import { unitRows } from '../../compute/cosines.js';
import { orthonormalRows } from '../../compute/orthonormal.js';
import type { World } from '../types.js';

/** Bumped when the same options give other SAEs. */
export const MFR_VERSION = 1;

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

export type MmcsKind = NonNullable<MfrParameters['mmcs']>;

export interface MfrHistoryRow {
  step: number;
  /** By SAE. */
  mse: number[];
  /** Mean over pairs. */
  mmcs: number;
  weight: number;
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

/** Encoder rows with the decoder that follows from them. */
interface Tied {
  /** features × dim. */
  e: Matrix;
  unit: Matrix;
  norms: Float64Array;
}

/** The tied decoder of encoder rows [features × dim]: the rows at length 1, and their lengths. */
export function tied(e: Matrix): Tied {
  return { e, unit: unitRows(e, 'encoder'), norms: rowNorms(e) };
}

/**
 * Mean squared error of one tied TopK SAE over a batch [rows × dim], and its gradient on the encoder rows, added to
 * `gradient`.
 */
export function reconstructionGradient({ e, unit, norms }: Tied, x: Matrix, k: number, gradient: Float32Array): number {
  const d = e.cols;
  const z = gemm(x.data, e.data, x.rows, e.rows, d, { transB: true });
  const { indices, values } = topKRows(z, x.rows, e.rows, k);
  const scale = 2 / (x.rows * d);
  const error = new Float64Array(d);
  const onUnit = new Float32Array(e.data.length);
  let squares = 0;
  for (let i = 0; i < x.rows; i++) {
    const at = i * d;
    for (let j = 0; j < d; j++) error[j] = -x.data[at + j];
    for (let s = i * k; s < (i + 1) * k; s++) {
      if (!(values[s] > 0)) continue;
      const from = indices[s] * d;
      for (let j = 0; j < d; j++) error[j] += values[s] * unit.data[from + j];
    }
    for (let j = 0; j < d; j++) squares += error[j] * error[j];
    for (let s = i * k; s < (i + 1) * k; s++) {
      const a = values[s];
      if (!(a > 0)) continue;
      const from = indices[s] * d;
      let onValue = 0;
      for (let j = 0; j < d; j++) {
        onValue += error[j] * unit.data[from + j];
        onUnit[from + j] += scale * a * error[j];
      }
      onValue *= scale;
      for (let j = 0; j < d; j++) gradient[from + j] += onValue * x.data[at + j];
    }
  }
  throughNorm(onUnit, unit, norms, gradient);
  return squares / (x.rows * d);
}

/** Gradient on unit rows → gradient on the rows they are made of: (g − ê (ê·g)) / ‖e‖; none for a zero row. */
function throughNorm(onUnit: Float32Array, unit: Matrix, norms: Float64Array, gradient: Float32Array): void {
  const d = unit.cols;
  for (let f = 0; f < unit.rows; f++) {
    if (norms[f] === 0) continue;
    let along = 0;
    for (let j = f * d; j < (f + 1) * d; j++) along += onUnit[j] * unit.data[j];
    for (let j = f * d; j < (f + 1) * d; j++) gradient[j] += (onUnit[j] - along * unit.data[j]) / norms[f];
  }
}

/** Partners of the rows of a among those of b: [row of a, row of b]. */
async function partners(c: Float32Array, n: number, kind: MmcsKind): Promise<Array<[number, number]>> {
  if (kind === 'hungarian') {
    const { rows, cols } = await linearAssignment(c, n, n, { maximize: true });
    return Array.from(rows, (r, i) => [r, cols[i]]);
  }
  return Array.from({ length: n }, (_, i) => {
    let best = 0;
    for (let j = 1; j < n; j++) if (c[i * n + j] > c[i * n + best]) best = j;
    return [i, best];
  });
}

/**
 * MMCS(a, b), and the gradient of weight · (1 − MMCS) on the encoder rows of both, added to `gradientA` and
 * `gradientB`. 'max' is not symmetric: rows of a choose.
 */
export async function couplingGradient(
  a: Tied,
  b: Tied,
  kind: MmcsKind,
  weight: number,
  gradientA: Float32Array,
  gradientB: Float32Array,
): Promise<number> {
  const n = a.e.rows;
  const d = a.e.cols;
  const c = gemm(a.unit.data, b.unit.data, n, n, d, { transB: true });
  const [onA, onB] = [new Float32Array(n * d), new Float32Array(n * d)];
  let sum = 0;
  for (const [i, j] of await partners(c, n, kind)) {
    sum += c[i * n + j];
    for (let q = 0; q < d; q++) {
      onA[i * d + q] -= (weight / n) * b.unit.data[j * d + q];
      onB[j * d + q] -= (weight / n) * a.unit.data[i * d + q];
    }
  }
  if (weight !== 0) {
    throughNorm(onA, a.unit, a.norms, gradientA);
    throughNorm(onB, b.unit, b.norms, gradientB);
  }
  return sum / n;
}

/** w(t): 0 at the first step, `coupling` from `warmUpSteps` on, along (1 − cos πt/T)/2. */
export function couplingAt(step: number, coupling: number, warmUpSteps: number): number {
  return step >= warmUpSteps ? coupling : (coupling * (1 - Math.cos((Math.PI * step) / warmUpSteps))) / 2;
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
interface Member {
  e: Matrix;
  gradient: Float32Array;
  moments: { m: Float32Array; v: Float32Array };
}

const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/**
 * Trains the SAEs together with Adam on the world's stream. The same options and seed give the same SAEs. The coupling
 * draws nothing at random: with { coupling: 0 } the same seed starts from the same weights and sees the same batches,
 * so two runs differ by the coupling alone.
 */
export async function trainMutual(world: World, options: MfrParameters & CallOptions = {}): Promise<MfrResult> {
  const s = mfrSettings(world, options);
  const { signal, onProgress } = options;
  await initGemm();
  const random = new Random(s.seed).fork('mutual feature regularization');
  const members: Member[] = Array.from({ length: s.saes }, (_, i) => {
    const e = orthogonal(s.features, world.dim, random.fork(`SAE ${i}`));
    const zeros = (): Float32Array => new Float32Array(e.data.length);
    return { e, gradient: zeros(), moments: { m: zeros(), v: zeros() } };
  });
  const capacity = Math.min(s.samples, Math.max(2 * s.batchSize, 65_536));
  const source = worldSource(world, s.samples);
  const buffer = new ActivationBuffer(source, { batchSize: s.batchSize, capacity, seed: s.seed }, { signal });
  const x = matrix(s.batchSize, world.dim);
  const history: MfrHistoryRow[] = [];
  const every = Math.max(1, Math.floor(s.steps / 200));
  try {
    for (let step = 0; step < s.steps; step++) {
      checkAborted(signal, 'mutual feature regularization');
      await buffer.next(x.data);
      const row = await trainStep(members, x, step, s);
      if (step % every === 0 || step === s.steps - 1) history.push(row);
      const detail = `MSE ${row.mse.map((v) => v.toPrecision(3)).join(', ')}, MMCS ${row.mmcs.toFixed(3)}`;
      onProgress?.({ label: 'mutual feature regularization', done: step + 1, total: s.steps, unit: 'steps', detail });
      await breathe();
    }
  } finally {
    await buffer.close();
  }
  return { saes: members.map((member, i) => toSae(member, world, s, i)), history };
}

async function trainStep(
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
    throw new Error(`SAE ${bad} diverged at step ${step}: its MSE is ${mse[bad]}; try a lower { lr } (now ${s.lr})`);
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
