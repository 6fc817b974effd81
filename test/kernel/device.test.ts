/** The built kernel on WebGPU over SwiftShader against the cpu device: one notebook's call, and Doctor. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { softwareGpu } from '#test/kit/deviceBundle.js';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root, startKernel } from '#test/kit/kernel.js';

const gpu = softwareGpu();
if (typeof gpu === 'string') console.log(`WebGPU is not tested: ${gpu}`);
const folder = testFolder('device');
beforeAll(() => ensureKernelBuilt());

const SCRIPT = `
const { openKernel } = require(${JSON.stringify(path.join(root, 'dist/kernel/library.cjs'))});
const [device] = process.argv.slice(2);
async function main() {
  const { fg, close } = await openKernel({ device, artifacts: 'kept' });
  const lm = await fg.models.load(${JSON.stringify(path.join(root, 'examples/models/tiny-stories-2L'))});
  const text = fg.datasets.stories({ seed: 3, stories: 40, context: 32, samples: 20 });
  const common = { hook: 'blocks.1.hook_mlp_out', features: 256, steps: 12, trainBatchSizeTokens: 128, lr: 3e-3, seed: 0 };
  const saved = {};
  for (const [architecture, more] of [['topk', { k: 8 }], ['standard', { l1Coefficient: 1 }]]) {
    const trained = await fg.sae.train(lm, text, { ...common, architecture, ...more });
    if (device === 'cpu') await fg.sae.save(trained, 'sae-' + architecture);
    const sae = await fg.sae.load('sae-' + architecture);
    const acts = await fg.activations.save(lm, sae, text, { batchTokens: 200, conformance: false });
    const again = await fg.activations.save(lm, sae, text, { batchTokens: 200, conformance: false });
    const entries = [];
    let row = 0;
    for await (const { rows } of acts.shards())
      for (let i = 0; i < rows.rows; i++, row++)
        for (let e = rows.indptr[i]; e < rows.indptr[i + 1]; e++) entries.push([row, rows.indices[e], rows.values[e]]);
    saved[architecture] = { sae: sae.id, trained: trained.id, losses: trained.history.map(({ loss }) => loss), id: acts.id, same: again.id === acts.id, entries };
  }
  const { description, work, graphs } = fg.device.info();
  await close();
  require('node:fs').writeFileSync(device + '.json', JSON.stringify({ saved, description, work, graphs }));
}
void main();
`;

interface Ran {
  saved: Record<
    string,
    {
      sae: string;
      trained: string;
      losses: number[];
      id: string;
      same: boolean;
      entries: Array<[number, number, number]>;
    }
  >;
  description: string;
  work: Array<{ work: string; device: string }>;
  graphs?: { gflops: number };
}

/** Runs a program to its end without blocking this process, whose reports would time out. */
async function ended(args: string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, ...said };
}

async function run(device: string, env: Record<string, string>): Promise<Ran> {
  fs.writeFileSync(path.join(folder, 'run.cjs'), SCRIPT);
  const { status, stderr } = await ended(['run.cjs', device], folder, env);
  expect(status, stderr).toBe(0);
  return JSON.parse(fs.readFileSync(path.join(folder, `${device}.json`), 'utf8')) as Ran;
}

describe('the kernel on a device', () => {
  it.skipIf(typeof gpu === 'string')('trains on WebGPU as on the cpu, and saves the same activations', async () => {
    const onCpu = await run('cpu', {});
    const onGpu = await run('webgpu', gpu as Record<string, string>);
    expect(onCpu.graphs).toBeUndefined();
    expect(onGpu.description).toMatch(/^webgpu: ONNX Runtime's WebGPU \(vk_swiftshader\), [\d.]+ GFLOP\/s$/);
    expect(onGpu.work.map((w) => w.device)).toEqual(['webgpu', 'webgpu', 'webgpu', 'webgpu', 'webgpu', 'cpu', 'cpu']);
    for (const [architecture, wanted] of Object.entries(onCpu.saved)) {
      const got = onGpu.saved[architecture];
      expect(got.sae).toBe(wanted.sae);
      expect(got.trained).not.toBe(wanted.trained);
      expect(got.losses.length).toBe(12);
      got.losses.forEach((loss, i) => expect(Math.abs(loss / wanted.losses[i] - 1)).toBeLessThan(1e-3));
      expect(got.id).not.toBe(wanted.id);
      expect([got.same, wanted.same]).toEqual([true, true]);
      const values = new Map(wanted.entries.map(([row, feature, value]) => [`${row} ${feature}`, value]));
      const scale = Math.max(...values.values());
      const common = got.entries.filter(([row, feature]) => values.has(`${row} ${feature}`));
      expect(wanted.entries.length).toBeGreaterThan(1000);
      expect(common.length / Math.max(got.entries.length, values.size)).toBeGreaterThanOrEqual(0.999);
      for (const [row, feature, value] of common)
        expect(Math.abs(value - values.get(`${row} ${feature}`)!) / scale).toBeLessThan(1e-4);
    }
  });

  it.skipIf(typeof gpu === 'string')(
    'tells a client what it holds on the device, and the memory of its cards',
    async () => {
      const kernel = await startKernel({ args: ['--device', 'webgpu'], env: gpu as Record<string, string> });
      const client = await kernel.connect();
      try {
        const { shown } = await client.run(
          'const { memory } = fg.device.info(); memory.held >= 0 && memory.cards[0].name',
        );
        expect(shown).toContain('vk_swiftshader');
        const beats = () => client.received.map(({ message }) => message).filter((m) => m.type === 'heartbeat');
        const beat = await client.until(
          () => beats().find((m) => (m.memory.gpu?.cards.length ?? 0) > 0),
          20_000,
          'cards',
        );
        const [card] = beat.memory.gpu!.cards;
        expect(card.name).toBe("vk_swiftshader, in the host's memory");
        expect(card.total).toBeGreaterThan(card.used);
        const device = client.received.map(({ message }) => message).find((m) => m.type === 'device');
        expect(device?.device.work.map(({ device }) => device)).toEqual([
          'webgpu',
          'webgpu',
          'webgpu',
          'webgpu',
          'webgpu',
          'cpu',
          'cpu',
        ]);
      } finally {
        await kernel.stop();
      }
    },
  );

  it.skipIf(typeof gpu === 'string')('is passed over where it is slower than the CPU, and Doctor says so', async () => {
    const { stdout } = await ended([kernelCli, 'doctor'], folder, gpu as Record<string, string>);
    expect(stdout).toContain('in use      cpu:');
    expect(stdout).toMatch(/webgpu +WebGPU multiplies at [\d.]+ GFLOP\/s, slower than the CPU's [\d.]+/);
  });

  const noDriver = { VK_DRIVER_FILES: path.join(folder, 'none.json'), VK_ICD_FILENAMES: '' };

  it('is compared path by path by test:device, which names what falls back', async () => {
    const json = path.join(folder, 'paths.json');
    const paths = (env: Record<string, string>, ...more: string[]) =>
      ended(['node_modules/tsx/dist/cli.mjs', 'scripts/test-device.ts', '--json', json, ...more], root, env);
    const [device, env] = typeof gpu === 'string' ? ['cpu', noDriver] : ['webgpu', gpu];
    // The unit tests compare every path.
    const { status, stdout, stderr } = await paths(env, '--device', device, '--only', 'gated');
    expect(status, stdout + stderr).toBe(0);
    const { outcomes, falls } = JSON.parse(fs.readFileSync(json, 'utf8')) as {
      outcomes: Array<{ ok: boolean; path: string }>;
      falls: unknown[];
    };
    expect(outcomes.map(({ ok, path }) => [ok, path])).toEqual([
      [true, 'SAE encoding: gated'],
      [true, 'SAE training, 50 steps: gated'],
      [true, 'SAE decoding: gated'],
    ]);
    expect(falls.length).toBeGreaterThan(0);
    const none = await paths(noDriver);
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining('webgpu cannot be used: ')]);
  });

  it('is that of the command line, else that of the notebook, else the fastest of this host', async () => {
    // A run prints what a cell throws.
    const source = 'throw new Error(`device ${fg.device.info().device}`)';
    const run = (device: unknown, ...more: string[]) => {
      const metadata = device === undefined ? {} : { device };
      fs.writeFileSync(path.join(folder, 'n.fgnb'), JSON.stringify({ fgnb: 1, metadata, cells: [{ id: 'a', kind: 'code', source }] })); // prettier-ignore
      return ended([kernelCli, 'run', 'n.fgnb', ...more], folder, noDriver);
    };
    const refused = /device webgpu cannot be used/;
    for (const [device, more, wanted] of [
      [undefined, [], /device cpu/],
      ['webgpu', [], refused],
      ['webgpu', ['--device', 'cpu'], /device cpu/],
      ['gpu', [], /the notebook's metadata\.device is "gpu"; it must be one of auto, cuda, webgpu, cpu/],
    ] as const) {
      const { status, stdout, stderr } = await run(device, ...more);
      expect(stdout + stderr, `${device} ${more.join(' ')}`).toMatch(wanted);
      expect(status).toBe(1);
    }
    const { status, stderr } = await run('cpu', '--device', 'gpu');
    expect([status, stderr]).toEqual([1, expect.stringContaining('--device is gpu; it must be one of')]);
  });

  it('ends a run that asks for a GPU where there is none, with the reason and what to do', async () => {
    const { status, stderr } = await ended([kernelCli, 'doctor', '--device', 'webgpu'], folder, noDriver);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(
      /device webgpu cannot be used: .*(no Vulkan driver file was found .*; .*install libvulkan1)/s,
    );
  });
});
