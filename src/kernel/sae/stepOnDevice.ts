/**
 * The steps of a training on a device (stepGraph.ts): both matrices, their moments and gradients stay there from step to
 * step; a batch goes up, and sums as long as the features come back. Vectors (biases, thresholds) and their moments are the
 * host's.
 */
import { formatBytes } from '../../protocol/bytes.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice, Program } from '../compute/graphs/host.js';
import { one, total, vector, whole, type Feeds } from '../compute/graphs/feeds.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { adamUpdate } from './adam.js';
import type { BatchSums, DeviceBatch, DeviceStep, DeviceTraining } from './architectures/trainingOnDevice.js';
import type { LossTerms } from './architectures/training.js';
import type { Parameters } from './parameters.js';
import { selectOfBatch, type BlockOfRows } from './selectOnDevice.js';
import { squaresAboutMean, type StepInput, type StepResult } from './step.js';
import { blockProgram, feedNames, finishProgram, squaresProgram, updateProgram, type BlockProgram } from './stepGraph.js'; // prettier-ignore
import type { Moments, Steps, UpdateOptions } from './steps.js';

/** Floats of one buffer of a block on the device: 128 MiB. */
const BUFFER_FLOATS = 2 ** 25;
/** Matrices on the device at once: weights and two moments of two, their gradients, and the new ones of an update. */
const MOST_MATRICES = 14;

/** A stopped training is kept: its state may come back after its cell has ended. */
const OUTLIVES = { outlives: true };

const MATRICES = ['W_encT', 'W_dec'] as const;
type MatrixName = (typeof MATRICES)[number];
type State = Record<'p' | 'm' | 'v', DeviceTensor>;

/** What a training on a device is of. */
export interface DeviceRun {
  training: DeviceTraining;
  applyBDecToInput: boolean;
  /** What the architecture leaves to the next step: gets the least value that fired in a batch. */
  leave?: (least: number) => void;
  /** The matrix that is held at its start. */
  frozen?: MatrixName;
  /** Default 128 MiB. */
  bufferFloats?: number;
}

const roots = (squares: ArrayLike<number>): Float64Array => Float64Array.from(squares, Math.sqrt);

/** The gradients of a batch, and what is left of its step for the host. */
interface Gradients {
  matrices: Record<MatrixName, DeviceTensor>;
  /** [d_sae], [d], and those of the architecture: by the names of Parameters. */
  vectors: Record<string, Float64Array>;
  norm: number;
  /** Of a selection over the batch, the least value that fired. */
  least?: number;
}

/** Sums over the blocks of a batch, in float64. */
class Summed implements BatchSums {
  columns: Record<string, Float64Array> = {};
  rows: Record<string, number> = {};
  readonly toOut: Float64Array;
  firing = 0;
  gradients: Record<MatrixName, DeviceTensor> | undefined;

  constructor(
    { dOut }: Parameters,
    readonly least: number | undefined,
  ) {
    this.toOut = new Float64Array(dOut);
  }

  add(program: BlockProgram, host: Record<string, HostTensor>): void {
    for (const name of program.columns) {
      const values = host[name].data as Float32Array;
      const sum = (this.columns[name] ??= new Float64Array(values.length));
      for (let f = 0; f < sum.length; f++) sum[f] += values[f];
    }
    for (const name of program.rows) this.rows[name] = (this.rows[name] ?? 0) + total(host[name]);
    const toOut = host.toOut.data as Float32Array;
    for (let j = 0; j < toOut.length; j++) this.toOut[j] += toOut[j];
    for (const count of host.fired.data as Float32Array) this.firing += count;
  }
}

export class DeviceSteps implements Steps {
  #state: Record<MatrixName, State> | undefined;
  #gradients: Gradients | undefined;
  /** ‖W_dec row‖, of the device's own sums: a run that goes on has the bits of one that was not stopped. */
  #norms: Float64Array = new Float64Array(0);
  /** Rows of a block: fewer after the device had no room. */
  #rows: number;
  readonly #programs = new Map<string, BlockProgram>();

  /** @param p parameters at the start; the host's vectors are changed in place, its matrices when state() is asked for */
  constructor(
    private readonly device: GraphDevice,
    private readonly p: Parameters,
    private readonly moments: Moments,
    private readonly of: DeviceRun,
  ) {
    this.#rows = Math.max(1, Math.floor((of.bufferFloats ?? BUFFER_FLOATS) / Math.max(p.dSae, p.dIn)));
  }

  async #matrices(): Promise<Record<MatrixName, State>> {
    if (this.#state) return this.#state;
    const { p, device } = this;
    const made: DeviceTensor[] = [];
    const up = async (data: Float32Array): Promise<DeviceTensor> => {
      const tensor = await device.upload(data, [p.dSae, data.length / p.dSae]);
      made.push(tensor);
      return tensor;
    };
    try {
      const states = {} as Record<MatrixName, State>;
      for (const name of MATRICES) {
        const { m, v } = this.#views(name);
        states[name] = { p: await up(p[name]), m: await up(m), v: await up(v) };
      }
      const { host } = await device.run(squaresProgram, { p: states.W_dec.p });
      this.#norms = roots(host.squares.data as Float32Array);
      return (this.#state = states);
    } catch (error) {
      device.free(...made);
      throw error instanceof DeviceMemoryError ? this.#tooLarge(error) : error;
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
    return Object.hasOwn(p.extra, name) ? p.extra[name] : p[name as MatrixName];
  }

  #tooLarge(error: DeviceMemoryError): DeviceMemoryError {
    const { dIn, dSae } = this.p;
    const needed = 4 * dIn * dSae * MOST_MATRICES;
    return new DeviceMemoryError(
      `training of ${dSae} features of width ${dIn} needs about ${formatBytes(needed)} on the device, and ${formatBytes(4 * dSae)} for each row of a block: ${error.message}. Train fewer features, or on the cpu device`,
      { cause: error },
    );
  }

  async run({ x, step, dead, breakAt }: StepInput): Promise<StepResult> {
    const { p, device } = this;
    const rows = x.length / p.dIn;
    this.#freeGradients();
    const state = await this.#matrices();
    const batch: DeviceBatch = { rows, dIn: p.dIn, step, norms: this.#norms, dead, extra: p.extra };
    const begun = this.of.training.begin(batch);
    const there = await this.#upload(x, rows);
    const weights: Feeds = {
      ...{ x: there, W_encT: state.W_encT.p, W_dec: state.W_dec.p, b_enc: vector(p.b_enc), b_dec: vector(p.b_dec) },
      '2/B': one(2 / rows),
    };
    let sums: Summed;
    try {
      sums = await this.#blocks(weights, begun, batch, breakAt);
    } finally {
      device.free(there);
    }
    const terms = await this.#finish(sums, begun);
    const spread = squaresAboutMean(x, p.dIn);
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

  async #upload(x: Float32Array, rows: number): Promise<DeviceTensor> {
    try {
      return await this.device.upload(x, [rows, this.p.dIn]);
    } catch (error) {
      throw error instanceof DeviceMemoryError ? this.#tooLarge(error) : error;
    }
  }

  /** What every block is given besides its rows. */
  #given(begun: DeviceStep, batch: DeviceBatch): Feeds {
    const feeds: Feeds = { [feedNames.vector('norms')]: vector(batch.norms) };
    if (batch.dead) feeds[feedNames.vector('dead')] = vector(batch.dead);
    for (const [name, value] of Object.entries(begun.numbers ?? {})) feeds[feedNames.number(name)] = one(value);
    for (const [name, value] of Object.entries(begun.vectors ?? {})) feeds[feedNames.vector(name)] = vector(value);
    return feeds;
  }

  /** All blocks of a batch; again with half the rows where the device had no room. */
  async #blocks(weights: Feeds, begun: DeviceStep, batch: DeviceBatch, breakAt?: () => void): Promise<Summed> {
    const feeds = { ...weights, ...this.#given(begun, batch) };
    for (;;) {
      try {
        return await this.#attempt(feeds, begun, batch.rows, breakAt);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        const rows = Math.min(this.#rows, batch.rows);
        if (rows === 1) throw this.#tooLarge(error);
        this.#rows = Math.ceil(rows / 2);
      }
    }
  }

  async #attempt(given: Feeds, begun: DeviceStep, rows: number, breakAt?: () => void): Promise<Summed> {
    const blocks: BlockOfRows[] = [];
    for (let first = 0; first < rows; first += this.#rows)
      blocks.push({ first, rows: Math.min(this.#rows, rows - first) });
    let kept: Record<string, DeviceTensor> = {};
    try {
      const selected =
        this.of.training.ofBatch && (await selectOfBatch(this.device, this.of, blocks, given, rows, breakAt));
      const sums = new Summed(this.p, selected?.least);
      const feeds = selected ? { ...given, [feedNames.number('bound')]: one(selected.bound) } : given;
      for (const block of blocks) {
        breakAt?.();
        const next = await this.#block(feeds, begun.dead, block, kept, sums);
        this.device.free(...Object.values(kept));
        kept = next;
      }
      sums.gradients = { W_encT: kept.toW_encT, W_dec: kept.toW_dec };
      return sums;
    } catch (error) {
      this.device.free(...Object.values(kept));
      throw error;
    } finally {
      for (const { z } of blocks) if (z) this.device.free(z);
    }
  }

  async #block(
    given: Feeds,
    dead: DeviceStep['dead'],
    { first, rows, z, room }: BlockOfRows,
    kept: Record<string, DeviceTensor>,
    sums: Summed,
  ): Promise<Record<string, DeviceTensor>> {
    const program = this.#program(dead, first > 0, room !== undefined);
    const names = [...program.vectors.map(feedNames.vector), ...program.numbers.map(feedNames.number)];
    const feeds: Feeds = {
      ...Object.fromEntries(['x', 'W_dec', 'b_dec', '2/B', ...names].map((name) => [name, given[name]])),
      ...(room ? { room: { data: room, shape: [rows, 1] } } : {}),
      ...(z
        ? { z, [feedNames.number('bound')]: given[feedNames.number('bound')] }
        : { W_encT: given.W_encT, b_enc: given.b_enc }),
      ...{ from: whole(first), to: whole(first + rows) },
      ...kept,
    };
    const { host, next } = await this.#next(program, feeds, ['toW_encT', 'toW_dec']);
    sums.add(program, host);
    return next;
  }

  /** Runs a program; its outputs that take the place of inputs stay, by the names of these. */
  async #next(
    program: Program,
    feeds: Feeds,
    names: readonly string[],
  ): Promise<{ host: Record<string, HostTensor>; next: Record<string, DeviceTensor> }> {
    const { host, device } = await this.device.run(program, feeds, { stay: names.map(feedNames.next) });
    return { host, next: Object.fromEntries(names.map((name) => [name, device[feedNames.next(name)]])) };
  }

  #program(dead: DeviceStep['dead'], more: boolean, ties: boolean): BlockProgram {
    const key = `${dead} ${more} ${ties}`;
    let program = this.#programs.get(key);
    const { training, applyBDecToInput } = this.of;
    if (!program)
      this.#programs.set(
        key,
        (program = blockProgram(training, { dIn: this.p.dIn, applyBDecToInput, dead, more, ties })),
      );
    return program;
  }

  /** Gradients complete, and the terms of the loss beyond the squared error. */
  async #finish(sums: Summed, begun: DeviceStep): Promise<LossTerms> {
    const { p, device, of } = this;
    const { dSae, dOut } = p;
    const { toNorm, extra = {}, ...terms } = begun.end(sums);
    const matrices = sums.gradients!;
    try {
      const weights = await this.#matrices();
      const feeds: Feeds = { toW_encT: matrices.W_encT, toW_dec: matrices.W_dec };
      if (toNorm) {
        const byRow = toNorm.map((value, f) => (this.#norms[f] > 0 ? value / this.#norms[f] : 0));
        Object.assign(feeds, { W_dec: weights.W_dec.p, byRow: { ...vector(byRow), shape: [dSae, 1] } });
      }
      if (of.applyBDecToInput)
        Object.assign(feeds, { W_encT: weights.W_encT.p, bias: { ...vector(sums.columns.bias), shape: [1, dSae] } });
      const program = finishProgram(!!toNorm, of.applyBDecToInput);
      const { host, next } = await this.#next(program, feeds, toNorm ? ['toW_dec'] : []);
      if (toNorm) {
        device.free(matrices.W_dec);
        matrices.W_dec = next.toW_dec;
      }
      const toInput = of.applyBDecToInput ? (host.toInput.data as Float32Array) : new Float32Array(dOut);
      const b_dec = sums.toOut.map((value, j) => value - toInput[j]);
      const vectors = { b_enc: sums.columns.bias, b_dec, ...extra };
      let square = 0;
      for (const name of MATRICES) if (name !== of.frozen) square += total(host[`of${name}`]);
      for (const values of Object.values(vectors)) for (const value of values) square += value * value;
      this.#gradients = { matrices, vectors, norm: Math.sqrt(square), least: sums.least };
    } catch (error) {
      device.free(...Object.values(matrices));
      throw error;
    }
    return terms;
  }

  norm(): number {
    return this.#gradients!.norm;
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
    const program = updateProgram(adam);
    const before = this.#state!;
    const after = { ...before };
    let squares: HostTensor | undefined;
    try {
      for (const name of MATRICES) {
        if (name === this.of.frozen) continue;
        const feeds = { ...before[name], gradient: matrices[name], ...numbers };
        const { host, next } = await this.#next(program, feeds, ['p', 'm', 'v']);
        after[name] = next as State;
        if (name === 'W_dec') squares = host.squares;
      }
    } catch (error) {
      for (const name of MATRICES) if (after[name] !== before[name]) device.free(...Object.values(after[name]));
      throw error instanceof DeviceMemoryError ? this.#tooLarge(error) : error;
    }
    // Both are there: from here on nothing can fail.
    this.#state = after;
    for (const name of MATRICES) if (after[name] !== before[name]) device.free(...Object.values(before[name]));
    this.#freeGradients();
    if (squares) this.#norms = roots(squares.data as Float32Array);
    for (const [name, gradient] of Object.entries(vectors))
      adamUpdate(this.#hostValues(name), Float32Array.from(gradient), this.#views(name), t, lr, clip, adam);
    if (least !== undefined) this.of.leave?.(least);
  }

  async state(): Promise<Moments & { p: Parameters }> {
    const { p, moments, device } = this;
    for (const name of MATRICES) {
      const state = this.#state?.[name];
      if (!state) continue;
      const { m, v } = this.#views(name);
      p[name].set((await device.download(state.p, OUTLIVES)).data as Float32Array);
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
    for (const state of Object.values(this.#state ?? {})) this.device.free(...Object.values(state));
    this.#state = undefined;
  }
}
