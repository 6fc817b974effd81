/**
 * Extended persistence of a graph by a node function: components, branches and loops, each with the values at which it
 * begins and ends and the nodes that realise it (Cohen-Steiner, Edelsbrunner and Harer 2009, "Extending persistence
 * using Poincaré and Lefschetz duality"; read for Mapper as in Carrière and Oudot 2018, "Structure and stability of the
 * one-dimensional Mapper", section 2).
 */
import { pushAll } from '../../protocol/lists.js';
import { find, singletons } from '../compute/unionFind.js';

export type PairKind = 'component' | 'branch' | 'loop';

/** One point of the extended diagram. */
export interface ExtendedPair {
  kind: PairKind;
  /** 'down': a branch that begins at a local minimum (ordinary); 'up': at a local maximum (relative). */
  direction?: 'up' | 'down';
  /**
   * As gudhi gives them. Component: minimum, maximum. Branch down: local minimum, value where it joins; up: local
   * maximum, value where it joins. Loop: highest value, lowest value.
   */
  birth: number;
  death: number;
  /** |birth − death|. */
  persistence: number;
  /**
   * Component: all its nodes. Branch: nodes from its tip to where it joins. Loop: nodes of a cycle that realises it.
   */
  nodes: number[];
}

export interface ExtendedPersistence {
  /** Widest first. */
  components: ExtendedPair[];
  /** Branches of persistence > 0, longest first. */
  branches: ExtendedPair[];
  /** Loops, longest first, those on one level (persistence 0) included: as many as b1. */
  loops: ExtendedPair[];
  /** Nodes without a value (NaN), left out with everything that holds them. */
  left: number[];
}

const longestFirst = (a: ExtendedPair, b: ExtendedPair): number =>
  b.persistence - a.persistence || a.birth - b.birth || a.nodes[0] - b.nodes[0];

/** Order of 0 … n−1 by ascending key; ties by number. */
function orderBy(n: number, key: (i: number) => number): Int32Array {
  return singletons(n).sort((a, b) => key(a) - key(b) || a - b);
}

/** Nodes that have a value, and edges and triangles of those alone. */
interface Filtered {
  nodes: number[];
  edges: Int32Array;
  triangles: Int32Array;
  f: ArrayLike<number>;
}

/** Simplices of `size` whose nodes all have a value. */
function withValues(simplices: Int32Array, size: number, f: ArrayLike<number>): Int32Array {
  const kept: number[] = [];
  for (let s = 0; s < simplices.length; s += size) {
    const vertices = simplices.subarray(s, s + size);
    if (vertices.every((v) => !Number.isNaN(f[v])))
      pushAll(
        kept,
        [...vertices].sort((a, b) => a - b),
      );
  }
  return Int32Array.from(kept);
}

/**
 * Branches of the sweep by ascending sign·f (elder rule), and the components with their first nodes. A branch's nodes
 * are those that the sweep had found in it when it joined an elder one.
 */
function sweep(g: Filtered, total: number, sign: 1 | -1): { branches: ExtendedPair[]; parent: Int32Array } {
  const { f, edges } = g;
  const value = (v: number): number => sign * f[v];
  const top = (e: number): number => Math.max(value(edges[2 * e]), value(edges[2 * e + 1]));
  // The elder of two sets is the one whose lowest node is lower; ties by node number.
  const rank = new Int32Array(total);
  orderBy(g.nodes.length, (i) => value(g.nodes[i])).forEach((at, order) => (rank[g.nodes[at]] = order));
  const parent = singletons(total);
  const members: number[][] = Array.from({ length: total }, (_, v) => [v]);
  const branches: ExtendedPair[] = [];
  for (const e of orderBy(edges.length / 2, top)) {
    const x = find(parent, edges[2 * e]);
    const y = find(parent, edges[2 * e + 1]);
    if (x === y) continue;
    const [elder, younger] = rank[x] < rank[y] ? [x, y] : [y, x];
    const death = top(e);
    if (death > value(younger))
      branches.push({
        kind: 'branch',
        direction: sign === 1 ? 'down' : 'up',
        birth: f[younger],
        death: sign * death,
        persistence: death - value(younger),
        // Nodes at the level of the junction joined it, not the branch.
        nodes: members[younger].filter((v) => value(v) < death).sort((a, b) => a - b),
      });
    parent[younger] = elder;
    for (const v of members[younger]) members[elder].push(v);
    members[younger] = [];
  }
  return { branches, parent };
}

/** Edges of the path between two nodes of a forest, given each node's parent, the edge to it and its depth. */
function pathBetween(a: number, b: number, up: Int32Array, by: Int32Array, depth: Int32Array): number[] {
  const path: number[] = [];
  while (a !== b) {
    if (depth[a] < depth[b]) [a, b] = [b, a];
    path.push(by[a]);
    a = up[a];
  }
  return path;
}

/** A spanning forest of the edges taken in `order`, rooted, and the edges that close cycles, in that order. */
function forest(
  total: number,
  edges: Int32Array,
  order: Int32Array,
): { up: Int32Array; by: Int32Array; depth: Int32Array; closing: number[] } {
  const parent = singletons(total);
  const neighbours: number[][] = Array.from({ length: total }, () => []);
  const closing: number[] = [];
  for (const e of order) {
    const x = find(parent, edges[2 * e]);
    const y = find(parent, edges[2 * e + 1]);
    if (x === y) {
      closing.push(e);
      continue;
    }
    parent[Math.max(x, y)] = Math.min(x, y);
    neighbours[edges[2 * e]].push(e);
    neighbours[edges[2 * e + 1]].push(e);
  }
  const up = new Int32Array(total).fill(-1);
  const by = new Int32Array(total).fill(-1);
  const depth = new Int32Array(total).fill(-1);
  for (let root = 0; root < total; root++) {
    if (depth[root] >= 0) continue;
    depth[root] = 0;
    const queue = [root];
    for (let v = queue.pop(); v !== undefined; v = queue.pop())
      for (const e of neighbours[v]) {
        const w = edges[2 * e] === v ? edges[2 * e + 1] : edges[2 * e];
        if (depth[w] >= 0) continue;
        depth[w] = depth[v] + 1;
        up[w] = v;
        by[w] = e;
        queue.push(w);
      }
  }
  return { up, by, depth, closing };
}

/** Sum over GF(2) of two ascending lists. */
function sum(a: Int32Array, b: Int32Array): Int32Array {
  const out = new Int32Array(a.length + b.length);
  let n = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      i++;
      j++;
    } else out[n++] = a[i] < b[j] ? a[i++] : b[j++];
  }
  while (i < a.length) out[n++] = a[i++];
  while (j < b.length) out[n++] = b[j++];
  return out.subarray(0, n);
}

/**
 * Loops. The cycles are a vector space Z with two filtrations: by the highest value that a cycle reaches (when the
 * upward sweep holds it) and by the lowest (when the downward sweep does); the extended pairs of dimension 1 are the
 * relative position of the two in Z modulo the boundaries of triangles. Columns are the triangles, then one cycle per
 * closing edge of the downward sweep; their pivot is the edge that the upward sweep adds last.
 */
function loopPairs(g: Filtered, total: number): ExtendedPair[] {
  const { edges, triangles, f } = g;
  const m = edges.length / 2;
  const high = (e: number): number => Math.max(f[edges[2 * e]], f[edges[2 * e + 1]]);
  const low = (e: number): number => Math.min(f[edges[2 * e]], f[edges[2 * e + 1]]);
  const upward = orderBy(m, high);
  const rank = new Int32Array(m);
  upward.forEach((e, i) => (rank[e] = i));
  const columnOf: Array<Int32Array | undefined> = new Array<Int32Array | undefined>(m);
  const reduce = (ids: number[]): Int32Array => {
    let column: Int32Array = Int32Array.from(ids, (e) => rank[e]).sort();
    for (;;) {
      const other = column.length > 0 ? columnOf[column[column.length - 1]] : undefined;
      if (!other) return column;
      column = sum(column, other);
    }
  };
  const edgeOf = new Map<number, number>();
  for (let e = 0; e < m; e++) edgeOf.set(edges[2 * e] * total + edges[2 * e + 1], e);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = triangles.subarray(t, t + 3);
    const sides = [edgeOf.get(a * total + b), edgeOf.get(a * total + c), edgeOf.get(b * total + c)];
    if (sides.includes(undefined))
      throw new Error(`triangle (${a}, ${b}, ${c}) lacks an edge: a complex holds every face of its simplices`);
    const column = reduce(sides as number[]);
    if (column.length > 0) columnOf[column[column.length - 1]] = column;
  }
  const { up, by, depth, closing } = forest(
    total,
    edges,
    orderBy(m, (e) => -low(e)),
  );
  const loops: ExtendedPair[] = [];
  for (const e of closing) {
    const column = reduce([e, ...pathBetween(edges[2 * e], edges[2 * e + 1], up, by, depth)]);
    if (column.length === 0) continue;
    const last = column[column.length - 1];
    columnOf[last] = column;
    const nodes = new Set<number>();
    for (const r of column) nodes.add(edges[2 * upward[r]]).add(edges[2 * upward[r] + 1]);
    const [birth, death] = [high(upward[last]), low(e)];
    loops.push({ kind: 'loop', birth, death, persistence: birth - death, nodes: [...nodes].sort((a, b) => a - b) });
  }
  return loops;
}

/**
 * Extended persistence of a graph by one value per node. With `triangles`, loops that they fill are no loops, so that
 * there are b1 of them (pass an empty array for the graph alone). Edges are pairs and triangles triples of nodes, every
 * side of a triangle among the edges. Nodes with NaN are left out, with what holds them.
 * @throws RangeError on a wrong number of values or an infinite one.
 */
export function extendedPersistence(
  nodes: number,
  edges: Int32Array,
  triangles: Int32Array,
  f: ArrayLike<number>,
): ExtendedPersistence {
  if (f.length !== nodes) throw new RangeError(`${nodes} nodes need ${nodes} values but got ${f.length}`);
  const all = [...singletons(nodes)];
  const infinite = all.find((v) => Math.abs(f[v]) === Infinity);
  if (infinite !== undefined) throw new RangeError(`node ${infinite} has the value ${f[infinite]}: values are finite`);
  const g: Filtered = {
    nodes: all.filter((v) => !Number.isNaN(f[v])),
    edges: withValues(edges, 2, f),
    triangles: withValues(triangles, 3, f),
    f,
  };
  const down = sweep(g, nodes, 1);
  const up = sweep(g, nodes, -1);
  const members = new Map<number, number[]>();
  for (const v of g.nodes) {
    const root = find(down.parent, v);
    members.set(root, [...(members.get(root) ?? []), v]);
  }
  const components = [...members.values()].map((of): ExtendedPair => {
    const [birth, death] = of.reduce(([lo, hi], v) => [Math.min(lo, f[v]), Math.max(hi, f[v])], [Infinity, -Infinity]);
    return { kind: 'component', birth, death, persistence: death - birth, nodes: of };
  });
  return {
    components: components.sort(longestFirst),
    branches: [...down.branches, ...up.branches].sort(longestFirst),
    loops: loopPairs(g, nodes).sort(longestFirst),
    left: all.filter((v) => Number.isNaN(f[v])),
  };
}
