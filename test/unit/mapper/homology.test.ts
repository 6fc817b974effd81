import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { nerveHomology } from '#kernel/mapper/homology.js';

/** All faces of the given simplices, to dimension 3, each once, ascending. */
function closure(top: number[][]): [Int32Array, Int32Array, Int32Array] {
  const levels: Array<Map<string, number[]>> = [new Map(), new Map(), new Map(), new Map()];
  const add = (s: number[]): void => {
    const sorted = [...s].sort((a, b) => a - b);
    if (sorted.length <= 4) levels[sorted.length - 1].set(sorted.join(), sorted);
    if (sorted.length > 1) sorted.forEach((_, i) => add(sorted.filter((__, j) => j !== i)));
  };
  top.forEach(add);
  const flat = (k: number): Int32Array => Int32Array.from([...levels[k].values()].flat());
  return [flat(1), flat(2), flat(3)];
}

/** Rank over GF(2) of a boundary matrix by dense Gaussian elimination on bit strings. */
function denseRank(simplices: number[][], faces: number[][]): number {
  const index = new Map(faces.map((f, i) => [f.join(), BigInt(i)]));
  const basis = new Map<number, bigint>();
  let rank = 0;
  for (const s of simplices) {
    let column = 0n;
    s.forEach((_, skip) => (column ^= 1n << index.get(s.filter((__, j) => j !== skip).join())!));
    while (column) {
      const top = column.toString(2).length;
      const held = basis.get(top);
      if (held === undefined) {
        basis.set(top, column);
        rank++;
        break;
      }
      column ^= held;
    }
  }
  return rank;
}

const chunk = (a: Int32Array, size: number): number[][] =>
  Array.from({ length: a.length / size }, (_, i) => [...a.subarray(i * size, (i + 1) * size)]);

describe('nerveHomology', () => {
  it('is defined for no node, one node and isolated nodes', () => {
    const none = new Int32Array(0);
    expect(nerveHomology(0, none, none, none)).toEqual({ betti: [0, 0, 0], euler: 0 });
    expect(nerveHomology(1, none, none, none)).toEqual({ betti: [1, 0, 0], euler: 1 });
    expect(nerveHomology(5, none, none, none)).toEqual({ betti: [5, 0, 0], euler: 5 });
  });

  it('gives one loop for a cycle and none once it is filled', () => {
    const none = new Int32Array(0);
    expect(nerveHomology(3, Int32Array.of(0, 1, 0, 2, 1, 2), none, none).betti).toEqual([1, 1, 0]);
    expect(nerveHomology(3, Int32Array.of(0, 1, 0, 2, 1, 2), Int32Array.of(0, 1, 2), none).betti).toEqual([1, 0, 0]);
  });

  it('gives a hollow tetrahedron b2 = 1, and a solid one 0', () => {
    const [edges, triangles, solid] = closure([[0, 1, 2, 3]]);
    expect(nerveHomology(4, edges, triangles, new Int32Array(0))).toEqual({ betti: [1, 0, 1], euler: 2 });
    expect(nerveHomology(4, edges, triangles, solid)).toEqual({ betti: [1, 0, 0], euler: 1 });
  });

  it('gives the 7-vertex torus (1, 2, 1) and, over GF(2), the projective plane (1, 1, 1)', () => {
    const torus = Array.from({ length: 7 }, (_, i) => [
      [i, (i + 1) % 7, (i + 3) % 7],
      [i, (i + 2) % 7, (i + 3) % 7],
    ]).flat();
    expect(nerveHomology(7, ...closure(torus))).toEqual({ betti: [1, 2, 1], euler: 0 });
    const plane = [
      [0, 1, 4], [0, 1, 5], [0, 2, 3], [0, 2, 5], [0, 3, 4],
      [1, 2, 3], [1, 2, 4], [1, 3, 5], [2, 4, 5], [3, 4, 5],
    ]; // prettier-ignore
    expect(nerveHomology(6, ...closure(plane))).toEqual({ betti: [1, 1, 1], euler: 1 });
  });

  it('agrees with dense elimination on random complexes', () => {
    const random = new Random(3);
    for (let round = 0; round < 40; round++) {
      const nodes = 6 + random.int(6);
      const top = Array.from({ length: 4 + random.int(24) }, () =>
        [...random.permutation(nodes)].slice(0, 2 + random.int(4)),
      );
      const [edges, triangles, tetrahedra] = closure(top);
      const d1 = denseRank(
        chunk(edges, 2),
        Array.from({ length: nodes }, (_, i) => [i]),
      );
      const d2 = denseRank(chunk(triangles, 3), chunk(edges, 2));
      const d3 = denseRank(chunk(tetrahedra, 4), chunk(triangles, 3));
      expect(nerveHomology(nodes, edges, triangles, tetrahedra).betti).toEqual([
        nodes - d1,
        edges.length / 2 - d1 - d2,
        triangles.length / 3 - d2 - d3,
      ]);
    }
  });

  it('names the face that is missing, doubled or out of range', () => {
    const none = new Int32Array(0);
    expect(() => nerveHomology(3, Int32Array.of(0, 1, 1, 2), Int32Array.of(0, 1, 2), none)).toThrow(/no edge \(0, 2\)/);
    expect(() => nerveHomology(3, Int32Array.of(0, 1, 1, 0), none, none)).toThrow(/given twice/);
    expect(() => nerveHomology(3, Int32Array.of(0, 3), none, none)).toThrow(/below 3/);
    expect(() => nerveHomology(3, Int32Array.of(1, 1), none, none)).toThrow(/must differ/);
    expect(() => nerveHomology(3, Int32Array.of(1, 1, 2), none, none)).toThrow(/2 nodes each/);
  });
});
