/** Calls spread over a real Slurm of two emulated nodes: nothing lost, nothing twice, and the bits of one process. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanState } from '#kernel/cluster/fg.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';
import { temporaryFolder } from '#test/kit/folder.js';
import { noSlurm, SlurmCluster } from '#test/kit/slurm.js';

const reason = noSlurm();
if (reason !== undefined) console.log(`Tests on Slurm are skipped: ${reason}`);

const folder = temporaryFolder('slurm');
let slurm: SlurmCluster;

const PREPARE = `
const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 120, context: 32, samples: 120 })
const train = { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 5, trainBatchSizeTokens: 256 } as const
const sae = await fg.sae.train(lm, text, train)
`;
const OTHER = `const again = await fg.sae.train(lm, text, { ...train, features: 48 })
const other = await fg.activations.save(lm, again, text, { batchTokens: 128, conformance: false })`;
/** Many passes, so that a task can be met at its work. */
const LONG = `const long = fg.datasets.stories({ stories: 1000, context: 32, samples: 1000 })
await fg.activations.save(lm, sae, long, { batchTokens: 32, conformance: false })
`;
const SAVE = `const acts = await fg.activations.save(lm, sae, text, { batchTokens: 128, conformance: false })\n`;

interface Ended {
  code: number | null;
  said: string;
}

function fgnb(args: readonly string[], during?: () => Promise<void>): Promise<Ended> {
  const child = spawn(process.execPath, [kernelCli, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...slurm.env, FGNB_CLUSTER_POLL_MS: '300' },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, said })));
  return during ? during().then(() => ended) : ended;
}

/** Waits for a state; the test's own limit ends it. */
async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

/** Every file of the results of a kind, but for their records. */
function filesOf(artifacts: string, kind: string): Record<string, string> {
  const at = path.join(folder, artifacts);
  const files = fs
    .readdirSync(at)
    .filter((name) => new RegExp(`^${kind}-[0-9a-f]{16}$`).test(name))
    .flatMap((name) => fs.readdirSync(path.join(at, name)).map((file) => path.join(name, file)))
    .filter((file) => path.basename(file) !== 'artifact.json');
  expect(files.length).toBeGreaterThan(0);
  return Object.fromEntries(files.sort().map((file) => [file, fs.readFileSync(path.join(at, file), 'base64')]));
}

const plansOf = (artifacts: string): string[] => {
  const at = path.join(folder, artifacts, 'cluster');
  return fs.existsSync(at) ? fs.readdirSync(at).filter((name) => /^[0-9a-f]{16}$/.test(name)) : [];
};
const submissionsOf = (artifacts: string, plan: string) =>
  JSON.parse(fs.readFileSync(path.join(folder, artifacts, 'cluster', plan, 'jobs.json'), 'utf8')) as Array<{ array: string; shards: number[]; how: { mem?: string } }>; // prettier-ignore
/** Tasks of an array by state, as squeue has them. */
const queued = (array: string, state: string): string[] =>
  slurm.run('squeue', '-h', '-r', '-t', state, '-o', '%F_%K').split('\n').filter((line) => line.startsWith(`${array}_`)); // prettier-ignore

describe.skipIf(reason !== undefined)('on Slurm', () => {
  beforeAll(async () => {
    ensureKernelBuilt();
    fs.symlinkSync(path.join(root, 'examples/models'), path.join(folder, 'models'));
    slurm = new SlurmCluster(path.join(folder, 'slurm'));
    fs.writeFileSync(path.join(folder, 'prepare.ts'), PREPARE + OTHER);
    fs.writeFileSync(path.join(folder, 'save.ts'), PREPARE + SAVE);
    fs.writeFileSync(
      path.join(folder, 'all.ts'),
      `${PREPARE}${SAVE}
${OTHER}
const map = await fg.correlation.map(acts, other, { minFirings: 2 })
await fg.correlation.map(acts, other, { minFirings: 3, shardsOf: 'tokens' })
await fg.correlation.scores(sae, again, map, { metrics: ['cka'], nulls: 12 })
const points = await fg.mapper.nulls(sae, { lens: { kind: 'pca' }, cover: { cubes: 3, overlap: 0.3 }, nulls: { runs: 9, seed: 1 } })`,
    );
    fs.writeFileSync(path.join(folder, 'long.ts'), PREPARE + LONG);
    // SAEs and B's activations are made once; every artifact folder begins with them.
    expect(await fgnb(['run', 'prepare.ts', '--artifacts', 'one', '--device', 'cpu'])).toMatchObject({ code: 0 });
    for (const artifacts of ['split', 'faults', 'limits', 'small/kept'])
      fs.cpSync(path.join(folder, 'one'), path.join(folder, artifacts), { recursive: true });
    expect(await fgnb(['run', 'all.ts', '--artifacts', 'one', '--device', 'cpu'])).toMatchObject({ code: 0 });
  });
  afterAll(() => {
    slurm?.stop();
    spawnSync('umount', [path.join(folder, 'small')]);
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('a store saved in 4 shards, tiles and token sums of a correlation map, and null graphs, are those of one process', async () => {
    const ended = await fgnb(['submit', 'all.ts', '--engine', 'slurm', '--shards', '4', '--artifacts', 'split', '--device', 'cpu', '--time', '10']); // prettier-ignore
    expect(ended.code, ended.said).toBe(0);
    expect(ended.said).toContain('submitted shards 0-3 of 4 to Slurm');
    for (const kind of ['activations', 'correlation', 'mapper-nulls'])
      expect(filesOf('split', kind)).toEqual(filesOf('one', kind));
    expect(plansOf('split')).toHaveLength(5);
  });

  it('two submissions, a cancelled task, a requeue and a killed slurmd lose nothing and make nothing twice', async () => {
    const args = [
      'submit',
      'save.ts',
      '--engine',
      'slurm',
      '--shards',
      '5',
      '--artifacts',
      'faults',
      '--device',
      'cpu',
    ];
    const disturb = async (): Promise<void> => {
      const plan = await until(() => plansOf('faults').find((name) => fs.existsSync(path.join(folder, 'faults/cluster', name, 'jobs.json')))); // prettier-ignore
      const [{ array }] = submissionsOf('faults', plan);
      const running = await until(() => queued(array, 'RUNNING')[0]);
      slurm.run('scontrol', 'requeue', running);
      const other = await until(() => queued(array, 'RUNNING').find((task) => task !== running));
      slurm.run('scancel', other);
      await until(() => queued(array, 'RUNNING').some((task) => task !== other));
      slurm.killNode('n2');
      slurm.startNode('n2');
    };
    const both = await Promise.all([fgnb(args, disturb), fgnb(args)]);
    for (const { code, said } of both) {
      expect(code, said).toBe(1);
      expect(said).toMatch(/shards \d of 5 failed on Slurm. \d: CANCELLED/);
    }
    expect(both.filter(({ said }) => said.includes('submitted shards 0-4 of 5'))).toHaveLength(1);
    expect(both.filter(({ said }) => said.includes('following what was submitted before'))).toHaveLength(1);
    const [plan] = plansOf('faults');
    const listed = await fgnb(['jobs', 'list', '--artifacts', 'faults', '--json']);
    expect(JSON.parse(listed.said.trim()) as PlanState).toMatchObject({ plan, shards: 5, made: 4, state: 'stopped' });
    // From the artifact folder alone, what is missing is submitted again.
    const followed = await fgnb(['jobs', 'follow', plan, '--artifacts', 'faults']);
    expect(followed.code, followed.said).toBe(0);
    expect(submissionsOf('faults', plan).map(({ shards }) => shards)).toEqual([[0, 1, 2, 3, 4], [expect.any(Number)]]);
    expect(filesOf('one', 'activations')).toMatchObject(filesOf('faults', 'activations'));
  });

  it('lack of memory, the signal before the time limit and a lost node: shards go on and lose nothing', async () => {
    const args = ['submit', 'long.ts', '--engine', 'slurm', '--shards', '2', '--artifacts', 'limits', '--device', 'cpu', '--time', '10', '--mem', '100M', '--more-memory', '16']; // prettier-ignore
    const started = (): string[] => {
      const at = path.join(folder, 'limits/unfinished');
      const shards = fs.existsSync(at) ? fs.readdirSync(at).filter((name) => name.startsWith('shard-')) : [];
      return shards.filter((name) => fs.readdirSync(path.join(at, name)).some((part) => /^part-\d+$/.test(part)));
    };
    let plan = '';
    const disturb = async (): Promise<void> => {
      plan = await until(() => plansOf('limits').find((name) => fs.existsSync(path.join(folder, 'limits/cluster', name, 'jobs.json')))); // prettier-ignore
      const { array } = await until(() => submissionsOf('limits', plan)[1]);
      await until(() => started().length === 2);
      slurm.run('scancel', '--signal=USR2', '--batch', `${array}_0`);
      const node = slurm.run('squeue', '-h', '-j', `${array}_1`, '-o', '%N').trim();
      slurm.loseNode(node);
      slurm.startNode(node);
    };
    const ended = await fgnb(args, disturb);
    expect(ended.code, ended.said).toBe(0);
    expect(ended.said).toMatch(/0-1: OUT_OF_MEMORY[^]*submitting shards 0-1 again/);
    const log = (index: number): string => fs.readFileSync(path.join(folder, 'limits/cluster', plan, `log/${index}.txt`), 'utf8'); // prettier-ignore
    expect(log(0)).toContain('stopped by SIGUSR2; what was finished is kept');
    for (const index of [0, 1]) expect(log(index).match(/shard \d, .* is made/g)).toHaveLength(1);
    // The submission with more memory was enough: what followed were Slurm's own requeues.
    expect(submissionsOf('limits', plan).map(({ how: { mem } }) => mem)).toEqual(['100M', '1600M']);
    const whole = await fgnb(['run', 'long.ts', '--artifacts', 'one', '--device', 'cpu']);
    expect(whole.code, whole.said).toBe(0);
    expect(filesOf('one', 'activations')).toMatchObject(filesOf('limits', 'activations'));
  });

  it('a full scratch is said, and the call goes on when there is room', async () => {
    const at = path.join(folder, 'small');
    const kept = path.join(folder, 'kept-before');
    fs.renameSync(path.join(at, 'kept'), kept);
    // What is there already, and half of what the shards take.
    const used = fs.readdirSync(kept, { recursive: true, encoding: 'utf8' }).reduce((sum, name) => sum + 4096 + Math.ceil(fs.statSync(path.join(kept, name)).size / 4096) * 4096, 0); // prettier-ignore
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${used + 180_000}`, 'tmpfs', at]).status).toBe(0);
    fs.cpSync(kept, path.join(at, 'kept'), { recursive: true });
    const args = ['submit', 'save.ts', '--engine', 'slurm', '--shards', '2', '--artifacts', 'small/kept', '--device', 'cpu']; // prettier-ignore
    const full = await fgnb(args);
    expect(full.code, full.said).toBe(1);
    expect(full.said).toMatch(/failed on Slurm[^]*the disk is full/);
    expect(spawnSync('mount', ['-o', 'remount,size=64m', at]).status).toBe(0);
    const again = await fgnb(args);
    expect(again.code, again.said).toBe(0);
    expect(filesOf('one', 'activations')).toMatchObject(filesOf('small/kept', 'activations'));
  });
});
