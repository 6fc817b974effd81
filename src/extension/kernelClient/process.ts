/** Starts and stops a kernel process. It is detached: a reloaded window finds it again through its run folder. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KernelConfig } from '../config.js';
import { cleanEnv, findNode } from './node.js';
import { isAlive, isOurKernel, prepareRunFolder } from './runFolder.js';

export interface KernelPlace {
  /** dist/kernel of this extension. */
  kernelFolder: string;
  runFolder: string;
  notebookFolder: string;
  artifactFolder: string;
  /** As shown: the notebook's path or name. */
  notebook: string;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartedKernel {
  pid: number;
  token: string;
  description: string;
  /** Resolves when the process ends. */
  ended: Promise<Ending>;
}

function kernelArguments(place: KernelPlace, config: KernelConfig): string[] {
  const heap = config.heapSizeMb > 0 ? [`--max-old-space-size=${config.heapSizeMb}`] : [];
  // Set by .vscode/launch.json: a debugger may attach to the kernel on this port of this host.
  const port = /^\d{1,5}$/.exec(process.env.FGNB_KERNEL_INSPECT ?? '')?.[0];
  return [
    ...heap,
    ...(port ? [`--inspect=127.0.0.1:${port}`] : []),
    // Interrupting a loop inside a timer callback aborts Node while this check is on.
    '--no-force-async-hooks-checks',
    path.join(place.kernelFolder, 'main.cjs'),
    ...['--run-folder', place.runFolder, '--notebook-folder', place.notebookFolder],
    ...['--artifact-folder', place.artifactFolder, '--device', config.device],
    ...['--notebook', place.notebook],
  ];
}

/** The environment of kernel and command line. */
export function kernelEnv(config: KernelConfig, nodeEnv: Record<string, string>): NodeJS.ProcessEnv {
  return { ...cleanEnv(process.env), FGNB_GPU_FOLDER: config.gpuFolder, ...config.environment, ...nodeEnv };
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

/**
 * Starts a kernel process in a fresh run folder; it does not listen yet.
 * @throws Error in words when there is no suitable Node, the run folder cannot be private or the process cannot start
 */
export async function startKernel(place: KernelPlace, config: KernelConfig): Promise<StartedKernel> {
  const node = await findNode(config.nodePath);
  await fs.mkdir(place.notebookFolder, { recursive: true });
  const token = await prepareRunFolder(place.runFolder);
  const log = await fs.open(path.join(place.runFolder, 'kernel.log'), 'wx', 0o600);
  try {
    const child = spawn(node.path, kernelArguments(place, config), {
      cwd: place.notebookFolder,
      env: kernelEnv(config, node.env),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const ended = endingOf(child);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`${node.path} could not be started: ${error.message}`)));
    });
    child.unref();
    return { pid: child.pid as number, token, description: `Node ${node.version} (${node.from})`, ended };
  } finally {
    await log.close();
  }
}

async function gone(pid: number, ms: number): Promise<boolean> {
  const until = Date.now() + ms;
  while (isAlive(pid)) {
    if (Date.now() > until) return false;
    await sleep(50);
  }
  return true;
}

/** SIGTERM, then SIGKILL, for a kernel that did not leave when asked. Signals nothing but the kernel of `runFolder`. */
export async function killKernel(pid: number, runFolder: string, patienceMs = 2000): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isOurKernel(pid, runFolder))) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (await gone(pid, patienceMs)) return;
  }
}

export { gone as waitUntilGone };
