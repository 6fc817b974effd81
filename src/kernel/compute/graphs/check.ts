/**
 * Whether a device computes rightly, before anything trusts it: a transfer, products, top-k with ties, the norm as the
 * models' graphs have it, and a gradient, each against float64; and how fast its product is.
 */
import { Random } from '../random.js';
import { Graph } from './graph.js';
import type { GraphDevice } from './host.js';
import type { HostTensor } from './messages.js';

/** Largest error of a value against float64, relative to the largest value of its kind. */
export const MAX_ERROR = 1e-4;

export interface DeviceCheck {
  /** Largest relative error of what was checked. */
  error: number;
  /** Of float32 products of square matrices, the fastest. */
  gflops: number;
  /** Bytes a second to the device and back. */
  transfer: { up: number; down: number };
}

/** Elements of the transfer that is timed. */
const TRANSFERRED = 2 ** 20;
/** Sizes whose product is timed, as long as the device is quick. */
const SIZES = [256, 1024, 2048];
/** Milliseconds of a product after which larger ones would only take time: a software driver. */
const SLOW_MS = 25;
const tensor = (data: Float32Array, ...shape: number[]): HostTensor<Float32Array> => ({ data, shape });
const normals = (seed: number, n: number): Float32Array => new Random(seed).normals(new Float32Array(n));

function relative(got: ArrayLike<number>, wanted: Float64Array): number {
  const scale = wanted.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(got[i] - wanted[i]);
    if (!(error <= worst)) worst = error; // NaN is the worst of all
  }
  return worst / scale;
}

/** [m × k] · [k × n] in float64. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, m: number, n: number, k: number): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) c[i * n + j] += a[i * k + l] * b[l * n + j];
  return c;
}

const [M, N, K] = [24, 40, 96];

async function checkProducts(device: GraphDevice): Promise<number> {
  const program = {
    key: 'check products',
    build: () => {
      const g = new Graph();
      const [a, b] = [g.input('a'), g.input('b')]; // [M, K], [K, N]
      const c = g.gemm(a, b);
      // d/dA and d/dB of ½‖AB‖²: the two products of every backward pass.
      return g.build({ c, dA: g.gemm(c, b, { transB: true }), dB: g.gemm(a, c, { transA: true }) });
    },
  };
  const [a, b] = [normals(1, M * K), normals(2, K * N)];
  const { host } = await device.run(program, { a: tensor(a, M, K), b: tensor(b, K, N) });
  const turned = (x: ArrayLike<number>, rows: number, cols: number): Float64Array =>
    Float64Array.from({ length: rows * cols }, (_, i) => x[(i % rows) * cols + Math.floor(i / rows)]);
  const c = product(a, b, M, N, K);
  return Math.max(
    relative(host.c.data as Float32Array, c),
    relative(host.dA.data as Float32Array, product(c, turned(b, K, N), M, K, N)),
    relative(host.dB.data as Float32Array, product(turned(a, M, K), c, K, N, M)),
  );
}

async function checkTopK(device: GraphDevice): Promise<number> {
  const [rows, cols, k] = [8, 3000, 16];
  const program = {
    key: 'check top-k',
    build: () => {
      const g = new Graph();
      const { values, indices } = g.topK(g.input('x'), g.input('k', 'int64'), 1);
      return g.build({ values, indices }, { indices: 'int64' });
    },
  };
  // Few different values: most places are decided by ties.
  const x = normals(3, rows * cols).map((v) => Math.round(v * 20) / 20);
  const feeds = { x: tensor(x, rows, cols), k: { data: BigInt64Array.of(BigInt(k)), shape: [1] } };
  const { host } = await device.run(program, feeds);
  const [values, indices] = [host.values.data as Float32Array, host.indices.data as BigInt64Array];
  for (let i = 0; i < rows; i++) {
    const row = x.subarray(i * cols, (i + 1) * cols);
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
    for (let j = 0; j < k; j++)
      if (Number(indices[i * k + j]) !== order[j] || values[i * k + j] !== row[order[j]]) return Infinity;
  }
  return 0;
}

/** A LayerNorm far from the origin, where a variance by E[x²] − E[x]² is lost. */
async function checkNorm(device: GraphDevice): Promise<number> {
  const [rows, cols] = [4, 512];
  const program = {
    key: 'check norm',
    build: () => {
      const g = new Graph();
      const x = g.input('x');
      const centred = g.sub(x, g.mean(x));
      return g.build({ y: g.div(centred, g.sqrt(g.mean(g.mul(centred, centred)))) });
    },
  };
  const x = normals(4, rows * cols).map((v) => v + 20);
  const { host } = await device.run(program, { x: tensor(x, rows, cols) });
  const wanted = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    const row = Float64Array.from(x.subarray(i * cols, (i + 1) * cols));
    const mean = row.reduce((a, b) => a + b, 0) / cols;
    const scale = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / cols);
    row.forEach((v, j) => (wanted[i * cols + j] = (v - mean) / scale));
  }
  return relative(host.y.data as Float32Array, wanted);
}

/** Milliseconds of the product size³, the best of several; one number comes back, so that the device has finished. */
async function productTime(device: GraphDevice, size: number): Promise<number> {
  const program = {
    key: 'check speed',
    build: () => {
      const g = new Graph();
      const a = g.input('a');
      return g.build({ corner: g.slice(g.matMul(a, a), 0, 0, 1) });
    },
  };
  const a = await device.upload(new Float32Array(size * size).fill(0.5), [size, size]);
  let best = Infinity;
  try {
    const until = performance.now() + 300;
    for (let i = 0; i < 2 || (i < 10 && performance.now() < until); i++) {
      const start = performance.now();
      await device.run(program, { a });
      best = Math.min(best, performance.now() - start);
    }
  } finally {
    device.free(a);
  }
  return best;
}

async function measureProduct(device: GraphDevice): Promise<number> {
  let gflops = 0;
  for (const size of SIZES) {
    const time = await productTime(device, size);
    gflops = Math.max(gflops, (2 * size ** 3) / time / 1e6);
    if (time > SLOW_MS) break;
  }
  return gflops;
}

/**
 * Checks a device that has started, and measures it.
 * @throws Error that says what is wrong with it
 */
export async function checkDevice(device: GraphDevice): Promise<DeviceCheck> {
  const x = normals(5, TRANSFERRED);
  let start = performance.now();
  const there = await device.upload(x, [TRANSFERRED]);
  const up = x.byteLength / ((performance.now() - start) / 1000);
  start = performance.now();
  const back = (await device.download(there)).data;
  const down = x.byteLength / ((performance.now() - start) / 1000);
  device.free(there);
  if (!x.every((v, i) => Object.is(v, back[i]))) throw new Error('it gives other values back than it was given');
  let worst = 0;
  for (const [what, check] of [
    ['products', checkProducts],
    ['top-k', checkTopK],
    ['norms', checkNorm],
  ] as const) {
    const error = await check(device);
    if (!(error < MAX_ERROR)) throw new Error(`it gives wrong ${what} (relative error ${error.toExponential(1)})`);
    worst = Math.max(worst, error);
  }
  return { error: worst, gflops: await measureProduct(device), transfer: { up, down } };
}
