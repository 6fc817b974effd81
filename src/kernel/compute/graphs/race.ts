/**
 * Which kinds of work a device does faster than the CPU, measured at small sizes with the transfers that the work needs:
 * a product alone says nothing of a bus or of selection.
 */
import { gemm } from '../gemm.js';
import { Random } from '../random.js';
import { topKRows } from '../topk.js';
import { GRAPH_WORK, type GraphWork } from './current.js';
import { whole } from './feeds.js';
import { Graph } from './graph.js';
import type { GraphDevice } from './host.js';
import { ROW_SUMS } from './rowSums.js';
import { shuffledNorms } from '../shuffledNorms.js';
import { DeviceNorms } from '../shuffledNormsOnDevice.js';

/** A device does a kind of work when it is faster by this factor: less would change with the noise of a measurement. */
export const FASTER = 1.25;
/** A device whose product is slower than this share of the CPU's wins nothing that is made of products. */
const HOPELESS = 0.5;

export interface Race {
  work: GraphWork;
  /** Milliseconds, the fastest of several runs. */
  device: number;
  cpu: number;
}

interface Lane {
  onDevice(): Promise<unknown>;
  onCpu(): unknown;
}

const normals = (seed: number, n: number): Float32Array => new Random(seed).normals(new Float32Array(n));

async function fastest(run: () => unknown): Promise<number> {
  await run();
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Rows go up, are multiplied with a matrix that stays there, and the k largest of each come back. */
async function selection(device: GraphDevice, rows: number, d: number, cols: number, k: number) {
  const [x, w] = [normals(1, rows * d), normals(2, d * cols)];
  const kept = await device.upload(w, [d, cols]);
  const program = {
    key: 'race selection',
    build: () => {
      const g = new Graph();
      const { values, indices } = g.topK(g.matMul(g.input('x'), g.input('w')), g.input('k', 'int64'), 1);
      return g.build({ values, indices }, { indices: 'int64' });
    },
  };
  const feeds = { x: { data: x, shape: [rows, d] }, w: kept, k: whole(k) };
  const lane: Lane = {
    onDevice: () => device.run(program, feeds),
    onCpu: () => void topKRows(gemm(x, w, rows, cols, d), rows, cols, k),
  };
  return { lane, free: () => device.free(kept) };
}

/** The products of a step forward and backward; weights stay, a batch goes up, features and gradients of biases come. */
async function step(device: GraphDevice, rows: number, d: number, features: number) {
  const [x, w] = [normals(3, rows * d), normals(4, d * features)];
  const kept = await device.upload(w, [d, features]);
  const program = {
    key: 'race step',
    build: () => {
      const g = new Graph();
      const [x, w] = [g.input('x'), g.input('w')];
      const z = g.gemm(x, w);
      const y = g.gemm(z, w, { transB: true });
      return g.build({ z, dW: g.gemm(g.sub(y, x), z, { transA: true }) });
    },
  };
  const feeds = { x: { data: x, shape: [rows, d] }, w: kept };
  const lane: Lane = {
    onDevice: async () => device.free((await device.run(program, feeds, { stay: ['dW'] })).device.dW),
    onCpu: () => {
      const z = gemm(x, w, rows, features, d);
      const y = gemm(z, w, rows, d, features, { transB: true });
      gemm(y, z, d, features, rows, { transA: true });
    },
  };
  return { lane, free: () => device.free(kept) };
}

/** Entries of sparse rows go up, sums of rows of a matrix that stays there come back. */
async function sums(device: GraphDevice, rows: number, width: number, features: number, d: number) {
  const w = normals(5, features * d);
  const [kept, before] = [await device.upload(w, [features, d]), await device.upload(new Float32Array(d), [d])];
  const values = normals(6, rows * width);
  const random = new Random(7);
  const indices = Int32Array.from(values, () => Math.floor(random.next() * features));
  const feeds = {
    values: { data: values, shape: [rows, 1, width] },
    indices: { data: indices, shape: [rows, width] },
    rows: kept,
    before,
  };
  const lane: Lane = {
    onDevice: () => device.run(ROW_SUMS, feeds),
    onCpu: () => {
      const out = new Float64Array(rows * d);
      for (let e = 0; e < values.length; e++) {
        const [to, from] = [Math.floor(e / width) * d, indices[e] * d];
        for (let j = 0; j < d; j++) out[to + j] += values[e] * w[from + j];
      }
    },
  };
  return { lane, free: () => device.free(kept, before) };
}

/** Sums of singular values of a product with its rows in several orders. */
async function norms(device: GraphDevice, n: number, p: number, runs: number) {
  const scale = (x: Float32Array): Float32Array => x.map((v) => v / Math.sqrt(n));
  const product = { n, p, q: p, left: scale(normals(8, p * n)), right: scale(normals(9, n * p)), lowest: 0.1 };
  const random = new Random(10);
  const orders = new Uint32Array(runs * n);
  for (let run = 0; run < runs; run++) orders.set(random.permutation(n), run * n);
  const there = new DeviceNorms(device, product);
  await there.sums(orders.subarray(0, n));
  const lane: Lane = { onDevice: () => there.sums(orders), onCpu: () => shuffledNorms(product, orders) };
  return { lane, free: () => there.close() };
}

const LANES: Record<GraphWork, (device: GraphDevice) => Promise<{ lane: Lane; free: () => unknown }>> = {
  encoding: (device) => selection(device, 256, 256, 4096, 32),
  decoding: (device) => sums(device, 1024, 32, 4096, 256),
  training: (device) => step(device, 512, 256, 2048),
  neighbours: (device) => selection(device, 512, 128, 4096, 20),
  scores: (device) => norms(device, 512, 128, 4),
};

/**
 * Measures each kind of work on both.
 * @param gflops of the products of each; where the device's is hopeless nothing is run
 */
export async function race(
  device: GraphDevice,
  gflops: { device: number; cpu: number },
  kinds: readonly GraphWork[] = GRAPH_WORK,
): Promise<Race[]> {
  if (gflops.device < HOPELESS * gflops.cpu) return [];
  const results: Race[] = [];
  for (const work of kinds) {
    const { lane, free } = await LANES[work](device);
    results.push({ work, device: await fastest(() => lane.onDevice()), cpu: await fastest(() => lane.onCpu()) });
    await free();
  }
  return results;
}

/** The kinds of work that the device won. */
export const won = (races: readonly Race[]): GraphWork[] =>
  races.filter(({ device, cpu }) => FASTER * device <= cpu).map(({ work }) => work);

/** "encoding 1.2 ms there and 3.4 ms on the CPU; …" */
export const raceWords = (races: readonly Race[]): string =>
  `measured: ${races.map(({ work, device, cpu }) => `${work} ${device.toPrecision(2)} ms there and ${cpu.toPrecision(2)} ms on the CPU`).join('; ')}`;
