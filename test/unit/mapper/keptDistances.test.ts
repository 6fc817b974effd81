/** Distances that a plan keeps from one cover to the next: the same graphs, each distance summed once. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setMemoryBudget } from '#kernel/compute/memory.js';
import type { ClustererSpec } from '#kernel/mapper/options.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import { prepareMapper } from '#kernel/mapper/plan.js';
import { exactDistance } from '#kernel/mapper/space.js';
import { blobs } from '#test/kit/shapes.js';

vi.mock('#kernel/mapper/space.js', async (load) => {
  const space = await load<typeof import('#kernel/mapper/space.js')>();
  return { ...space, exactDistance: vi.fn(space.exactDistance) };
});

const summed = (): number => vi.mocked(exactDistance).mock.calls.length;
const COVERS = [
  { cubes: 2, overlap: 0.4 },
  { cubes: 3, overlap: 0.2 },
  { cubes: [4, 2], overlap: 0.5 },
];
const CLUSTERERS: ClustererSpec[] = [
  { kind: 'agglomerative', linkage: 'average', metric: 'cosine' },
  { kind: 'agglomerative', linkage: 'complete', nClusters: 3 },
  { kind: 'hdbscan', minClusterSize: 4 },
];

beforeEach(() => {
  vi.mocked(exactDistance).mockClear();
});
afterEach(() => {
  setMemoryBudget(undefined);
});

describe('a plan that keeps distances', () => {
  it.each(CLUSTERERS)('gives the graphs of single runs and sums no distance twice: %j', async (clusterer) => {
    const x = blobs(210, 2);
    const plan = await prepareMapper(x, { clusterer });
    const graphs = [];
    for (const cover of COVERS) graphs.push(await plan.run(cover));
    const kept = summed();
    expect(kept).toBeLessThanOrEqual((x.rows * (x.rows - 1)) / 2);
    for (const [k, cover] of COVERS.entries()) expect(graphs[k]).toEqual(await mapperGraph(x, { clusterer, cover }));
    expect(graphs[0].nodes).toBeGreaterThan(3);
    const alone = summed() - kept;
    expect(alone).toBeGreaterThan(1.5 * kept);

    // A cover that ran before needs no distance anew.
    const before = summed();
    expect(await plan.run(COVERS[0])).toEqual(graphs[0]);
    expect(summed()).toBe(before);
  });

  it('keeps none where a quarter of the memory budget does not hold them, to the same graph', async () => {
    const x = blobs(210, 2);
    const clusterer = CLUSTERERS[0];
    const kept = await (await prepareMapper(x, { clusterer })).run(COVERS[0]);
    const once = summed();
    setMemoryBudget(4 * 4 * x.rows * x.rows - 1);
    const plan = await prepareMapper(x, { clusterer });
    expect(await plan.run(COVERS[0])).toEqual(kept);
    const first = summed() - once;
    expect(await plan.run(COVERS[0])).toEqual(kept);
    // Every run sums all of its own, those that elements share once for each.
    expect(summed() - once).toBe(2 * first);
    expect(first).toBeGreaterThan(once);
  });

  it('compares points that coincide', async () => {
    const x = blobs(60, 3);
    for (let i = 1; i < 10; i++) x.data.copyWithin(i * x.cols, 0, x.cols);
    const clusterer = CLUSTERERS[2];
    const plan = await prepareMapper(x, { clusterer });
    for (const cover of COVERS) expect(await plan.run(cover)).toEqual(await mapperGraph(x, { clusterer, cover }));
  });
});
