/**
 * What loading a model in shards takes beyond its weights, in a process of its own: about 200 MB of files. The sizes of a
 * model of 6.4 GB are measured by `npm run bench -- model-memory`.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeSparseModel, type SparseModel } from '#test/kit/sparseModel.js';
import { testFolder } from '#test/kit/folder.js';

const root = path.resolve(import.meta.dirname, '../..');

const LAYERS: SparseModel = {
  ...{ layers: 8, width: 1024, mlp: 2816, heads: 8, kvHeads: 8, vocab: 1000 },
  ...{ dtype: 'BF16', shardBytes: 6e7 },
};
/** Nearly all of it in one tensor, the embedding. */
const TABLE: SparseModel = { ...LAYERS, layers: 1, width: 512, vocab: 200_000 };

/** Bytes by which the peak of resident memory grew while loading, over those of the weights as they are kept. */
async function grown(of: SparseModel, dtype: 'f32' | 'bf16'): Promise<number> {
  const at = testFolder('model');
  const { parameters, shards } = await writeSparseModel(at, of);
  expect(shards).toBeGreaterThan(1);
  const args = ['--import', 'tsx', path.join(root, 'bench/runs/model-memory.ts'), at, dtype];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  const { before, afterLoad } = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  const ratio = (afterLoad - before) / (parameters * (dtype === 'bf16' ? 2 : 4));
  console.log(`${parameters / 1e6} M parameters, ${of.dtype} as ${dtype}: ${ratio.toFixed(2)} times the weights`);
  return ratio;
}

describe('a model in shards', () => {
  it.each([
    ['layers of bfloat16 stay in 16 bits', LAYERS, 'bf16', 1.8],
    ['a table of bfloat16 stays in 16 bits', TABLE, 'bf16', 1.8],
    // Read in 32 bits, kept in 16: of one tensor both are there. Twice would be 2; garbage comes on top, more on Node 24.
    ['layers of float32 become 16 bits', { ...LAYERS, dtype: 'F32' }, 'bf16', 1.8],
    ['layers of bfloat16 become float32', LAYERS, 'f32', 1.8],
  ] as const)('is not held twice: %s', async (_, of, dtype, most) => {
    expect(await grown(of, dtype)).toBeLessThan(most);
  });
});
