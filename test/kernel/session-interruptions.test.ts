/**
 * More than 200 interrupts at random moments of what a kernel does, the first cell and the start of the device included.
 * After each one the same call completes, with the very data that it gives uninterrupted. Where `npm test` runs this on two
 * Nodes, each takes half of those of calls.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { ensureKernelBuilt, root, startKernel, type KernelProcess, type TestClient } from '#test/kit/kernel.js';

/** Set by scripts/test.mjs. */
const SHARE = process.env.FGNB_TEST_TWO_NODES === '1' ? 2 : 1;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What every cell below works on, and the hash of whatever it gives. */
const SETUP = `
import { createHash } from 'node:crypto'
const digest = (...parts) => {
  const all = createHash('sha256')
  for (const part of parts) all.update(ArrayBuffer.isView(part) ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : JSON.stringify(part))
  return all.digest('hex')
}
const lm = await fg.models.load('model')
const text = fg.datasets.stories({ stories: 40, context: 32 })
const hook = 'blocks.0.hook_mlp_out'
const options = { hook, features: 96, architecture: 'topk', k: 6, steps: 24, trainBatchSizeTokens: 128, seed: 2 }
const saeA = await fg.sae.train(lm, text, { ...options, seed: 3 })
const saeB = await fg.sae.train(lm, text, { ...options, seed: 4 })
const a = await fg.activations.save(lm, saeA, text)
const b = await fg.activations.save(lm, saeB, text)
const random = (rows, cols, seed) => {
  let state = seed
  const data = Float32Array.from({ length: rows * cols }, () => ((state = (state * 48271) % 2147483647) / 2147483647) - 0.5)
  return { rows, cols, data }
}
const rows = random(700, 12, 7)
// Not in the cell: names are shared, and what an interrupted cell still does would add to the next one's array.
const stored = async (saved) => {
  const shards = []
  for await (const { rows: r } of saved.shards()) shards.push(r.indptr, r.indices, r.values)
  return digest(...shards)
}
`;

/** Each cell's last expression is the hash of its result. Worker tasks: 'agglomerative' labels, and samples of a world. */
const CALLS = {
  'training an SAE': `const made = await fg.sae.train(lm, text, { ...options, fresh: true })
    digest(made.decoder.data, made.history.map((row) => row.loss))`,
  'training on from what was left': `await fg.artifacts.prune({ unusedDays: 0, kinds: ['sae'] })
    const resumed = await fg.sae.train(lm, text, { ...options, steps: 32 }); digest(resumed.decoder.data)`,
  'saving activations': `const saved = await fg.activations.save(lm, saeA, text, { fresh: true })
    await stored(saved)`,
  'a correlation': `const map = await fg.correlation.map(a, b, { fresh: true })
    const scores = await fg.correlation.scores(saeA, saeB, map, { nulls: 20 })
    digest(map.pairs.a, map.pairs.b, map.pairs.r, scores.map((s) => [s.value, s.p]))`,
  'dataset examples': `digest(await fg.activations.examples(a))`,
  UMAP: `const layout = await fg.maps.umap(rows, { nEpochs: 60, fresh: true }); digest(layout.coordinates)`,
  'Mapper in workers': `const graph = await fg.mapper.graph(rows, { fresh: true,
      cover: { cubes: 3, overlap: 0.4 }, clusterer: { kind: 'agglomerative', nClusters: 3 } })
    digest(graph.members, graph.edges)`,
  'a world in workers': `const world = await fg.synthetic.world({ features: 48, dim: 16, l0: 4, seed: 5 })
    const sampled = await fg.synthetic.sample(world, { samples: 60_000 }); digest(sampled.x.data)`,
} as const;
type Call = keyof typeof CALLS;

const moments = new Random(20_26);

/** Interrupts a cell after `ms`; it may have ended before. */
async function interruptAfter(client: TestClient, source: string, ms: number): Promise<void> {
  const execution = client.begin(source);
  await client.started(execution);
  await pause(ms);
  client.send({ type: 'interrupt' });
  const { status } = await client.finished(execution, 60_000);
  const error = client.events(execution).find((event) => event.kind === 'error');
  expect(['interrupted', 'ok'], JSON.stringify(error)).toContain(status);
}

async function completed(client: TestClient, source: string): Promise<string> {
  const execution = client.begin(source);
  const { status } = await client.finished(execution, 60_000);
  const error = client.events(execution).find((event) => event.kind === 'error');
  expect(status, JSON.stringify(error)).toBe('ok');
  return client.shown(execution) as string;
}

/** A kernel with the model beside its notebook. */
async function start(env: NodeJS.ProcessEnv): Promise<{ kernel: KernelProcess; client: TestClient }> {
  const kernel = await startKernel({ env });
  fs.cpSync(path.join(root, 'examples/models/tiny-stories-1L'), path.join(kernel.notebookFolder, 'model'), {
    recursive: true,
  });
  return { kernel, client: await kernel.connect() };
}

beforeAll(() => ensureKernelBuilt());

describe.each([
  // Without grace every interrupt terminates what runs; with it, most calls end by their signal.
  { name: 'terminated at once', env: { FGNB_INTERRUPT_GRACE_MS: '0' }, times: 20 / SHARE },
  { name: 'with the grace that users have', env: {}, times: Math.ceil(5 / SHARE) },
])('calls interrupted at random moments, $name', ({ env, times }) => {
  let kernel: KernelProcess;
  let client: TestClient;
  beforeAll(async () => {
    ({ kernel, client } = await start(env));
    await completed(client, SETUP);
  });
  afterAll(() => kernel.stop());

  it.each(Object.keys(CALLS) as Call[])('%s', async (call) => {
    const source = CALLS[call];
    const expected = await completed(client, source);
    expect(expected).toMatch(/^'[0-9a-f]{64}'$/);
    const begun = performance.now();
    expect(await completed(client, source)).toBe(expected);
    const whole = performance.now() - begun;
    for (let i = 0; i < times; i++) {
      await interruptAfter(client, source, moments.next() * whole);
      expect(await completed(client, source), `after interrupt ${i}`).toBe(expected);
    }
    expect(kernel.child.exitCode).toBe(null);
  });
});

describe.each([
  { name: 'terminated at once', env: { FGNB_INTERRUPT_GRACE_MS: '0' } },
  { name: 'with the grace that users have', env: {} },
])('a training of 8,192 features at 4,096 tokens a step, interrupted once in the middle, $name', ({ env }) => {
  it('completes when it is called again, with the weights of an uninterrupted one', async () => {
    const { kernel, client } = await start(env);
    try {
      await completed(
        client,
        `import { createHash } from 'node:crypto'
         const lm = await fg.models.load('model')
         const text = fg.datasets.stories({ stories: 400, context: 64 })
         const train = async (fresh) => {
           const made = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 8192, architecture: 'topk',
             k: 16, steps: 6, trainBatchSizeTokens: 4096, seed: 2, fresh })
           return createHash('sha256').update(new Uint8Array(made.decoder.data.buffer)).digest('hex')
         }
         0`,
      );
      const execution = client.begin('await train(false)');
      const steps = (): number[] =>
        client.events(execution).flatMap((e) => (e.kind === 'progress' && e.progress?.unit === 'steps' ? [e.progress.done] : [])); // prettier-ignore
      await client.until(() => Math.max(...steps()) >= 1, 60_000, 'first step');
      // Inside the next step, where the thread answers nobody.
      await pause(300);
      client.send({ type: 'interrupt' });
      expect((await client.finished(execution, 60_000)).status).toBe('interrupted');
      expect(client.events(execution).some((e) => e.kind === 'display')).toBe(false);
      const again = await completed(client, 'await train(false)');
      expect(again).toMatch(/^'[0-9a-f]{64}'$/);
      expect(await completed(client, 'await train(true)')).toBe(again);
    } finally {
      await kernel.stop();
    }
  });
});

describe('a kernel interrupted in its first cell', () => {
  it.each(Array.from({ length: 24 }, (_, i) => i))('starts its device all the same: %i', async (i) => {
    const { kernel, client } = await start(i % 3 === 0 ? {} : { FGNB_INTERRUPT_GRACE_MS: '0' });
    try {
      await interruptAfter(
        client,
        'tf.ones([64, 64]).matMul(tf.ones([64, 64])).sum().dataSync()[0]',
        moments.next() * 1500,
      );
      expect(await completed(client, '1 + 1')).toBe('2');
      expect(await completed(client, 'tf.ones([64, 64]).matMul(tf.ones([64, 64])).sum().dataSync()[0]')).toBe('262144');
      expect(await completed(client, 'fg.device.info().device')).toBe("'cpu'");
    } finally {
      await kernel.stop();
    }
  });
});
