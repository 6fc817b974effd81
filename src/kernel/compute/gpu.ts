/**
 * The GPU devices: WebGPU, which ships with ONNX Runtime, and CUDA by a package of the host's own, looked for beside the
 * notebook and in a folder per host.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { productError } from './gemm.js';
import { checkDevice, type DeviceCheck } from './graphs/check.js';
import { GraphDevice } from './graphs/host.js';
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

/** Folders in which Vulkan's loader looks for drivers, a JSON file each. */
function vulkanFolders(): string[] {
  const { XDG_DATA_DIRS, XDG_DATA_HOME, XDG_CONFIG_DIRS } = process.env;
  const data = [XDG_DATA_HOME ?? path.join(os.homedir(), '.local/share'), ...(XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':')]; // prettier-ignore
  const settings = [...(XDG_CONFIG_DIRS ?? '/etc/xdg').split(':'), '/etc'];
  return [...settings, ...data].filter(Boolean).map((folder) => path.join(folder, 'vulkan', 'icd.d'));
}

/** Files of the Vulkan drivers of a Linux host, as the loader finds them; the environment's choice before all. */
export function vulkanDrivers(folders = vulkanFolders()): string[] {
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (chosen) return chosen.split(':').filter((file) => fs.existsSync(file));
  return folders.flatMap((folder) => {
    try {
      return fs
        .readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => path.join(folder, name));
    } catch {
      return []; // No such folder.
    }
  });
}

/** Why WebGPU finds nothing on this host, with what to do. */
function webgpuAdvice(reason: string): string {
  if (process.platform !== 'linux') return reason;
  const drivers = vulkanDrivers();
  const nvidia = nvidiaDriver();
  const found = drivers.length > 0 ? `Vulkan drivers: ${drivers.join(', ')}` : 'no Vulkan driver file was found';
  const next = nvidia
    ? `; this host has NVIDIA's driver ${nvidia}: install libvulkan1, and in a container ask for the graphics capability (NVIDIA_DRIVER_CAPABILITIES=all)`
    : '; install libvulkan1 and the Vulkan driver of the GPU';
  return `${reason} (${found}${next})`;
}

export interface StartedWebgpu {
  device: GraphDevice;
  check: DeviceCheck;
  /** Names of Vulkan's driver files on Linux, else the system's API. */
  drivers: string;
}

/**
 * Starts ONNX Runtime's WebGPU in a process of its own and checks it against float64. Unless asked for explicitly it
 * must also be faster than `cpuGflops`: a software driver is right and slow.
 */
export async function startWebgpu(explicit: boolean, cpuGflops: () => number): Promise<StartedWebgpu> {
  const files = process.platform === 'linux' ? vulkanDrivers() : [];
  // Without a driver the loader finds nothing: a kernel on a host without GPU does not wait for a process that says so.
  if (process.platform === 'linux' && files.length === 0 && !explicit)
    throw new DeviceRefused(webgpuAdvice('WebGPU has no Vulkan driver'));
  const device = new GraphDevice('webgpu');
  try {
    await device.start().catch((error: unknown) => {
      throw new DeviceRefused(webgpuAdvice(firstLine(error)), { cause: error });
    });
    const check = await checkDevice(device).catch((error: unknown) => {
      throw new DeviceRefused(`WebGPU failed its check: ${firstLine(error)}`, { cause: error });
    });
    const cpu = explicit ? 0 : cpuGflops();
    if (check.gflops < cpu)
      throw new DeviceRefused(
        `WebGPU multiplies at ${check.gflops.toPrecision(3)} GFLOP/s, slower than the CPU's ${cpu.toPrecision(3)}`,
      );
    const systems: Partial<Record<NodeJS.Platform, string>> = { darwin: 'Metal', win32: 'D3D12' };
    const names = files.map((file) => path.basename(file, '.json').replace(/[._]?icd|[._]x86_64/g, ''));
    return { device, check, drivers: systems[process.platform] ?? names.join(', ') };
  } catch (error) {
    await device.close();
    throw error;
  }
}
