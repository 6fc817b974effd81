/**
 * shuffledNorms() as graphs: products of one matrix with the rows of another in many orders, and the sums of their
 * singular values by the steps of nuclearNorm.ts, several orders at a time. What leaves the device are rows' sums, which
 * are added up in float64.
 */
import { checkAborted, type CallOptions } from './call.js';
import { one, type Feeds } from './graphs/feeds.js';
import { DeviceMemoryError } from './graphs/failures.js';
import { Graph, type Value } from './graphs/graph.js';
import type { DeviceTensor, GraphDevice, Program } from './graphs/host.js';
import type { HostTensor } from './graphs/messages.js';
import { CONVERGED, LAST_FROM, LENGTHENED, lowEnd, MOST_STEPS, SQUARES_FROM, stepFrom, sumOfTraces } from './nuclearNorm.js'; // prettier-ignore
import type { ShuffledProduct } from './shuffledNorms.js';

/** Floats of one buffer on the device: 128 MiB, which every WebGPU device takes. */
const BUFFER_FLOATS = 2 ** 25;
/** Orders at a time: more would make no product larger that fills a device already. */
const MOST = 64;

const turned = (g: Graph, x: Value): Value => g.transpose(x, 0, 2, 1);
/** Σ over both axes of each matrix, [B, 1, 1]; rows first, then columns, since a long running sum loses digits. */
const whole = (g: Graph, x: Value): Value => g.sum(g.sum(x), 1);

/**
 * M = left · right[orders], [B, p, q] with p ≤ q, as X = M / unit, S = X Xᵀ and S²; `scale` [B, 1, 1] is unit², a little
 * above the largest singular value's square: trace · (Σ shares⁸)^(1/8) of the shares of the trace, which never overflow.
 */
const start = (turn: boolean): Program => ({
  key: `shuffled product${turn ? ' turned' : ''}`,
  build: () => {
    const g = new Graph();
    const rows = g.op('Gather', [g.input('right'), g.input('orders', 'int32')], { axis: 0 }); // [B, n, q]
    const product = g.matMul(g.input('left'), rows);
    const M = turn ? turned(g, product) : product;
    const trace = whole(g, g.mul(M, M));
    const shares = g.div(g.matMul(M, turned(g, M)), trace);
    const squares = g.matMul(shares, shares);
    const fourth = g.matMul(squares, squares);
    const power = g.sqrt(g.sqrt(g.sqrt(whole(g, g.mul(fourth, fourth)))));
    const scale = g.mul(g.mul(trace, power), g.number(1.001 ** 2));
    const share = g.div(trace, scale);
    return g.build({
      X: g.div(M, g.sqrt(scale)),
      S: g.mul(shares, share),
      S2: g.mul(squares, g.mul(share, share)),
      trace,
      scale,
    });
  },
});

/** The output of a step that takes the place of a tensor of the state. */
const next = (name: string): string => `next ${name}`;

/** a + b·S + c·S² */
const polynomial = (g: Graph): Value =>
  g.add(
    g.mul(g.input('a'), g.input('eye')),
    g.add(g.mul(g.input('b'), g.input('S')), g.mul(g.input('c'), g.input('S2'))),
  );

/** A step of X itself. */
const LONG_STEP: Program = {
  key: 'nuclear norm, long step',
  build: () => {
    const g = new Graph();
    const X = g.matMul(polynomial(g), g.input('X'));
    const S = g.matMul(X, turned(g, X));
    return g.build({ [next('X')]: X, [next('S')]: S, [next('S2')]: g.matMul(S, S) });
  },
};

/** Y = X₀ Xᵀ */
const CROSS: Program = {
  key: 'nuclear norm, cross',
  build: () => {
    const g = new Graph();
    return g.build({ [next('Y')]: g.matMul(g.input('X0'), turned(g, g.input('X'))) });
  },
};

/** A step of S and Y. */
const STEP: Program = {
  key: 'nuclear norm, step',
  build: () => {
    const g = new Graph();
    const P = polynomial(g);
    const S = g.matMul(g.matMul(P, g.input('S')), P);
    const Y = g.matMul(P, g.input('Y'));
    return g.build({ [next('Y')]: Y, [next('S')]: S, [next('S2')]: g.matMul(S, S) });
  },
};

/** Sums of rows whose total is the trace of Y·S^i, i = 0 … 4, [B, p] each. */
const TRACES: Program = {
  key: 'nuclear norm, traces',
  build: () => {
    const g = new Graph();
    const [Y, S, S2] = ['Y', 'S', 'S2'].map((name) => g.input(name));
    const YS2 = g.matMul(Y, S2);
    const inner = (a: Value, b: Value): Value => g.sum(g.mul(a, b), -1, false);
    return g.build({
      t0: inner(Y, g.input('eye')),
      t1: inner(Y, S),
      t2: inner(Y, S2),
      t3: inner(YS2, S),
      t4: inner(YS2, S2),
    });
  },
};

/** Tensors of an iteration by name; two names may stand for one. */
type State = Map<string, DeviceTensor>;

/** The norms of many orders on a device; what both matrices need stays there until close(). */
export class DeviceNorms {
  #kept: Promise<Record<'left' | 'right' | 'eye', DeviceTensor>> | undefined;
  /** Orders at a time: fewer after the device had no room. */
  #batch: number;

  constructor(
    private readonly device: GraphDevice,
    private readonly product: ShuffledProduct,
    bufferFloats = BUFFER_FLOATS,
  ) {
    const { n, p, q } = product;
    this.#batch = Math.max(1, Math.min(MOST, Math.floor(bufferFloats / Math.max(n * q, p * q))));
  }

  /** Orders that are best given at a time. */
  get batch(): number {
    return this.#batch;
  }

  /**
   * As shuffledNorms(), within the rounding of float32.
   * @throws RangeError as it does; DeviceMemoryError where not even one order fits, DeviceLostError
   */
  async sums(orders: Uint32Array, { signal }: CallOptions = {}): Promise<Float64Array> {
    const { n } = this.product;
    const sums = new Float64Array(orders.length / n);
    for (let first = 0; first < sums.length;) {
      checkAborted(signal, 'null runs');
      const count = Math.min(this.#batch, sums.length - first);
      try {
        sums.set(await this.#some(orders.subarray(first * n, (first + count) * n), count, signal), first);
        first += count;
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        if (count === 1) throw this.#tooLarge(error);
        this.#batch = Math.ceil(count / 2);
      }
    }
    return sums;
  }

  #tooLarge(error: DeviceMemoryError): DeviceMemoryError {
    const { n, p, q } = this.product;
    return new DeviceMemoryError(
      `null runs of ${n} pairs with ${p} and ${q} directions do not fit the device: ${error.message}. Score fewer pairs, or use the cpu device`,
      { cause: error },
    );
  }

  #matrices(): Promise<Record<'left' | 'right' | 'eye', DeviceTensor>> {
    const { n, p, q, left, right } = this.product;
    const size = Math.min(p, q);
    const upload = async () => {
      const eye = new Float32Array(size * size);
      for (let i = 0; i < size; i++) eye[i * size + i] = 1;
      return {
        left: await this.device.upload(left, [p, n]),
        right: await this.device.upload(right, [n, q]),
        eye: await this.device.upload(eye, [size, size]),
      };
    };
    this.#kept ??= upload();
    this.#kept.catch(() => (this.#kept = undefined));
    return this.#kept;
  }

  async #some(orders: Uint32Array, count: number, signal?: AbortSignal): Promise<Float64Array> {
    const { n, p, q, lowest } = this.product;
    const { left, right, eye } = await this.#matrices();
    const feeds = { left, right, orders: { data: Int32Array.from(orders), shape: [count, n] } };
    const { host, device } = await this.device.run(start(p > q), feeds, { stay: ['X', 'S', 'S2'], signal });
    const state: State = new Map(Object.entries(device));
    try {
      const [trace, scale] = [host.trace, host.scale].map(({ data }) => Array.from(data as Float32Array, Number));
      const bad = trace.findIndex((v) => !Number.isFinite(v));
      if (bad >= 0) throw new RangeError(`the ${p} × ${q} product of null run ${bad} has entries that are not finite`);
      // A product of zeros has no unit, and its sum is 0.
      const units = scale.map((v, i) => (trace[i] > 0 ? Math.sqrt(v) : 0));
      const low = lowEnd(
        lowest,
        units.reduce((a, b) => Math.max(a, b), Number.MIN_VALUE),
      );
      const sums = await this.#rootTraces(state, eye, low, units, signal);
      return sums.map((sum, i) => sum * units[i]);
    } finally {
      this.device.free(...new Set(state.values()));
    }
  }

  /** Runs a program over tensors of the state; its outputs take the place of those of the same names. */
  async #apply(
    state: State,
    program: Program,
    inputs: readonly string[],
    outputs: readonly string[],
    more: Feeds,
    signal?: AbortSignal,
  ): Promise<void> {
    const feeds = { ...more, ...Object.fromEntries(inputs.map((name) => [name, state.get(name)!])) };
    const { device } = await this.device.run(program, feeds, { stay: outputs.map(next), signal });
    for (const name of outputs) {
      const before = state.get(name);
      state.set(name, device[next(name)]);
      if (before && ![...state.values()].includes(before)) this.device.free(before);
    }
  }

  /** Σ of the singular values of each X, all ≤ 1, by the steps of nuclearNorm(); 0 where the unit is 0. */
  async #rootTraces(
    state: State,
    eye: DeviceTensor,
    from: number,
    units: readonly number[],
    signal?: AbortSignal,
  ): Promise<Float64Array> {
    let low = from;
    const step = async (program: Program, names: readonly string[]): Promise<void> => {
      const { a, b, c, low: next } = stepFrom(low);
      await this.#apply(state, program, names, names, { eye, a: one(a), b: one(b), c: one(c) }, signal);
      low = next;
    };
    if (low < SQUARES_FROM) {
      state.set('X0', state.get('X')!);
      while (low < SQUARES_FROM) await step(LONG_STEP, ['X', 'S', 'S2']);
      await this.#apply(state, CROSS, ['X0', 'X'], ['Y'], {}, signal);
    } else state.set('Y', state.get('S')!);
    const sums = new Float64Array(units.length).fill(NaN);
    for (let steps = 0; ; steps++) {
      if (low >= LAST_FROM) {
        const [Y, S, S2] = ['Y', 'S', 'S2'].map((name) => state.get(name)!);
        const { host } = await this.device.run(TRACES, { Y, S, S2, eye }, { signal });
        if (settle(sums, host, low, units, steps >= MOST_STEPS)) return sums;
        if (low > 0.9) low = LENGTHENED;
      }
      await step(STEP, ['Y', 'S', 'S2']);
    }
  }

  /** Gives the matrices back. */
  async close(): Promise<void> {
    const kept = await this.#kept?.catch(() => undefined);
    this.#kept = undefined;
    if (kept) this.device.free(...Object.values(kept));
  }
}

/** Takes the sums that have converged, and at `last` all; true when none is left. */
function settle(
  sums: Float64Array,
  host: Record<string, HostTensor>,
  low: number,
  units: readonly number[],
  last: boolean,
): boolean {
  const rows = ['t0', 't1', 't2', 't3', 't4'].map((name) => host[name].data as Float32Array);
  const p = rows[0].length / sums.length;
  for (const [i, unit] of units.entries()) {
    if (!Number.isNaN(sums[i])) continue;
    const traces = rows.map((of) => of.subarray(i * p, (i + 1) * p).reduce((sum, v) => sum + v, 0));
    const { sum, error } = unit > 0 ? sumOfTraces(traces, low) : { sum: 0, error: 0 };
    if (error <= CONVERGED * sum || last) sums[i] = sum;
  }
  return !sums.some(Number.isNaN);
}
