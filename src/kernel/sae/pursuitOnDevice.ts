/**
 * Matching pursuit with its products on a device: what is left of the rows goes up, and of each row the features come back
 * whose products may be the largest. All else of it is pursuit.ts, to the same bits.
 */
import { Graph, type Value } from '../compute/graphs/graph.js';
import { whole } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice, Program } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { formatBytes } from '../../protocol/bytes.js';
import { pursuit, type Asked, type Candidates, type Pursuit, type PursuitInput, type Taken } from './pursuit.js';

/** Floats of one buffer on the device: 128 MiB. */
const BUFFER_FLOATS = 2 ** 25;
/** Features that come back first of rows of which several may be the largest. */
const FEW = 4;

const productsOf = (g: Graph): Value => g.gemm(g.input('left'), g.input('W_dec'), { transB: true });

/** The feature of the largest product with each row, and how many lie at most `reach` [N, 1] below it: mostly that one. */
const bestProgram: Program = {
  key: 'pursuit best',
  build() {
    const g = new Graph();
    const products = productsOf(g);
    const at = g.op('ArgMax', [products], { axis: 1, keepdims: 0 });
    const bound = g.sub(g.op('ReduceMax', [products, g.whole(1)]), g.input('reach'));
    const level = g.where(g.op('GreaterOrEqual', [products, bound]), g.number(1), g.number(0));
    return g.build({ at, level: g.sum(level) }, { at: 'int64' });
  },
};

/** The features of the k largest products with each row, best first. */
const levelProgram: Program = {
  key: 'pursuit level',
  build() {
    const g = new Graph();
    const { values, indices } = g.topK(productsOf(g), g.input('k', 'int64'), 1);
    return g.build({ values, indices }, { indices: 'int64' });
  },
};

interface OnDevice {
  breakAt?: () => void;
  bufferFloats?: number;
  /** The decoder, where it is there already. */
  W_dec?: DeviceTensor;
}

/**
 * The pursuit of some rows.
 * @throws DeviceMemoryError where not even one row fits, DeviceLostError
 */
export async function pursuedOnDevice(
  device: GraphDevice,
  given: PursuitInput,
  o: Pursuit,
  { breakAt, bufferFloats = BUFFER_FLOATS, ...there }: OnDevice = {},
): Promise<Taken> {
  const { decoder, dIn, dSae, rows } = given;
  let own: DeviceTensor | undefined;
  try {
    const W_dec = there.W_dec ?? (own = await device.upload(decoder, [dSae, dIn]));
    const products = new Products(device, W_dec, Math.min(rows, bufferFloats / Math.max(dIn, dSae)), given);
    const running = pursuit(given, o);
    for (let next = running.next(); ; next = running.next(await products.best(next.value, breakAt)))
      if (next.done) return next.value;
  } catch (error) {
    throw error instanceof DeviceMemoryError ? tooLarge(given, error) : error;
  } finally {
    if (own) device.free(own);
  }
}

const tooLarge = ({ dIn, dSae }: PursuitInput, error: DeviceMemoryError): DeviceMemoryError =>
  new DeviceMemoryError(
    `the products of a pursuit over ${dSae} features of width ${dIn} need about ${formatBytes(4 * dIn * dSae)} on the device, and ${formatBytes(4 * (dIn + dSae))} for each row of a block: ${error.message}. Take fewer features, or the cpu device`,
    { cause: error },
  );

/** Products with one decoder on the device. */
class Products {
  readonly #dIn: number;
  readonly #dSae: number;
  /** Rows of a block: fewer after the device had no room. */
  #rows: number;

  constructor(
    private readonly device: GraphDevice,
    private readonly W_dec: DeviceTensor,
    rows: number,
    { dIn, dSae }: Pick<PursuitInput, 'dIn' | 'dSae'>,
  ) {
    this.#dIn = dIn;
    this.#dSae = dSae;
    this.#rows = Math.max(1, Math.floor(rows));
  }

  async best(asked: Asked, breakAt?: () => void): Promise<Candidates> {
    const candidates: Candidates = [];
    while (candidates.length < asked.rows) {
      breakAt?.();
      const count = Math.min(this.#rows, asked.rows - candidates.length);
      try {
        for (const of of await this.#block(asked, candidates.length, count)) candidates.push(of);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError) || count === 1) throw error;
        this.#rows = Math.ceil(count / 2);
      }
    }
    return candidates;
  }

  async #block(asked: Asked, first: number, count: number): Promise<Candidates> {
    const rows = Array.from({ length: count }, (_, i) => first + i);
    const { left, size } = this.#gathered(asked, rows);
    const reach = { data: new Float32Array(size), shape: [size, 1] };
    reach.data.set(asked.reach.subarray(first, first + count));
    const { host } = await this.device.run(bestProgram, { left, W_dec: this.W_dec, reach });
    const best = host.at.data as BigInt64Array;
    const candidates: number[][] = rows.map((_, i) => [Number(best[i])]);
    // Of a row of zeros all are level, and none is taken.
    const several = rows.filter((row, i) => (host.level.data as Float32Array)[i] > 1 && asked.reach[row] > 0);
    const found = several.length > 0 ? await this.#level(asked, several) : [];
    several.forEach((row, i) => (candidates[row - first] = found[i]));
    return candidates;
  }

  /** Of rows of which several features may be the largest, all of these. */
  async #level(asked: Asked, rows: readonly number[]): Promise<number[][]> {
    const { left } = this.#gathered(asked, rows);
    for (let k = Math.min(FEW, this.#dSae); ; k = Math.min(4 * k, this.#dSae)) {
      const { host } = await this.device.run(levelProgram, { left, W_dec: this.W_dec, k: whole(k) });
      const values = host.values.data as Float32Array;
      const counts = rows.map((row, i) => {
        let count = 1;
        while (count < k && values[i * k + count] >= values[i * k] - asked.reach[row]) count++;
        return count;
      });
      // Where the last one is level too, others may be.
      if (k < this.#dSae && counts.includes(k)) continue;
      const indices = host.indices.data as BigInt64Array;
      return counts.map((count, i) => Array.from(indices.subarray(i * k, i * k + count), Number).sort((x, y) => x - y));
    }
  }

  /** What is left of some rows, among rows of zeros where the size wants more. */
  #gathered({ left }: Asked, rows: readonly number[]): { left: HostTensor; size: number } {
    const size = this.#padded(rows.length);
    const data = new Float32Array(size * this.#dIn);
    rows.forEach((row, i) => data.set(left.subarray(row * this.#dIn, (row + 1) * this.#dIn), i * this.#dIn));
    return { left: { data, shape: [size, this.#dIn] }, size };
  }

  /** A GPU compiles anew for some numbers of rows: there are few of them, halves of all. */
  #padded(count: number): number {
    let rows = this.#rows;
    while (Math.ceil(rows / 2) >= count && rows > 1) rows = Math.ceil(rows / 2);
    return rows;
  }
}
