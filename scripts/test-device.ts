/**
 * `npm run test:device -- [--device webgpu|cuda|cpu] [--large] [--only WORDS] [--json FILE]`: every heavy path that runs as a graph on a
 * device against the cpu device, within stated tolerances, and what falls back to the CPU. Exit code 1 when one is out of
 * tolerance, 2 when the device cannot be used. `cpu` is ONNX Runtime's CPU, on which the same graphs run. `--large` takes
 * the sizes of real work, for hardware; `--only` the paths whose names hold the words.
 */
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { initDevice, workOn } from '#kernel/compute/device.js';
import { vulkanDrivers } from '#kernel/compute/hostGpu.js';
import { checkDevice, MAX_ERROR } from '#kernel/compute/graphs/check.js';
import { cudaRuntime, INFERENCE } from '#kernel/compute/cudaGraphs.js';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import type { Provider } from '#kernel/compute/graphs/messages.js';
import { exactKnn } from '#kernel/compute/knn.js';
import { matrix } from '#kernel/compute/matrix.js';
import { captureHooks } from '#kernel/models/capture.js';
import { captureOnDevice } from '#kernel/models/captureOnDevice.js';
import { DeviceNorms } from '#kernel/compute/shuffledNormsOnDevice.js';
import { DeviceDecoder } from '#kernel/sae/decodeOnDevice.js';
import { TensorRuns } from '#kernel/sae/evaluatedRuns.js';
import { runsOn } from '#kernel/sae/evaluatedRunsOnDevice.js';
import { deviceEncoder } from '#kernel/sae/deviceEncoders.js';
import { trainSae } from '#kernel/sae/train.js';
import { deviceBundle } from '#test/kit/deviceBundle.js';
import {
  compareEntries,
  exactNorms,
  FAMILIES,
  figuresOfRuns,
  oddRows,
  planted,
  relativeError,
  saeKinds,
  saeOfKind,
  shuffledCase,
  SUPPORT,
  trainedKinds,
  trainingSource,
  VALUE,
} from '#test/kit/deviceCases.js';
import { modelOf, randomWeights, tokenSet } from '#test/kit/model.js';
import { normals } from '#test/kit/numbers.js';

/** What a path was found to do. */
interface Found {
  ok: boolean;
  /** Beside what is allowed. */
  figures: string;
}

interface Outcome extends Found {
  path: string;
  seconds: number;
}

const { values: given } = parseArgs({
  options: {
    device: { type: 'string', default: 'webgpu' },
    large: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
if (given.device !== 'webgpu' && given.device !== 'cuda' && given.device !== 'cpu') {
  console.error(`--device is ${given.device}; graphs run on webgpu, cuda and on cpu (ONNX Runtime's)`);
  process.exit(2);
}
const sizes = given.large
  ? ({
      dIn: 1024,
      dSae: 16_384,
      rows: 2048,
      batch: 1024,
      steps: 10,
      neighbours: [8192, 256],
      scores: [2048, 256, 256, 4],
    } as const)
  : ({ dIn: 24, dSae: 96, rows: 37, batch: 48, steps: 50, neighbours: [150, 20], scores: [96, 12, 20, 5] } as const);

/** Sums of singular values agree to this share. */
const SCORE = 1e-4;
/** Losses of a training agree to this share. */
const LOSS = 1e-3;

const within = (found: number, limit: number): string => `${found.toExponential(1)} of ${limit.toExponential(0)}`;

async function floats(device: GraphDevice): Promise<Found> {
  const { error, gflops } = await checkDevice(device);
  const figures = `error ${within(error, MAX_ERROR)}; product ${gflops.toPrecision(3)} GFLOP/s`;
  return { ok: true, figures };
}

async function encoding(device: GraphDevice, name: string): Promise<Found> {
  const sae = saeOfKind(saeKinds(sizes.dSae)[name], sizes.dIn, sizes.dSae);
  const x = oddRows(sizes.rows, sizes.dIn);
  const got = await deviceEncoder(device, sae).encode({ rows: x.rows, x });
  const { support, error } = compareEntries(got, sae.encode(x));
  const figures = `support ${(100 * support).toFixed(3)} % of ${100 * SUPPORT} %, values ${within(error, VALUE)}`;
  return { ok: support >= SUPPORT && error <= VALUE, figures };
}

async function pass(device: GraphDevice, name: string): Promise<Found> {
  const model = modelOf(FAMILIES[name], randomWeights(FAMILIES[name], 5));
  const tokens = tokenSet(3, 8);
  const hooks = model.hooks.filter((hook) => !/hook_(attn_scores|pattern)$/.test(hook));
  let worst = 0;
  for await (const wanted of captureHooks(model, tokens, hooks))
    for await (const { xs } of captureOnDevice(device, model, tokens, hooks, {}))
      for (const [i, x] of xs.entries()) {
        const got = (await device.download(x)).data as Float32Array;
        const scale = wanted.xs[i].data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
        wanted.xs[i].data.forEach((v, e) => {
          const error = Math.abs(v - got[e]) / scale;
          if (!(error <= worst)) worst = error;
        });
      }
  model.dispose();
  return { ok: worst <= VALUE, figures: `values ${within(worst, VALUE)}` };
}

/** Runs of an evaluation: cross-entropy and divergence of every position, with another activation at a hook too. */
async function evaluation(device: GraphDevice, name: string): Promise<Found> {
  const model = modelOf(FAMILIES[name], randomWeights(FAMILIES[name], 5));
  const tokens = tokenSet(3, 8);
  const at = { model, hook: 'blocks.0.hook_mlp_out', interventions: [] };
  const got = await figuresOfRuns(runsOn(at, device), tokens);
  const wanted = await figuresOfRuns(new TensorRuns(at), tokens);
  const worst = relativeError(got.figures, wanted.figures);
  model.dispose();
  return { ok: worst <= VALUE, figures: `scores ${within(worst, VALUE)}` };
}

/** Steps of both from one seed, the first features dead after a while: losses of every step. */
async function training(device: GraphDevice, name: string): Promise<Found> {
  const { dIn, dSae, steps, batch } = sizes;
  const options = { ...trainedKinds(4, dIn)[name], dSae, steps, trainBatchSizeTokens: batch, lr: 1e-3, deadFeatureWindow: 5, logEvery: 1 }; // prettier-ignore
  const source = () => trainingSource(options.architecture, planted(4 * batch, 2, dIn));
  const onDevice = await trainSae(source(), { ...options, device });
  const onCpu = await trainSae(source(), options);
  const errors = onDevice.history.map(({ loss }, i) => Math.abs(loss / onCpu.history[i].loss - 1));
  const worst = errors.reduce((a, b) => (b <= a ? a : b), 0);
  return { ok: worst <= LOSS, figures: `losses ${within(worst, LOSS)}` };
}

async function decoding(device: GraphDevice, name: string): Promise<Found> {
  const sae = saeOfKind(saeKinds(sizes.dSae)[name], sizes.dIn, sizes.dSae);
  const x = oddRows(sizes.rows, sizes.dIn);
  const features = sae.encode(x);
  const [got, wanted] = [await new DeviceDecoder(device, sae).decode(features, x), sae.decode(features, x)];
  const worst = relativeError(got.data, wanted.data);
  return { ok: worst <= VALUE, figures: `values ${within(worst, VALUE)}` };
}

/** Null runs of a score against the singular values in float64. */
async function scores(device: GraphDevice): Promise<Found> {
  const [n, p, q, runs] = sizes.scores;
  const { product, orders } = shuffledCase(n, p, q, runs);
  const norms = new DeviceNorms(device, product);
  const got = await norms.sums(orders);
  await norms.close();
  const worst = relativeError(got, await exactNorms(product, orders));
  return { ok: worst <= SCORE, figures: `sums ${within(worst, SCORE)} of float64` };
}

async function neighbours(device: GraphDevice, metric: 'euclidean' | 'cosine'): Promise<Found> {
  const [rows, cols] = sizes.neighbours;
  const next = normals(8);
  const x = matrix(
    rows,
    cols,
    Float32Array.from({ length: rows * cols }, () => next()),
  );
  const [got, wanted] = [await exactKnn(x, 10, { metric, device }), await exactKnn(x, 10, { metric, bits: 32 })];
  const same = got.indices.every((v, i) => v === wanted.indices[i] && got.distances[i] === wanted.distances[i]);
  return { ok: same, figures: same ? 'the same bits' : 'other results' };
}

/** Every path by its name. */
function checksOf(device: GraphDevice): Array<[path: string, check: () => Promise<Found>]> {
  const each = <N extends string>(
    words: string,
    names: readonly N[],
    check: (device: GraphDevice, name: N) => Promise<Found>,
  ): Array<[string, () => Promise<Found>]> => names.map((name) => [`${words}: ${name}`, () => check(device, name)]);
  const saes = Object.keys(saeKinds(sizes.dSae));
  return [
    ['transfer, products, gradients, top-k, norms against float64', () => floats(device)],
    ...each('SAE encoding', saes, encoding),
    ...each('forward pass, all hooks', Object.keys(FAMILIES), pass),
    ...each('runs of an evaluation', ['GPT-2', 'Gemma 2'], evaluation),
    ...each(`SAE training, ${sizes.steps} steps`, Object.keys(trainedKinds()), training),
    ...each('SAE decoding', saes, decoding),
    ...each('nearest neighbours', ['euclidean', 'cosine'], neighbours),
    ['null runs of SVCCA', () => scores(device)],
  ];
}

async function main(): Promise<number> {
  await initDevice({ device: 'cpu' });
  const device = new GraphDevice(
    given.device as Provider,
    await deviceBundle(),
    given.device === 'cuda' ? cudaRuntime() : undefined,
  );
  try {
    await device.start();
  } catch (error) {
    console.error(`${given.device} cannot be used: ${(error as Error).message}; Vulkan drivers: ${vulkanDrivers().join(', ') || 'none'}`); // prettier-ignore
    return 2;
  }
  const checks = checksOf(device).filter(([path]) => path.includes(given.only));
  const outcomes: Outcome[] = [];
  for (const [path, check] of checks) {
    const start = performance.now();
    const found = await check().catch((error: Error) => ({ ok: false, figures: `failed: ${error.message}` }));
    const outcome = { path, ...found, seconds: (performance.now() - start) / 1000 };
    outcomes.push(outcome);
    console.log(
      `${outcome.ok ? 'ok  ' : 'FAIL'}  ${outcome.path}: ${outcome.figures} (${outcome.seconds.toFixed(1)} s)`,
    );
  }
  await device.close();
  // What has no graph, or on cuda keeps too much on the device.
  const falls = (
    given.device === 'cuda'
      ? workOn('cuda', Object.fromEntries(INFERENCE.map((kind) => [kind, 'cuda'])), 'cpu')
      : workOn('webgpu')
  ).filter((place) => place.device === 'cpu');
  for (const { work, why } of falls) console.log(`on the CPU: ${work}${why ? ` (${why})` : ''}`);
  const failed = outcomes.filter(({ ok }) => !ok).length;
  console.log(`${given.device}: ${outcomes.length - failed} of ${outcomes.length} paths within tolerance`);
  if (given.json)
    fs.writeFileSync(given.json, JSON.stringify({ device: given.device, sizes, outcomes, falls }, null, 2));
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main();
