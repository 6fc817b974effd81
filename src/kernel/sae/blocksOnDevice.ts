/** The gradients of a batch on a device, block by block of its rows (blockProgram of stepGraph.ts). */
import { formatBytes } from '../../protocol/bytes.js';
import { one, total, vector, whole, type Feeds } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import type { BatchSums, DeviceBatch, DeviceStep, DeviceTraining } from './architectures/trainingOnDevice.js';
import type { Parameters } from './parameters.js';
import { runNext } from './runNext.js';
import { selectOfBatch, type BlockOfRows } from './selectOnDevice.js';
import { blockProgram, feedNames, type BlockProgram } from './stepGraph.js';

/** Floats of one buffer of a block on the device: 128 MiB. */
const BUFFER_FLOATS = 2 ** 25;
/** Matrices on the device at once: weights and two moments of two, their gradients, and the new ones of an update. */
const MOST_MATRICES = 14;

/** Matrices whose values, moments and gradients are the device's. */
export type MatrixName = 'W_encT' | 'W_dec' | 'W_skip';

/** What a training on a device is of. */
export interface DeviceRun {
  training: DeviceTraining;
  applyBDecToInput: boolean;
  /** What the architecture leaves to the next step: gets the least value that fired in a batch. */
  leave?: (least: number) => void;
  /** The matrix that is held at its start. */
  frozen?: MatrixName;
  /** The start of W_dec, where its rows are held near it. */
  near?: Float32Array;
  /** Default 128 MiB. */
  bufferFloats?: number;
}

/** By the name of its matrix. */
export const gradientOf = <N extends MatrixName>(name: N): `to${N}` => `to${name}`;

/** The matrices of a training. */
export const matricesOf = ({ skip }: DeviceTraining): readonly MatrixName[] =>
  skip ? ['W_encT', 'W_dec', 'W_skip'] : ['W_encT', 'W_dec'];

/** What has no room, with figures. */
export function tooLarge({ dIn, dSae }: Parameters, error: DeviceMemoryError): DeviceMemoryError {
  const needed = 4 * dIn * dSae * MOST_MATRICES;
  return new DeviceMemoryError(
    `training of ${dSae} features of width ${dIn} needs about ${formatBytes(needed)} on the device, and ${formatBytes(4 * dSae)} for each row of a block: ${error.message}. Train fewer features, or on the cpu device`,
    { cause: error },
  );
}

/** Sums over the blocks of a batch, in float64, and the gradients of its matrices. */
export class Summed implements BatchSums {
  columns: Record<string, Float64Array> = {};
  rows: Record<string, number> = {};
  readonly toOut: Float64Array;
  firing = 0;
  /** By the names of gradientOf. */
  gradients: Record<string, DeviceTensor> = {};

  constructor(
    { dOut }: Parameters,
    readonly least: number | undefined,
  ) {
    this.toOut = new Float64Array(dOut);
  }

  add(program: Pick<BlockProgram, 'columns' | 'rows'>, host: Record<string, HostTensor>): void {
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

export class BlocksOnDevice {
  /** Rows of a block: fewer after the device had no room. */
  #rows: number;
  readonly #programs = new Map<string, BlockProgram>();
  readonly #widths: readonly number[];

  constructor(
    private readonly device: GraphDevice,
    private readonly p: Parameters,
    private readonly of: DeviceRun,
  ) {
    this.#rows = Math.max(1, Math.floor((of.bufferFloats ?? BUFFER_FLOATS) / Math.max(p.dSae, p.dIn)));
    this.#widths = of.training.widths?.(p.dSae) ?? [p.dSae];
  }

  /**
   * All blocks of a batch; again with half the rows where the device had no room.
   * @param weights the matrices and rows (x; y where it is predicted) on the device
   */
  async run(
    weights: Record<string, DeviceTensor>,
    begun: DeviceStep,
    batch: DeviceBatch,
    breakAt?: () => void,
  ): Promise<Summed> {
    const { b_enc, b_dec } = this.p;
    const feeds: Feeds = {
      ...{ ...weights, b_enc: vector(b_enc), b_dec: vector(b_dec), '2/B': one(2 / batch.rows) },
      [feedNames.vector('norms')]: vector(batch.norms),
    };
    if (batch.dead) feeds[feedNames.vector('dead')] = vector(batch.dead);
    for (const [name, value] of Object.entries(begun.numbers ?? {})) feeds[feedNames.number(name)] = one(value);
    for (const [name, value] of Object.entries(begun.vectors ?? {})) feeds[feedNames.vector(name)] = vector(value);
    for (;;) {
      try {
        return await this.#attempt(feeds, begun, batch.rows, breakAt);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        const rows = Math.min(this.#rows, batch.rows);
        if (rows === 1) throw tooLarge(this.p, error);
        this.#rows = Math.ceil(rows / 2);
      }
    }
  }

  async #attempt(given: Feeds, begun: DeviceStep, rows: number, breakAt?: () => void): Promise<Summed> {
    const blocks: BlockOfRows[] = [];
    for (let first = 0; first < rows; first += this.#rows)
      blocks.push({ first, rows: Math.min(this.#rows, rows - first) });
    let kept: Record<string, DeviceTensor> = {};
    const { training } = this.of;
    try {
      const selected = training.ofBatch && (await selectOfBatch(this.device, this.of, blocks, given, rows, breakAt));
      const sums = new Summed(this.p, selected?.least);
      const feeds = selected ? { ...given, [feedNames.number('bound')]: one(selected.bound) } : given;
      for (const block of blocks) {
        breakAt?.();
        const next = await this.#block(feeds, begun.dead, block, kept, sums);
        this.device.free(...Object.values(kept));
        kept = next;
      }
      sums.gradients = kept;
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
    const { training } = this.of;
    const program = this.#program(dead, first > 0, room !== undefined, 'y' in given);
    const matrices = matricesOf(training).filter((name) => !z || name !== 'W_encT');
    const uses = [
      ...['x', ...('y' in given ? ['y'] : []), ...matrices, 'b_dec', '2/B', ...(z ? [] : ['b_enc'])],
      ...program.vectors.map(feedNames.vector),
      ...program.numbers.map(feedNames.number),
      ...(z ? [feedNames.number('bound')] : []),
    ];
    const feeds: Feeds = {
      ...Object.fromEntries(uses.map((name) => [name, given[name]])),
      ...(room ? { room: { data: room, shape: [rows, 1] } } : {}),
      ...(z ? { z } : {}),
      ...{ from: whole(first), to: whole(first + rows) },
      ...kept,
    };
    const { host, next } = await runNext(this.device, program, feeds, matricesOf(training).map(gradientOf));
    sums.add(program, host);
    return next;
  }

  #program(dead: DeviceStep['dead'], more: boolean, ties: boolean, target: boolean): BlockProgram {
    const key = `${dead} ${more} ${ties}`;
    let program = this.#programs.get(key);
    if (program) return program;
    const { training, applyBDecToInput } = this.of;
    const shape = { dIn: this.p.dIn, applyBDecToInput, target, widths: this.#widths, dead, more, ties };
    this.#programs.set(key, (program = blockProgram(training, shape)));
    return program;
  }
}
