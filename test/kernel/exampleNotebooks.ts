/** Runs notebooks of examples/ from start to end at small sizes. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { NotebookFile } from '#protocol/notebook.js';
import { kernelCli, root } from '#test/kit/kernel.js';

/** Runs a notebook of examples/ on the cpu, in a folder of its own; its key figures, and the page. */
export async function runExample(
  folder: string,
  name: string,
  params: Record<string, unknown>,
): Promise<{ stdout: string; html: string; cells: NotebookFile['cells'] }> {
  const examples = path.join(root, 'examples');
  fs.copyFileSync(path.join(examples, `${name}.fgnb`), path.join(folder, `${name}.fgnb`));
  const models = path.join(folder, 'models');
  if (!fs.existsSync(models)) fs.symlinkSync(path.join(examples, 'models'), models);
  const [out, html] = [`${name}.out.fgnb`, `${name}.html`];
  const given = Object.entries(params).flatMap(([key, value]) => ['--param', `${key}=${JSON.stringify(value)}`]);
  const args = ['run', `${name}.fgnb`, '--out', out, '--html', html, '--device', 'cpu', ...given];
  const child = spawn(process.execPath, [kernelCli, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code, text).toBe(0);
  const read = (file: string): string => fs.readFileSync(path.join(folder, file), 'utf8');
  return { stdout: text, html: read(html), cells: (JSON.parse(read(out)) as NotebookFile).cells };
}

/** The numbers of a key figure's line. */
export function figure(stdout: string, name: string): number[] {
  const line = stdout.split('\n').find((l) => l.trim().startsWith(name));
  expect(line, stdout).toBeDefined();
  return [...line!.slice(line!.indexOf(name) + name.length).matchAll(/-?\d+(?:\.\d+)?/g)].map((m) => Number(m[0]));
}
