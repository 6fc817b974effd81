import { describe, expect, it } from 'vitest';
import { graphStatistics } from '#kernel/mapper/findings.js';
import { mapperGraph } from '#kernel/mapper/graph.js';
import type { PlanOptions } from '#kernel/mapper/options.js';
import { adjustedRand, componentOfPoints, nodesOfPoints } from '#kernel/mapper/resample.js';
import { mapperSweep } from '#kernel/mapper/sweep.js';
import { blobs, circle } from '#test/kit/shapes.js';

const OPTIONS: PlanOptions = {
  lens: { kind: 'dimensions', columns: [0] },
  clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 0.35, minSamples: 3 },
};
const GRID = { cubes: [5, 8, 11], overlaps: [0.3, 0.45] };

describe('mapperSweep', () => {
  it('gives every cell the figures of a graph of its own, and the agreement of its neighbours', async () => {
    const x = circle(500, 3);
    const sweep = await mapperSweep(x, OPTIONS, GRID);
    expect(sweep.cells.map((c) => [c.cubes, c.overlap])).toEqual([[5, 0.3], [5, 0.45], [8, 0.3], [8, 0.45], [11, 0.3], [11, 0.45]]); // prettier-ignore
    const components: Int32Array[] = [];
    for (const cell of sweep.cells) {
      const graph = await mapperGraph(x, { ...OPTIONS, cover: { cubes: cell.cubes, overlap: cell.overlap } });
      expect(cell.statistics).toEqual(graphStatistics(graph));
      components.push(componentOfPoints(graph, nodesOfPoints(graph, x.rows)));
      expect(cell.stability).toBeNaN();
      expect(cell.null).toBeUndefined();
    }
    const beside = [0, 3, 4].map((other) => adjustedRand(components[2], components[other]));
    expect(sweep.cells[2].agreement).toBeCloseTo((beside[0] + beside[1] + beside[2]) / 3, 12);
    // A circle is a loop for any of these covers.
    expect(sweep.cells.map((c) => c.statistics.loops)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(sweep.description).toMatch(/^columns 0 · DBSCAN/);
  });

  it('holds cells against bootstrap draws and null sweeps', async () => {
    const sweep = await mapperSweep(blobs(120, 1), { ...OPTIONS, clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 1 } }, { ...GRID, bootstraps: 2, nulls: 4, null: 'gaussian', seed: 5 }); // prettier-ignore
    for (const cell of sweep.cells) {
      expect(cell.statistics.components).toBeGreaterThanOrEqual(3);
      expect(cell.stability).toBeGreaterThan(0.3);
      expect(cell.stability).toBeLessThanOrEqual(1);
      expect(cell.null!.pLoops).toBeGreaterThanOrEqual(1 / 5);
    }
    expect(sweep.null).toEqual({ name: 'Gaussian, same covariance', runs: 4 });
  });

  it('goes on where it was stopped, to the same result', async () => {
    const x = circle(120, 4);
    const settings = { ...GRID, bootstraps: 2, nulls: 2, seed: 1 };
    const whole = await mapperSweep(x, OPTIONS, settings);
    const kept = new Map<string, string>();
    let made = 0;
    const remember =
      (limit: number) =>
      async <T>(run: string, make: () => Promise<T>): Promise<T> => {
        if (!kept.has(run)) {
          if (made === limit) throw new Error('stopped');
          made++;
          kept.set(run, JSON.stringify(await make()));
        }
        return JSON.parse(kept.get(run)!) as T;
      };
    await expect(mapperSweep(x, OPTIONS, settings, {}, remember(7))).rejects.toThrow(/stopped/);
    expect(kept.size).toBe(7);
    expect(await mapperSweep(x, OPTIONS, settings, {}, remember(99))).toEqual(whole);
    expect(made).toBe(6 + 2 + 2);
  });

  it('reports progress, and stops when cancelled', async () => {
    const x = circle(60, 4);
    const seen: number[] = [];
    await mapperSweep(x, OPTIONS, { ...GRID, bootstraps: 1 }, { onProgress: (p) => seen.push(p.done / p.total!) });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6].map((d) => d / 12));
    await expect(mapperSweep(x, OPTIONS, GRID, { signal: AbortSignal.abort() })).rejects.toThrow(/cancelled/);
    expect((await mapperSweep(x, OPTIONS, { cubes: [5], overlaps: [0.3] })).cells[0].agreement).toBeNaN();
  });
});
