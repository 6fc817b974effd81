/**
 * What runs as graphs on a device, beside the cpu device: products, SAE encoding, decoding and training, forward passes, nearest
 * neighbours, null runs of scores.
 * FGNB_BENCH_DEVICE=cpu takes ONNX Runtime's CPU in place of WebGPU. A device that multiplies at less than 100 GFLOP/s is
 * no GPU, and gets small sizes. Behind it the same work in PyTorch on the same device, where FGNB_PYTHON
 * (/usr/bin/python3) has one that finds a GPU; on ONNX Runtime's CPU beside PyTorch's.
 */
import { deviceBundle } from '#test/kit/deviceBundle.js';
import { FAMILIES, saeOfKind, shuffledCase } from '#test/kit/deviceCases.js';
import { modelOf, randomWeights, tokenSet } from '#test/kit/model.js';
import { initDevice } from '#kernel/compute/device.js';
import { gemm } from '#kernel/compute/gemm.js';
import { checkDevice } from '#kernel/compute/graphs/check.js';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import { exactKnn } from '#kernel/compute/knn.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { poolNulls } from '#kernel/correlation/poolNulls.js';
import { deviceNulls } from '#kernel/correlation/sharedNulls.js';
import { captureHooks } from '#kernel/models/capture.js';
import { captureOnDevice } from '#kernel/models/captureOnDevice.js';
import type { ModelConfig } from '#kernel/models/types.js';
import { DeviceDecoder } from '#kernel/sae/decodeOnDevice.js';
import { DeviceEncoder } from '#kernel/sae/encodeOnDevice.js';
import { matrixSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';
import { runPeer } from './peer.js';
import type { BenchResult } from './types.js';

const GPU_GFLOPS = 100;
const RUNS = 3;

/** Seconds of a run after which the CPU, that compiles nothing, runs no second time. */
const ENOUGH = 2;

/** Seconds of the fastest run; the one before them compiles and uploads, where it takes no more than `enough`. */
async function fastest(run: () => Promise<unknown> | void, enough = Infinity): Promise<number> {
  const begun = performance.now();
  await run();
  const first = (performance.now() - begun) / 1000;
  if (first > enough) return first;
  let best = Infinity;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

const normals = (rows: number, cols: number): Matrix =>
  matrix(rows, cols, new Random(1).normals(new Float32Array(rows * cols)));

interface Measured {
  name: string;
  size: string;
  unit: string;
  /** Units of work of a run, and its multiply-adds. */
  amount: number;
  flops: number;
  onDevice: () => Promise<unknown>;
  onCpu: () => Promise<unknown> | void;
  /** The work in peers/device.py, with its sizes. */
  torch?: readonly [kind: string, ...sizes: number[]];
}

function encoding(device: GraphDevice, rows: number, d: number, features: number): Measured {
  const sae = saeOfKind({ architecture: 'topk', k: Math.min(64, features / 8) }, d, features);
  const x = normals(rows, d);
  const encoder = new DeviceEncoder(device, sae);
  return {
    name: 'SAE encoding, top-k',
    size: `d ${d}, F ${features}, ${rows} tokens`,
    unit: 'tokens/s',
    amount: rows,
    flops: 2 * rows * d * features,
    onDevice: () => encoder.encode({ rows, x }),
    onCpu: () => void sae.encode(x),
    torch: ['encoding', rows, d, features, sae.config.k!],
  };
}

/** Steps with weights and moments that stay on the device; batches go up. */
function training(device: GraphDevice, batch: number, dIn: number, dSae: number, steps: number): Measured {
  const x = normals(2 * batch, dIn);
  const options = { architecture: 'topk', k: Math.min(64, dSae / 8), dSae, steps, trainBatchSizeTokens: batch, lr: 1e-3 } as const; // prettier-ignore
  return {
    name: 'SAE training, top-k',
    size: `d ${dIn}, F ${dSae}, ${steps} steps of ${batch} tokens`,
    unit: 'tokens/s',
    amount: steps * batch,
    // Forward and decoder, and the gradients of both: five products.
    flops: 10 * steps * batch * dIn * dSae,
    onDevice: () => trainSae(matrixSource(x), { ...options, device }),
    onCpu: async () => void (await trainSae(matrixSource(x), options)),
    torch: ['training', batch, dIn, dSae, options.k, steps],
  };
}

/** Sparse rows up, reconstructions back: not a product of the width, so its share says little. */
function decoding(device: GraphDevice, rows: number, d: number, features: number): Measured {
  const sae = saeOfKind({ architecture: 'topk', k: Math.min(64, features / 8) }, d, features);
  const encoded = sae.encode(normals(rows, d));
  const decoder = new DeviceDecoder(device, sae);
  return {
    name: 'SAE decoding, top-k',
    size: `d ${d}, F ${features}, ${rows} tokens`,
    unit: 'tokens/s',
    amount: rows,
    flops: 2 * encoded.values.length * d,
    onDevice: () => decoder.decode(encoded),
    onCpu: () => void sae.decode(encoded),
  };
}

/** Null runs of SVCCA; on the CPU by its pool's workers. */
function scores(device: GraphDevice, n: number, p: number, runs: number): Measured {
  const { product } = shuffledCase(n, p, p, 1, 0.1);
  const draw = (): (() => Uint32Array) => {
    const random = new Random(2);
    return () => random.permutation(n);
  };
  const call = { done: () => undefined };
  return {
    name: 'null runs of SVCCA',
    size: `${n} pairs, ${p} directions, ${runs} runs`,
    unit: 'runs/s',
    amount: runs,
    // The product, and some 14 of its square size.
    flops: 2 * runs * (n * p * p + 14 * p ** 3),
    onDevice: () => deviceNulls(device)(product, runs, draw(), call),
    onCpu: async () => void (await poolNulls(product, runs, draw(), call)),
  };
}

function forward(device: GraphDevice, config: ModelConfig, sequences: number): Measured {
  const model = modelOf(config, randomWeights(config, 5));
  const tokens = tokenSet(sequences, config.context);
  const hooks = [`blocks.${config.layers - 1}.hook_resid_post`];
  const { dModel: d, dMlp, layers } = config;
  const count = sequences * config.context;
  return {
    name: 'forward pass',
    size: `${layers} layers, d ${d}, ${sequences} × ${config.context} tokens`,
    unit: 'tokens/s',
    amount: count,
    flops: 2 * count * layers * (4 * d * d + 2 * d * dMlp),
    onDevice: async () => {
      for await (const { xs } of captureOnDevice(device, model, tokens, hooks, {})) await device.download(xs[0]);
    },
    onCpu: async () => {
      for await (const { xs } of captureHooks(model, tokens, hooks)) void xs;
    },
    torch: ['forward', layers, d, config.heads, dMlp, sequences, config.context],
  };
}

function neighbours(device: GraphDevice, rows: number, cols: number): Measured {
  const x = normals(rows, cols);
  return {
    name: 'nearest neighbours',
    size: `${rows} × ${cols}, k 15`,
    unit: 'rows/s',
    amount: rows,
    flops: 2 * rows * rows * cols,
    onDevice: () => exactKnn(x, 15, { metric: 'cosine', device }),
    onCpu: () => exactKnn(x, 15, { metric: 'cosine', bits: 8 }),
    torch: ['neighbours', rows, cols, 15],
  };
}

function cpuGflops(size: number): number {
  const x = normals(size, size).data;
  let best = Infinity;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    gemm(x, x, size, size, size);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * size ** 3) / best / 1e6;
}

/** What was measured here beside PyTorch on the same device; nothing, with the reason, where it has none. */
function besidePyTorch(
  device: GraphDevice,
  product: number,
  measured: ReadonlyArray<Measured & { ours: number }>,
): BenchResult[] {
  // prettier-ignore
  const size = 1024;
  const works = measured.flatMap(({ torch }) => (torch ? [torch] : []));
  let found: { why: string } | { name: string; seconds: number[] };
  try {
    const list = JSON.stringify([['product', size], ...works]);
    found = runPeer('device', [list, ...(device.provider === 'cpu' ? ['cpu'] : [])]);
  } catch (error) {
    found = { why: (error as Error).message.trim().split('\n').at(-1)! };
  }
  if ('why' in found) {
    console.error(`not beside PyTorch: ${found.why}`);
    return [];
  }
  const { name, seconds } = found;
  const gflops = (2 * size ** 3) / seconds[0] / 1e9;
  const rows: BenchResult[] = [
    { name: 'product, beside PyTorch', size: `${size}³, float32`, ours: product, peer: gflops, unit: 'GFLOP/s', speedup: product / gflops, note: name }, // prettier-ignore
  ];
  for (const [i, { name: work, size, amount, unit, ours }] of measured.filter(({ torch }) => torch).entries()) {
    const peer = amount / seconds[i + 1];
    rows.push({ name: `${work}, beside PyTorch`, size, ours, peer, unit, speedup: ours / peer, note: name });
  }
  return rows;
}

export async function run(): Promise<BenchResult[]> {
  await initDevice({ device: 'cpu' });
  const device = new GraphDevice(process.env.FGNB_BENCH_DEVICE === 'cpu' ? 'cpu' : 'webgpu', await deviceBundle());
  await device.start();
  try {
    const { gflops } = await checkDevice(device);
    const isGpu = gflops >= GPU_GFLOPS;
    const cpu = cpuGflops(1024);
    const product = { name: 'product', size: 'square, float32', ours: gflops, peer: cpu, unit: 'GFLOP/s' };
    const results: BenchResult[] = [
      { ...product, speedup: gflops / cpu, note: `${device.provider}; beside the CPU's` },
    ];
    const gpt2 = { ...FAMILIES['GPT-2'], layers: 12, dModel: 768, heads: 12, dHead: 64, dMlp: 3072, context: 128 };
    const all = isGpu
      ? [
          () => encoding(device, 8192, 1024, 16_384),
          () => encoding(device, 4096, 1024, 65_536),
          () => encoding(device, 4096, 2304, 16_384),
          () => encoding(device, 2048, 2304, 65_536),
          () => training(device, 4096, 1024, 16_384, 4),
          () => forward(device, gpt2, 16),
          () => neighbours(device, 32_768, 1024),
          () => decoding(device, 2048, 1024, 16_384),
          () => scores(device, 4096, 512, 32),
        ]
      : [
          () => encoding(device, 128, 64, 512),
          () => training(device, 64, 32, 128, 4),
          () => forward(device, FAMILIES['GPT-2'], 4),
          () => neighbours(device, 512, 32),
          () => decoding(device, 128, 64, 512),
          () => scores(device, 256, 64, 4),
        ];
    const measured: Array<Measured & { ours: number }> = [];
    for (const make of all) {
      const work = make();
      const { name, size, unit, amount, flops, onDevice, onCpu } = work;
      const [ours, peer] = [amount / (await fastest(onDevice)), amount / (await fastest(onCpu, ENOUGH))];
      const share = (100 * flops * (ours / amount)) / (gflops * 1e9);
      results.push({
        name,
        size,
        ours,
        peer,
        unit,
        speedup: ours / peer,
        note: `${share.toFixed(0)} % of the device's product`,
      });
      // Told at once, should the time not suffice for all.
      console.error(`${name}, ${size}: ${ours.toPrecision(3)} ${unit}, CPU ${peer.toPrecision(3)}`);
      measured.push({ ...work, ours });
    }
    return [...results, ...besidePyTorch(device, gflops, measured)];
  } finally {
    await device.close();
  }
}
