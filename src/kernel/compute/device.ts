/** Which device computes, chosen once at start, with the reasons. */
import os from 'node:os';
import { formatBytes } from '../../protocol/bytes.js';
import { gemm, gemmReport, initGemm, type GemmReport } from './gemm.js';
import { startCudaGraphs } from './cudaGraphs.js';
import { startCuda, startWebgpu } from './gpu.js';
import { DeviceRefused, type StartedGraphs } from './graphDevices.js';
import { countHeld, GRAPH_WORK, useGraphDevice, type GraphWork } from './graphs/current.js';
import { FASTER, raceWords } from './graphs/race.js';
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
  /** Of the device that runs graphs (webgpu, cuda), the first of them: its own product, largest error of its check, bytes a second of transfers. */
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
    work: 'forward passes and SAE encoding of fg.activations.save and fg.sae.evaluate',
    why: 'with interventions, while weights are trained, parts that several processes make: cpu',
  },
  training: {
    work: 'training of SAEs, their baselines and crosscoders',
    why: 'sweeps over worlds: cpu',
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

/** Where each kind of work with graphs runs; what is not named runs as typed-array code. */
type GraphPlaces = Partial<Record<GraphWork, DeviceName>>;

/** All kinds of work on one device. */
const allOn = (device: DeviceName): GraphPlaces =>
  Object.fromEntries(GRAPH_WORK.map((kind) => [kind, device])) as GraphPlaces;

/**
 * What runs where on a device.
 * @param places of the graphs; default all of them on webgpu, and none on other devices
 * @param tensors where tensors of cells are
 */
export function workOn(
  device: DeviceName,
  places: GraphPlaces = device === 'webgpu' ? allOn('webgpu') : {},
  tensors: DeviceName = device === 'cuda' ? 'cuda' : 'cpu',
): WorkPlace[] {
  const used = [...new Set(Object.values(places))];
  const others = used.length > 0 ? `${used.join(' and ')} cannot do it or ${used.length > 1 ? 'are' : 'is'} not faster` : 'typed-array code'; // prettier-ignore
  const why = device === 'cpu' ? '' : others;
  const graphs = GRAPH_WORK.flatMap((kind): WorkPlace[] => {
    const { work, why: but } = GRAPHS[kind];
    const place = places[kind];
    if (place) return [{ work, device: place, why: but }];
    // Passes are tensors where they are no graphs.
    if (kind !== 'encoding' || tensors !== 'cuda') return [{ work, device: 'cpu', why }];
    return [
      { work: 'forward passes', device: 'cuda', why: '' },
      { work: 'SAE encoding', device: 'cpu', why },
    ];
  });
  const beside = 'TensorFlow.js runs on the CPU beside graphs, so that tensors can be read at once (dataSync)';
  return [
    ...graphs,
    { work: TENSORS, device: tensors, why: tensors === 'cpu' && device !== 'cpu' ? beside : '' },
    { work: ARRAYS, device: 'cpu', why: device === 'cpu' ? '' : 'typed-array code' },
  ];
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

/** Tensors on TensorFlow's GPU build. @throws DeviceRefused; with `fasterThan` also where the CPU's product is as fast */
async function startTensors(folder: string, fasterThan?: () => number): Promise<DeviceReport> {
  const { driver, gflops } = await startCuda(folder);
  const cpu = fasterThan?.() ?? 0;
  if (gflops < FASTER * cpu)
    throw new DeviceRefused(
      `TensorFlow multiplies at ${gflops.toPrecision(3)} GFLOP/s on this GPU, and the CPU at ${cpu.toPrecision(3)}`,
    );
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

/** A backend that started and was then refused would keep its memory. */
function withoutTensors(): void {
  if (tf.findBackend('tensorflow')) tf.removeBackend('tensorflow');
}

const PROVIDERS = { webgpu: "ONNX Runtime's WebGPU", cuda: "ONNX Runtime's CUDA", cpu: "ONNX Runtime's CPU" } as const;

/** Each kind of work on the device that does it fastest, of those that won their races with the CPU. */
function placesOf(all: readonly StartedGraphs[]): { places: GraphPlaces; used: StartedGraphs[] } {
  const places: GraphPlaces = {};
  const used = new Set<StartedGraphs>();
  for (const kind of GRAPH_WORK) {
    const time = ({ races }: StartedGraphs): number => races.find(({ work }) => work === kind)?.device ?? 0;
    const [best] = all.filter(({ kinds }) => kinds.includes(kind)).sort((a, b) => time(a) - time(b));
    if (!best) continue;
    useGraphDevice(best.device, [kind]);
    places[kind] = best.device.provider;
    used.add(best);
  }
  return { places, used: [...used] };
}

/** Graphs run on these devices; everything else as `report` has it. Devices that win nothing are closed. */
async function withGraphs(report: DeviceReport, all: readonly StartedGraphs[]): Promise<DeviceReport> {
  const { places, used } = placesOf(all);
  for (const one of all) if (!used.includes(one)) await one.device.close();
  const onCuda = report.device === 'cuda';
  const words = used.map(({ device: { provider }, drivers, check }) => {
    const name = `${provider}: ${PROVIDERS[provider]}${drivers ? ` (${drivers})` : ''}`;
    return `${name}, ${check.gflops.toPrecision(3)} GFLOP/s`;
  });
  const device = onCuda ? 'cuda' : used[0].device.provider;
  const webgpu = used.some(({ device: { provider } }) => provider === 'webgpu');
  const cuda = used.some(({ device: { provider } }) => provider === 'cuda');
  return {
    ...report,
    device,
    description: [...(onCuda ? [report.description] : []), ...words].join('; '),
    graphs: used[0].check,
    work: workOn(device, places, onCuda ? 'cuda' : 'cpu'),
    notes: [
      ...report.notes,
      ...used.flatMap(({ device: { provider }, check, races }) => [
        `${provider === 'webgpu' ? 'WebGPU' : PROVIDERS[provider]} agrees with float64 to ${check.error.toExponential(1)}; transfers ${formatBytes(check.transfer.up)}/s up, ${formatBytes(check.transfer.down)}/s down`,
        ...(races.length > 0 ? [raceWords(races)] : []),
      ]),
      ...(webgpu ? ['ONNX Runtime takes the first adapter of the system: which GPU that is, the driver decides'] : []),
      ...(cuda
        ? ['weights cross the bus in every call on cuda: from Node its provider keeps nothing on the card']
        : []),
      ...(onCuda ? [] : several(webgpu ? 'VK_DRIVER_FILES and VK_LOADER_DEVICE_SELECT choose it' : 'CUDA_VISIBLE_DEVICES chooses it')), // prettier-ignore
    ],
  };
}

type Reasons = DeviceReport['reasons'];
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Tensors by TensorFlow and graphs by ONNX Runtime, or one of them. @throws Error with both reasons where neither works */
async function startOnCuda(folder: string): Promise<DeviceReport> {
  const [tensors, graphs] = [await attempt(() => startTensors(folder)), await attempt(() => startCudaGraphs())];
  if (tensors.ok) {
    if (graphs.ok) return withGraphs(tensors.ok, [graphs.ok]);
    return { ...tensors.ok, notes: [...tensors.ok.notes, `graphs run on the CPU: ${graphs.reason}`] };
  }
  withoutTensors();
  if (!graphs.ok) throw new Error(`${tensors.reason}. For graphs: ${graphs.reason}`);
  const report = await withGraphs(await startCpu(), [graphs.ok]);
  return { ...report, notes: [...report.notes, `tensors of cells are on the CPU: ${tensors.reason}`] };
}

type Attempt<T> = { ok: T; reason?: undefined } | { ok?: undefined; reason: string };
const attempt = <T>(start: () => Promise<T>): Promise<Attempt<T>> =>
  start().then(
    (ok) => ({ ok }),
    (error: unknown) => ({ reason: reasonOf(error) }),
  );

/** The device that was asked for, and no other. */
async function startAsked(device: DeviceName, folder: string): Promise<DeviceReport> {
  try {
    const started =
      device === 'cuda'
        ? await startOnCuda(folder)
        : device === 'cpu'
          ? await startCpu()
          : await withGraphs(await startCpu(), [await startWebgpu()]);
    return { ...started, reasons: [{ device, chosen: true, reason: 'asked for' }] };
  } catch (error) {
    throw new Error(`device ${device} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Tensors go to TensorFlow's GPU build where it works and is faster. Each kind of work that has graphs goes to webgpu or
 * cuda, where that is measured to be faster than the CPU; what is left runs on the CPU.
 */
async function startBest(folder: string): Promise<DeviceReport> {
  const reasons: Reasons = [];
  const tensors = await attempt(() => startTensors(folder, cpuGflops));
  if (tensors.ok) reasons.push({ device: 'cuda', chosen: true, reason: 'passes its check' });
  else withoutTensors();
  const cuda = await attempt(() => startCudaGraphs({ fasterThan: cpuGflops }));
  const webgpu = await attempt(() => startWebgpu({ fasterThan: cpuGflops }));
  // One reason where both halves of CUDA lack the same.
  const lacks = [...new Set([tensors.reason, cuda.reason])].filter((reason) => reason !== undefined);
  if (!tensors.ok && !cuda.ok) reasons.push({ device: 'cuda', chosen: false, reason: lacks.join('; ') });
  if (!webgpu.ok) reasons.push({ device: 'webgpu', chosen: false, reason: webgpu.reason });
  const all = [webgpu.ok, cuda.ok].filter((one) => one !== undefined);
  let report = tensors.ok ?? (await startCpu());
  if (all.length > 0) report = await withGraphs(report, all);
  for (const { device, kinds } of all)
    reasons.push({ device: device.provider, chosen: true, reason: `faster than the CPU at ${kinds.join(', ')}` });
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
