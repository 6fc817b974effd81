/**
 * What a host has for GPUs: drivers, libraries, cards. Nothing is started here, and nothing is looked for on a network.
 * FGNB_HOST_ROOT is the folder that stands for / where the host's files are seen from elsewhere, as in a container.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A file of the host by its absolute path. */
export const hostFile = (...parts: string[]): string => path.join(process.env.FGNB_HOST_ROOT ?? '/', ...parts);

/** Folder of this host for GPU packages: FGNB_GPU_FOLDER, else fgnb/gpu in the user's data folder. */
export function gpuFolder(): string {
  if (process.env.FGNB_GPU_FOLDER) return process.env.FGNB_GPU_FOLDER;
  const home = os.homedir();
  if (process.platform === 'win32')
    return path.join(process.env.LOCALAPPDATA ?? path.join(home, 'AppData/Local'), 'fgnb', 'gpu');
  return path.join(process.env.XDG_DATA_HOME ?? path.join(home, '.local/share'), 'fgnb', 'gpu');
}

/** "550.54.14" on a Linux host with NVIDIA's driver; undefined elsewhere. */
export function nvidiaDriver(file = hostFile('proc/driver/nvidia/version')): string | undefined {
  try {
    const text = fs.readFileSync(file, 'utf8');
    return /(?:Kernel Module|NVRM version:.*?)\s+(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? 'unknown version';
  } catch {
    return undefined;
  }
}

/** Names of the NVIDIA cards that the driver of a Linux host lists, in the order of its bus addresses. */
export function nvidiaCards(folder = hostFile('proc/driver/nvidia/gpus')): string[] {
  try {
    return fs
      .readdirSync(folder)
      .sort()
      .map((address) => {
        const text = fs.readFileSync(path.join(folder, address, 'information'), 'utf8');
        return /^Model:\s*(.+)$/m.exec(text)?.[1].trim() ?? `card at ${address}`;
      });
  } catch {
    return []; // No driver, or one that lists nothing.
  }
}

/** Whether version `a` is below `b`, number by number. */
export function versionBelow(a: string, b: string): boolean {
  const [x, y] = [a, b].map((v) => v.split('.').map(Number));
  for (let i = 0; i < Math.max(x.length, y.length); i++)
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) < (y[i] ?? 0);
  return false;
}

/** Version of the GNU C library that this process runs on; undefined with another one (musl) and off Linux. */
export function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/** Folders in which Vulkan's loader looks for drivers, a JSON file each. */
function vulkanFolders(): string[] {
  const { XDG_DATA_DIRS, XDG_DATA_HOME, XDG_CONFIG_DIRS } = process.env;
  const data = [XDG_DATA_HOME ?? path.join(os.homedir(), '.local/share'), ...(XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':')]; // prettier-ignore
  const settings = [...(XDG_CONFIG_DIRS ?? '/etc/xdg').split(':'), '/etc'];
  return [...settings, ...data].filter(Boolean).map((folder) => hostFile(folder, 'vulkan', 'icd.d'));
}

/** The variable by which the environment chooses Vulkan drivers, where it does. */
const chosenDrivers = (): readonly [name: string, files: string] | undefined => {
  const name = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].find((each) => process.env[each] !== undefined);
  const files = name && process.env[name];
  return files ? [name, files] : undefined;
};

/** Said where there is none, with the environment's part in it. */
export function noVulkanDriver(): string {
  const chosen = chosenDrivers();
  return `no Vulkan driver file was found${chosen ? ` (${chosen[0]} names ${chosen[1]}, which is not there)` : ''}`;
}

/** Files of the Vulkan drivers of a Linux host, as the loader finds them; the environment's choice before all. */
export function vulkanDrivers(folders = vulkanFolders()): string[] {
  const chosen = chosenDrivers();
  if (chosen) return chosen[1].split(':').filter((file) => fs.existsSync(file));
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

/** Names of Vulkan drivers by their files: "nvidia", "vk_swiftshader". */
export const driverNames = (files: readonly string[]): string[] =>
  files.map((file) => path.basename(file, '.json').replace(/[._]?icd|[._]x86_64/g, ''));

/** A release of CUDA: its libraries, and the oldest driver that runs it. */
export interface CudaRelease {
  readonly version: string;
  readonly driver: string;
  readonly libraries: readonly string[];
}

/** Drivers by "CUDA Toolkit and Minimum Required Driver Version" of NVIDIA's release notes. */
export const CUDA_RELEASES = [
  { version: '11', driver: '450.80.02', libraries: ['libcudart.so.11.0', 'libcublas.so.11', 'libcublasLt.so.11', 'libcufft.so.10', 'libcurand.so.10', 'libcusolver.so.11', 'libcusparse.so.11', 'libcudnn.so.8'] }, // prettier-ignore
  { version: '12', driver: '525.60.13', libraries: ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcufft.so.11', 'libcurand.so.10', 'libcudnn.so.9'] }, // prettier-ignore
  { version: '13', driver: '580.65.06', libraries: ['libcudart.so.13', 'libcublas.so.13', 'libcublasLt.so.13', 'libcufft.so.12', 'libcurand.so.10', 'libcudnn.so.9'] }, // prettier-ignore
] as const satisfies readonly CudaRelease[];
export type CudaVersion = (typeof CUDA_RELEASES)[number]['version'];

export const VULKAN_LOADER = 'libvulkan.so.1';
export const CUDA_DRIVER_LIBRARY = 'libcuda.so.1';

/** How a shared library loads here. */
export interface LibraryState {
  name: string;
  state: 'found' | 'missing' | 'broken';
  /** The loader's words, where it does not load. */
  reason?: string;
}

/** Loads each library as the dynamic loader finds it, saying which one before it tries. Runs in a process of its own. */
const LOADER = `
const { dlopen } = require('node:os').constants;
for (const name of process.argv.slice(1)) {
  let reason = '';
  process.stdout.write(JSON.stringify(name) + '\\n');
  try { process.dlopen({ exports: {} }, name, dlopen.RTLD_LAZY | dlopen.RTLD_GLOBAL); } catch (error) { reason = error.message.split('\\n')[0]; }
  process.stdout.write(JSON.stringify([name, reason]) + '\\n');
}`;

function stateOf(name: string, reason: string): LibraryState {
  // A library of the host is no module of Node: it was loaded, and did not register itself as one.
  if (reason === '' || /did not self-register/.test(reason)) return { name, state: 'found' };
  const missing = reason.startsWith(`${name}: cannot open shared object file`);
  return { name, state: missing ? 'missing' : 'broken', reason };
}

/**
 * Loads shared libraries in a process of their own, where a broken one harms nobody. One whose start-up ends the process
 * is broken, and the rest are tried in another process.
 */
export async function tryLibraries(names: readonly string[]): Promise<LibraryState[]> {
  if (process.platform !== 'linux' || names.length === 0) return [];
  const { text, ended } = await new Promise<{ text: string; ended: string }>((resolve) => {
    execFile(process.execPath, ['-e', LOADER, ...names], { timeout: 60_000 }, (error, stdout) =>
      resolve({ text: stdout, ended: error ? String(error.signal ?? error.code) : '' }),
    );
  });
  const lines = text.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as string | [string, string]); // prettier-ignore
  const states = lines.flatMap((line) => (typeof line === 'string' ? [] : [stateOf(...line)]));
  if (states.length === names.length) return states;
  const name = names[states.length];
  const broken = { name, state: 'broken' as const, reason: `loading it ends the process (${ended || 'no word'})` };
  return [...states, broken, ...(await tryLibraries(names.slice(states.length + 1)))];
}

export interface HostGpu {
  /** NVIDIA's driver and cards, as the driver lists them. */
  nvidia?: { driver: string; cards: string[] };
  glibc?: string;
  vulkan: { loader?: LibraryState; drivers: string[] };
  /** Whether the driver's own library loads, and the libraries of each release of CUDA. */
  cuda: { driver?: LibraryState; releases: Array<{ version: CudaVersion; libraries: LibraryState[] }> };
}

/** Looks at the host; about 0.1 s. */
export async function lookAtHost(): Promise<HostGpu> {
  const names = [...new Set([VULKAN_LOADER, CUDA_DRIVER_LIBRARY, ...CUDA_RELEASES.flatMap((r) => r.libraries)])];
  const states = new Map((await tryLibraries(names)).map((state) => [state.name, state]));
  const of = (name: string): LibraryState[] => (states.has(name) ? [states.get(name)!] : []);
  const driver = nvidiaDriver();
  return {
    ...(driver ? { nvidia: { driver, cards: nvidiaCards() } } : {}),
    glibc: glibcVersion(),
    vulkan: { loader: states.get(VULKAN_LOADER), drivers: process.platform === 'linux' ? vulkanDrivers() : [] },
    cuda: {
      driver: states.get(CUDA_DRIVER_LIBRARY),
      releases: CUDA_RELEASES.map(({ version, libraries }) => ({ version, libraries: libraries.flatMap(of) })),
    },
  };
}

const loads = ({ state }: LibraryState): boolean => state === 'found';

/** "libcudnn.so.8 is missing", "libcublas.so.11 does not load: …"; undefined where all load. */
export function libraryTrouble(libraries: readonly LibraryState[]): string | undefined {
  const missing = libraries.filter(({ state }) => state === 'missing').map(({ name }) => name);
  const broken = libraries.filter(({ state }) => state === 'broken').map((l) => `${l.name} does not load: ${l.reason}`);
  if (missing.length > 0) broken.unshift(`${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`);
  return broken.length > 0 ? broken.join('; ') : undefined;
}

/** Why a driver cannot run a release of CUDA; undefined where it can, or where its version is not known. */
export function driverTrouble(driver: string | undefined, version: CudaVersion): string | undefined {
  const needed = CUDA_RELEASES.find((r) => r.version === version)!.driver;
  if (driver === undefined || !/^\d/.test(driver) || !versionBelow(driver, needed)) return undefined;
  return `NVIDIA's driver ${driver} is too old: CUDA ${version} needs ${needed} or newer; update the driver`;
}

/** Why a release of CUDA cannot be used on a host, with what to do; undefined where it can. */
export function cudaTrouble(host: HostGpu, version: CudaVersion): string | undefined {
  if (!host.nvidia)
    return "no NVIDIA driver is loaded (/proc/driver/nvidia is missing): install NVIDIA's driver, or start the container with its GPUs";
  const old = driverTrouble(host.nvidia.driver, version);
  if (old) return old;
  const libraries = host.cuda.releases.find((r) => r.version === version)?.libraries ?? [];
  const trouble = libraryTrouble([...(host.cuda.driver ? [host.cuda.driver] : []), ...libraries]);
  return trouble && `${trouble}: install CUDA ${version} and its cuDNN, and let LD_LIBRARY_PATH name their folders`;
}

/** The GPU part of Doctor's report: names and what is said of them. */
export function hostGpuLines({ nvidia, vulkan, cuda, glibc }: HostGpu): Array<[string, string]> {
  const lines: Array<[string, string]> = [];
  const cards = nvidia && nvidia.cards.length > 0 ? `, ${nvidia.cards.join(', ')}` : '';
  lines.push(['NVIDIA', nvidia ? `driver ${nvidia.driver}${cards}` : 'no driver']);
  if (process.platform !== 'linux') return lines;
  const some = cuda.releases.filter(({ libraries }) => libraries.some((l) => l.state !== 'missing'));
  // Two releases share a library: one that has nothing else is not there.
  const there = some.filter(({ libraries }) => libraries[0]?.state !== 'missing');
  if (there.length === 0) lines.push(['CUDA', 'no CUDA libraries']);
  for (const { version, libraries } of there)
    lines.push(['CUDA', `${version}: ${libraryTrouble(libraries) ?? `all ${libraries.filter(loads).length} libraries load`}`]); // prettier-ignore
  const loader = vulkan.loader ? (libraryTrouble([vulkan.loader]) ?? `${VULKAN_LOADER} loads`) : 'unknown';
  lines.push(['Vulkan', `${loader}; drivers: ${vulkan.drivers.join(', ') || 'none'}`]);
  lines.push(['glibc', glibc ?? 'none (another C library)']);
  return lines;
}
