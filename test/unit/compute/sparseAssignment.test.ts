/** Sparse matching of largest total weight, against the dense assignment (itself against scipy) and its own prices. */
import { describe, expect, it } from 'vitest';
import { linearAssignment } from '#kernel/compute/assignment.js';
import { Random } from '#kernel/compute/random.js';
import { sparseAssignment, type Edges } from '#kernel/compute/sparseAssignment.js';

/** Edges of a share of all pairs, drawn with `weight`. */
function draw(rows: number, columns: number, share: number, seed: number, weight: (random: Random) => number): Edges {
  const random = new Random(seed);
  const lists = Array.from({ length: rows }, () =>
    [...Array(columns).keys()].filter(() => random.next() < share).map((c) => [c, weight(random)] as const),
  );
  const starts = Uint32Array.from([0, ...lists.map((list) => list.length)]);
  for (let i = 0; i < rows; i++) starts[i + 1] += starts[i];
  const all = lists.flat();
  return { rows, columns, starts, column: Int32Array.from(all, (e) => e[0]), weight: Float64Array.from(all, (e) => e[1]) }; // prettier-ignore
}

/** The same total by the dense solver, with a column of weight 0 for each row. */
async function denseTotal({ rows, columns, starts, column, weight }: Edges): Promise<number> {
  const dense = new Float64Array(rows * (columns + rows)).fill(0);
  for (let i = 0; i < rows; i++)
    for (let e = starts[i]; e < starts[i + 1]; e++) dense[i * (columns + rows) + column[e]] = Math.max(0, weight[e]);
  return (await linearAssignment(dense, rows, columns + rows, { maximize: true })).total;
}

describe('sparseAssignment', () => {
  it.each([
    ['few edges', 40, 30, 0.1],
    ['more columns', 25, 60, 0.3],
    ['more rows', 70, 20, 0.4],
    ['all pairs', 30, 30, 1],
    ['one row', 1, 9, 1],
  ])('has the total of the dense solver, and prices that prove it: %s', async (_, rows, columns, share) => {
    for (let seed = 0; seed < 12; seed++) {
      // Whole numbers tie often; normals are negative half of the time.
      const edges = draw(rows, columns, share, seed, (random) => (seed % 2 === 0 ? random.normal() : random.int(4)));
      const { columnOf, rowPrice, columnPrice, total } = await sparseAssignment(edges);
      const taken = [...columnOf].filter((c) => c >= 0);
      expect(new Set(taken).size).toBe(taken.length);
      expect(total).toBeCloseTo(await denseTotal(edges), 9);
      for (let i = 0; i < rows; i++)
        for (let e = edges.starts[i]; e < edges.starts[i + 1]; e++) {
          const sum = rowPrice[i] + columnPrice[edges.column[e]];
          expect(sum).toBeGreaterThanOrEqual(edges.weight[e] - 1e-12);
          if (columnOf[i] === edges.column[e]) expect(sum).toBeCloseTo(edges.weight[e], 12);
        }
      rowPrice.forEach((price, i) => expect(price, `row ${i}`).toBeGreaterThanOrEqual(-1e-12));
      // What nobody took costs nothing, so that the prices add up to the total: no matching is worth more.
      const prices = rowPrice.reduce((s, p) => s + p, 0) + columnPrice.reduce((s, p) => s + p, 0);
      expect(prices).toBeCloseTo(total, 9);
    }
  });

  it('is the same for the same edges, and empty for none', async () => {
    const edges = draw(50, 50, 0.3, 5, (random) => random.int(3));
    expect((await sparseAssignment(edges)).columnOf).toEqual((await sparseAssignment(edges)).columnOf);
    const none = draw(3, 4, 0, 0, () => 1);
    expect(await sparseAssignment(none)).toMatchObject({ columnOf: Int32Array.of(-1, -1, -1), total: 0 });
  });

  it('refuses edges that are none', async () => {
    const edges = draw(2, 2, 1, 0, () => 1);
    await expect(sparseAssignment({ ...edges, weight: Float64Array.of(1, NaN, 1, 1) })).rejects.toThrow(
      'edge 1 is NaN',
    );
    await expect(sparseAssignment({ ...edges, column: Int32Array.of(0, 2, 0, 1) })).rejects.toThrow('goes to column 2');
    await expect(sparseAssignment({ ...edges, starts: Uint32Array.of(0, 4) })).rejects.toThrow('edges of 2 rows');
  });
});
