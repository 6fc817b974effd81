/** The optional GPU devices: packages of the host's own, looked for beside the notebook and in a folder per host. */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAX_PRODUCT_ERROR, productError } from './gemm.js';
import { productThroughTf } from './product.js';
import { tf } from './tf.js';

/** Thrown when a device cannot be used; the message is the reason shown to people. */
export class DeviceRefused extends Error {
  override name = 'DeviceRefused';
}

/** Folder of this host for GPU packages: FGNB_GPU_FOLDER, else fgnb/gpu in the user's data folder. */
export function gpuFolder(): string {
  if (process.env.FGNB_GPU_FOLDER) return process.env.FGNB_GPU_FOLDER;
  const home = os.homedir();
  if (process.platform === 'win32')
    return path.join(process.env.LOCALAPPDATA ?? path.join(home, 'AppData/Local'), 'fgnb', 'gpu');
  return path.join(process.env.XDG_DATA_HOME ?? path.join(home, '.local/share'), 'fgnb', 'gpu');
}

/** Entry file of an optional package, from the notebook's folder upward, then from the GPU folder. */
export function findPackage(name: string, notebookFolder: string): string {
  const folders = [notebookFolder, gpuFolder()];
  for (const folder of folders) {
    try {
      return createRequire(path.join(path.resolve(folder), 'resolve-from-here.js')).resolve(name);
    } catch {
      // Looked for in the next folder.
    }
  }
  throw new DeviceRefused(
    `package ${name} is not installed: not found from ${path.resolve(notebookFolder)} upward, nor in ${folders[1]}`,
  );
}

/** "550.54.14" on a Linux host with NVIDIA's driver; undefined elsewhere. */
export function nvidiaDriver(file = '/proc/driver/nvidia/version'): string | undefined {
  try {
    const text = fs.readFileSync(file, 'utf8');
    return /(?:Kernel Module|NVRM version:.*?)\s+(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown version';
  } catch {
    return undefined;
  }
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0];

/** The reason why a native package failed to load, with a hint where there is one. */
export function loadReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const library = /(lib[\w-]+\.so[.\d]*|[\w-]+\.dll): cannot open shared object|(lib[\w-]+\.so[.\d]*)/.exec(text);
  if (library) {
    return `shared library ${library[1] ?? library[2]} is missing (tfjs-node-gpu 4.22 needs CUDA 11.2 and cuDNN 8.1)`;
  }
  if (/GLIBC|GLIBCXX/.test(text)) return `its binary was built for another C library: ${firstLine(error)}`;
  return firstLine(error);
}

/** The products of the backend in use, checked against float64; the first of these also compiles its kernels. */
function checkProducts(device: string, limit: number): number {
  const error = productError(productThroughTf);
  if (!(error < limit)) throw new DeviceRefused(`${device} gives wrong products (relative error ${error})`);
  return error;
}

/** Starts TensorFlow's own GPU build. Returns its description. */
export async function startCuda(notebookFolder: string): Promise<string> {
  if (process.platform === 'darwin') throw new DeviceRefused('macOS has no CUDA');
  const driver = nvidiaDriver();
  if (process.platform === 'linux' && driver === undefined) {
    throw new DeviceRefused('no NVIDIA driver is loaded (/proc/driver/nvidia is missing)');
  }
  const entry = findPackage('@tensorflow/tfjs-node-gpu', notebookFolder);
  try {
    createRequire(entry)(entry);
  } catch (error) {
    throw new DeviceRefused(`@tensorflow/tfjs-node-gpu did not load: ${loadReason(error)}`, { cause: error });
  }
  if (!(await tf.setBackend('tensorflow')))
    throw new DeviceRefused('@tensorflow/tfjs-node-gpu loaded but did not start');
  await tf.ready();
  const backend: object & { isUsingGpuDevice?: boolean } = tf.backend();
  if (backend.isUsingGpuDevice === false) {
    throw new DeviceRefused('@tensorflow/tfjs-node-gpu loaded but sees no GPU (wrong CUDA or cuDNN version)');
  }
  // TensorFloat-32 units keep 10 bits of each factor's mantissa, hence the wide limit.
  checkProducts('TensorFlow on this GPU', 2e-3);
  return `TensorFlow on an NVIDIA GPU, driver ${driver ?? 'unknown'}`;
}

interface Dawn {
  create(flags: string[]): GPU;
  globals: Record<string, unknown>;
}

async function openDawn(notebookFolder: string): Promise<GPU> {
  const entry = findPackage('webgpu', notebookFolder);
  let dawn: Dawn;
  try {
    dawn = (await import(pathToFileURL(entry).href)) as Dawn;
  } catch (error) {
    throw new DeviceRefused(`package webgpu did not load: ${loadReason(error)}`, { cause: error });
  }
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const holder = (globalThis as { navigator?: object }).navigator ?? {};
  Object.defineProperty(holder, 'gpu', { value: gpu, configurable: true });
  // Node 20 has no navigator; later ones have one that cannot be assigned.
  if (!('navigator' in globalThis))
    Object.defineProperty(globalThis, 'navigator', { value: holder, configurable: true });
  return gpu;
}

/** Starts tfjs-webgpu on Dawn. Returns its description, and notes on its limits. */
export async function startWebgpu(
  notebookFolder: string,
  explicit: boolean,
): Promise<{ description: string; notes: string[] }> {
  const gpu = await openDawn(notebookFolder);
  let adapter: GPUAdapter | null = null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    throw new DeviceRefused(`WebGPU found no adapter: ${firstLine(error)}`, { cause: error });
  }
  if (!adapter) throw new DeviceRefused('WebGPU found no adapter (no Vulkan, Metal or D3D12 driver)');
  const { description, device, vendor } = adapter.info;
  const name = description || device || vendor || 'unnamed adapter';
  if (!explicit && /swiftshader|llvmpipe|software/i.test(`${name} ${adapter.info.architecture}`)) {
    throw new DeviceRefused(`WebGPU's only adapter is software (${name}), slower than the cpu device`);
  }
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new DeviceRefused('tfjs-webgpu did not start');
  await tf.ready();
  const error = await asyncProductError();
  if (!(error < MAX_PRODUCT_ERROR))
    throw new DeviceRefused(`tfjs-webgpu gives wrong products (relative error ${error})`);
  if (readsSynchronously()) return { description: `tfjs-webgpu on ${name}`, notes: [] };
  const limit =
    'tensors cannot be read synchronously (dataSync) on WebGPU outside a browser, which models and SAE training do';
  if (!explicit) throw new DeviceRefused(limit);
  return {
    description: `tfjs-webgpu on ${name}`,
    notes: [`${limit}: use await tensor.data(); long calls of fg need the cpu or cuda device`],
  };
}

async function asyncProductError(): Promise<number> {
  // productError() is synchronous: its products are computed first, in order, and handed to it afterwards.
  const asked: Array<Promise<Float32Array>> = [];
  productError((a, b, m, n, k, o) => {
    const product = tf.tidy(() =>
      tf.matMul(
        tf.tensor2d(a, o.transA ? [k, m] : [m, k]),
        tf.tensor2d(b, o.transB ? [n, k] : [k, n]),
        o.transA,
        o.transB,
      ),
    );
    asked.push((product.data() as Promise<Float32Array>).finally(() => product.dispose()));
    return new Float32Array(m * n);
  });
  const products = await Promise.all(asked);
  let next = 0;
  return productError(() => products[next++]);
}

function readsSynchronously(): boolean {
  try {
    // Large enough not to be computed on the CPU side of the backend.
    return tf.tidy(
      () =>
        tf
          .ones([64, 64])
          .matMul(tf.ones([64, 64]))
          .dataSync()[0] === 64,
    );
  } catch {
    return false;
  }
}
