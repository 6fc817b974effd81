/** Which device computes, chosen once at start, with the reasons. */
import os from 'node:os';
import { gemm, gemmReport, initGemm, type GemmReport } from './gemm.js';
import { startCuda, startWebgpu } from './gpu.js';
import { useGraphDevice } from './graphs/current.js';
import { formatBytes } from './memory.js';
import { installGradients } from './gradients.js';
import { protectedSection } from './nativeCall.js';
import { startWasm } from './wasm.js';
import { tf } from './tf.js';
import { protectKernels } from './tfTermination.js';

export type DeviceName = 'cuda' | 'webgpu' | 'cpu';

export interface DeviceReport {
  device: DeviceName;
  /** tfjs backend name, for tensors of cells: "tensorflow" or "wasm". */
  backend: string;
  /** As shown: "cpu: 2 cores, tfjs-wasm with ONNX Runtime's matrix product". */
  description: string;
  /** One entry per device looked at, best first. */
  reasons: Array<{ device: DeviceName; chosen: boolean; reason: string }>;
  /** The float32 product of typed arrays (and of tensors on the cpu device). */
  gemm: GemmReport & { gflops?: number };
  /** Of a device that runs graphs (webgpu): its own product, largest error of its check, bytes a second of transfers. */
  graphs?: { gflops: number; error: number; transfer: { up: number; down: number } };
  /** Which device each kind of heavy work runs on, and why where it is not the chosen one. */
  work: WorkPlace[];
  notes: string[];
}

export interface WorkPlace {
  work: string;
  device: DeviceName;
  why: string;
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

const TENSORS = 'tf in cells, gradients, generated text, interventions';
const ARRAYS = 'correlation, layouts of maps, Mapper';
const TRAINING = 'SAE training';
const NEIGHBOURS = 'exact nearest neighbours of maps, Mapper and scores';

/** What runs where on a device. */
export function workOn(device: DeviceName): WorkPlace[] {
  const tensors = (where: DeviceName, why: string): WorkPlace => ({ work: TENSORS, device: where, why });
  const arrays: WorkPlace = { work: ARRAYS, device: 'cpu', why: device === 'cpu' ? '' : 'typed-array code' };
  const training = (where: DeviceName, why: string): WorkPlace => ({ work: TRAINING, device: where, why });
  const neighbours = (where: DeviceName, why: string): WorkPlace => ({ work: NEIGHBOURS, device: where, why });
  const passes = (where: DeviceName, why: string): WorkPlace => ({
    work: 'forward passes and SAE encoding of fg.activations.save',
    device: where,
    why,
  });
  switch (device) {
    case 'cpu':
      return [passes('cpu', ''), training('cpu', ''), neighbours('cpu', ''), tensors('cpu', ''), arrays];
    case 'cuda':
      return [
        { work: 'forward passes', device: 'cuda', why: '' },
        tensors('cuda', ''),
        { work: 'SAE encoding', device: 'cpu', why: 'typed-array code' },
        training('cpu', 'typed-array code'),
        neighbours('cpu', 'typed-array code'),
        arrays,
      ];
    case 'webgpu':
      return [
        passes('webgpu', 'with interventions, or while weights are trained: cpu'),
        training(
          'webgpu',
          'gated, Matryoshka, matching-pursuit, tied and softly frozen ones, transcoders, crosscoders, sweeps: cpu',
        ),
        neighbours('webgpu', 'small searches: cpu; the same results to the bit'),
        tensors('cpu', 'TensorFlow.js runs on the CPU beside WebGPU, so that tensors can be read at once (dataSync)'),
        arrays,
      ];
  }
}

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
    work: workOn('cpu'),
    notes: gemm.note ? [gemm.note] : [],
  };
}

/** GFLOP/s of the float32 product of typed arrays. */
function cpuGflops(size = 512): number {
  const x = new Float32Array(size * size).fill(0.5);
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    gemm(x, x, size, size, size);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * size ** 3) / best / 1e6;
}

async function startOnCuda(folder: string): Promise<DeviceReport> {
  const description = `cuda: ${await startCuda(folder)}`;
  const report = { device: 'cuda' as const, backend: tf.getBackend(), description };
  return { ...report, reasons: [], gemm: gemmReport(), work: workOn('cuda'), notes: [] };
}

/** Graphs run on WebGPU; everything else as on the cpu device. */
async function startOnWebgpu(explicit: boolean): Promise<DeviceReport> {
  const { device, check, drivers } = await startWebgpu(explicit, cpuGflops);
  const report = await startCpu();
  useGraphDevice(device);
  const speed = `${check.gflops.toPrecision(3)} GFLOP/s`;
  const rates = `${formatBytes(check.transfer.up)}/s up, ${formatBytes(check.transfer.down)}/s down`;
  return {
    ...report,
    device: 'webgpu',
    description: `webgpu: ONNX Runtime's WebGPU${drivers ? ` (${drivers})` : ''}, ${speed}`,
    graphs: check,
    work: workOn('webgpu'),
    notes: [
      ...report.notes,
      `WebGPU agrees with float64 to ${check.error.toExponential(1)}; transfers ${rates}`,
      'ONNX Runtime takes the first adapter of the system: which GPU that is, the driver decides',
    ],
  };
}

async function startDevice(device: DeviceName, folder: string, explicit: boolean): Promise<DeviceReport> {
  switch (device) {
    case 'cuda':
      return startOnCuda(folder);
    case 'webgpu':
      return startOnWebgpu(explicit);
    case 'cpu':
      return startCpu();
  }
}

const WHY: Record<DeviceName, string> = {
  cuda: 'first choice',
  webgpu: 'faster than the CPU',
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
      if (device === 'cuda' && tf.findBackend('tensorflow')) tf.removeBackend('tensorflow');
    }
  }
  throw new Error('no device could be started');
}

/**
 * Chooses and starts the device, once: cuda, then webgpu, then cpu. Later calls give the same report.
 *
 * On cpu the same seed gives the same bits on the same processor type, whatever the load, free memory and number of
 * cores. On webgpu and cuda it gives the same random numbers and steps; the last bits of what runs there are the driver's.
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
