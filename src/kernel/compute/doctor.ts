/**
 * The report of `fgnb doctor`: the host's hardware, the device in use, and why none better. No secrets, no environment
 * variables.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import { initDevice, type DeviceOptions, type DeviceReport } from './device.js';
import { deviceMemory, memoryWords, type DeviceMemory } from './deviceMemory.js';
import { gemm } from './gemm.js';
import { setupRecords, type SetupRecords } from './gpuInstall.js';
import { gpuFolder, hostGpuLines, lookAtHost, VULKAN_LOADER, type HostGpu } from './hostGpu.js';
import { cgroupMemory, freeMemory, memoryBudget } from './memory.js';
import { Random } from './random.js';
import { tf } from './tf.js';

export interface DoctorReport {
  node: string;
  platform: string;
  cpu: { model: string; cores: number; load: number };
  /** Bytes; `limit` is the control group's. */
  memory: { total: number; free: number; limit?: number; budget: number };
  /** Drivers, cards and libraries for GPUs. */
  gpu: HostGpu;
  /** Memory of its GPUs, where the device is one. */
  gpuMemory?: DeviceMemory;
  /** What `fgnb gpu setup` did on this host. */
  setup: SetupRecords;
  /** Why that is not known, where its record cannot be read. */
  setupTrouble?: string;
  device: DeviceReport;
  /** Measured now, float32, 1024 × 1024 × 1024, best of several. */
  gflops: { typedArrays: number; tensors?: number };
  packages: Record<string, string>;
  folders: { artifacts: string; gpu: string };
  /** Changes that would make this host faster, the largest gain first. */
  advice: string[];
}

export interface DoctorOptions extends DeviceOptions {
  /** Default `.fgnb` in the notebook's folder. */
  artifactFolder?: string;
}

const PACKAGES = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm', 'onnxruntime-node', 'typescript'];

/** Version of an installed package; undefined where it is inside the bundle or missing. */
function installedVersion(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const text = fs.readFileSync(path.join(folder, name, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version?: string }).version;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

const SIZE = 1024;

/** Best of several runs: other work on the host can only slow a run down. */
async function bestGflops(run: () => void | Promise<void>): Promise<number> {
  let best = Infinity;
  const until = performance.now() + 1000;
  for (let i = 0; i < 2 || (i < 20 && performance.now() < until); i++) {
    const start = performance.now();
    await run();
    best = Math.min(best, performance.now() - start);
  }
  return (2 * SIZE ** 3) / best / 1e6;
}

async function measure(): Promise<DoctorReport['gflops']> {
  const random = new Random(0);
  const a = random.normals(new Float32Array(SIZE * SIZE));
  const out = new Float32Array(SIZE * SIZE);
  const typedArrays = await bestGflops(() => void gemm(a, a, SIZE, SIZE, SIZE, { out }));
  const x = tf.tensor2d(a, [SIZE, SIZE]);
  const tensors = await bestGflops(async () => {
    // Reading back one number makes sure that a GPU has finished.
    const corner = tf.tidy(() => tf.matMul(x, x).slice([0, 0], [1, 1]));
    await corner.data();
    corner.dispose();
  });
  x.dispose();
  return { typedArrays, tensors };
}

/** What to do on a host whose NVIDIA card is not in use: CUDA and Vulkan are told apart. */
function nvidiaAdvice({ nvidia, vulkan }: HostGpu): string {
  const has = `This host has NVIDIA's driver ${nvidia?.driver}`;
  if (process.platform === 'linux' && (vulkan.loader?.state !== 'found' || vulkan.drivers.length === 0)) {
    const lacks = vulkan.loader?.state === 'found' ? 'no Vulkan driver file' : `no ${VULKAN_LOADER} that loads`;
    return `${has} and ${lacks}: install libvulkan1, and in a container ask for the graphics capability (NVIDIA_DRIVER_CAPABILITIES=all), so that webgpu can use the card. \`fgnb gpu setup --device cuda\` needs no Vulkan.`;
  }
  return `${has}, and no device uses the card: "Why not better" says why. The command "Set Up GPU" (\`fgnb gpu setup\`) checks it step by step.`;
}

function adviceFor(report: Omit<DoctorReport, 'advice'>): string[] {
  const { device, gpu, memory } = report;
  const advice: string[] = [];
  if (device.device === 'cpu' && gpu.nvidia) advice.push(nvidiaAdvice(gpu));
  if (device.gemm.engine !== 'onnxruntime') {
    advice.push(`Products are some ten times slower than they could be. ${device.gemm.note ?? ''}`);
  }
  if (report.cpu.load > report.cpu.cores) {
    advice.push(
      `Other work loads this host (load ${report.cpu.load.toFixed(1)} on ${report.cpu.cores} cores): the speeds above are too low.`,
    );
  }
  if (memory.budget < 2 ** 30) {
    advice.push(
      `Calls may plan with only ${formatBytes(memory.budget)} of memory; FGNB_MEMORY_BUDGET sets another budget.`,
    );
  }
  return advice;
}

/** What was set up; a record that cannot be read is said, and spoils nothing else of the report. */
function recorded(): Pick<DoctorReport, 'setup' | 'setupTrouble'> {
  try {
    return { setup: setupRecords() };
  } catch (error) {
    return { setup: {}, setupTrouble: (error as Error).message };
  }
}

/** Looks at the host, starts the device if it is not started, and measures it; takes about two seconds. */
export async function diagnose(options: DoctorOptions = {}): Promise<DoctorReport> {
  const device = await initDevice(options);
  const gflops = await measure();
  const group = cgroupMemory();
  const found = PACKAGES.flatMap((name) => {
    const version = name === '@tensorflow/tfjs' ? tf.version.tfjs : installedVersion(name);
    return version ? [[name, version] as const] : [];
  });
  const report: Omit<DoctorReport, 'advice'> = {
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${os.type()} ${os.release()}`,
    cpu: { model: os.cpus()[0]?.model ?? 'unknown', cores: os.availableParallelism(), load: os.loadavg()[0] },
    memory: {
      total: os.totalmem(),
      free: freeMemory(),
      ...(group ? { limit: group.limit } : {}),
      budget: memoryBudget(),
    },
    gpu: await lookAtHost(),
    ...(device.device === 'cpu' ? {} : { gpuMemory: deviceMemory() }),
    ...recorded(),
    device: { ...device, gemm: { ...device.gemm, gflops: gflops.typedArrays } },
    gflops,
    packages: Object.fromEntries(found),
    folders: {
      artifacts: path.resolve(options.artifactFolder ?? path.join(options.notebookFolder ?? process.cwd(), '.fgnb')),
      gpu: gpuFolder(),
    },
  };
  return { ...report, advice: adviceFor(report) };
}

/** The report as text. */
export function formatDoctor(report: DoctorReport): string {
  const { cpu, memory, device, gflops } = report;
  const lines: string[] = ['Feature Geometry Notebooks: doctor', ''];
  const line = (name: string, value: string): void => void lines.push(`  ${name.padEnd(12)}${value}`);
  lines.push('Host');
  line('node', report.node);
  line('platform', report.platform);
  line('cpu', `${cpu.model}, ${cpu.cores} core${cpu.cores === 1 ? '' : 's'}, load ${cpu.load.toFixed(1)}`);
  const limit = memory.limit === undefined ? '' : `, limited to ${formatBytes(memory.limit)} by its control group`;
  line('memory', `${formatBytes(memory.total)}, ${formatBytes(memory.free)} free${limit}`);
  line('budget', `${formatBytes(memory.budget)} for one call`);
  for (const [name, value] of hostGpuLines(report.gpu)) line(name, value);
  lines.push('', 'Device');
  line('in use', device.description);
  const engine = { onnxruntime: 'ONNX Runtime', 'tfjs-wasm': 'tfjs-wasm', javascript: 'JavaScript' }[
    device.gemm.engine
  ];
  line('product', `${gflops.typedArrays.toFixed(0)} GFLOP/s over typed arrays (${engine}), float32, ${SIZE}³`);
  if (gflops.tensors !== undefined)
    line('product', `${gflops.tensors.toFixed(0)} GFLOP/s over tensors (${device.backend})`);
  if (device.graphs) line('product', `${device.graphs.gflops.toPrecision(3)} GFLOP/s in graphs on ${device.device}`);
  line('checked', `products at start agree with float64 to ${device.gemm.selfCheckError.toExponential(1)}`);
  if (report.gpuMemory) line('memory', memoryWords(report.gpuMemory));
  for (const { work, device: where, why } of device.work) line(where, `${work}${why ? ` (${why})` : ''}`);
  for (const note of device.notes) line('note', note);
  const refused = device.reasons.filter((r) => !r.chosen);
  if (refused.length > 0) lines.push('', 'Why not better');
  for (const { device: name, reason } of refused) line(name, reason);
  if (report.advice.length > 0) lines.push('', 'Advice');
  for (const text of report.advice) lines.push(`  - ${text}`);
  lines.push('', 'Packages');
  for (const [name, version] of Object.entries(report.packages)) lines.push(`  ${name} ${version}`);
  lines.push('', 'Folders');
  line('artifacts', report.folders.artifacts);
  line('GPU', report.folders.gpu);
  if (report.setupTrouble) line('set up', report.setupTrouble);
  for (const [name, { at, works, says }] of Object.entries(report.setup))
    line('set up', `${name} ${at.slice(0, 10)}: ${works ? says : `does not work: ${says}`}`);
  return `${lines.join('\n')}\n`;
}
