/**
 * Peak of resident memory while a model in shards is loaded, and in a pass of 8 tokens, in a fresh process: 6.4 GB of
 * bfloat16 (Llama 3.2 3B's sizes, files of holes) kept in 16 bits, and a quarter of its layers in float32, which the cpu device has
 * room for. The peer is the weights themselves in the type that they are kept in. Wants 8 GB free.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LLAMA_3B, writeSparseModel, type SparseModel } from '#test/kit/sparseModel.js';
import type { BenchResult } from './types.js';

interface OurRun {
  before: number;
  afterLoad: number;
  afterPass: number;
  load: number;
  pass: number;
}

async function measured(title: string, of: SparseModel, dtype: 'f32' | 'bf16'): Promise<BenchResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'fgnb-bench-model-'));
  try {
    const { parameters, shards } = await writeSparseModel(folder, of);
    const script = fileURLToPath(new URL('./runs/model-memory.ts', import.meta.url));
    const out = execFileSync(process.execPath, ['--import', 'tsx', script, folder, dtype], {
      encoding: 'utf8',
      env: { ...process.env, FGNB_MEMORY_BUDGET: '16g' },
    });
    const run = JSON.parse(out.trim().split('\n').at(-1)!) as OurRun;
    const weights = parameters * (dtype === 'bf16' ? 2 : 4);
    const gb = (bytes: number): string => (bytes / 1e9).toFixed(2);
    return {
      name: 'model-memory',
      size: `${title}, ${(parameters / 1e9).toFixed(2)} G parameters of ${of.dtype} in ${shards} shards, { dtype: '${dtype}' }`,
      ours: (run.afterLoad - run.before) / 1e9,
      peer: weights / 1e9,
      unit: 'GB',
      speedup: weights / (run.afterLoad - run.before),
      note:
        `peak of loading in ${run.load.toFixed(0)} s; peer: the weights kept; before ${gb(run.before)} GB, ` +
        `after a pass of 8 tokens in ${run.pass.toFixed(0)} s ${gb(run.afterPass - run.before)} GB more than before`,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export async function run(): Promise<BenchResult[]> {
  return [
    await measured('Llama 3.2 3B', LLAMA_3B, 'bf16'),
    await measured('4 of its 28 layers', { ...LLAMA_3B, layers: 4, vocab: 32000, shardBytes: 4e8 }, 'f32'),
  ];
}
