/**
 * The steps of a training on a device (stepGraph.ts): the matrices, their moments and gradients stay there from step to
 * step; a batch goes up, and sums as long as the features come back. Vectors (biases, thresholds) and their moments are the
 * host's.
 */
import { one, total, vector, type Feeds } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { adamUpdate } from './adam.js';
import type { DeviceBatch, DeviceStep } from './architectures/trainingOnDevice.js';
import type { LossTerms } from './architectures/training.js';
import { BlocksOnDevice, gradientOf, matricesOf, tooLarge, type DeviceRun, type MatrixName, type Summed } from './blocksOnDevice.js'; // prettier-ignore
import type { Parameters } from './parameters.js';
import { runNext } from './runNext.js';
import { squaresAboutMean, type StepInput, type StepResult } from './step.js';
import { finishProgram, followProgram, squaresProgram, updateProgram } from './stepGraph.js';
import type { Moments, Steps, UpdateOptions } from './steps.js';

/** A stopped training is kept: its state may come back after its cell has ended. */
const OUTLIVES = { outlives: true };

type State = Record<'p' | 'm' | 'v', DeviceTensor>;
type States = ReadonlyMap<MatrixName, State>;

/** The gradients of a batch, and what is left of its step for the host. */
interface Gradients {
  /** By the names of gradientOf. */
  matrices: Record<string, DeviceTensor>;
  /** [d_sae], [d], and those of the architecture: by the names of Parameters. */
  vectors: Record<string, Float64Array>;
  norm: number;
  /** Of a selection over the batch, the least value that fired. */
  least?: number;
}

export class DeviceSteps implements Steps {
  #state: States | undefined;
  #gradients: Gradients | undefined;
  /** The start of the decoder that rows are held near. */
  #near: DeviceTensor | undefined;
  #norms = rowNormsOf(new Float32Array(0), 1);
  readonly #blocks: BlocksOnDevice;
  readonly #names: readonly MatrixName[];

  /** @param p parameters at the start; the host's vectors are changed in place, its matrices when state() is asked for */
  constructor(
    private readonly device: GraphDevice,
    private readonly p: Parameters,
    private readonly moments: Moments,
    private readonly of: DeviceRun,
  ) {
    this.#blocks = new BlocksOnDevice(device, p, of);
    this.#names = matricesOf(of.training);
  }

  async #matrices(): Promise<States> {
    if (this.#state) return this.#state;
    const { p, device } = this;
    const made: DeviceTensor[] = [];
    const up = async (data: Float32Array, rows: number): Promise<DeviceTensor> => {
      const tensor = await device.upload(data, [rows, data.length / rows]);
      made.push(tensor);
      return tensor;
    };
    return this.#sized(async () => {
      try {
        const states = new Map<MatrixName, State>();
        for (const name of this.#names) {
          const { m, v } = this.#views(name);
          const rows = name === 'W_skip' ? p.dOut : p.dSae;
          states.set(name, { p: await up(this.#hostValues(name), rows), m: await up(m, rows), v: await up(v, rows) });
        }
        const near = this.of.near && (await up(this.of.near, p.dSae));
        const { host } = await device.run(squaresProgram(this.#offsets), { p: states.get('W_dec')!.p });
        this.#measure(host.squares);
        this.#near = near;
        return (this.#state = states);
      } catch (error) {
        device.free(...made);
        throw error;
      }
    });
  }

  get #offsets(): readonly number[] | undefined {
    return this.of.training.parts?.offsets;
  }

  #measure({ data, shape }: HostTensor): void {
    this.#norms = rowNormsOf(data as Float32Array, shape[1]);
  }

  /** Work whose lack of memory is told with the figures of the training. */
  async #sized<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof DeviceMemoryError ? tooLarge(this.p, error) : error;
    }
  }

  /** The moments of a matrix or vector, in the flat arrays of all. */
  #views(name: string): Moments {
    const values = this.#hostValues(name);
    const first = (values.byteOffset - this.p.flat.byteOffset) / 4;
    const part = (all: Float32Array): Float32Array => all.subarray(first, first + values.length);
    return { m: part(this.moments.m), v: part(this.moments.v) };
  }

  #hostValues(name: string): Float32Array {
    const { p } = this;
    return Object.hasOwn(p.extra, name) ? p.extra[name] : p[name as 'W_encT' | 'W_dec'];
  }

  /** Whether the optimiser moves it. */
  #isTrained = (name: MatrixName): boolean =>
    name !== this.of.frozen && !(name === 'W_dec' && this.of.training.tied === true);

  /** Tied weights: the decoder is made of the encoder as that is now. */
  async #follow(states: States): Promise<void> {
    const W_dec = states.get('W_dec')!;
    const { host, next } = await runNext(this.device, followProgram, { W_encT: states.get('W_encT')!.p }, ['W_dec']);
    this.device.free(W_dec.p);
    W_dec.p = next.W_dec;
    this.#measure(host.squares);
  }

  async run({ x, target, step, dead, breakAt }: StepInput): Promise<StepResult> {
    const { p, device } = this;
    const rows = x.length / p.dIn;
    this.#freeGradients();
    const weights: Record<string, DeviceTensor> = {};
    const there: DeviceTensor[] = [];
    let begun: DeviceStep;
    let sums: Summed;
    try {
      const states = await this.#matrices();
      await this.#sized(async () => {
        if (this.of.training.tied) await this.#follow(states);
        for (const [name, data] of Object.entries({ x, ...(target ? { y: target } : {}) }))
          there.push((weights[name] = await device.upload(data, [rows, data.length / rows])));
      });
      for (const [name, state] of states) weights[name] = state.p;
      const { b_enc, extra } = p;
      const { whole: norms, summed: summedNorms } = this.#norms;
      const batch: DeviceBatch = { rows, dIn: p.dIn, step, norms, summedNorms, b_enc, dead, extra };
      begun = this.of.training.begin(batch);
      sums = await this.#blocks.run(weights, begun, batch, breakAt);
    } finally {
      device.free(...there);
    }
    const terms = await this.#finish(sums, begun, weights);
    const spread = squaresAboutMean(target ?? x, p.dOut);
    const { squares } = sums.rows;
    return {
      loss: squares / rows + terms.added,
      mse: squares / rows,
      l1: terms.l1 ?? 0,
      aux: terms.aux ?? 0,
      l0: sums.firing / rows,
      explainedVariance: spread > 0 ? 1 - squares / spread : NaN,
      fired: Uint8Array.from(sums.columns.fired, (count) => (count > 0 ? 1 : 0)),
    };
  }

  /** Gradients complete, and the terms of the loss beyond the squared error. */
  async #finish(sums: Summed, begun: DeviceStep, { W_encT, W_dec }: Record<string, DeviceTensor>): Promise<LossTerms> {
    const { p, device, of } = this;
    const { dSae, dOut } = p;
    const { parts } = of.training;
    const { toNorm, b_enc = sums.columns.bias, extra = {}, ...terms } = begun.end(sums);
    const matrices = sums.gradients;
    const { tied } = of.training;
    const input = of.applyBDecToInput;
    try {
      const feeds: Feeds = { ...matrices };
      if (tied || toNorm) feeds.W_dec = W_dec;
      if (tied || input) feeds.W_encT = W_encT;
      const open = parts?.open(dSae);
      const byPart = (data: Float32Array): HostTensor => ({ data, shape: [dSae, data.length / dSae] });
      if (toNorm) {
        const count = this.#norms.parts.length / dSae;
        feeds.byPart = byPart(Float32Array.from(this.#norms.parts, (norm, at) => (norm > 0 ? toNorm[Math.floor(at / count)] / norm : 0))); // prettier-ignore
      }
      if (open) feeds.open = byPart(open);
      if (parts && (toNorm || open)) feeds.parts = columnsOf(parts.offsets);
      if (input) feeds.bias = { ...vector(sums.columns.bias), shape: [1, dSae] };
      const shape = { norms: !!toNorm, parts: 'parts' in feeds, open: !!open };
      const program = finishProgram({ ...shape, tied: !!tied, input, matrices: this.#names });
      const changed = [...(toNorm || open ? ['toW_dec'] : []), ...(tied || open ? ['toW_encT'] : [])];
      const { host, next } = await runNext(device, program, feeds, changed);
      for (const name of changed) {
        device.free(matrices[name]);
        matrices[name] = next[name];
      }
      const toInput = input ? (host.toInput.data as Float32Array) : new Float32Array(dOut);
      const b_dec = sums.toOut.map((value, j) => value - toInput[j]);
      const vectors = { b_enc, b_dec, ...extra };
      let square = 0;
      for (const name of this.#names) if (this.#isTrained(name)) square += total(host[`of${name}`]);
      for (const values of Object.values(vectors)) for (const value of values) square += value * value;
      this.#gradients = { matrices, vectors, norm: Math.sqrt(square), least: sums.least };
    } catch (error) {
      device.free(...Object.values(matrices));
      throw error;
    }
    return terms;
  }

  norm(): Promise<number> {
    return Promise.resolve(this.#gradients!.norm);
  }

  async update({ t, lr, clip, ...adam }: UpdateOptions): Promise<void> {
    const { device } = this;
    const { matrices, vectors, least } = this.#gradients!;
    const { beta1, beta2 } = adam;
    const numbers = {
      rate: one(lr / (1 - beta1 ** t)),
      correction: one(1 / Math.sqrt(1 - beta2 ** t)),
      clip: one(clip),
    };
    const before = this.#state!;
    const after = new Map<MatrixName, State>();
    let squares: HostTensor | undefined;
    try {
      for (const name of this.#names.filter(this.#isTrained)) {
        const near = name === 'W_dec' ? this.#near : undefined;
        const program = updateProgram(adam, name === 'W_dec' ? { offsets: this.#offsets, near: !!near } : {});
        const gradient = matrices[gradientOf(name)];
        const feeds = { ...before.get(name)!, gradient, ...numbers, ...(near ? { near } : {}) };
        const { host, next } = await this.#sized(() => runNext(device, program, feeds, ['p', 'm', 'v']));
        after.set(name, next as State);
        if (name === 'W_dec') squares = host.squares;
      }
    } catch (error) {
      for (const state of after.values()) device.free(...Object.values(state));
      throw error;
    }
    // All are there: from here on nothing can fail.
    this.#state = new Map([...before, ...after]);
    for (const name of after.keys()) device.free(...Object.values(before.get(name)!));
    this.#freeGradients();
    if (squares) this.#measure(squares);
    for (const [name, gradient] of Object.entries(vectors))
      adamUpdate(this.#hostValues(name), Float32Array.from(gradient), this.#views(name), t, lr, clip, adam);
    if (least !== undefined) this.of.leave?.(least);
  }

  async state(): Promise<Moments & { p: Parameters }> {
    const { p, moments, device } = this;
    for (const [name, state] of this.#state ?? []) {
      const { m, v } = this.#views(name);
      this.#hostValues(name).set((await device.download(state.p, OUTLIVES)).data as Float32Array);
      m.set((await device.download(state.m, OUTLIVES)).data as Float32Array);
      v.set((await device.download(state.v, OUTLIVES)).data as Float32Array);
    }
    return { p, ...moments };
  }

  #freeGradients(): void {
    if (this.#gradients) this.device.free(...Object.values(this.#gradients.matrices));
    this.#gradients = undefined;
  }

  close(): void {
    this.#freeGradients();
    for (const state of this.#state?.values() ?? []) this.device.free(...Object.values(state));
    if (this.#near) this.device.free(this.#near);
    this.#state = this.#near = undefined;
  }
}

interface RowNorms {
  /** ‖W_dec row‖, of the device's own sums: a run that goes on has the bits of one that was not stopped. */
  whole: Float64Array;
  /** [d_sae × parts] */
  parts: Float64Array;
  /** Their sum. */
  summed: Float64Array;
}

/** @param squares [d_sae × parts] */
function rowNormsOf(squares: Float32Array, parts: number): RowNorms {
  const ofParts = Float64Array.from(squares, Math.sqrt);
  if (parts === 1) return { whole: ofParts, parts: ofParts, summed: ofParts };
  const overParts = (all: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: squares.length / parts }, (_, f) => {
      let sum = 0;
      for (let m = f * parts; m < (f + 1) * parts; m++) sum += all[m];
      return sum;
    });
  return { whole: overParts(squares).map(Math.sqrt), parts: ofParts, summed: overParts(ofParts) };
}

/** [parts, d]: 1 in the columns of each. */
function columnsOf(offsets: readonly number[]): HostTensor {
  const [parts, width] = [offsets.length - 1, offsets[offsets.length - 1]];
  const data = new Float32Array(parts * width);
  for (let m = 0; m < parts; m++) data.fill(1, m * width + offsets[m], m * width + offsets[m + 1]);
  return { data, shape: [parts, width] };
}
