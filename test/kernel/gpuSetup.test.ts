/** `fgnb gpu setup` and Doctor on prepared hosts, by the built command line. No package registry is asked. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { softwareGpu } from '#test/kit/deviceBundle.js';
import { testFolder } from '#test/kit/folder.js';
import { ensureKernelBuilt, kernelCli } from '#test/kit/kernel.js';
import { fakeTfjsGpu, preparedHost } from '#test/kit/preparedHosts.js';

const gpu = softwareGpu();
if (typeof gpu === 'string') console.log(`WebGPU is not tested: ${gpu}`);
const folder = testFolder('gpu-setup');
const at = (...parts: string[]): string => path.join(folder, ...parts);
const linux = process.platform === 'linux' && process.arch === 'x64';
if (!linux) console.log(`prepared hosts are Linux x64, and this is ${process.platform} ${process.arch}`);
beforeAll(() => ensureKernelBuilt());

interface Ended {
  status: number | null;
  text: string;
}

async function fgnb(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [kernelCli, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, text };
}

const CUDA = { driver: '550.54.14', cards: ['NVIDIA H200', 'NVIDIA L4'], cuda: '11' } as const;
const nothing = () => preparedHost(at('nothing'));
const broken = () => preparedHost(at('broken'), { ...CUDA, broken: ['libcublas.so.11'], without: ['libcudnn.so.8'] });
const old = () => preparedHost(at('old'), { ...CUDA, driver: '390.48' });
const whole = (name: string) => preparedHost(at(name), CUDA);
const setUp = (env: Record<string, string>, ...args: string[]) => fgnb(env, 'gpu', 'setup', ...args);
const installed = (env: Record<string, string>) => fs.existsSync(path.join(env.FGNB_GPU_FOLDER, 'node_modules'));

describe.skipIf(!linux)('a host with nothing', () => {
  it('is told what is missing, and gets nothing installed', async () => {
    const env = nothing();
    expect(await setUp(env)).toEqual({
      status: 1,
      text: expect.stringMatching(
        /✗ {3}driver {3}no Vulkan driver file was found \(VK_DRIVER_FILES names .*none\.json, which is not there\): install .*\n[^]*Nothing was installed/,
      ),
    });
    const cuda = await setUp(env, '--device', 'cuda', '--from', fakeTfjsGpu(at('package')), '--yes');
    expect(cuda.status).toBe(1);
    expect(cuda.text).toMatch(/✗ {3}CUDA {5}no NVIDIA driver is loaded .*: install NVIDIA's driver/);
    expect(fs.existsSync(env.FGNB_GPU_FOLDER)).toBe(false);
  });

  it('is described by Doctor', async () => {
    const { status, text } = await fgnb(nothing(), 'doctor');
    expect(status).toBe(0);
    expect(text).toMatch(/NVIDIA {6}no driver\n/);
    expect(text).toMatch(/Vulkan .*drivers: none\n/);
    expect(text).toMatch(/in use {6}cpu: /);
    expect(text).toMatch(
      /Why not better\n {2}cuda {8}no NVIDIA driver is loaded .*\n {2}webgpu {6}WebGPU has no Vulkan/,
    );
  });
});

describe.skipIf(!linux || typeof gpu === 'string')('a host with a Vulkan software device', () => {
  const env = () => ({ ...nothing(), ...(gpu as Record<string, string>), FGNB_GPU_FOLDER: at('vulkan-gpu') });

  it('needs no installation: the device is tried and recorded, and Doctor says so', async () => {
    const dry = await setUp(env(), '--dry-run');
    expect([dry.status, dry.text]).toEqual([0, expect.stringContaining('It installs nothing')]);
    expect(fs.existsSync(at('vulkan-gpu'))).toBe(false);
    const { status, text } = await setUp(env(), '--device', 'webgpu');
    expect(status, text).toBe(0);
    expect(text).toMatch(/webgpu works: webgpu: ONNX Runtime's WebGPU \(vk_swiftshader\), .*; agrees with float64 to/);
    const doctor = await fgnb(env(), 'doctor');
    expect(doctor.text).toMatch(/Vulkan {6}libvulkan.so.1 loads; drivers: .*vk_swiftshader_icd.json\n/);
    expect(doctor.text).toMatch(/set up {6}webgpu \d{4}-\d\d-\d\d: webgpu: ONNX Runtime's WebGPU/);
    // Right and slow: another device is in use, and the reason is said.
    expect(doctor.text).toMatch(/webgpu +WebGPU multiplies at [\d.]+ GFLOP\/s, slower than the CPU's/);
    expect((await setUp(env(), '--remove', '--yes')).text).toContain('Removed.');
    expect(fs.readdirSync(at('vulkan-gpu'))).toEqual([]);
  });
});

describe.skipIf(!linux)('a host with broken CUDA libraries', () => {
  it('is told which library is missing and which does not load', async () => {
    const env = broken();
    const { status, text } = await setUp(env, '--from', fakeTfjsGpu(at('package')), '--yes');
    expect(status).toBe(1);
    expect(text).toMatch(/Set up cuda \(this host has NVIDIA's driver, and for webgpu: /);
    expect(text).toMatch(/CUDA {5}libcudnn.so.8 is missing; libcublas.so.11 does not load: .*(file too short|invalid ELF header): install CUDA 11 and its cuDNN, and let LD_LIBRARY_PATH/); // prettier-ignore
    expect(installed(env)).toBe(false);
    const doctor = await fgnb(env, 'doctor');
    expect(doctor.text).toMatch(/NVIDIA {6}driver 550\.54\.14, NVIDIA H200, NVIDIA L4\n/);
    expect(doctor.text).toMatch(/CUDA {8}11: libcudnn.so.8 is missing; libcublas.so.11 does not load/);
    expect(doctor.text).toMatch(
      /Advice\n[^]*This host has NVIDIA's driver 550\.54\.14 and no .*NVIDIA_DRIVER_CAPABILITIES=all/,
    );
  });
});

describe.skipIf(!linux)('a host with an old driver', () => {
  it('is told which driver is needed', async () => {
    const env = old();
    const words = /NVIDIA's driver 390\.48 is too old: CUDA 11 needs 450\.80\.02 or newer; update the driver/;
    const { status, text } = await setUp(env, '--device', 'cuda', '--from', fakeTfjsGpu(at('package')), '--yes');
    expect([status, text]).toEqual([1, expect.stringMatching(words)]);
    expect((await fgnb(env, 'doctor')).text).toMatch(new RegExp(`cuda +${words.source}`));
    expect(await fgnb(env, 'doctor', '--device', 'cuda')).toEqual({ status: 1, text: expect.stringMatching(words) });
  });
});

describe.skipIf(!linux)('a host with CUDA', () => {
  it('gets the package by its own install step after leave was given; it is tried, recorded, used and removed', async () => {
    const env = whole('whole');
    const from = ['--device', 'cuda', '--from', fakeTfjsGpu(at('package'))];
    const asked = await setUp(env, ...from);
    expect(asked.status).toBe(1);
    expect(asked.text).toMatch(/ok {2}CUDA {5}driver 550\.54\.14, CUDA 11 and its cuDNN load/);
    expect(asked.text).toContain('Nothing was done: nobody can be asked here. Add --yes');
    const dry = await setUp(env, ...from, '--dry-run', '--yes');
    expect([dry.status, dry.text]).toEqual([
      0,
      expect.stringMatching(/installs .*package into .*gpu; its own install/),
    ]);
    expect(fs.existsSync(env.FGNB_GPU_FOLDER)).toBe(false);

    const { status, text } = await setUp(env, ...from, '--yes');
    expect(status, text).toBe(0);
    expect(text).toMatch(/cuda works: cuda: TensorFlow on an NVIDIA GPU, driver 550\.54\.14, [\d.e+]+ GFLOP\/s\n/);
    const record = JSON.parse(fs.readFileSync(path.join(env.FGNB_GPU_FOLDER, 'setup.json'), 'utf8')) as unknown;
    expect(record).toMatchObject({ cuda: { works: true, packages: { '@tensorflow/tfjs-node-gpu': '4.22.0' } } });
    const doctor = await fgnb(env, 'doctor');
    expect(doctor.text).toMatch(/in use {6}cuda: TensorFlow on an NVIDIA GPU/);
    expect(doctor.text).toMatch(/set up {6}cuda \d{4}/);

    fs.writeFileSync(path.join(env.FGNB_GPU_FOLDER, 'kept.txt'), 'not ours');
    expect((await setUp(env, '--remove')).status).toBe(1);
    expect(installed(env)).toBe(true);
    expect((await setUp(env, '--remove', '--yes')).text).toMatch(/Removes\n[^]*node_modules\n[^]*Removed\./);
    expect(fs.readdirSync(env.FGNB_GPU_FOLDER)).toEqual(['kept.txt']);
    expect((await setUp(env, '--remove', '--yes')).text).toContain('Nothing is set up in');
  });

  it('says the cause and the next step where the install step or the source fails', async () => {
    const env = whole('failing');
    const step = fakeTfjsGpu(at('failing-step'), { atInstall: 'console.error("no archive there"); process.exit(3)' });
    const failed = await setUp(env, '--device', 'cuda', '--from', step, '--yes');
    expect(failed.status).toBe(1);
    expect(failed.text).toMatch(
      /no archive there[^]*fgnb: the package's own install step failed \(npm: exit code \d+\): /,
    );
    const nowhere = await setUp(env, '--device', 'cuda', '--from', 'http://127.0.0.1:9/', '--yes');
    expect([nowhere.status, nowhere.text]).toEqual([
      1,
      expect.stringMatching(/network {2}127\.0\.0\.1:9: .*ECONNREFUSED.*; check the connection .*--from FOLDER/),
    ]);
    const none = await setUp(env, '--device', 'cuda', '--from', at('no package'), '--yes');
    expect([none.status, none.text]).toEqual([1, expect.stringMatching(/--from is .*no package, where nothing is/)]);
    expect(await setUp(env, '--device', 'tpu')).toEqual({
      status: 2,
      text: expect.stringContaining('auto, webgpu, cuda'),
    });
  });

  it('says why a package that was installed does not work', async () => {
    const cases = {
      version: [{ version: '3.21.1' }, /@tensorflow\/tfjs-node-gpu 3\.21\.1 was installed, and 4\.22\.0 is needed/],
      missing: [
        { atLoad: "throw new Error('libtensorflow.so.2: cannot open shared object file: No such file or directory')" },
        /cuda does not work: .*did not load: shared library libtensorflow\.so\.2 is missing .*install them/,
      ],
      crash: [
        { atLoad: 'process.abort()' },
        /cuda does not work: .*did not load: loading it ends the process \(SIGABRT/,
      ],
      blind: [{ usesGpu: false }, /cuda does not work: .*loaded but sees no GPU: wrong CUDA or cuDNN version/],
    } as const;
    for (const [name, [fake, words]] of Object.entries(cases)) {
      const env = whole(`bad-${name}`);
      const { status, text } = await setUp(
        env,
        '--device',
        'cuda',
        '--from',
        fakeTfjsGpu(at(`fake-${name}`), fake),
        '--yes',
      );
      expect([name, status, text]).toEqual([name, 1, expect.stringMatching(words)]);
      if (name !== 'crash') continue; // One of them stands for what Doctor says of all.
      const doctor = await fgnb(env, 'doctor');
      expect(doctor.text).toMatch(/in use {6}cpu/);
      expect(doctor.text).toMatch(/set up {6}cuda .*: does not work: /);
    }
  });
});
