/** The quickstart to its end on WebGPU over SwiftShader, at small size: its key figures are those of the cpu device. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { softwareGpu } from '#test/kit/deviceBundle.js';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli, root } from '#test/kit/kernel.js';

const gpu = softwareGpu();
if (typeof gpu === 'string') console.log(`The quickstart is not run on WebGPU: ${gpu}`);
beforeAll(() => ensureKernelBuilt());

/** What stands in the notebook, and its small size. */
const SMALLER: ReadonlyArray<readonly [string, string]> = [
  ['stories: 3000', 'stories: 100'],
  ['stories: 800', 'stories: 80'],
  ['context: 128', 'context: 32'],
  ['samples: 500', 'samples: 80'],
  ['features: 1024', 'features: 64'],
  ['trainBatchSizeTokens: 2048', 'trainBatchSizeTokens: 128'],
  ['lr: 1e-3', 'lr: 1e-2'],
  ['lrWarmUpSteps: 50', 'lrWarmUpSteps: 2'],
  ['l1WarmUpSteps: 60', 'l1WarmUpSteps: 4'],
  ['nulls: 100', 'nulls: 10'],
  ['samples: 64', 'samples: 2'],
  ['samples: 32', 'samples: 8'],
];
const STEPS = 15;
/** Figures agree to this share of themselves, or to this much near 0. */
const TOLERANCE = 5e-3;

const folder = testFolder('quickstart-device');

async function keyFigures(device: string, env: Record<string, string>): Promise<Record<string, string>> {
  const args = [kernelCli, 'run', 'small.fgnb', '--device', device, '--param', `steps=${STEPS}`];
  const child = spawn(process.execPath, [...args, '--artifacts', device, '--out', `${device}.fgnb`, '--json'], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (said[name] += text));
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect(status, said.stdout + said.stderr).toBe(0);
  const last = JSON.parse(said.stdout.trim().split('\n').at(-1)!) as { keyFigures: Record<string, string> };
  return last.keyFigures;
}

describe('the quickstart', () => {
  it.skipIf(typeof gpu === 'string')(
    'runs to its end with --device webgpu, and its figures are those of the cpu',
    async () => {
      let text = fs.readFileSync(path.join(root, 'examples/quickstart.fgnb'), 'utf8');
      for (const [whole, small] of SMALLER) {
        expect(text).toContain(whole);
        text = text.replaceAll(whole, small);
      }
      fs.writeFileSync(path.join(folder, 'small.fgnb'), text);
      fs.symlinkSync(path.join(root, 'examples/models'), path.join(folder, 'models'));
      const wanted = await keyFigures('cpu', {});
      const got = await keyFigures('webgpu', gpu as Record<string, string>);
      expect(Object.keys(wanted).length).toBeGreaterThanOrEqual(10);
      expect(Object.keys(got)).toEqual(Object.keys(wanted));
      const NUMBER = /-?\d+(?:\.\d+)?/g;
      for (const [name, words] of Object.entries(wanted)) {
        expect(got[name].replace(NUMBER, '#'), name).toBe(words.replace(NUMBER, '#'));
        const [a, b] = [words, got[name]].map((t) => (t.match(NUMBER) ?? []).map(Number));
        a.forEach((v, i) => expect(Math.abs(v - b[i]), `${name}: ${words} and ${got[name]}`).toBeLessThanOrEqual(TOLERANCE * Math.max(1, Math.abs(v)))); // prettier-ignore
      }
      // The device did the work: its artifacts have identities of their own.
      const ids = (device: string) => new Set(fs.readdirSync(path.join(folder, device)));
      const [onCpu, onGpu] = [ids('cpu'), ids('webgpu')];
      expect([...onGpu].filter((id) => !onCpu.has(id)).length).toBeGreaterThan(0);
    },
  );
});
