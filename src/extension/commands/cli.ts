/** Runs the bundled `fgnb` command line in a process of its own. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import type { KernelConfig } from '../config.js';
import { findNode } from '../kernelClient/node.js';
import { kernelEnv } from '../kernelClient/process.js';

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  kernelFolder: string;
  config: KernelConfig;
  cwd: string;
  onOutput?(text: string): void;
  signal?: AbortSignal;
}

/** @throws when Node cannot be found or started; a failing command is a result with its code. */
export async function runCli(args: readonly string[], o: CliOptions): Promise<CliResult> {
  const node = await findNode(o.config.nodePath);
  return new Promise((resolve, reject) => {
    const child = spawn(node.path, [path.join(o.kernelFolder, 'cli.cjs'), ...args], {
      cwd: o.cwd,
      env: { ...kernelEnv(o.config, node.env), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      signal: o.signal,
    });
    const result: CliResult = { code: null, stdout: '', stderr: '' };
    const take = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
      const text = chunk.toString('utf8');
      result[stream] += text;
      o.onOutput?.(text);
    };
    child.stdout.on('data', take('stdout'));
    child.stderr.on('data', take('stderr'));
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...result, code }));
  });
}
