/** Which device computes, chosen once at start, with the reasons. */
import os from 'node:os';
import { gemmReport, initGemm, type GemmReport } from './gemm.js';
import { startCuda, startWebgpu } from './gpu.js';
import { installGradients } from './gradients.js';
import { protectedSection } from './nativeCall.js';
import { startWasm } from './wasm.js';
import { tf } from './tf.js';
import { protectKernels } from './tfTermination.js';

export type DeviceName = 'cuda' | 'webgpu' | 'cpu';

export interface DeviceReport {
  device: DeviceName;
  /** tfjs backend name: "tensorflow", "webgpu" or "wasm". */
  backend: string;
  /** As shown: "cpu: 2 cores, tfjs-wasm with ONNX Runtime's matrix product". */
  description: string;
  /** One entry per device looked at, best first. */
  reasons: Array<{ device: DeviceName; chosen: boolean; reason: string }>;
  /** The float32 product of typed arrays (and of tensors on the cpu device). */
  gemm: GemmReport & { gflops?: number };
  notes: string[];
}

export interface DeviceOptions {
  /** Default 'auto': the best that works. */
  device?: DeviceName | 'auto';
  /** Where optional GPU packages are looked for, upward from here. Default: the working folder. */
  notebookFolder?: string;
}

const ORDER: readonly DeviceName[] = ['cuda', 'webgpu', 'cpu'];

let current: Promise<DeviceReport> | undefined;
let settled: DeviceReport | undefined;

async function startCpu(): Promise<DeviceReport> {
  const gemm = await startWasm();
  const cores = os.availableParallelism();
  const engine = gemm.engine === 'onnxruntime' ? "tfjs-wasm with ONNX Runtime's matrix product" : 'plain tfjs-wasm';
  return {
    device: 'cpu',
    backend: tf.getBackend(),
    description: `cpu: ${cores} core${cores === 1 ? '' : 's'}, ${engine}`,
    reasons: [],
    gemm,
    notes: gemm.note ? [gemm.note] : [],
  };
}

function gpuReport(device: DeviceName, description: string, notes: string[]): DeviceReport {
  return {
    device,
    backend: tf.getBackend(),
    description: `${device}: ${description}`,
    reasons: [],
    gemm: gemmReport(),
    notes,
  };
}

async function startDevice(device: DeviceName, folder: string, explicit: boolean): Promise<DeviceReport> {
  switch (device) {
    case 'cuda':
      return gpuReport('cuda', await startCuda(folder), []);
    case 'webgpu': {
      const { description, notes } = await startWebgpu(folder, explicit);
      return gpuReport('webgpu', description, notes);
    }
    case 'cpu':
      return startCpu();
  }
}

const BACKENDS: Record<DeviceName, string> = { cuda: 'tensorflow', webgpu: 'webgpu', cpu: 'wasm' };

const WHY: Record<DeviceName, string> = {
  cuda: 'first choice',
  webgpu: 'a GPU without CUDA',
  cpu: 'works everywhere',
};

async function start(options: DeviceOptions): Promise<DeviceReport> {
  const asked = options.device ?? 'auto';
  if (asked !== 'auto' && !ORDER.includes(asked)) {
    throw new Error(`device is "${String(asked)}"; it must be one of auto, ${ORDER.join(', ')}`);
  }
  const folder = options.notebookFolder ?? process.cwd();
  await initGemm();
  const reasons: DeviceReport['reasons'] = [];
  for (const device of asked === 'auto' ? ORDER : [asked]) {
    try {
      const report = await startDevice(device, folder, asked !== 'auto');
      reasons.push({ device, chosen: true, reason: asked === 'auto' ? WHY[device] : 'asked for' });
      // After the backend: importing its package registers tfjs' own gradients again, over ours.
      installGradients();
      protectKernels();
      settled = { ...report, reasons };
      return settled;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (asked !== 'auto' || device === 'cpu') {
        throw new Error(`device ${device} cannot be used: ${reason}`, { cause: error });
      }
      reasons.push({ device, chosen: false, reason });
      // A backend that started and was then refused would keep its memory.
      const backend = BACKENDS[device];
      if (tf.findBackend(backend)) tf.removeBackend(backend);
    }
  }
  throw new Error('no device could be started');
}

/**
 * Chooses and starts the device, once: cuda, then webgpu, then cpu. Later calls give the same report.
 *
 * On cpu the same seed gives the same bits on the same processor type, whatever the load, free memory and number of
 * cores. On webgpu and cuda it gives the same random numbers and steps; the last bits of tensors are the driver's.
 *
 * @throws Error with the reason when the device asked for cannot be used, or another one is already in use
 */
export async function initDevice(options: DeviceOptions = {}): Promise<DeviceReport> {
  // An interrupt must not leave the device half started: all cells wait for this one promise.
  current ??= protectedSection(() => start(options)).catch((error: unknown) => {
    current = undefined;
    throw error;
  });
  const report = await current;
  if (options.device && options.device !== 'auto' && options.device !== report.device) {
    throw new Error(
      `device ${options.device} was asked for, but ${report.device} is in use: restart the kernel to change it`,
    );
  }
  return report;
}

/** The report of the device in use; throws before initDevice() has finished. */
export function currentDevice(): DeviceReport {
  if (!settled) throw new Error('no device yet: await initDevice() first');
  return settled;
}
