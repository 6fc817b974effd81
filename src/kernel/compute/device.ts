/** Which device computes, chosen once at start, with the reasons. */
import os from 'node:os';
import type { GemmReport } from './gemm.js';
import { installGradients } from './gradients.js';
import { startWasm } from './wasm.js';
import { tf } from './tf.js';

export type DeviceName = 'cuda' | 'webgpu' | 'cpu';

export interface DeviceReport {
  device: DeviceName;
  /** tfjs backend name: "tensorflow", "webgpu" or "wasm". */
  backend: string;
  /** For people: "cpu: 2 cores, tfjs-wasm with ONNX Runtime's matrix product". */
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

async function start(_options: DeviceOptions): Promise<DeviceReport> {
  installGradients();
  const report = await startCpu();
  report.reasons.push({ device: 'cpu', chosen: true, reason: 'works everywhere' });
  settled = report;
  return report;
}

/** Chooses and starts the device, once; later calls give the same report, and refuse another device. */
export function initDevice(options: DeviceOptions = {}): Promise<DeviceReport> {
  current ??= start(options).catch((error: unknown) => {
    current = undefined;
    throw error;
  });
  return current;
}

/** The report of the device in use; throws before initDevice() has finished. */
export function currentDevice(): DeviceReport {
  if (!settled) throw new Error('no device yet: await initDevice() first');
  return settled;
}
