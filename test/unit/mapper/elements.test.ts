/** Labels of cover elements by real workers: those of the calling thread, in order, and an end when cancelled. */
import path from 'node:path';
import * as esbuild from 'esbuild';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { labelsOfDistances } from '#kernel/compute/clustering/labels.js';
import { setMemoryBudget } from '#kernel/compute/memory.js';
import { Random } from '#kernel/compute/random.js';
import * as pools from '#kernel/compute/pool.js';
import { openClusterer } from '#kernel/mapper/cluster.js';
import { coverOf } from '#kernel/mapper/cover.js';
import { labelElements, type LabelledElement } from '#kernel/mapper/elements.js';
import { hdbscanOfRows } from '#kernel/mapper/largeElements.js';
import type { ClustererSpec } from '#kernel/mapper/options.js';
import { pairDistances } from '#kernel/mapper/pairDistances.js';
import { exactDistance } from '#kernel/mapper/space.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { blobs } from '#test/kit/shapes.js';
import { testFolder } from '#test/kit/folder.js';

const state = vi.hoisted(() => ({ pool: undefined as unknown, most: 0, now: 0, started: 0 }));
vi.mock('#kernel/compute/pool.js', async (load) => {
  const real = await load<typeof pools>();
  const pool = (): pools.Pool => state.pool as pools.Pool;
  const runTask: typeof real.runTask = async (task, payload, options) => {
    state.started++;
    state.most = Math.max(state.most, ++state.now);
    try {
      return await pool().run(task, payload, options);
    } finally {
      state.now--;
    }
  };
  return { ...real, pool, runTask };
});

const folder = testFolder('elements');
const bundle = path.join(folder, 'poolWorker.cjs');
beforeAll(() =>
  esbuild.build({
    entryPoints: [path.resolve(import.meta.dirname, '../../../src/kernel/compute/poolWorker.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
  }),
);

let pool: pools.Pool;
beforeEach(() => {
  state.pool = pool = new pools.Pool({ bundle, size: 2 });
  state.most = state.started = 0;
});
afterEach(() => pool.dispose());

const x = blobs(900, 4);
const cover = coverOf(Float64Array.from(x.data), 2, { cubes: 6, overlap: 0.4 });
const SPECS: ClustererSpec[] = [
  { kind: 'agglomerative', linkage: 'average' },
  { kind: 'agglomerative', linkage: 'single', distanceThreshold: 0.3 },
  { kind: 'hdbscan', minClusterSize: 4 },
];

describe('labels of cover elements', () => {
  it.each(SPECS)('are those of the calling thread, in order, with large elements in workers: %j', async (spec) => {
    expect(pool.threaded).toBe(true);
    const clusterer = openClusterer(x, spec, undefined);
    const { space, rule, minPoints } = clusterer;
    if (rule.kind === 'dbscan') throw new Error('not of distances');
    const expected: LabelledElement[] = [];
    for (let element = 0; element < cover.elements; element++) {
      const ids = cover.points.subarray(cover.at[element], cover.at[element + 1]);
      if (ids.length < minPoints) continue;
      const distances = await pairDistances(space, ids, {});
      expected.push({ element, ids, labels: labelsOfDistances({ distances, m: ids.length, rule }) });
    }
    const found: LabelledElement[] = [];
    for await (const one of labelElements(cover, clusterer, {}, {})) found.push(one);
    expect(found).toEqual(expected);
    const large = expected.filter(({ ids }) => ids.length >= 128).length;
    expect(large).toBeGreaterThan(2);
    expect(large).toBeLessThan(expected.length);
    expect(state.started).toBe(large);
    expect(state.most).toBe(2);
  });

  it('are HDBSCAN’s where the distances of an element do not fit memory, and other clusterers say so', async () => {
    const all = async (spec: ClustererSpec): Promise<LabelledElement[]> => {
      const found: LabelledElement[] = [];
      for await (const one of labelElements(cover, openClusterer(x, spec, undefined), {}, {})) found.push(one);
      return found;
    };
    const expected = await all(SPECS[2]);
    const largest = Math.max(...expected.map(({ ids }) => ids.length));
    setMemoryBudget(8 * largest * largest - 1);
    try {
      expect(await all(SPECS[2])).toEqual(expected);
      await expect(all(SPECS[0])).rejects.toThrow(`distances among ${largest} points needs`);
    } finally {
      setMemoryBudget(undefined);
    }
  });

  it.each(['euclidean', 'cosine', 'precomputed'] as const)(
    'need no matrix of distances by HDBSCAN: %s',
    async (metric) => {
      // Places on a grid, some of them taken twice: many equal distances. The first row is zero.
      const random = new Random(5);
      const grid = matrix(
        240,
        3,
        Float32Array.from({ length: 720 }, (_, e) => (e < 3 ? 0 : random.int(6))),
      );
      const ids = Int32Array.from({ length: 200 }, (_, i) => (i * 7) % 240);
      const given: Matrix | undefined = metric === 'precomputed' ? matrix(240, 240) : undefined;
      let clusters = -1;
      const plain = openClusterer(grid, { kind: 'hdbscan' }, undefined).space;
      given?.data.forEach((_, e) => (given.data[e] = exactDistance(plain, Math.floor(e / 240), e % 240)));
      for (const [minClusterSize, minSamples] of [
        [2, 1],
        [4, 3],
        [3, 9],
        [5, 500],
      ] as const) {
        const { space, rule } = openClusterer(grid, { kind: 'hdbscan', metric, minClusterSize, minSamples }, given);
        if (rule.kind !== 'hdbscan') throw new Error('not HDBSCAN');
        const distances = await pairDistances(space, ids, {});
        const expected = labelsOfDistances({ distances, m: 200, rule });
        expect(await hdbscanOfRows(space, ids, rule, {}), `${minClusterSize}, ${minSamples}`).toEqual(expected);
        clusters = Math.max(clusters, ...expected);
      }
      expect(clusters).toBeGreaterThan(0);
    },
  );

  it('end with the call, and with whoever stops asking', async () => {
    const clusterer = openClusterer(x, SPECS[0], undefined);
    const stop = new AbortController();
    const all = async (): Promise<void> => {
      for await (const { element } of labelElements(cover, clusterer, {}, { signal: stop.signal }))
        if (element >= 0) stop.abort();
    };
    await expect(all()).rejects.toThrow(/cancelled/);
    for await (const { labels } of labelElements(cover, clusterer, {}, {})) {
      expect(labels.length).toBeGreaterThan(0);
      break;
    }
    await vi.waitFor(() => expect(state.now).toBe(0));
  });
});
