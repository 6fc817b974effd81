/**
 * ONNX Runtime's CUDA provider: the same graphs as on WebGPU, without Vulkan. From Node it keeps no tensors on the card
 * between runs, so that it serves what only reads weights, and no training. Its libraries come with a copy of
 * onnxruntime-node in the GPU folder of this host (`fgnb gpu setup --device cuda`).
 */
import fs from 'node:fs';
import path from 'node:path';
import { startGraphs, DeviceRefused, type FasterThan, type StartedGraphs } from './graphDevices.js';
import type { GraphWork } from './graphs/current.js';
import { GraphDevice } from './graphs/host.js';
import { gpuFolder, nvidiaDriver, tryLibraries } from './hostGpu.js';

/** The package with the provider: its version is that of the kernel's own, whose graphs it runs. */
export const ORT_CUDA = { name: 'onnxruntime-node', version: '1.30.0' } as const;

/** Work whose graphs keep nothing on the device from run to run but weights. */
export const INFERENCE: readonly GraphWork[] = ['encoding', 'decoding', 'neighbours'];

const SHARED = 'libonnxruntime_providers_shared.so';
const CUDA = 'libonnxruntime_providers_cuda.so';
const SET_UP = '`fgnb gpu setup --device cuda` installs it';

/** Where the package lies in the GPU folder. */
const packageFolder = (): string => path.join(gpuFolder(), 'node_modules', ORT_CUDA.name);

/** A file from which the package is found. */
export const cudaRuntime = (): string => path.join(packageFolder(), 'package.json');

/** The package's folder. @throws DeviceRefused where it is missing or of another version */
function installed(): string {
  const folder = packageFolder();
  const manifest = path.join(folder, 'package.json');
  if (!fs.existsSync(manifest))
    throw new DeviceRefused(
      `ONNX Runtime's CUDA provider is not installed (no ${ORT_CUDA.name} in ${gpuFolder()}): ${SET_UP}`,
    );
  const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version?: string };
  if (version !== ORT_CUDA.version)
    throw new DeviceRefused(
      `${folder} is version ${version ?? 'unknown'}, and this kernel works with ${ORT_CUDA.version}: ${SET_UP}`,
    );
  return folder;
}

/**
 * Why the provider's libraries do not load, with what to do; each is loaded in a process of its own, since ONNX Runtime
 * itself says only that it failed.
 */
async function providerTrouble(folder: string): Promise<string | undefined> {
  const files = [SHARED, CUDA].map((name) => path.join(folder, 'bin/napi-v6/linux/x64', name));
  const absent = files.filter((file) => !fs.existsSync(file));
  if (absent.length > 0)
    return `${absent.map((file) => path.basename(file)).join(' and ')} not in ${path.dirname(files[0])}: the package's install step did not run or was cut short; ${SET_UP}`;
  const bad = (await tryLibraries(files)).find(({ state }) => state !== 'found');
  if (!bad) return undefined;
  const missing = /(lib[\w.+-]+\.so[.\d]*): cannot open shared object/.exec(bad.reason ?? '')?.[1];
  const next = missing
    ? `shared library ${missing} is missing: install the CUDA release and cuDNN that it belongs to, and let LD_LIBRARY_PATH name their folders`
    : `${bad.reason}; ${SET_UP} anew`;
  return `${path.basename(bad.name)} does not load: ${next}`;
}

/**
 * Starts the provider in a process of its own and checks it against float64.
 * @throws DeviceRefused with the reason and the next step
 */
export async function startCudaGraphs(options: FasterThan = {}): Promise<StartedGraphs> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new DeviceRefused(`ONNX Runtime's CUDA provider is built for Linux x64, and this is ${process.platform} ${process.arch}`); // prettier-ignore
  const driver = nvidiaDriver();
  if (driver === undefined) throw new DeviceRefused('no NVIDIA driver is loaded (/proc/driver/nvidia is missing)');
  const folder = installed();
  const trouble = await providerTrouble(folder);
  if (trouble) throw new DeviceRefused(trouble);
  const device = new GraphDevice('cuda', undefined, cudaRuntime());
  return startGraphs(
    device,
    { name: "ONNX Runtime's CUDA provider", drivers: `driver ${driver}`, work: INFERENCE },
    options,
  );
}
