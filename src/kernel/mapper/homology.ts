/** Homology of a simplicial complex to dimension 3 over GF(2): how many pieces, loops and hollows a nerve has. */
import { singletons, unite } from '../compute/unionFind.js';

/** Binary heap of row numbers, smallest first; a row that is in it an even number of times cancels. */
export class ParityHeap {
  #rows = new Float64Array(64);
  #size = 0;

  clear(): void {
    this.#size = 0;
  }

  push(row: number): void {
    if (this.#size === this.#rows.length) {
      const wider = new Float64Array(2 * this.#size);
      wider.set(this.#rows);
      this.#rows = wider;
    }
    const rows = this.#rows;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (rows[parent] <= row) break;
      rows[at] = rows[parent];
      at = parent;
    }
    rows[at] = row;
  }

  #pop(): number {
    const rows = this.#rows;
    const top = rows[0];
    const last = rows[--this.#size];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && rows[child + 1] < rows[child]) child++;
      if (rows[child] >= last) break;
      rows[at] = rows[child];
      at = child;
    }
    rows[at] = last;
    return top;
  }

  /** Takes out the smallest row that is left over GF(2); -1 when the column is zero. */
  popPivot(): number {
    while (this.#size > 0) {
      const row = this.#pop();
      if (this.#size > 0 && this.#rows[0] === row) this.#pop();
      else return row;
    }
    return -1;
  }

  /** The smallest row that is left over GF(2), left in place; -1 when the column is zero. */
  pivot(): number {
    const row = this.popPivot();
    if (row >= 0) this.push(row);
    return row;
  }
}

/** [faces + 1] offsets and cofaces, ascending, of each face: `boundary` holds `perCoface` faces of every coface. */
function cofaces(faces: number, boundary: Int32Array, perCoface: number): { at: Int32Array; of: Int32Array } {
  const at = new Int32Array(faces + 1);
  for (const face of boundary) at[face + 1]++;
  for (let f = 0; f < faces; f++) at[f + 1] += at[f];
  const fill = at.slice(0, faces);
  const of = new Int32Array(boundary.length);
  for (let i = 0; i < boundary.length; i++) of[fill[boundary[i]]++] = Math.floor(i / perCoface);
  return { at, of };
}

/**
 * Rank of a coboundary matrix by column reduction, faces taken last first. Cofaces that become pivots are marked in
 * `pivots`: their own coboundary is a sum of earlier ones, so the next dimension need not reduce it (clearing; Chen and
 * Kerber 2011). Cohomology, because nearly every column left is then independent and costs no walk to zero.
 */
function coboundaryRank(
  faces: number,
  boundary: Int32Array,
  perCoface: number,
  cleared: Uint8Array,
): { rank: number; pivots: Uint8Array } {
  const { at, of } = cofaces(faces, boundary, perCoface);
  const total = boundary.length / perCoface;
  const pivots = new Uint8Array(total);
  const columnOf = new Int32Array(total).fill(-1);
  const columns: Int32Array[] = [];
  const heap = new ParityHeap();
  let rank = 0;
  for (let face = faces - 1; face >= 0; face--) {
    if (cleared[face] || at[face] === at[face + 1]) continue;
    // Most columns keep their first coface as pivot and need no heap.
    const first = of[at[face]];
    let pivot = first;
    let column: Int32Array | undefined;
    if (columnOf[first] < 0) column = of.subarray(at[face], at[face + 1]);
    else {
      heap.clear();
      for (let c = at[face]; c < at[face + 1]; c++) heap.push(of[c]);
      for (pivot = heap.pivot(); pivot >= 0 && columnOf[pivot] >= 0; pivot = heap.pivot())
        for (const row of columns[columnOf[pivot]]) heap.push(row);
      if (pivot < 0) continue;
      const rows: number[] = [];
      for (let row = heap.popPivot(); row >= 0; row = heap.popPivot()) rows.push(row);
      column = Int32Array.from(rows);
    }
    columnOf[pivot] = columns.length;
    columns.push(column);
    pivots[pivot] = 1;
    rank++;
  }
  return { rank, pivots };
}

/** Numbers of the faces of every simplex, found in `index` (keys made by `key` of ascending vertices). */
function boundaryOf(
  simplices: Int32Array,
  size: number,
  index: ReadonlyMap<number | string, number>,
  key: (vertices: readonly number[]) => number | string,
  names: readonly [string, string],
): Int32Array {
  const total = simplices.length / size;
  const boundary = new Int32Array(total * size);
  for (let s = 0; s < total; s++) {
    const vertices = [...simplices.subarray(s * size, (s + 1) * size)].sort((a, b) => a - b);
    for (let skip = 0; skip < size; skip++) {
      const face = vertices.filter((_, v) => v !== skip);
      const found = index.get(key(face));
      if (found === undefined)
        throw new Error(
          `${names[0]} ${s} (${vertices.join(', ')}) has no ${names[1]} (${face.join(', ')}): a complex holds every face of its simplices`,
        );
      boundary[s * size + skip] = found;
    }
  }
  return boundary;
}

function indexOf(
  simplices: Int32Array,
  size: number,
  nodes: number,
  key: (vertices: readonly number[]) => number | string,
  name: string,
): Map<number | string, number> {
  if (simplices.length % size)
    throw new RangeError(`${name}s are ${size} nodes each but got ${simplices.length} node numbers`);
  const index = new Map<number | string, number>();
  for (let s = 0; s < simplices.length / size; s++) {
    const vertices = [...simplices.subarray(s * size, (s + 1) * size)].sort((a, b) => a - b);
    vertices.forEach((v, i) => {
      if (v < 0 || v >= nodes || (i > 0 && v === vertices[i - 1]))
        throw new RangeError(
          `${name} ${s} is (${vertices.join(', ')}) but its nodes must differ and be below ${nodes}`,
        );
    });
    const at = key(vertices);
    if (index.has(at)) throw new Error(`${name} (${vertices.join(', ')}) is given twice; expected each simplex once`);
    index.set(at, s);
  }
  return index;
}

/**
 * Betti numbers b0, b1, b2 over GF(2) and the Euler characteristic V − E + T − Q of a complex of `nodes` vertices,
 * edges (pairs), triangles (triples) and tetrahedra (quadruples). b2 counts the hollows that no tetrahedron fills;
 * simplices above dimension 3 change none of the three. Throws when a face is missing, given twice or out of range.
 */
export function nerveHomology(
  nodes: number,
  edges: Int32Array,
  triangles: Int32Array,
  tetrahedra: Int32Array,
): { betti: number[]; euler: number } {
  const pairKey = ([a, b]: readonly number[]): number => a * nodes + b;
  // 2^53 holds triples of up to 208,000 nodes; beyond that a string does.
  const tripleKey =
    nodes <= 200_000
      ? ([a, b, c]: readonly number[]): number => (a * nodes + b) * nodes + c
      : (v: readonly number[]): string => v.join();
  const edgeIndex = indexOf(edges, 2, nodes, pairKey, 'edge');
  const triangleIndex = indexOf(triangles, 3, nodes, tripleKey, 'triangle');
  indexOf(tetrahedra, 4, nodes, (v) => v.join(), 'tetrahedron');
  const count = { edges: edges.length / 2, triangles: triangles.length / 3, tetrahedra: tetrahedra.length / 4 };

  // Columns are taken last first, so the vertices' coboundaries pair with the edges of a minimum spanning forest.
  const parent = singletons(nodes);
  const inForest = new Uint8Array(count.edges);
  let rank1 = 0;
  for (let e = 0; e < count.edges; e++)
    if (unite(parent, edges[2 * e], edges[2 * e + 1])) {
      inForest[e] = 1;
      rank1++;
    }
  const ofTriangles = boundaryOf(triangles, 3, edgeIndex, pairKey, ['triangle', 'edge']);
  const second = coboundaryRank(count.edges, ofTriangles, 3, inForest);
  const ofTetrahedra = boundaryOf(tetrahedra, 4, triangleIndex, tripleKey, ['tetrahedron', 'triangle']);
  const third = coboundaryRank(count.triangles, ofTetrahedra, 4, second.pivots);
  return {
    betti: [nodes - rank1, count.edges - rank1 - second.rank, count.triangles - second.rank - third.rank],
    euler: nodes - count.edges + count.triangles - count.tetrahedra,
  };
}
