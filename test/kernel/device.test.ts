/** The built kernel on WebGPU over SwiftShader against the cpu device: one notebook's call, and Doctor. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { softwareGpu } from '#test/kit/deviceBundle.js';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

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
    const sae = await fg.sae.train(lm, text, { ...common, architecture, ...more });
    const acts = await fg.activations.save(lm, sae, text, { batchTokens: 200, conformance: false });
    const again = await fg.activations.save(lm, sae, text, { batchTokens: 200, conformance: false });
    const entries = [];
    let row = 0;
    for await (const { rows } of acts.shards())
      for (let i = 0; i < rows.rows; i++, row++)
        for (let e = rows.indptr[i]; e < rows.indptr[i + 1]; e++) entries.push([row, rows.indices[e], rows.values[e]]);
    saved[architecture] = { sae: sae.id, id: acts.id, same: again.id === acts.id, entries };
  }
  const { description, work, graphs } = fg.device.info();
  await close();
  require('node:fs').writeFileSync(device + '.json', JSON.stringify({ saved, description, work, graphs }));
}
void main();
`;

interface Ran {
  saved: Record<string, { sae: string; id: string; same: boolean; entries: Array<[number, number, number]> }>;
  description: string;
  work: Array<{ work: string; device: string }>;
  graphs?: { gflops: number };
}

function run(device: string, env: Record<string, string>): Ran {
  fs.writeFileSync(path.join(folder, 'run.cjs'), SCRIPT);
  const ended = spawnSync(process.execPath, ['run.cjs', device], { cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } }); // prettier-ignore
  expect(ended.status, ended.stderr).toBe(0);
  return JSON.parse(fs.readFileSync(path.join(folder, `${device}.json`), 'utf8')) as Ran;
}

describe('the kernel on a device', () => {
  it.skipIf(typeof gpu === 'string')('saves on WebGPU the activations that it saves on the cpu', () => {
    const [onCpu, onGpu] = [run('cpu', {}), run('webgpu', gpu as Record<string, string>)];
    expect(onCpu.graphs).toBeUndefined();
    expect(onGpu.description).toMatch(/^webgpu: ONNX Runtime's WebGPU \(vk_swiftshader\), [\d.]+ GFLOP\/s$/);
    expect(onGpu.work.map((w) => w.device)).toEqual(['webgpu', 'webgpu', 'cpu', 'cpu']);
    for (const [architecture, wanted] of Object.entries(onCpu.saved)) {
      const got = onGpu.saved[architecture];
      // Training runs on the cpu in both: the SAE is the same to the bit, and only the store is another.
      expect(got.sae).toBe(wanted.sae);
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

  it.skipIf(typeof gpu === 'string')('is passed over where it is slower than the CPU, and Doctor says so', () => {
    const args = [kernelCli, 'doctor'];
    const ended = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env: { ...process.env, ...(gpu as object) } }); // prettier-ignore
    expect(ended.stdout).toContain('in use      cpu:');
    expect(ended.stdout).toMatch(/webgpu +WebGPU multiplies at [\d.]+ GFLOP\/s, slower than the CPU's [\d.]+/);
  });

  it('is compared path by path by test:device, which names what falls back', () => {
    const json = path.join(folder, 'paths.json');
    const args = ['node_modules/tsx/dist/cli.mjs', 'scripts/test-device.ts', '--device', 'cpu', '--json', json];
    const ended = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(ended.status, ended.stdout + ended.stderr).toBe(0);
    const { outcomes, falls } = JSON.parse(fs.readFileSync(json, 'utf8')) as { outcomes: Array<{ ok: boolean; path: string }>; falls: unknown[] }; // prettier-ignore
    expect(outcomes.length).toBeGreaterThan(20);
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
    expect(falls.length).toBeGreaterThan(0);
    const env = { ...process.env, VK_DRIVER_FILES: path.join(folder, 'none.json'), VK_ICD_FILENAMES: '' };
    const none = spawnSync(process.execPath, args.with(3, 'webgpu'), { cwd: root, encoding: 'utf8', env });
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining('webgpu cannot be used: ')]);
  });

  it('ends a run that asks for a GPU where there is none, with the reason and what to do', () => {
    const env = { ...process.env, VK_DRIVER_FILES: path.join(folder, 'none.json'), VK_ICD_FILENAMES: '' };
    const ended = spawnSync(process.execPath, [kernelCli, 'doctor', '--device', 'webgpu'], { cwd: folder, encoding: 'utf8', env }); // prettier-ignore
    expect(ended.status).not.toBe(0);
    expect(ended.stderr).toMatch(
      /device webgpu cannot be used: .*(no Vulkan driver file was found; .*install libvulkan1)/s,
    );
  });
});
