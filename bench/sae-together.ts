/**
 * Six SAEs of as many architectures trained by one call, kept and all, against what it cannot do without: one pass of the
 * model, and the steps of each SAE on activations that lie in memory (`peer`). The note has the ratio of the two, and
 * that of CPU times, which other work on the machine changes less.
 *
 *   npm run bench -- sae-together [--steps 50 --features 1024]
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { openKernel } from '#kernel/library.js';
import { matrixSource, modelSource } from '#kernel/sae/source.js';
import { trainSae } from '#kernel/sae/train.js';
import { temporaryFolder } from '#test/kit/temporary.js';
import type { BenchResult } from './types.js';

const HOOK = 'blocks.1.hook_mlp_out';
const BATCH = 4096;
const ARCHITECTURES = [
  { architecture: 'topk', k: 32 },
  { architecture: 'batchtopk', k: 32 },
  { architecture: 'matryoshka_batchtopk', k: 32 },
  { architecture: 'jumprelu', jumpreluBandwidth: 1 },
  { architecture: 'gated' },
  { architecture: 'standard' },
] as const;

interface Spent {
  wall: number;
  cpu: number;
}

async function timed<T>(work: () => Promise<T>): Promise<[T, Spent]> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [result, { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }];
}

/** All pieces of a source as one matrix. */
async function read(source: ReturnType<typeof modelSource>): Promise<Matrix> {
  const all = matrix(source.rows!, source.width);
  let at = 0;
  for await (const { data } of source.batches()) {
    all.data.set(data, at);
    at += data.length;
  }
  return all;
}

export async function run(args: readonly string[]): Promise<BenchResult[]> {
  const options = { steps: { type: 'string', default: '50' }, features: { type: 'string', default: '1024' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const [steps, features] = [Number(values.steps), Number(values.features)];
  const artifacts = temporaryFolder('bench-together');
  const examples = resolve(import.meta.dirname, '../examples');
  const quiet = { onDisplay: () => undefined, onPrint: () => undefined };
  await using kernel = await openKernel({ folder: examples, artifacts, device: 'cpu', ...quiet });
  const { fg } = kernel;
  try {
    const lm = await fg.models.load('models/tiny-stories-2L');
    const text = fg.datasets.stories({
      seed: 100,
      stories: 2000,
      context: 128,
      samples: Math.ceil((steps * BATCH) / 128),
    });
    const tokens = text.tokens(lm);
    const common = { steps, trainBatchSizeTokens: BATCH, lr: 1e-3, seed: 0 };
    const [activations, pass] = await timed(() => read(modelSource(lm, tokens, HOOK)));
    const own: Spent = { wall: 0, cpu: 0 };
    for (const each of ARCHITECTURES) {
      const [, spent] = await timed(() => trainSae(matrixSource(activations), { ...common, ...each, dSae: features }));
      own.wall += spent.wall;
      own.cpu += spent.cpu;
    }
    const list = ARCHITECTURES.map((each) => ({ hook: HOOK, ...common, ...each, features }));
    const [, together] = await timed(() => fg.sae.train(lm, text, list));
    const peer = pass.wall + own.wall;
    return [
      {
        name: 'sae-together',
        size: `6 SAEs, d=128, F=${features}, ${steps} steps of ${BATCH}`,
        ours: together.wall,
        peer,
        unit: 's',
        speedup: peer / together.wall,
        note: `${(together.wall / peer).toFixed(3)} x (one pass + their own steps), ${(together.cpu / (pass.cpu + own.cpu)).toFixed(3)} x by CPU time; one pass ${pass.wall.toFixed(1)} s`,
      },
    ];
  } finally {
    rmSync(artifacts, { recursive: true, force: true });
  }
}
