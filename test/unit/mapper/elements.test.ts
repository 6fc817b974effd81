/** Labels of cover elements by real workers: those of the calling thread, in order, and an end when cancelled. */
import path from 'node:path';
import * as esbuild from 'esbuild';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { labelsOfDistances } from '#kernel/compute/clustering/labels.js';
import * as pools from '#kernel/compute/pool.js';
import { openClusterer } from '#kernel/mapper/cluster.js';
import { coverOf } from '#kernel/mapper/cover.js';
import { labelElements, type LabelledElement } from '#kernel/mapper/elements.js';
import type { ClustererSpec } from '#kernel/mapper/options.js';
import { pairDistances } from '#kernel/mapper/pairDistances.js';
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
