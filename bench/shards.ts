/** 1,000 shards planned, made and merged without an engine: what the plan itself costs, beside the same rows in one piece. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '#kernel/artifacts/store.js';
import { planOf } from '#kernel/cluster/plan.js';
import { makeShard, mergedResult } from '#kernel/cluster/shards.js';
import type { SplitCall } from '#kernel/verb/split.js';
import type { BenchResult } from './types.js';

const SHARDS = 1000;
const BYTES = 4096;

export async function run(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fgnb-shards-'));
  try {
    const store = new ArtifactStore(folder, { device: () => 'cpu' });
    const own = { signal: new AbortController().signal, onProgress: () => undefined };
    const whole = Buffer.alloc(SHARDS * BYTES, 7);
    const key = { kind: 'bench', parameters: {}, inputs: {}, codeVersion: 1 };
    const call: SplitCall = {
      ...{ name: 'fg.bench.shards', key, title: 'bench', unit: 'pieces', version: 1, store, notebookFolder: folder },
      pieces: { pieces: SHARDS, work: { amount: SHARDS, unit: 'pieces' }, memory: 0, disk: SHARDS * BYTES },
      recipe: () => ({ call: 'fg.bench.shards', args: [] }),
      kept: async () => (await store.keptRecord(key)) !== undefined,
      make: ({ folder: at, from, to }) =>
        Promise.resolve(writeFileSync(join(at, 'rows'), whole.subarray(from * BYTES, to * BYTES))),
      merge: async (shards) => {
        const parts = await Promise.all(shards.map(({ folder: at }) => readFile(join(at, 'rows'))));
        const load = () => Promise.resolve(null);
        return store.compute(key, { make: (at) => Promise.resolve(writeFileSync(join(at, 'rows'), Buffer.concat(parts))), load }); // prettier-ignore
      },
    };
    let start = performance.now();
    const plan = planOf(call, SHARDS);
    const planned = (performance.now() - start) / 1000;
    start = performance.now();
    for (const shard of plan.shards) await makeShard(call, plan, shard, own);
    const made = (performance.now() - start) / 1000;
    start = performance.now();
    await mergedResult(call, plan, own);
    const merged = (performance.now() - start) / 1000;
    start = performance.now();
    writeFileSync(join(folder, 'whole'), whole);
    const peer = (performance.now() - start) / 1000;
    const note = `planned in ${(1000 * planned).toFixed(1)} ms, made in ${made.toFixed(1)} s (${made.toFixed(1)} ms each), merged and deleted in ${merged.toFixed(1)} s; the aim for plan and merge: under 10 s; peer: one write of the same bytes`;
    const ours = planned + merged;
    return [{ name: 'shards', size: `${SHARDS} of ${BYTES} bytes`, ours, peer, unit: 's', speedup: peer / ours, note }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
