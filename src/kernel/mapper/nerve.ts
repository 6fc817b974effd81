/** The nerve of overlapping sets by an inverted index: edges, triangles, tetrahedra, components. */
import { find, singletons, unite } from '../compute/unionFind.js';

export interface Nerve {
  /** Pairs, triples and quadruples of sets, ascending within and in lexicographic order. */
  edges: Int32Array;
  /** Members that the two sets of an edge share. */
  weight: Int32Array;
  triangles: Int32Array;
  tetrahedra: Int32Array;
}

/** Simplices beyond which a nerve is refused: overlaps that large say nothing about shape. */
const MAX_SIMPLICES = 2e7;

class Growing {
  #data = new Int32Array(1024);
  length = 0;

  push(v: number): void {
    if (this.length === this.#data.length) {
      const more = new Int32Array(2 * this.length);
      more.set(this.#data);
      this.#data = more;
    }
    this.#data[this.length++] = v;
  }

  take(): Int32Array {
    return this.#data.slice(0, this.length);
  }
}

/** Sets of each point, ascending. */
function invert(
  points: number,
  sets: number,
  at: Int32Array,
  members: Int32Array,
): { of: Int32Array; list: Int32Array } {
  const of = new Int32Array(points + 1);
  for (const m of members) of[m + 1]++;
  for (let i = 0; i < points; i++) of[i + 1] += of[i];
  const next = of.slice(0, points);
  const list = new Int32Array(members.length);
  for (let s = 0; s < sets; s++) for (let k = at[s]; k < at[s + 1]; k++) list[next[members[k]]++] = s;
  return { of, list };
}

/**
 * Simplices up to dimension 3 whose sets share at least `minIntersection` members. `at` [sets + 1] and `members` list
 * each set's points (0 … points-1) once.
 * @throws RangeError when there are more than 20 million
 */
export function nerve(points: number, at: Int32Array, members: Int32Array, minIntersection: number): Nerve {
  const sets = at.length - 1;
  const { of, list } = invert(points, sets, at, members);
  const out = [new Growing(), new Growing(), new Growing()];
  const weight = new Growing();
  // One set of counters per depth: counting goes on below while the counts above are still read.
  const counts = [0, 1, 2].map(() => new Int32Array(sets));
  const chain = new Int32Array(4);
  let total = 0;
  const extend = (common: Int32Array, depth: number): void => {
    const last = chain[depth];
    const count = counts[depth];
    const touched: number[] = [];
    for (const p of common)
      for (let k = of[p + 1] - 1; k >= of[p] && list[k] > last; k--) if (count[list[k]]++ === 0) touched.push(list[k]);
    touched.sort((a, b) => a - b);
    for (const next of touched) {
      const shared = count[next];
      count[next] = 0;
      if (shared < minIntersection) continue;
      if (++total > MAX_SIMPLICES)
        throw new RangeError(
          `the nerve has more than ${MAX_SIMPLICES} simplices; use a smaller overlap, or a larger minIntersection`,
        );
      chain[depth + 1] = next;
      for (let c = 0; c <= depth + 1; c++) out[depth].push(chain[c]);
      if (depth === 0) weight.push(shared);
      if (depth < 2) extend(intersection(common, members.subarray(at[next], at[next + 1]), shared), depth + 1);
    }
  };
  for (let s = 0; s < sets; s++) {
    chain[0] = s;
    extend(members.subarray(at[s], at[s + 1]), 0);
  }
  return { edges: out[0].take(), weight: weight.take(), triangles: out[1].take(), tetrahedra: out[2].take() };
}

/** Common members of two ascending lists, of which there are `size`. */
function intersection(a: Int32Array, b: Int32Array, size: number): Int32Array {
  const out = new Int32Array(size);
  for (let i = 0, j = 0, k = 0; k < size;) {
    if (a[i] === b[j]) {
      out[k++] = a[i++];
      j++;
    } else if (a[i] < b[j]) i++;
    else j++;
  }
  return out;
}

/** Component of each node, numbered by size, largest first; equal sizes in order of their first node. */
export function connectedComponents(nodes: number, edges: Int32Array): { component: Int32Array; components: number } {
  const parent = singletons(nodes);
  for (let e = 0; e < edges.length; e += 2) unite(parent, edges[e], edges[e + 1]);
  const size = new Int32Array(nodes);
  const first = new Int32Array(nodes).fill(-1);
  for (let i = 0; i < nodes; i++) {
    const root = find(parent, i);
    size[root]++;
    if (first[root] < 0) first[root] = i;
  }
  const roots = [...size.keys()].filter((r) => size[r] > 0).sort((a, b) => size[b] - size[a] || first[a] - first[b]);
  const number = new Int32Array(nodes);
  roots.forEach((root, c) => (number[root] = c));
  return { component: Int32Array.from({ length: nodes }, (_, i) => number[find(parent, i)]), components: roots.length };
}
