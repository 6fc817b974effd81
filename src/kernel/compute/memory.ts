/** How much memory a call may plan with. */
import fs from 'node:fs';
import os from 'node:os';
import { formatBytes } from '../../protocol/bytes.js';

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes of "2g", "512MB", "1073741824"; undefined where the text is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  return match ? Math.floor(Number(match[1]) * UNITS[match[2].toLowerCase()]) : undefined;
}

function readNumber(file: string): number | undefined {
  try {
    const value = Number(fs.readFileSync(file, 'utf8').trim());
    // Version 1 writes a number near 2^63 for "no limit"; version 2 writes "max", which is NaN here.
    return Number.isFinite(value) && value < 2 ** 60 ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Limit and use of the control group this process is in; undefined without one. `root` is for tests. */
export function cgroupMemory(root = '/'): { limit: number; used: number } | undefined {
  let own = '/';
  try {
    own = /^0::(.*)$/m.exec(fs.readFileSync(`${root}proc/self/cgroup`, 'utf8'))?.[1] ?? '/';
  } catch {
    return undefined;
  }
  const v2 = `${root}sys/fs/cgroup`;
  const folders = [...new Set([`${v2}${own === '/' ? '' : own}`, v2])];
  const files = [
    ...folders.map((f) => [`${f}/memory.max`, `${f}/memory.current`]),
    [`${v2}/memory/memory.limit_in_bytes`, `${v2}/memory/memory.usage_in_bytes`],
  ];
  for (const [max, current] of files) {
    const limit = readNumber(max);
    if (limit !== undefined) return { limit, used: readNumber(current) ?? 0 };
  }
  return undefined;
}

let configured: number | undefined;

/** Sets the budget in bytes (a setting); undefined returns to the default. */
export function setMemoryBudget(bytes: number | undefined): void {
  if (bytes !== undefined && !(bytes > 0))
    throw new RangeError(`a memory budget must be above 0 bytes but is ${bytes}`);
  configured = bytes;
}

/** Bytes free for this process: of the host, or of its control group when that is less. */
export function freeMemory(): number {
  let free = os.freemem();
  try {
    // Memory of the page cache can be used: "available" counts it, "free" does not.
    const available = /^MemAvailable:\s+(\d+) kB/m.exec(fs.readFileSync('/proc/meminfo', 'utf8'));
    if (available) free = Number(available[1]) * 1024;
  } catch {
    // Not Linux.
  }
  const group = cgroupMemory();
  return group ? Math.max(0, Math.min(free, group.limit - group.used)) : free;
}

/**
 * Bytes that one call may plan with: the setting, else FGNB_MEMORY_BUDGET (such as "4g"), else half of the free memory.
 */
export function memoryBudget(): number {
  if (configured !== undefined) return configured;
  const given = process.env.FGNB_MEMORY_BUDGET;
  if (given) {
    const bytes = parseBytes(given);
    if (bytes === undefined || bytes === 0) {
      throw new RangeError(`FGNB_MEMORY_BUDGET must be a size such as "4g" or "512m" but is "${given}"`);
    }
    return bytes;
  }
  return Math.floor(freeMemory() / 2);
}

/** Throws a RangeError with both numbers when `bytes` is over the budget. */
export function requireMemory(what: string, bytes: number): void {
  const budget = memoryBudget();
  if (bytes <= budget) return;
  throw new RangeError(
    `${what} needs ${formatBytes(bytes)} but the memory budget is ${formatBytes(budget)}. ` +
      'Use fewer rows or a smaller size, or raise FGNB_MEMORY_BUDGET if the host has more.',
  );
}
