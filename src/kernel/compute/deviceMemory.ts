/** Memory of GPUs, as their drivers tell it. */
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import { heldOnDevice } from './graphs/current.js';
import { driverNames, hostFile, nvidiaDriver, vulkanDrivers } from './hostGpu.js';
import { freeMemory } from './memory.js';

export interface CardMemory {
  name: string;
  /** Bytes, of all processes. */
  total: number;
  used: number;
}

export interface DeviceMemory {
  /** Bytes that this kernel holds there. */
  held: number;
  /** Cards whose drivers tell; empty where none does. */
  cards: CardMemory[];
}

const SMI = ['nvidia-smi', ['--query-gpu=name,memory.total,memory.used', '--format=csv,noheader,nounits']] as const;
const SMI_MS = 3000;
/** Vulkan drivers that compute on the CPU: their memory is the host's. */
const SOFTWARE = /swiftshader|lvp|llvmpipe|lavapipe/;

/** Lines of nvidia-smi, "NVIDIA H200, 143771, 512" in MiB; lines of another form are passed over. */
export function cardsOfSmi(text: string): CardMemory[] {
  return text.split('\n').flatMap((line) => {
    const [, name, total, used] = /^(.+), (\d+), (\d+)$/.exec(line.trim()) ?? [];
    return name ? [{ name, total: Number(total) * 2 ** 20, used: Number(used) * 2 ** 20 }] : [];
  });
}

/** AMD's driver tells in files. */
function amdCards(folder = hostFile('sys/class/drm')): CardMemory[] {
  const cards = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => /^card\d+$/.test(name)) : [];
  return cards.flatMap((card) => {
    const [total, used] = ['total', 'used'].map((what) => path.join(folder, card, 'device', `mem_info_vram_${what}`));
    if (!fs.existsSync(total) || !fs.existsSync(used)) return [];
    const [t, u] = [total, used].map((file) => Number(fs.readFileSync(file, 'utf8')));
    return Number.isFinite(t) && Number.isFinite(u) ? [{ name: `AMD ${card}`, total: t, used: u }] : [];
  });
}

/** The host's memory, where the only Vulkan driver is a software one. */
function softwareDevice(): CardMemory[] {
  const names = process.platform === 'linux' ? driverNames(vulkanDrivers()) : [];
  if (names.length === 0 || !names.every((name) => SOFTWARE.test(name))) return [];
  const total = os.totalmem();
  return [{ name: `${names.join(', ')}, in the host's memory`, total, used: total - freeMemory() }];
}

/** All but NVIDIA's. */
const otherCards = (): CardMemory[] => {
  const amd = amdCards();
  return amd.length > 0 ? amd : softwareDevice();
};

/** Asks at once; with NVIDIA's driver this takes some tens of milliseconds. */
export function deviceMemory(): DeviceMemory {
  const [program, args] = SMI;
  const held = heldOnDevice();
  if (nvidiaDriver() === undefined) return { held, cards: otherCards() };
  try {
    const text = execFileSync(program, args, {
      encoding: 'utf8',
      timeout: SMI_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { held, cards: cardsOfSmi(text) };
  } catch {
    return { held, cards: [] }; // A driver without its tool tells nothing.
  }
}

/** The cards without blocking, for who asks again and again. */
export function cardMemory(): Promise<CardMemory[]> {
  if (nvidiaDriver() === undefined) return Promise.resolve(otherCards());
  const [program, args] = SMI;
  return new Promise((resolve) =>
    execFile(program, args, { timeout: SMI_MS }, (error, stdout) => resolve(error ? [] : cardsOfSmi(stdout))),
  );
}

/** "12.0 MB held by this kernel; NVIDIA H200: 1.0 GB of 140.4 GB used, 139.4 GB free". */
export function memoryWords({ held, cards }: DeviceMemory): string {
  const told = cards.map(
    ({ name, total, used }) =>
      `${name}: ${formatBytes(used)} of ${formatBytes(total)} used, ${formatBytes(total - used)} free`,
  );
  return [`${formatBytes(held)} held by this kernel`, ...(told.length > 0 ? told : ['the driver tells no more'])].join('; '); // prettier-ignore
}
