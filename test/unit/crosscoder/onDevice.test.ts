/** fg.crosscoder and fg.sae.baselines where the device in use trains: here ONNX Runtime's CPU. */
import { afterAll, expect, it } from 'vitest';
import { useGraphDevice } from '#kernel/compute/graphs/current.js';
import { GraphDevice } from '#kernel/compute/graphs/host.js';
import { deviceBundle } from '#test/kit/deviceBundle.js';
import { freshFg, lmA, lmB, texts } from '#test/kit/fg.js';

const world = freshFg();
const hook = 'blocks.0.hook_mlp_out';
const SMALL = { features: 24, steps: 12, trainBatchSizeTokens: 32, lr: 3e-3, logEvery: 1 };
let device: GraphDevice | undefined;
afterAll(() => device?.close());

it('crosscoders and softly frozen baselines train there, and their identities name it', async () => {
  const { fg } = world;
  const data = fg.datasets.fromTexts(texts, { context: 10 });
  const made = async () => {
    const how = { ...SMALL, architecture: 'standard', l1Coefficient: 0.1, dedicated: [0.1, 0.1], hooks: hook } as const;
    const { joined, id } = await fg.crosscoder.train([lmA, lmB], data, how);
    const sae = await fg.sae.train(lmA, data, { ...SMALL, hook, architecture: 'topk', k: 4 });
    await fg.sae.baselines(lmA, sae, data, { kinds: ['softFrozenDecoder'] });
    return { id, losses: joined.history.map(({ loss }) => loss) };
  };
  const onCpu = await made();
  const known = (await fg.artifacts.list()).map(({ id }) => id);
  useGraphDevice((device = new GraphDevice('cpu', await deviceBundle())), ['training']);
  const there = await made();
  expect(there.id).not.toBe(onCpu.id);
  expect(there.losses).toHaveLength(12);
  there.losses.forEach((loss, i) => expect(Math.abs(loss / onCpu.losses[i] - 1)).toBeLessThan(1e-3));
  const fresh = (await fg.artifacts.list()).filter(({ id }) => !known.includes(id));
  expect(fresh.map(({ kind }) => kind).sort()).toEqual(['crosscoder', 'sae', 'sae']);
  for (const { parameters } of fresh) expect(parameters).toMatchObject({ device: 'cpu' });
});
