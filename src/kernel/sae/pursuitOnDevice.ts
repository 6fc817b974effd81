/**
 * Matching pursuit with its products on a device: what is left of the rows goes up, and of each row the features come back
 * whose products are the largest. All else of it is pursuit.ts, to the same bits.
 */
import { Graph } from '../compute/graphs/graph.js';
import { whole } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice, Program } from '../compute/graphs/host.js';
import { formatBytes } from '../../protocol/bytes.js';
import { pursuit, type Asked, type Candidates, type Pursuit, type PursuitInput, type Taken } from './pursuit.js';

/** Floats of one buffer on the device: 128 MiB. */
const BUFFER_FLOATS = 2 ** 25;
/** Features that come back of each row: more than lie within the rounding of the largest, as a rule. */
const BEST = 4;

/** The features of the largest products with each row, best first. */
const bestProgram: Program = {
  key: 'pursuit best',
  build() {
    const g = new Graph();
    const products = g.gemm(g.input('left'), g.input('W_dec'), { transB: true });
    const { values, indices } = g.topK(products, g.input('k', 'int64'), 1);
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

  async #block({ left, reach }: Asked, first: number, count: number): Promise<Candidates> {
    const rows = this.#padded(count);
    const k = Math.min(BEST, this.#dSae);
    const data = new Float32Array(rows * this.#dIn);
    data.set(left.subarray(first * this.#dIn, (first + count) * this.#dIn));
    const feeds = { left: { data, shape: [rows, this.#dIn] }, W_dec: this.W_dec, k: whole(k) };
    const { host } = await this.device.run(bestProgram, feeds);
    const values = host.values.data as Float32Array;
    const indices = host.indices.data as BigInt64Array;
    return Array.from({ length: count }, (_, i) => {
      const bound = values[i * k] - reach[first + i];
      let level = 1;
      while (level < k && values[i * k + level] >= bound) level++;
      // Where the last one is level too, others may be.
      if (level === BEST && k < this.#dSae) return undefined;
      return Array.from(indices.subarray(i * k, i * k + level), Number).sort((a, b) => a - b);
    });
  }

  /** A GPU compiles anew for some numbers of rows: there are few of them, halves of all. */
  #padded(count: number): number {
    let rows = this.#rows;
    while (Math.ceil(rows / 2) >= count && rows > 1) rows = Math.ceil(rows / 2);
    return rows;
  }
}
