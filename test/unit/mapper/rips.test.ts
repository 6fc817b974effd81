import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { enclosingRadius, ripsBarcodes, type Barcode } from '#kernel/mapper/rips.js';
import type { Distances } from '#kernel/mapper/ripsSimplices.js';

interface Golden {
  n: number;
  /** Lower triangle, row by row. */
  distances: number[];
  bars: Array<Array<[number, number | null]>>;
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/mapper-rips.json', import.meta.url), 'utf8')) as {
  cases: Record<string, Golden>;
};

function square({ n, distances }: Golden): Distances {
  const d = new Float64Array(n * n);
  let at = 0;
  for (let i = 1; i < n; i++) for (let j = 0; j < i; j++) d[i * n + j] = d[j * n + i] = distances[at++];
  return { n, d };
}

function euclid(points: readonly number[][]): Distances {
  const n = points.length;
  const d = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) d[i * n + j] = Math.hypot(...points[i].map((v, k) => v - points[j][k]));
  return { n, d };
}

const sorted = (bars: readonly [number, number][]): [number, number][] =>
  bars.filter(([b, d]) => d > b).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
const pairsOf = ({ births, deaths }: Barcode): [number, number][] => Array.from(births, (b, i) => [b, deaths[i]]);

describe('ripsBarcodes', () => {
  it.each(Object.entries(golden.cases))('agrees with gudhi: %s', async (_, c) => {
    const distances = square(c);
    const { barcodes, threshold } = await ripsBarcodes(distances, { maxDim: 2 });
    expect(barcodes.map((b) => sorted(pairsOf(b)))).toEqual(
      c.bars.map((bars) => sorted(bars.map(([b, d]) => [b, d ?? Infinity]))),
    );
    expect(threshold).toBe(enclosingRadius(distances));
    // Nothing hides behind the enclosing radius.
    expect((await ripsBarcodes(distances, { maxDim: 2, threshold: 1e9 })).barcodes).toEqual(barcodes);
  });

  it('gives a regular polygon on the unit circle the loop of the closed form', async () => {
    // Adamaszek and Adams 2017: the loop of n = 3k points is born at the side, 2 sin(π/n), and dies at √3.
    const n = 60;
    const circle = Array.from({ length: n }, (_, i) => [
      Math.cos((2 * Math.PI * i) / n),
      Math.sin((2 * Math.PI * i) / n),
    ]);
    const { barcodes } = await ripsBarcodes(euclid(circle), { maxDim: 1 });
    expect(barcodes[1].births.length).toBe(1);
    expect(barcodes[1].births[0]).toBeCloseTo(2 * Math.sin(Math.PI / n), 12);
    expect(barcodes[1].deaths[0]).toBeCloseTo(Math.sqrt(3), 12);
    expect(barcodes[0].births.length).toBe(n);
    expect(barcodes[0].deaths[0]).toBe(Infinity);
    expect(barcodes[0].deaths[1]).toBeCloseTo(2 * Math.sin(Math.PI / n), 12);
  });

  it('gives a flat torus two long loops and one hollow', async () => {
    const side = 10;
    const at = (i: number): [number, number] => [
      Math.cos((2 * Math.PI * i) / side),
      Math.sin((2 * Math.PI * i) / side),
    ];
    const torus = Array.from({ length: side * side }, (_, i) => [...at(i % side), ...at(Math.floor(i / side))]);
    const { barcodes } = await ripsBarcodes(euclid(torus), { maxDim: 2, threshold: 1.7 });
    const step = 2 * Math.sin(Math.PI / side);
    const long = (dim: number): number[] =>
      [...barcodes[dim].births].filter((b, i) => barcodes[dim].deaths[i] - b > 0.5);
    expect(long(1).map((b) => b / step)).toEqual([expect.closeTo(1, 9), expect.closeTo(1, 9)]);
    // The hollow is born when the squares of the grid are filled: at their diagonal.
    expect(long(2).map((b) => b / step)).toEqual([expect.closeTo(Math.SQRT2, 9)]);
    expect(barcodes[0].deaths.filter((d) => d === Infinity).length).toBe(1);
  });

  it('gives k clusters k long bars of dimension 0', async () => {
    const clusters = [0, 10, 25].flatMap((at) => Array.from({ length: 6 }, (_, i) => [at + i / 10]));
    const { barcodes } = await ripsBarcodes(euclid(clusters), { maxDim: 0 });
    expect([...barcodes[0].deaths.subarray(0, 4)]).toEqual([
      Infinity,
      expect.closeTo(14.5, 9),
      expect.closeTo(9.5, 9),
      expect.closeTo(0.1, 9),
    ]);
  });

  it('is defined for no point, one, two and equal points', async () => {
    const bars = async (points: number[][]): Promise<[number, number][][]> =>
      (await ripsBarcodes(euclid(points), { maxDim: 2 })).barcodes.map(pairsOf);
    expect(await bars([])).toEqual([[], [], []]);
    expect(await bars([[1]])).toEqual([[[0, Infinity]], [], []]);
    expect(await bars([[1], [3]])).toEqual([[[0, Infinity], [0, 2]], [], []]); // prettier-ignore
    expect(await bars([[1], [1], [1]])).toEqual([[[0, Infinity]], [], []]);
  });

  it('leaves bars open at a threshold, and refuses what it cannot do', async () => {
    const two = euclid([[0], [5]]);
    expect([...(await ripsBarcodes(two, { threshold: 4 })).barcodes[0].deaths]).toEqual([Infinity, Infinity]);
    for (const maxDim of [0, 1, 2] as const)
      await expect(ripsBarcodes(two, { maxDim, signal: AbortSignal.abort() })).rejects.toThrow(
        'Vietoris-Rips persistence was cancelled',
      );
    const many = euclid(Array.from({ length: 120 }, (_, i) => [Math.sin(i * 7), Math.cos(i * 5), Math.sin(i * i)]));
    await expect(ripsBarcodes(many, { maxDim: 2, signal: AbortSignal.abort() })).rejects.toThrow(/cancelled/);
  });
});
