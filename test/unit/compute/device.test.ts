import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { currentDevice, initDevice } from '#kernel/compute/device.js';
import { diagnose, formatDoctor } from '#kernel/compute/doctor.js';
import { findPackage, loadReason } from '#kernel/compute/gpu.js';
import { gpuFolder, nvidiaDriver, vulkanDrivers } from '#kernel/compute/hostGpu.js';
import { testFolder } from '#test/kit/folder.js';

const empty = testFolder('device');
const gpuBefore = process.env.FGNB_GPU_FOLDER;

beforeAll(() => {
  process.env.FGNB_GPU_FOLDER = path.join(empty, 'gpu');
  // A host without any Vulkan driver.
  process.env.VK_DRIVER_FILES = path.join(empty, 'none.json');
  return () => {
    if (gpuBefore === undefined) delete process.env.FGNB_GPU_FOLDER;
    else process.env.FGNB_GPU_FOLDER = gpuBefore;
    delete process.env.VK_DRIVER_FILES;
  };
});

describe('device choice', () => {
  it('has no device before it starts', () => {
    expect(() => currentDevice()).toThrow('await initDevice() first');
  });

  it('refuses an unknown device and one that is not there, with the reason', async () => {
    await expect(initDevice({ device: 'tpu' as 'cpu' })).rejects.toThrow('one of auto, cuda, webgpu, cpu');
    // From the sources; the kernel has its device process beside it (test/kernel/device.test.ts).
    await expect(initDevice({ device: 'webgpu', notebookFolder: empty })).rejects.toThrow(
      /^device webgpu cannot be used: the device process is not built beside this program \(.*Vulkan driver/,
    );
    await expect(initDevice({ device: 'cuda', notebookFolder: empty })).rejects.toThrow(
      /device cuda cannot be used: .+/,
    );
  });

  it('falls through to the cpu with one reason per device, once', async () => {
    const report = await initDevice({ notebookFolder: empty });
    expect(report).toMatchObject({ device: 'cpu', backend: 'wasm', notes: [] });
    expect(report.reasons.map((r) => [r.device, r.chosen])).toEqual([
      ['cuda', false],
      ['webgpu', false],
      ['cpu', true],
    ]);
    for (const { reason } of report.reasons) expect(reason.length).toBeGreaterThan(10);
    expect(await initDevice({ device: 'cpu' })).toBe(report);
    expect(currentDevice()).toBe(report);
  });

  it('refuses another device once one is in use', async () => {
    await expect(initDevice({ device: 'webgpu' })).rejects.toThrow('cpu is in use: restart the kernel');
  });
});

describe('GPU packages', () => {
  const packageIn = (folder: string, name: string): string => {
    const at = path.join(folder, 'node_modules', name);
    fs.mkdirSync(at, { recursive: true });
    fs.writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name, main: 'index.js' }));
    fs.writeFileSync(path.join(at, 'index.js'), '');
    return fs.realpathSync(path.join(at, 'index.js'));
  };

  it('are found from the notebook upward, before the folder of the host', () => {
    const inHost = packageIn(gpuFolder(), 'fgnb-fake');
    const notebook = path.join(empty, 'project', 'deep');
    fs.mkdirSync(notebook, { recursive: true });
    expect(findPackage('fgnb-fake', notebook)).toBe(inHost);
    const near = packageIn(path.join(empty, 'project'), 'fgnb-fake');
    expect(findPackage('fgnb-fake', notebook)).toBe(near);
    expect(() => findPackage('fgnb-none', notebook)).toThrow('not found from');
  });

  it('name the library that is missing', () => {
    expect(
      loadReason(new Error('libcudart.so.11.0: cannot open shared object file: No such file or directory')),
    ).toContain('shared library libcudart.so.11.0 is missing');
    expect(loadReason(new Error("/lib/libc.so.6: version `GLIBC_2.38' not found"))).not.toContain('undefined');
    expect(loadReason('odd')).toBe('odd');
  });
});

describe('the NVIDIA driver', () => {
  const file = path.join(empty, 'version');
  afterEach(() => fs.rmSync(file, { force: true }));

  it('is read in both forms of its version file', () => {
    expect(nvidiaDriver(file)).toBeUndefined();
    fs.writeFileSync(file, 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\n');
    expect(nvidiaDriver(file)).toBe('550.54.14');
    fs.writeFileSync(file, 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n');
    expect(nvidiaDriver(file)).toBe('570.86.15');
    fs.writeFileSync(file, 'something else\n');
    expect(nvidiaDriver(file)).toBe('unknown version');
  });
});

describe('Vulkan drivers', () => {
  it('are the JSON files of the folders given, or those that the environment chooses', () => {
    const folder = path.join(empty, 'icd.d');
    fs.mkdirSync(folder);
    for (const name of ['nvidia_icd.json', 'README']) fs.writeFileSync(path.join(folder, name), '{}');
    const one = path.join(folder, 'nvidia_icd.json');
    expect(vulkanDrivers([folder])).toEqual([]); // chosen: a file that is not there
    process.env.VK_DRIVER_FILES = `${one}:${path.join(empty, 'none.json')}`;
    expect(vulkanDrivers([])).toEqual([one]);
    delete process.env.VK_DRIVER_FILES;
    expect(vulkanDrivers([folder, path.join(empty, 'no folder')])).toEqual([one]);
    process.env.VK_DRIVER_FILES = path.join(empty, 'none.json');
  });
});

describe('doctor', () => {
  it('says what is used, how fast it is, and why not better, without the environment', async () => {
    process.env.FGNB_TEST_SECRET = 'hunter2-secret';
    const report = await diagnose({ notebookFolder: empty });
    const page = formatDoctor(report);
    delete process.env.FGNB_TEST_SECRET;
    expect(report.gflops.typedArrays).toBeGreaterThan(0);
    expect(report.gflops.tensors).toBeGreaterThan(0);
    expect(report.packages['onnxruntime-node']).toMatch(/^\d+\.\d+\.\d+$/);
    expect(page).toContain(`in use      ${report.device.description}`);
    expect(page).toContain('Why not better');
    expect(page).toMatch(/webgpu +WebGPU has no Vulkan driver/);
    expect(page).toContain('forward passes and SAE encoding');
    expect(page).toContain(path.join(empty, '.fgnb'));
    expect(page + JSON.stringify(report)).not.toContain('hunter2-secret');
  });

  it('advises where there is something to gain', async () => {
    const report = await diagnose({ notebookFolder: empty });
    const page = formatDoctor({
      ...report,
      gpu: { ...report.gpu, nvidia: { driver: '550.1', cards: ['NVIDIA H200', 'NVIDIA H200'] } },
      memory: { ...report.memory, limit: 2 ** 31 },
      device: { ...report.device, notes: ['a note'] },
      advice: ['install it'],
    });
    expect(page).toContain('driver 550.1, NVIDIA H200, NVIDIA H200');
    expect(page).toContain('limited to 2.0 GB');
    expect(page).toContain('a note');
    expect(page).toContain('  - install it');
  });
});
