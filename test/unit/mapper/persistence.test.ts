import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nerveHomology } from '#kernel/mapper/homology.js';
import { extendedPersistence, type ExtendedPair } from '#kernel/mapper/persistence.js';

interface Golden {
  nodes: number;
  f: number[];
  edges: number[][];
  triangles: number[][];
  down: number[][];
  up: number[][];
  components: number[][];
  loops: number[][];
}
const golden = JSON.parse(readFileSync(new URL('../../goldens/mapper-persistence.json', import.meta.url), 'utf8')) as {
  gudhi: string;
  cases: Golden[];
};

const none = new Int32Array(0);
const ends = (pairs: readonly ExtendedPair[]): number[][] => pairs.map((p) => [p.birth, p.death]);
// gudhi scales values to [-2, 2] and back: they return with the last bits changed.
const rounded = (v: number): number => Math.round(v * 1e8) / 1e8;
const sorted = (pairs: readonly number[][]): number[][] =>
  pairs
    .map(([b, d]) => [rounded(b), rounded(d)])
    .filter(([b, d]) => b !== d)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);

describe('extendedPersistence', () => {
  it.each(golden.cases.map((c, i) => [i, c] as const))('agrees with gudhi, case %i', (_, c) => {
    const edges = Int32Array.from(c.edges.flat());
    const triangles = Int32Array.from(c.triangles.flat());
    const found = extendedPersistence(c.nodes, edges, triangles, c.f);
    const of = (direction: string): ExtendedPair[] => found.branches.filter((b) => b.direction === direction);
    expect(sorted(ends(of('down')))).toEqual(sorted(c.down));
    expect(sorted(ends(of('up')))).toEqual(sorted(c.up));
    expect(sorted(ends(found.components))).toEqual(sorted(c.components));
    expect(sorted(ends(found.loops))).toEqual(sorted(c.loops));
    const { betti } = nerveHomology(c.nodes, edges, triangles, none);
    expect([found.components.length, found.loops.length]).toEqual(betti.slice(0, 2));
  });

  it('names the nodes of a component, of its branches and of its loop', () => {
    // A ring 0-1-2-3 of heights 0 to 2 with an arm 2-4-5 that goes up from 1 and ends at 5, and an arm 0-6 downwards
    // that is the component's minimum, beside a node of its own.
    const f = [0, 1, 1, 2, 3, 5, -1, 9];
    const edges = Int32Array.of(0, 1, 0, 2, 1, 3, 2, 3, 2, 4, 4, 5, 0, 6);
    const { components, branches, loops } = extendedPersistence(8, edges, none, f);
    expect(components).toEqual([
      { kind: 'component', birth: -1, death: 5, persistence: 6, nodes: [0, 1, 2, 3, 4, 5, 6] },
      { kind: 'component', birth: 9, death: 9, persistence: 0, nodes: [7] },
    ]);
    expect(loops).toEqual([{ kind: 'loop', birth: 2, death: 0, persistence: 2, nodes: [0, 1, 2, 3] }]);
    // From above, the ring's top (3) is a tip of its own until it meets the arm at 2.
    expect(branches).toEqual([{ kind: 'branch', direction: 'up', birth: 2, death: 1, persistence: 1, nodes: [3] }]);
  });

  it('finds a branch that hangs down and one that stands up, with their nodes', () => {
    // A path 0-1-2-3 rising from 0 to 3, with a leg 4 (value 0.5) under node 2 and a horn 5 (value 2.6) over node 1.
    const f = [0, 1, 2, 3, 0.5, 2.6];
    const { branches } = extendedPersistence(6, Int32Array.of(0, 1, 1, 2, 2, 3, 2, 4, 1, 5), none, f);
    expect(branches.map((b) => [b.direction, b.birth, b.death, b.nodes])).toEqual([
      ['up', 2.6, 1, [5]],
      ['down', 0.5, 2, [4]],
    ]);
  });

  it('is defined for no node, one node, and nodes without a value', () => {
    expect(extendedPersistence(0, none, none, [])).toEqual({ components: [], branches: [], loops: [], left: [] });
    expect(extendedPersistence(1, none, none, [4]).components).toEqual([
      { kind: 'component', birth: 4, death: 4, persistence: 0, nodes: [0] },
    ]);
    const cut = extendedPersistence(3, Int32Array.of(0, 1, 0, 2, 1, 2), Int32Array.of(0, 1, 2), [0, 1, NaN]);
    expect(cut.left).toEqual([2]);
    expect([cut.components.length, cut.loops.length]).toEqual([1, 0]);
  });

  it('refuses infinite values and a wrong number of them', () => {
    expect(() => extendedPersistence(2, none, none, [0])).toThrow(/2 values but got 1/);
    expect(() => extendedPersistence(2, none, none, [0, Infinity])).toThrow(/node 1/);
  });
});
