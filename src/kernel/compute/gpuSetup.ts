/** What setting a GPU up takes on this host, worked out before anything is installed. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import { ORT_CUDA } from './cudaGraphs.js';
import { TFJS_GPU } from './gpu.js';
import { cudaTrouble, driverNames, gpuFolder, libraryTrouble, lookAtHost, noVulkanDriver, versionBelow, type CudaVersion, type HostGpu } from './hostGpu.js'; // prettier-ignore

export const SETUP_DEVICES = ['auto', 'webgpu', 'cuda'] as const;
export type SetupChoice = (typeof SETUP_DEVICES)[number];
export type SetupDevice = Exclude<SetupChoice, 'auto'>;

/** One thing that was looked at: what is there, or why it is not enough and what to do. */
export interface Finding {
  what: string;
  ok: boolean;
  says: string;
}

export interface SetupPlan {
  device: SetupDevice;
  /** Why this device, where none was asked for. */
  because?: string;
  folder: string;
  findings: Finding[];
  /** What npm is asked for; empty where nothing has to be installed. */
  packages: Array<{ name: string; version: string; spec: string }>;
  /** Arguments of npm for its source. */
  source: string[];
  /** What will be installed and from where, in words. */
  words: string;
}

/** Room of the package with libtensorflow and the archive it comes in. */
const DISK = 2.5e9;
/** A package that brings CUDA: what it wants, and what its own install step downloads. */
interface CudaPackage {
  readonly name: string;
  readonly version: string;
  /** Releases that its libraries may be linked to. */
  readonly cuda: readonly CudaVersion[];
  readonly systems: readonly NodeJS.Platform[];
  /** The oldest release of the GNU C library that its binaries are built for. */
  readonly glibc: string;
  readonly downloads: string;
  readonly gives: string;
}

/** Best first. */
const CUDA_PACKAGES: readonly CudaPackage[] = [
  {
    ...ORT_CUDA,
    cuda: ['12', '13'],
    systems: ['linux'],
    glibc: '2.28',
    downloads: "ONNX Runtime's CUDA provider (some hundred MB) from api.nuget.org",
    gives: 'SAE encoding, decoding, forward passes and neighbours',
  },
  {
    name: TFJS_GPU.name,
    version: TFJS_GPU.version,
    cuda: [TFJS_GPU.cuda],
    systems: ['linux', 'win32'],
    glibc: '2.17',
    downloads: 'libtensorflow 2.9.1 with CUDA support (about 400 MB) from storage.googleapis.com',
    gives: 'tensors of cells',
  },
];

/** Name of the package in a folder; undefined of an archive or an address. */
function packageIn(local: string | undefined): string | undefined {
  const manifest = local && path.join(local, 'package.json');
  if (!manifest || !fs.existsSync(manifest)) return undefined;
  return (JSON.parse(fs.readFileSync(manifest, 'utf8')) as { name?: string }).name;
}

/** Which release of CUDA a package finds whole on a host; else why none, by the one whose libraries have begun. */
function releaseFor(host: HostGpu, { cuda }: CudaPackage): { version: CudaVersion; begun: boolean; trouble?: string } {
  const libraries = (of: CudaVersion) => host.cuda.releases.find(({ version }) => version === of)?.libraries ?? [];
  const begun = (of: CudaVersion): boolean => libraries(of).length > 0 && libraries(of)[0].state !== 'missing';
  const version = cuda.find((of) => !cudaTrouble(host, of)) ?? cuda.find(begun) ?? cuda[0];
  return { version, begun: begun(version), trouble: cudaTrouble(host, version) };
}

/** The package for a host: the one that is given, else by the release of CUDA that is whole there, else that has begun. */
function cudaPackage(host: HostGpu, local: string | undefined): CudaPackage {
  const given = packageIn(local) ?? local;
  const named = given && CUDA_PACKAGES.find(({ name }) => given.includes(name.split('/').at(-1)!));
  if (named) return named;
  const fits = (by: (release: ReturnType<typeof releaseFor>) => boolean): CudaPackage | undefined =>
    CUDA_PACKAGES.find((one) => by(releaseFor(host, one)));
  return fits(({ trouble }) => !trouble) ?? fits(({ begun }) => begun) ?? CUDA_PACKAGES[0];
}

/** The GNU C library, where the system has one. */
function glibcFinding({ glibc }: HostGpu, needed: string): Finding[] {
  if (process.platform !== 'linux') return [];
  if (glibc !== undefined && !versionBelow(glibc, needed)) return [{ what: 'glibc', ok: true, says: glibc }];
  const says = `${glibc ?? 'another C library'}: the package is built for glibc ${needed} and newer; use a distribution with it`; // prettier-ignore
  return [{ what: 'glibc', ok: false, says }];
}

const CONNECT_MS = 5000;

/** How npm is run: its own script by this Node where it lies beside it, else by the name of the shell's path. */
export function npmCommand(): [string, ...string[]] | undefined {
  const bin = path.dirname(fs.realpathSync(process.execPath));
  const beside = [path.join(bin, 'node_modules/npm/bin/npm-cli.js'), path.join(bin, '../lib/node_modules/npm/bin/npm-cli.js')]; // prettier-ignore
  const script = beside.find((file) => fs.existsSync(file));
  if (script) return [process.execPath, script];
  if (process.platform === 'win32') return undefined;
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const found = folders.map((folder) => path.join(folder, 'npm')).find((file) => fs.existsSync(file));
  return found ? [found] : undefined;
}

/** A setting of npm; undefined where it has none. */
async function npmSetting(npm: readonly [string, ...string[]], name: string): Promise<string | undefined> {
  const [program, ...args] = npm;
  const text = await new Promise<string>((resolve) =>
    execFile(program, [...args, 'config', 'get', name], { timeout: 30_000 }, (_, stdout) => resolve(stdout.trim())),
  );
  return text && text !== 'null' && text !== 'undefined' ? text : undefined;
}

/** Opens a connection and closes it: nothing is asked, nothing is sent. Returns why it failed. */
function connectionTrouble(url: URL): Promise<string | undefined> {
  const port = Number(url.port) || (url.protocol === 'http:' ? 80 : 443);
  return new Promise((resolve) => {
    const socket = net.connect({ host: url.hostname, port });
    const end = (trouble?: string) => {
      socket.destroy();
      resolve(trouble);
    };
    socket.setTimeout(CONNECT_MS, () => end(`${url.host} did not answer within ${CONNECT_MS / 1000} s`));
    socket.once('connect', () => end());
    socket.once('error', (error) => end(`${url.host}: ${error.message}`));
  });
}

async function network(npm: readonly [string, ...string[]], registry: string | undefined): Promise<Finding> {
  const asked = new URL(registry ?? (await npmSetting(npm, 'registry')) ?? 'https://registry.npmjs.org/');
  const proxy = (await npmSetting(npm, 'https-proxy')) ?? process.env.HTTPS_PROXY ?? process.env.https_proxy;
  const to = proxy ? new URL(proxy) : asked;
  const trouble = await connectionTrouble(to);
  const next = 'check the connection and `npm config get https-proxy`, or carry the package along and name it: --from FOLDER'; // prettier-ignore
  const says = trouble ? `${trouble}; ${next}` : `${to.host} answers${proxy ? ` (the proxy for ${asked.host})` : ''}`;
  return { what: 'network', ok: !trouble, says };
}

/** The nearest folder above that is there. */
function existing(folder: string): string {
  return fs.existsSync(folder) ? folder : existing(path.dirname(path.resolve(folder)));
}

function disk(folder: string): Finding[] {
  const at = existing(folder);
  const { bavail, bsize } = fs.statfsSync(at);
  const free = bavail * bsize;
  const elsewhere = 'or choose another folder: FGNB_GPU_FOLDER, or the setting fgnb.gpuFolder';
  const room = `${formatBytes(free)} free in ${at}`;
  const enough = free >= DISK;
  const findings = [
    {
      what: 'disk',
      ok: enough,
      says: enough ? room : `${room}, and ${formatBytes(DISK)} are needed: free some, ${elsewhere}`,
    },
  ];
  try {
    fs.accessSync(at, fs.constants.W_OK);
    findings.push({ what: 'folder', ok: true, says: `${folder} can be written` });
  } catch {
    findings.push({
      what: 'folder',
      ok: false,
      says: `${at} cannot be written: take its owner's rights, ${elsewhere}`,
    });
  }
  return findings;
}

/** Where packages come from: npm's own registry, another one by its address, or a folder or archive of the package. */
function sourceOf(from: string | undefined): { registry?: string; local?: string } {
  if (from === undefined) return {};
  if (/^https?:\/\//.test(from)) return { registry: from };
  const local = path.resolve(from);
  if (!fs.existsSync(local))
    throw new Error(
      `--from is ${from}, where nothing is; it must be a folder or a .tgz of ${CUDA_PACKAGES.map(({ name }) => name).join(' or ')}, or the address of a registry`,
    );
  return { local };
}

async function cudaPlan(host: HostGpu, folder: string, from: string | undefined): Promise<Omit<SetupPlan, 'because'>> {
  const { registry, local } = sourceOf(from);
  const { name, version, systems, glibc, downloads, gives } = cudaPackage(host, local);
  const supported = process.arch === 'x64' && systems.includes(process.platform);
  const release = releaseFor(
    host,
    CUDA_PACKAGES.find((one) => one.name === name)!,
  );
  const trouble = process.platform === 'linux' ? release.trouble : undefined;
  const npm = npmCommand();
  const system = `${process.platform} ${process.arch}`;
  const findings: Finding[] = [
    { what: 'system', ok: supported, says: supported ? system : `${system} has no build of ${name} with CUDA: use webgpu` }, // prettier-ignore
    { what: 'CUDA', ok: !trouble, says: trouble ?? `driver ${host.nvidia?.driver ?? 'not looked at'}, CUDA ${release.version} and its cuDNN load` }, // prettier-ignore
    ...glibcFinding(host, glibc),
    ...disk(folder),
    { what: 'npm', ok: npm !== undefined, says: npm?.at(-1) ?? 'not found beside Node nor on PATH: install npm, which comes with Node' }, // prettier-ignore
  ];
  if (npm && !local) findings.push(await network(npm, registry));
  const where = local ?? `${name}@${version} from ${registry ?? "npm's registry"}`;
  return {
    device: 'cuda',
    folder,
    findings,
    packages: [{ name, version, spec: local ?? `${name}@${version}` }],
    source: registry ? ['--registry', registry] : [],
    words: `installs ${where} into ${folder}; its own install step may download ${downloads}. It serves ${gives}. Nothing is added to notebooks, projects or the system.`,
  };
}

function webgpuPlan(host: HostGpu, folder: string): Omit<SetupPlan, 'because'> {
  const supported = !(process.platform === 'linux' && process.arch !== 'x64');
  const findings: Finding[] = [
    {
      what: 'system',
      ok: supported,
      says: `${process.platform} ${process.arch}${supported ? '' : " has no build of ONNX Runtime's WebGPU: use cuda or cpu"}`,
    },
  ];
  if (process.platform === 'linux') {
    const { loader, drivers } = host.vulkan;
    const trouble = loader && libraryTrouble([loader]);
    const container = host.nvidia ? '; in a container ask for the graphics capability (NVIDIA_DRIVER_CAPABILITIES=all)' : ''; // prettier-ignore
    findings.push(
      { what: 'Vulkan', ok: !trouble, says: trouble ? `${trouble}: install libvulkan1` : `${loader?.name} loads` },
      {
        what: 'driver',
        ok: drivers.length > 0,
        says:
          drivers.length > 0
            ? `${driverNames(drivers).join(', ')} (${drivers.join(', ')})`
            : `${noVulkanDriver()}: install the Vulkan driver of the GPU${container}`,
      },
    );
  }
  const words =
    "installs nothing: ONNX Runtime's WebGPU ships with the kernel. The device is tried and the result kept.";
  return { device: 'webgpu', folder, findings, packages: [], source: [], words };
}

/**
 * Works out what setting up a device takes. Nothing is installed or downloaded; where a package would come from a
 * registry, one connection to it is opened and closed.
 * @param from see --from of `fgnb gpu setup`
 */
export async function planSetup(asked: SetupChoice, from?: string): Promise<SetupPlan> {
  const host = await lookAtHost();
  const folder = gpuFolder();
  if (asked === 'cuda') return cudaPlan(host, folder, from);
  const webgpu = webgpuPlan(host, folder);
  if (asked === 'webgpu') return webgpu;
  const lacks = webgpu.findings.find(({ ok }) => !ok);
  if (!lacks) return { ...webgpu, because: 'it needs no installation' };
  if (!host.nvidia) return { ...webgpu, because: 'this host has no NVIDIA driver, so that CUDA is out' };
  return { ...(await cudaPlan(host, folder, from)), because: `this host has NVIDIA's driver, and for webgpu: ${lacks.says}` }; // prettier-ignore
}
