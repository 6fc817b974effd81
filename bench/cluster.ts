/**
 * Speed-up by shards on a real Slurm of two emulated nodes: activations saved, whose merge is one process, and null
 * graphs, whose merge is small. Each node has one core of this machine (tasks are pinned to it), so two is the most there
 * can be, and four shards are two rounds. The peer is the same call in one task, and merged.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { noSlurm, SlurmCluster } from '#test/kit/slurm.js';
import { temporaryFolder } from '#test/kit/temporary.js';
import type { BenchResult } from './types.js';

const SHARDS = [1, 2, 4];
const root = resolve(import.meta.dirname, '..');
const cli = join(root, 'dist/kernel/cli.cjs');

const PREPARE = `
const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: params.stories, context: 64, samples: params.stories })
const few = fg.datasets.stories({ stories: 200, context: 64, samples: 200 })
const sae = await fg.sae.train(lm, few, { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 16, features: 2048, steps: 20, trainBatchSizeTokens: 512 })
`;
const CLUSTER = `{ engine: 'slurm', shards: params.shards, time: '30', mem: '1800M', setup: params.setup }`;
const CALLS = {
  'activations.save': `await fg.activations.save(lm, sae, text, { conformance: false, cluster: ${CLUSTER} })`,
  'mapper.nulls': `await fg.mapper.nulls(sae, { lens: { kind: 'pca' }, cover: { cubes: 12, overlap: 0.4 }, nulls: { runs: params.nulls, seed: 1 }, cluster: ${CLUSTER} })`,
};
/** Slurm without cgroups binds nothing: a task takes the core that belongs to its node. */
const PIN = 'taskset -pc $([ "$SLURMD_NODENAME" = n1 ] && echo 0 || echo 1) $$ > /dev/null';

/** @param args `--stories N` (activations to save) and `--nulls N` */
export function run(args: readonly string[]): BenchResult[] {
  const reason = noSlurm();
  if (reason !== undefined) throw new Error(reason);
  const given = (name: string, fallback: number): number => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(args[at + 1]);
  };
  const sizes = { stories: given('stories', 20_000), nulls: given('nulls', 60) };
  execFileSync(process.execPath, ['scripts/build.mjs', 'kernel'], { cwd: root, stdio: 'ignore' });
  const folder = temporaryFolder('bench-cluster');
  // Ctrl+C ends the command that runs, whose failure ends the bench below, and Slurm with it.
  const goOn = (): void => undefined;
  process.on('SIGINT', goOn);
  const slurm = new SlurmCluster(join(folder, 'slurm'));
  try {
    symlinkSync(join(root, 'examples/models'), join(folder, 'models'));
    const fgnb = (name: string, source: string, artifacts: string, params: object): number => {
      writeFileSync(join(folder, name), source);
      const start = performance.now();
      const said = Object.entries({ ...sizes, ...params }).flatMap(([key, value]) => ['--param', `${key}=${JSON.stringify(value)}`]); // prettier-ignore
      execFileSync(process.execPath, [cli, 'run', name, '--artifacts', artifacts, '--device', 'cpu', ...said], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, ...slurm.env, FGNB_CLUSTER_POLL_MS: '300' },
      });
      return (performance.now() - start) / 1000;
    };
    fgnb('prepare.ts', PREPARE, 'prepared', {});
    const results: BenchResult[] = [];
    for (const [name, call] of Object.entries(CALLS)) {
      const seconds: number[] = [];
      for (const shards of SHARDS) {
        const artifacts = `${name}-${shards}`;
        cpSync(join(folder, 'prepared'), join(folder, artifacts), { recursive: true });
        seconds.push(fgnb('call.ts', PREPARE + call, artifacts, { shards, setup: PIN }));
        const [ours, peer] = [seconds.at(-1)!, seconds[0]];
        results.push({ name: 'cluster', size: `${name}, ${shards} shards`, ours, peer, unit: 's', speedup: peer / ours, note: `two nodes of one core each, ${availableParallelism()} cores; start of the kernel, queue and merge included; ${JSON.stringify(sizes)}` }); // prettier-ignore
      }
    }
    return results;
  } finally {
    slurm.stop();
    process.off('SIGINT', goOn);
    rmSync(folder, { recursive: true, force: true });
  }
}
