/** Which device computes, chosen once at start, with the reasons. */
import os from 'node:os';
import { formatBytes } from '../../protocol/bytes.js';
import { gemm, gemmReport, initGemm, type GemmReport } from './gemm.js';
import { startCuda, startWebgpu, type StartedWebgpu } from './gpu.js';
import { countHeld, GRAPH_WORK, useGraphDevice, type GraphWork } from './graphs/current.js';
import { raceWords } from './graphs/race.js';
import { nvidiaCards } from './hostGpu.js';
import { installGradients } from './gradients.js';
import { protectedSection } from './nativeCall.js';
import { startWasm } from './wasm.js';
import { tf } from './tf.js';
import { nameDataForSyncReads } from './tfFailures.js';
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
  /** The float32 product of typed arrays (and of tensors on the cpu device), measured at 512³. */
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
  /** Default 'auto': the fastest that works, for each kind of work. */
  device?: DeviceName | 'auto';
  /** Where optional GPU packages are looked for, upward from here. Default: the working folder. */
  notebookFolder?: string;
}

const DEVICES: readonly DeviceName[] = ['cuda', 'webgpu', 'cpu'];

let current: Promise<DeviceReport> | undefined;
let settled: DeviceReport | undefined;

const TENSORS = 'tf in cells, gradients, generated text, interventions';
const ARRAYS = 'correlation, layouts of maps, Mapper';
const GRAPHS: Record<GraphWork, { work: string; why: string }> = {
  encoding: {
    work: 'forward passes and SAE encoding of fg.activations.save',
    why: 'with interventions, or while weights are trained: cpu',
  },
  training: {
    work: 'SAE training',
    why: 'gated, Matryoshka, matching-pursuit, tied and softly frozen ones, transcoders, crosscoders, sweeps: cpu',
  },
  decoding: {
    work: 'SAE decoding of fg.sae.evaluate',
    why: 'parts that several processes make, sae.decode in cells: cpu',
  },
  neighbours: {
    work: 'exact nearest neighbours of maps, Mapper and scores',
    why: 'small searches: cpu; the same results to the bit',
  },
  scores: {
    work: 'null runs of SVCCA and CCA of fg.correlation.scores',
    why: 'few pairs or directions, and grids: cpu',
  },
};

/**
 * What runs where on a device.
 * @param kinds work whose graphs run on webgpu; default all of them on that device, none on others
 */
export function workOn(
  device: DeviceName,
  kinds: readonly GraphWork[] = device === 'webgpu' ? GRAPH_WORK : [],
): WorkPlace[] {
  const raced = kinds.length > 0;
  const why = device === 'cpu' ? '' : raced ? 'webgpu was measured and is not faster' : 'typed-array code';
  const graphs = GRAPH_WORK.flatMap((kind): WorkPlace[] => {
    const { work, why: but } = GRAPHS[kind];
    if (kinds.includes(kind)) return [{ work, device: 'webgpu', why: but }];
    if (kind !== 'encoding' || device !== 'cuda') return [{ work, device: 'cpu', why }];
    return [
      { work: 'forward passes', device: 'cuda', why: '' },
      { work: 'SAE encoding', device: 'cpu', why },
    ];
  });
  const beside = 'TensorFlow.js runs on the CPU beside WebGPU, so that tensors can be read at once (dataSync)';
  const tensors: WorkPlace = {
    work: TENSORS,
    device: device === 'cuda' ? 'cuda' : 'cpu',
    why: device === 'webgpu' ? beside : '',
  };
  return [...graphs, tensors, { work: ARRAYS, device: 'cpu', why: device === 'cpu' ? '' : 'typed-array code' }];
}

async function startCpu(): Promise<DeviceReport> {
  const gemmed = await startWasm();
  const cores = os.availableParallelism();
  const gflops = cpuGflops();
  const engine = gemmed.engine === 'onnxruntime' ? "tfjs-wasm with ONNX Runtime's matrix product" : 'plain tfjs-wasm';
  return {
    device: 'cpu',
    backend: tf.getBackend(),
    description: `cpu: ${cores} core${cores === 1 ? '' : 's'}, ${engine}`,
    reasons: [],
    gemm: { ...gemmed, gflops },
    work: workOn('cpu'),
    notes: gemmed.note ? [gemmed.note] : [],
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

/** How many GPUs there are, where there are several, and what chooses among them. */
const several = (chooses: string): string[] => {
  const cards = nvidiaCards();
  return cards.length > 1 ? [`${cards.length} GPUs: ${cards.join(', ')}; one is used, and ${chooses}`] : [];
};

async function startOnCuda(folder: string): Promise<DeviceReport> {
  const { driver, gflops } = await startCuda(folder);
  countHeld(() => tf.memory().numBytes);
  return {
    device: 'cuda',
    backend: tf.getBackend(),
    description: `cuda: TensorFlow on an NVIDIA GPU, driver ${driver}, ${gflops.toPrecision(3)} GFLOP/s`,
    reasons: [],
    gemm: { ...gemmReport(), gflops: cpuGflops() },
    work: workOn('cuda'),
    notes: several('CUDA_VISIBLE_DEVICES chooses it'),
  };
}

/** Graphs run on WebGPU; everything else as `report` has it. */
function withGraphs(report: DeviceReport, { device, check, drivers, kinds, races }: StartedWebgpu): DeviceReport {
  useGraphDevice(device, kinds);
  const speed = `${check.gflops.toPrecision(3)} GFLOP/s`;
  const rates = `${formatBytes(check.transfer.up)}/s up, ${formatBytes(check.transfer.down)}/s down`;
  const webgpu = `webgpu: ONNX Runtime's WebGPU${drivers ? ` (${drivers})` : ''}, ${speed}`;
  const onCuda = report.device === 'cuda';
  return {
    ...report,
    device: onCuda ? 'cuda' : 'webgpu',
    description: onCuda ? `${report.description}; ${webgpu}` : webgpu,
    graphs: check,
    work: workOn(onCuda ? 'cuda' : 'webgpu', kinds),
    notes: [
      ...report.notes,
      `WebGPU agrees with float64 to ${check.error.toExponential(1)}; transfers ${rates}`,
      ...(races.length > 0 ? [raceWords(races)] : []),
      'ONNX Runtime takes the first adapter of the system: which GPU that is, the driver decides',
      ...(onCuda ? [] : several('VK_DRIVER_FILES and VK_LOADER_DEVICE_SELECT choose it')),
    ],
  };
}

type Reasons = DeviceReport['reasons'];
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The device that was asked for, and no other. */
async function startAsked(device: DeviceName, folder: string): Promise<DeviceReport> {
  try {
    const started =
      device === 'cuda'
        ? await startOnCuda(folder)
        : device === 'cpu'
          ? await startCpu()
          : withGraphs(await startCpu(), await startWebgpu());
    return { ...started, reasons: [{ device, chosen: true, reason: 'asked for' }] };
  } catch (error) {
    throw new Error(`device ${device} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Tensors go to cuda where it works. Each kind of work that has graphs goes to webgpu where that is measured to be faster
 * than the CPU; what is left runs on the CPU.
 */
async function startBest(folder: string): Promise<DeviceReport> {
  const reasons: Reasons = [];
  const refuse = (device: DeviceName) => (error: unknown) => {
    reasons.push({ device, chosen: false, reason: reasonOf(error) });
    return undefined;
  };
  let report = await startOnCuda(folder).catch(refuse('cuda'));
  if (report) reasons.push({ device: 'cuda', chosen: true, reason: 'passes its check' });
  // A backend that started and was then refused would keep its memory.
  else if (tf.findBackend('tensorflow')) tf.removeBackend('tensorflow');
  const webgpu = await startWebgpu({ fasterThan: cpuGflops }).catch(refuse('webgpu'));
  report ??= await startCpu();
  if (webgpu) {
    report = withGraphs(report, webgpu);
    reasons.push({ device: 'webgpu', chosen: true, reason: `faster than the CPU at ${webgpu.kinds.join(', ')}` });
  }
  if (report.device === 'cpu') reasons.push({ device: 'cpu', chosen: true, reason: 'works everywhere' });
  return { ...report, reasons };
}

async function start(options: DeviceOptions): Promise<DeviceReport> {
  const asked = options.device ?? 'auto';
  if (asked !== 'auto' && !DEVICES.includes(asked)) {
    throw new Error(`device is "${String(asked)}"; it must be one of auto, ${DEVICES.join(', ')}`);
  }
  const folder = options.notebookFolder ?? process.cwd();
  await initGemm();
  settled = asked === 'auto' ? await startBest(folder) : await startAsked(asked, folder);
  // After the backend: importing its package registers tfjs' own gradients again, over ours.
  installGradients();
  protectKernels();
  nameDataForSyncReads();
  return settled;
}

/**
 * Chooses and starts the device, once. Later calls give the same report.
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
