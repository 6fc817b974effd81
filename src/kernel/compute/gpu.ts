/**
 * The GPU devices: WebGPU, which ships with ONNX Runtime, and CUDA by a package of the host's own, looked for beside the
 * notebook and in a folder per host.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { productError } from './gemm.js';
import { DeviceRefused, firstLine, startGraphs, type FasterThan, type StartedGraphs } from './graphDevices.js';
import { GRAPH_WORK } from './graphs/current.js';
import { GraphDevice } from './graphs/host.js';
import {
  cudaTrouble,
  driverNames,
  driverTrouble,
  gpuFolder,
  lookAtHost,
  nvidiaDriver,
  noVulkanDriver,
  vulkanDrivers,
} from './hostGpu.js';
import { productThroughTf } from './product.js';
import { tf } from './tf.js';

/** How a package comes to this host. */
const SET_UP = 'the command "Set Up GPU", or `fgnb gpu setup --device cuda`, installs it';

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
    `package ${name} is not installed: not found from ${path.resolve(notebookFolder)} upward, nor in ${folders[1]}; ${SET_UP}`,
  );
}

/** The reason why a native package failed to load, with a hint where there is one. */
export function loadReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const library = /(lib[\w-]+\.so[.\d]*|[\w-]+\.dll): cannot open shared object|(lib[\w-]+\.so[.\d]*)/.exec(text);
  if (library) {
    return `shared library ${library[1] ?? library[2]} is missing (tfjs-node-gpu 4.22 needs CUDA 11.2 and cuDNN 8.1): install them, and let LD_LIBRARY_PATH name their folders`;
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

/** The CUDA build of TensorFlow.js for this kernel: its version is that of the TensorFlow.js it registers with. */
export const TFJS_GPU = { name: '@tensorflow/tfjs-node-gpu', version: '4.22.0', cuda: '11' } as const;

/** @throws DeviceRefused when the package is of another version than the kernel's own TensorFlow.js */
function requireVersion(entry: string): void {
  const { name, version } = TFJS_GPU;
  const folder = entry.slice(0, entry.lastIndexOf(path.join('node_modules', name))) + path.join('node_modules', name);
  const { version: found } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    version?: string;
  };
  if (found !== version)
    throw new DeviceRefused(
      `${folder} is version ${found ?? 'unknown'}, and this kernel works with ${version}: ${SET_UP}`,
    );
}

/** Loads a package in a process of its own first: a driver or library that aborts must not end the kernel. */
async function tryPackage(entry: string): Promise<void> {
  const failure = await new Promise<string | undefined>((resolve) => {
    const program = 'try { require(process.argv[1]) } catch (e) { console.error("\\n" + e.message); process.exit(9) }';
    execFile(process.execPath, ['-e', program, entry], { timeout: 120_000 }, (error, _, stderr) => {
      if (!error) return resolve(undefined);
      const words = stderr.trim().split('\n').at(-1) ?? '';
      resolve(error.code === 9 ? words : `loading it ends the process (${error.signal ?? error.code}) ${words}`.trim());
    });
  });
  if (failure !== undefined) throw new DeviceRefused(`${TFJS_GPU.name} did not load: ${loadReason(failure)}`);
}

/** GFLOP/s of the float32 product of tensors; one number comes back, so that a GPU has finished. */
async function tensorGflops(size = 1024): Promise<number> {
  const x = tf.fill([size, size], 0.5);
  let best = Infinity;
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    const corner = tf.tidy(() => tf.matMul(x, x).slice([0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
    best = Math.min(best, performance.now() - start);
  }
  x.dispose();
  return (2 * size ** 3) / best / 1e6;
}

/** Starts TensorFlow's own GPU build. */
export async function startCuda(notebookFolder: string): Promise<{ driver: string; gflops: number }> {
  if (process.platform === 'darwin') throw new DeviceRefused('macOS has no CUDA');
  const driver = nvidiaDriver();
  if (process.platform === 'linux' && driver === undefined) {
    throw new DeviceRefused('no NVIDIA driver is loaded (/proc/driver/nvidia is missing)');
  }
  const old = driverTrouble(driver, TFJS_GPU.cuda);
  if (old) throw new DeviceRefused(old);
  const entry = findPackage(TFJS_GPU.name, notebookFolder);
  requireVersion(entry);
  await tryPackage(entry);
  createRequire(entry)(entry);
  if (!(await tf.setBackend('tensorflow'))) throw new DeviceRefused(`${TFJS_GPU.name} loaded but did not start`);
  await tf.ready();
  const backend: object & { isUsingGpuDevice?: boolean } = tf.backend();
  if (backend.isUsingGpuDevice === false) {
    const trouble = cudaTrouble(await lookAtHost(), TFJS_GPU.cuda);
    throw new DeviceRefused(`${TFJS_GPU.name} loaded but sees no GPU: ${trouble ?? 'wrong CUDA or cuDNN version'}`);
  }
  // TensorFloat-32 units keep 10 bits of each factor's mantissa, hence the wide limit.
  checkProducts('TensorFlow on this GPU', 2e-3);
  return { driver: driver ?? 'unknown', gflops: await tensorGflops() };
}

/** Why WebGPU finds nothing on this host, with what to do. */
function webgpuAdvice(reason: string): string {
  if (process.platform !== 'linux') return reason;
  const drivers = vulkanDrivers();
  const nvidia = nvidiaDriver();
  const found = drivers.length > 0 ? `Vulkan drivers: ${drivers.join(', ')}` : noVulkanDriver();
  const next = nvidia
    ? `; this host has NVIDIA's driver ${nvidia}: install libvulkan1, and in a container ask for the graphics capability (NVIDIA_DRIVER_CAPABILITIES=all)`
    : '; install libvulkan1 and the Vulkan driver of the GPU';
  return `${reason} (${found}${next})`;
}

/**
 * Starts ONNX Runtime's WebGPU in a process of its own and checks it against float64.
 * @throws DeviceRefused with the reason and the next step
 */
export async function startWebgpu(options: FasterThan = {}): Promise<StartedGraphs> {
  const files = process.platform === 'linux' ? vulkanDrivers() : [];
  // Without a driver the loader finds nothing: a kernel on a host without GPU does not wait for a process that says so.
  if (process.platform === 'linux' && files.length === 0 && options.fasterThan)
    throw new DeviceRefused(webgpuAdvice('WebGPU has no Vulkan driver'));
  const systems: Partial<Record<NodeJS.Platform, string>> = { darwin: 'Metal', win32: 'D3D12' };
  const drivers = systems[process.platform] ?? driverNames(files).join(', ');
  const place = { name: 'WebGPU', drivers, work: GRAPH_WORK, advice: webgpuAdvice };
  return startGraphs(new GraphDevice('webgpu'), place, options);
}
