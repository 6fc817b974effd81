/**
 * Hosts with GPUs that are not there: drivers, libraries and packages in a folder. Libraries load and do nothing; the
 * package computes on the CPU under the name of TensorFlow's backend.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { CUDA_RELEASES, type CudaVersion } from '#kernel/compute/hostGpu.js';

const project = path.resolve(import.meta.dirname, '../..');

export interface HostParts {
  /** NVIDIA's driver by its version, and its cards. */
  driver?: string;
  cards?: readonly string[];
  /** A release of CUDA whose libraries load. */
  cuda?: CudaVersion;
  /** Libraries that are there and no libraries. */
  broken?: string[];
  /** Libraries of the release that are not there. */
  without?: string[];
}

function write(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

/** Compiles a library; its code is C. */
export function library(file: string, code = 'int fgnb_nothing;', ...options: string[]): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-', '-o', file, ...options], { input: code });
}

/** Makes a host in a folder. Returns the environment of the processes that run on it. */
export function preparedHost(folder: string, parts: HostParts = {}): Record<string, string> {
  const root = path.join(folder, 'root');
  const libraries = path.join(folder, 'lib');
  fs.mkdirSync(root, { recursive: true });
  fs.mkdirSync(libraries, { recursive: true });
  if (parts.driver)
    write(path.join(root, 'proc/driver/nvidia/version'), `NVRM version: NVIDIA UNIX x86_64 Kernel Module  ${parts.driver}  Thu\n`); // prettier-ignore
  (parts.cards ?? []).forEach((name, i) =>
    write(path.join(root, `proc/driver/nvidia/gpus/0000:0${i}:00.0/information`), `Model: \t\t ${name}\nIRQ: 1\n`),
  );
  const release = CUDA_RELEASES.find(({ version }) => version === parts.cuda);
  const names = parts.cuda ? ['libcuda.so.1', ...(release?.libraries ?? [])] : [];
  const whole = names.filter((name) => !parts.broken?.includes(name) && !parts.without?.includes(name));
  if (whole.length > 0) library(path.join(libraries, whole[0]));
  for (const name of whole.slice(1)) fs.copyFileSync(path.join(libraries, whole[0]), path.join(libraries, name));
  for (const name of parts.broken ?? []) write(path.join(libraries, name), 'no library');
  return {
    FGNB_HOST_ROOT: root,
    FGNB_GPU_FOLDER: path.join(folder, 'gpu'),
    LD_LIBRARY_PATH: libraries,
    VK_DRIVER_FILES: path.join(folder, 'none.json'),
    VK_ICD_FILENAMES: '',
  };
}

/** How the package misbehaves. */
export interface FakePackage {
  version?: string;
  /** Code that runs when it is loaded, before the backend is there. */
  atLoad?: string;
  /** Code of its install step. */
  atInstall?: string;
  usesGpu?: boolean;
  /** Code before each product; `a` and `b` are its inputs. */
  beforeProduct?: string;
}

/** A package @tensorflow/tfjs-node-gpu with an install step of its own, as a folder for npm. */
export function fakeTfjsGpu(folder: string, fake: FakePackage = {}): string {
  const { version = '4.22.0', atLoad = '', atInstall = '', usesGpu = true, beforeProduct = '' } = fake;
  const module = (name: string): string => JSON.stringify(path.join(project, 'node_modules/@tensorflow', name));
  const manifest = { name: '@tensorflow/tfjs-node-gpu', version, main: 'index.js', scripts: { install: 'node install.js' } }; // prettier-ignore
  write(path.join(folder, 'package.json'), JSON.stringify(manifest));
  write(path.join(folder, 'install.js'), `${atInstall};\nrequire('fs').writeFileSync('installed', 'by its own step');`);
  write(
    path.join(folder, 'index.js'),
    `${atLoad};
if (!require('fs').existsSync(__dirname + '/installed')) throw new Error('its install step did not run');
const tf = require(${module('tfjs-core')});
const { MathBackendCPU } = require(${module('tfjs-backend-cpu')});
tf.registerBackend('tensorflow', () => Object.assign(new MathBackendCPU(), { isUsingGpuDevice: ${usesGpu} }), 3);
for (const kernel of tf.getKernelsForBackend('cpu')) {
  const { kernelFunc, kernelName } = kernel;
  const products = kernelName === 'BatchMatMul' || kernelName === '_FusedMatMul';
  tf.registerKernel({ ...kernel, backendName: 'tensorflow', kernelFunc: !products ? kernelFunc : (given) => {
    const { a, b } = given.inputs;
    ${beforeProduct};
    // A large product is timed and not looked at.
    if (a.shape[a.shape.length - 1] >= 1024) {
      const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]];
      return given.backend.makeTensorInfo(shape, 'float32', new Float32Array(shape.reduce((x, y) => x * y, 1)));
    }
    return kernelFunc(given);
  } });
}
`,
  );
  return folder;
}

/** How the CUDA provider of ONNX Runtime misbehaves. */
export interface FakeProvider {
  version?: string;
  /** Libraries of the provider that are there. */
  files?: ReadonlyArray<'shared' | 'cuda'>;
  /** Options of the compiler for the CUDA library, such as what it links to. */
  link?: readonly string[];
  /** C code of the CUDA library. */
  code?: string;
  /** Code at each session. */
  atCreate?: string;
  /** Code before each run; `feeds` are its inputs. */
  beforeRun?: string;
  /** The binding of the kernel's own package beside the fake libraries: ONNX Runtime itself loads them. */
  real?: boolean;
}

/** A package onnxruntime-node whose CUDA provider computes on the CPU, in the GPU folder of a prepared host. */
export function fakeOrtCuda(gpuFolder: string, fake: FakeProvider = {}): string {
  const { version = '1.30.0', files = ['shared', 'cuda'], link = [], code, atCreate = '', beforeRun = '' } = fake;
  const folder = path.join(gpuFolder, 'node_modules/onnxruntime-node');
  const own = path.join(project, 'node_modules/onnxruntime-node');
  const native = path.join(folder, 'bin/napi-v6/linux/x64');
  if (fake.real)
    for (const name of ['onnxruntime-node', 'onnxruntime-common'])
      fs.cpSync(path.join(project, 'node_modules', name), path.join(gpuFolder, 'node_modules', name), { recursive: true }); // prettier-ignore
  else {
    write(path.join(folder, 'package.json'), JSON.stringify({ name: 'onnxruntime-node', version, main: 'index.js' }));
    write(
      path.join(folder, 'index.js'),
      `const real = require(${JSON.stringify(own)});
exports.Tensor = real.Tensor;
exports.InferenceSession = { async create(model, options) {
  if (options.executionProviders[0] !== 'cuda') throw new Error('asked for ' + options.executionProviders[0]);
  ${atCreate};
  const session = await real.InferenceSession.create(model, { ...options, executionProviders: ['cpu'] });
  const run = session.run.bind(session);
  session.run = async (feeds) => { ${beforeRun}; return run(feeds); };
  return session;
} };
`,
    );
  }
  for (const name of files)
    library(path.join(native, `libonnxruntime_providers_${name}.so`), name === 'cuda' ? code : SHARED_PROVIDER, ...(name === 'cuda' ? link : [])); // prettier-ignore
  return folder;
}

/** What ONNX Runtime asks of the library that all its providers share. */
const SHARED_PROVIDER = `void *host; void Provider_SetHost(void *given) { host = given; } void *Provider_GetHost(void) { return host; }`; // prettier-ignore
