/** ONNX Runtime's CUDA provider on prepared hosts: found, refused with its reason, raced, and failing in the kernel. */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { testFolder } from '#test/kit/folder.js';
import { runCli } from '#test/kit/cli.js';
import { ensureKernelBuilt, root, startKernel } from '#test/kit/kernel.js';
import { fakeOrtCuda, library, preparedHost, type FakeProvider } from '#test/kit/preparedHosts.js';

const linux = process.platform === 'linux' && process.arch === 'x64';
if (!linux) console.log(`prepared hosts are Linux x64, and this is ${process.platform} ${process.arch}`);
beforeAll(() => ensureKernelBuilt());

const HOST = { driver: '580.65.06', cards: ['NVIDIA H200'], cuda: '12' } as const;

function host(name: string, fake?: FakeProvider): Record<string, string> {
  const folder = testFolder(`ort-cuda-${name}`);
  const env = preparedHost(folder, HOST);
  if (fake) fakeOrtCuda(env.FGNB_GPU_FOLDER, fake);
  return env;
}
async function doctor(env: Record<string, string>, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await runCli(env.FGNB_HOST_ROOT, ['doctor', ...args], { env });
  return { code, text: stdout + stderr };
}
const refusal = async (env: Record<string, string>): Promise<string> => (await doctor(env, '--device', 'cuda')).text;

const SETTING = `
const lm = await fg.models.load(${JSON.stringify(path.join(root, 'examples/models/tiny-stories-1L'))});
const text = fg.datasets.stories({ seed: 3, stories: 20, context: 32, samples: 4 });
const sae = await fg.sae.train(lm, text, { hook: 'blocks.0.hook_mlp_out', features: 64, architecture: 'topk', k: 4, steps: 2, trainBatchSizeTokens: 32 });
sae.config.k`;
const CELL = '(await fg.sae.evaluate(lm, sae, text, { conformance: false })).l0';

describe.skipIf(!linux)("ONNX Runtime's CUDA provider", () => {
  it('is refused with the reason and the next step', async () => {
    const absent = path.join(testFolder('ort-cuda-linked'), 'libcublas.so.12');
    library(absent);
    const link = ['-Wl,--no-as-needed', `-L${path.dirname(absent)}`, '-l:libcublas.so.12'];
    const cases: Record<string, [FakeProvider | undefined, RegExp]> = {
      none: [
        undefined,
        /package .*tfjs-node-gpu is not installed.*CUDA provider is not installed \(no onnxruntime-node in .*gpu setup --device cuda/s,
      ],
      version: [{ version: '1.24.0' }, /is version 1\.24\.0, and this kernel works with 1\.30\.0/],
      half: [{ files: ['shared'] }, /libonnxruntime_providers_cuda\.so not in .*install step did not run/],
      crash: [
        { code: '#include <stdlib.h>\n__attribute__((constructor)) void start(void) { abort(); }' },
        /libonnxruntime_providers_cuda\.so does not load: loading it ends the process \(SIGABRT\)/,
      ],
      wrong: [
        {
          atCreate:
            "throw new Error('CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version\\nmore')",
        },
        /CUDA failure 35: CUDA driver version is insufficient/,
      ],
      binding: [{ atCreate: 'process.abort()' }, /the device process ended while it started: ended by SIGABRT/],
      // ONNX Runtime itself with a provider that gives it nothing.
      null: [
        { real: true, code: 'void *GetProvider(void) { return 0; }' },
        /the device process ended while it started: ended by SIG/,
      ],
    };
    for (const [name, [fake, words]] of Object.entries(cases))
      expect([name, await refusal(host(name, fake))]).toEqual([name, expect.stringMatching(words)]);
    const missing = host('missing', { link });
    fs.rmSync(path.join(missing.LD_LIBRARY_PATH, 'libcublas.so.12'));
    expect(await refusal(missing)).toMatch(/shared library libcublas\.so\.12 is missing: install the CUDA release/);
  });

  it('runs encoding, decoding and neighbours; auto takes it only where it is faster', async () => {
    const env = host('works', {});
    const { code, text } = await doctor(env, '--device', 'cuda');
    expect(code, text).toBe(0);
    expect(text).toMatch(/in use {6}cuda: ONNX Runtime's CUDA \(driver 580\.65\.06\), [\d.e+]+ GFLOP\/s/);
    expect(text).toMatch(/cuda {8}forward passes and SAE encoding of fg\.activations\.save/);
    expect(text).toMatch(
      /cpu {9}training of SAEs, their baselines and crosscoders \(cuda cannot do it or is not faster\)/,
    );
    expect(text).toMatch(/note {8}tensors of cells are on the CPU: package .*tfjs-node-gpu is not installed/);
    const slow = await doctor(host('slow', { beforeRun: 'await new Promise((r) => setTimeout(r, 300))' }));
    expect(slow.text).toMatch(/in use {6}cpu/);
    expect(slow.text).toMatch(/cuda {8}.*ONNX Runtime's CUDA provider multiplies at [\d.e-]+ GFLOP\/s, slower than/);
  });

  it('is installed by set-up on a host with CUDA 12, from the folder of the package', async () => {
    const env = host('set-up');
    const from = fakeOrtCuda(path.join(testFolder('ort-cuda-package'), 'gpu'));
    const setUp = (...args: string[]) => runCli(env.FGNB_HOST_ROOT, ['gpu', 'setup', '--device', 'cuda', '--from', from, ...args], { env }); // prettier-ignore
    const dry = await setUp('--dry-run');
    expect(dry.stdout).toMatch(/ok {2}CUDA {5}driver 580\.65\.06, CUDA 12 and its cuDNN load/);
    expect(dry.stdout).toMatch(
      /installs .*onnxruntime-node into .*ONNX Runtime's CUDA provider .* from api\.nuget\.org/,
    );
    expect(fs.existsSync(env.FGNB_GPU_FOLDER)).toBe(false);
    const { code, stdout, stderr } = await setUp('--yes');
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/cuda works: cuda: ONNX Runtime's CUDA \(driver 580\.65\.06\), .*; agrees with float64 to/);
  });

  it('ends a cell that finds no room or loses the card, and the next one has its result', async () => {
    const beforeRun = `if (feeds.k && process.env.FGNB_FAKE_CUDA && require('fs').existsSync(process.env.FGNB_FAKE_CUDA)) {
        const how = require('fs').readFileSync(process.env.FGNB_FAKE_CUDA, 'utf8');
        throw new Error(how === 'full' ? 'BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 4096' : 'CUDA failure 700: an illegal memory access was encountered');
      }`;
    const env = host('failing', { beforeRun });
    const how = path.join(testFolder('ort-cuda-how'), 'how');
    const kernel = await startKernel({ args: ['--device', 'cuda'], env: { ...env, FGNB_FAKE_CUDA: how } });
    try {
      const client = await kernel.connect();
      expect((await client.run('fg.device.info().device')).shown).toContain('cuda');
      expect((await client.run(SETTING)).shown).toBe('4');
      expect((await client.run(CELL)).status).toBe('ok');
      fs.writeFileSync(how, 'full');
      const full = await client.run(CELL);
      expect(full.error).toMatchObject({ name: 'DeviceMemoryError' });
      expect(full.error?.message).toMatch(/in use: .*Failed to allocate memory/);
      fs.writeFileSync(how, 'lost');
      const lost = await client.run(CELL);
      expect(lost.error).toMatchObject({ name: 'DeviceLostError' });
      expect(lost.error?.message).toMatch(/illegal memory access.*the next call starts it again/);
      fs.rmSync(how);
      expect((await client.run(CELL)).status).toBe('ok');
    } finally {
      await kernel.stop();
    }
  });
});
