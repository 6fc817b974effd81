/** A bit that a disk changed is found, wherever it lies. */
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isShard, openActivations } from '#kernel/activations/store.js';
import { writeActivations } from '#kernel/activations/write.js';
import { loadResult, saveResult } from '#kernel/artifacts/result.js';
import type { ArtifactStore, ComputeOptions } from '#kernel/artifacts/store.js';
import type { ArtifactKey } from '#kernel/artifacts/types.js';
import { BLOCK_BYTES } from '#kernel/io/digest.js';
import { loadTrainingState, saveTrainingState } from '#kernel/sae/checkpoint.js';
import { loadSae } from '#kernel/sae/load.js';
import { saveSae } from '#kernel/sae/save.js';
import { randomRows } from '#test/kit/rows.js';
import { saeOf } from '#test/kit/sae.js';
import { testStores } from '#test/kit/store.js';

const newStore = testStores({ inMemory: true });
let reports: string[];
let store: ArtifactStore;
beforeEach(() => {
  reports = [];
  store = newStore({ report: (m) => reports.push(m) });
});

const key: ArtifactKey = { kind: 'thing', parameters: { seed: 0 }, inputs: { a: 'x' }, codeVersion: 1 };
const MADE_AGAIN = 'made again';

/** Options whose second `make` throws: damage that is found shows as this error. */
function once<T>(options: Omit<ComputeOptions<T>, 'make'> & { make: ComputeOptions<T>['make'] }): ComputeOptions<T> {
  let made = 0;
  return {
    ...options,
    make: (at) => {
      if (made++ > 0) throw new Error(MADE_AGAIN);
      return options.make(at);
    },
  };
}

/** Flips one bit of every byte of a file, each alone, and gives the places that `read` did not notice. */
async function unnoticed(path: string, step: number, read: () => Promise<unknown>): Promise<string[]> {
  const good = readFileSync(path);
  const missed: string[] = [];
  for (let at = 0; at < good.length; at += step) {
    const bad = Buffer.from(good);
    bad[at] ^= 1 << ((at + Math.floor(at / 8)) % 8);
    writeFileSync(path, bad);
    await read().then(
      () => missed.push(`${path} byte ${at}`),
      () => undefined,
    );
  }
  writeFileSync(path, good);
  return missed;
}

const files = (at: string): string[] =>
  readdirSync(at, { recursive: true })
    .map((name) => join(at, String(name)))
    .filter((path) => statSync(path).isFile());

describe('one flipped bit', () => {
  it('in any byte of a result and its record is found, and the result made again', async () => {
    const value = { name: 'r', score: 0.5, list: [1, 2, 3], data: Float32Array.of(1, 2, 3), n: Int32Array.of(7) };
    const task = once({ make: (at) => saveResult(at, value), load: loadResult<typeof value> });
    const { folder: at } = await store.compute(key, task);
    expect((await store.compute(key, task)).value).toEqual(value);
    expect(
      files(at)
        .map((f) => f.slice(at.length + 1))
        .sort(),
    ).toEqual(['artifact.json', 'result.json', 'result.safetensors']);
    for (const path of files(at)) expect(await unnoticed(path, 1, () => store.compute(key, task)), path).toEqual([]);
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.every((r) => r.includes('it is not used and will be made again'))).toBe(true);
    expect((await store.compute(key, task)).cached).toBe(true);
  });

  it(
    'in any byte of activations is found: when they are opened, or when the shard is read',
    { timeout: 180_000 },
    async () => {
      const rows = randomRows(12, 8, 0.3, 3);
      const task = once({
        make: async (at) => {
          await writeActivations(at, [rows], {
            features: 8,
            tokenIds: Int32Array.from({ length: 12 }, (_, i) => i % 7),
            context: 6,
            hook: 'h',
            model: { name: 'm', id: 'm' },
            sae: { name: 's', id: 's' },
            tokenSet: { id: 't', tokenizer: 'k' },
            piece: (id) => `t${id}`,
            shardTokens: 6,
          });
        },
        lazy: isShard,
        load: (at, record) => openActivations(at, undefined, record.files),
      });
      const readAll = async (): Promise<unknown> => {
        const { value } = await store.compute(key, task);
        const ids = await value.tokenIds();
        const shards = [];
        for await (const shard of value.shards()) shards.push(shard.rows);
        return [ids, shards];
      };
      const { folder: at } = await store.compute(key, task);
      await readAll();
      expect(files(at)).toHaveLength(6);
      // The record is the same of all results: every byte of it has been tried above.
      const arrays = files(at).filter((path) => basename(path) !== 'artifact.json');
      for (const path of arrays) expect(await unnoticed(path, 1, readAll), path).toEqual([]);
    },
  );

  it('in the weights or the config of a kept SAE is found', async () => {
    const value = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
    const sae = saeOf(
      {
        W_enc: { rows: 3, cols: 4, data: value(12) },
        b_enc: value(4),
        W_dec: { rows: 4, cols: 3, data: value(12) },
        b_dec: value(3),
      },
      { architecture: 'topk', k: 2, hookName: 'h', modelName: 'm' },
    );
    const task = once({ make: (at) => saveSae(sae, join(at, 'part')), load: (at) => loadSae(join(at, 'part')) });
    const { folder: at } = await store.compute(key, task);
    expect((await store.compute(key, task)).value.id).toBe(sae.id);
    for (const path of files(at)) expect(await unnoticed(path, 1, () => store.compute(key, task)), path).toEqual([]);
  });

  it('far inside a file of several blocks is named by its block, and reading elsewhere goes on', async () => {
    const big = new Float32Array((3 * BLOCK_BYTES) / 4).fill(1);
    const task = once({ make: (at) => saveResult(at, { big }), load: loadResult<{ big: Float32Array }> });
    const { folder: at, record } = await store.compute(key, task);
    expect(record.files?.['result.safetensors'].blocks).toHaveLength(4);
    const path = join(at, 'result.safetensors');
    const bytes = readFileSync(path);
    bytes[2 * BLOCK_BYTES + 5] ^= 64;
    writeFileSync(path, bytes);
    await expect(store.compute(key, task)).rejects.toThrow(MADE_AGAIN);
    expect(reports.at(-1)).toMatch(/damaged between bytes 2097152 and 3145728/);
  });
});

describe('the state of a stopped training', () => {
  it('with one flipped bit in any byte is set aside with a word, never gone on from', async () => {
    const at = join(store.folder, 'training');
    const numbers = (n: number) => Float32Array.from({ length: n }, (_, i) => i / 3);
    const run = { steps: 9, lr: 0.1 };
    const state = {
      step: 4,
      parameters: numbers(5),
      m: numbers(5),
      v: numbers(5),
      sinceFired: Int32Array.of(1, 0),
      buffer: { rows: numbers(4), toServe: 1, refills: 2, epoch: 0, epochRows: 3 },
      scale: 1,
      memory: [0.125],
      bDec: { method: 'mean' as const, offset: 3 },
      history: [],
    };
    await saveTrainingState(at, state, run);
    expect(await loadTrainingState(at, run)).toEqual(state);
    const path = join(at, 'training_state.safetensors');
    let told = 0;
    const load = async (): Promise<void> => {
      if ((await loadTrainingState(at, run, () => told++)) === undefined) throw new Error('set aside');
    };
    expect(await unnoticed(path, 1, load)).toEqual([]);
    expect(told).toBe(statSync(path).size);
    expect(readFileSync(join(at, 'damaged-training_state.safetensors')).length).toBe(statSync(path).size);
    expect(await loadTrainingState(at, run)).toEqual(state);
    await expect(loadTrainingState(at, { ...run, lr: 0.2 })).rejects.toThrow(/state of another run: lr/);
  });
});

describe('an artifact of a version without hashes', () => {
  it('opens, is hashed then, and from then on damage is found', async () => {
    const task = once({
      make: (at) => saveResult(at, { a: Int32Array.of(1, 2) }),
      load: loadResult<{ a: Int32Array }>,
    });
    const { folder: at } = await store.compute(key, task);
    const path = join(at, 'artifact.json');
    const { files: _, check: __, ...old } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(old, null, 2));
    utimesSync(path, 1, 1);
    expect((await store.compute(key, task)).value.a).toEqual(Int32Array.of(1, 2));
    expect(JSON.parse(readFileSync(path, 'utf8')).files['result.json'].blocks).toHaveLength(1);
    expect(reports).toEqual([]);
    const data = join(at, 'result.safetensors');
    expect(await unnoticed(data, 1, () => store.compute(key, task))).toEqual([]);
  });

  it('whose hashes were taken out of the record alone is damaged, not old', async () => {
    const task = once({ make: (at) => saveResult(at, { a: 1 }), load: loadResult<{ a: number }> });
    const { folder: at } = await store.compute(key, task);
    const path = join(at, 'artifact.json');
    const { files: _, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify(rest));
    await expect(store.compute(key, task)).rejects.toThrow(MADE_AGAIN);
  });
});

describe('a file that is gone or longer', () => {
  it('is found when the artifact is opened', async () => {
    const task = once({ make: (at) => saveResult(at, { a: 1 }), load: loadResult<{ a: number }> });
    const { folder: at } = await store.compute(key, task);
    const path = join(at, 'result.json');
    const good = readFileSync(path);
    writeFileSync(path, Buffer.concat([good, Buffer.from(' ')]));
    await expect(store.compute(key, task)).rejects.toThrow(MADE_AGAIN);
    expect(reports.at(-1)).toMatch(/has \d+ bytes but \d+ were written/);
    rmSync(path);
    await expect(store.compute(key, task)).rejects.toThrow(MADE_AGAIN);
  });
});
