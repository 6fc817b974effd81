/**
 * Persistent homology of a Vietoris-Rips filtration in dimensions 0 to 2 over GF(2), by Ripser's method (Bauer 2021):
 * cohomology, clearing, apparent and emergent pairs, implicit coboundaries, cut at the enclosing radius.
 */
import { filled } from '../verb/filled.js';
import { pauses, type CallOptions } from '../compute/call.js';
import { find, singletons } from '../compute/unionFind.js';
import { CofacetWalk, RipsSimplices, type Distances } from './ripsSimplices.js';
import { RIPS, type RipsPersistenceOptions } from './ripsOptions.js';

/** Name of the computation in an AbortError. */
const PROGRESS = 'Vietoris-Rips persistence';

/** Bars of one dimension, longest first. */
export interface Barcode {
  dim: number;
  /** [bars] */
  births: Float64Array;
  /** [bars]; Infinity when a bar outlives the threshold. */
  deaths: Float64Array;
}

/** Entries (diameter, simplex) of a column; smallest diameter first, among equals the largest number. */
class ColumnHeap {
  #diameters: Float64Array = new Float64Array(256);
  #simplices: Float64Array = new Float64Array(256);
  #size = 0;
  /** The entry that `pop` took. */
  diameter = 0;
  simplex = 0;

  clear(): void {
    this.#size = 0;
  }

  push(diameter: number, simplex: number): void {
    if (this.#size === this.#diameters.length) {
      const grow = (a: Float64Array): Float64Array => {
        const b = new Float64Array(2 * a.length);
        b.set(a);
        return b;
      };
      this.#diameters = grow(this.#diameters);
      this.#simplices = grow(this.#simplices);
    }
    const [diameters, simplices] = [this.#diameters, this.#simplices];
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (diameters[parent] < diameter || (diameters[parent] === diameter && simplices[parent] >= simplex)) break;
      diameters[at] = diameters[parent];
      simplices[at] = simplices[parent];
      at = parent;
    }
    diameters[at] = diameter;
    simplices[at] = simplex;
  }

  #take(): void {
    const [diameters, simplices] = [this.#diameters, this.#simplices];
    this.diameter = diameters[0];
    this.simplex = simplices[0];
    const size = --this.#size;
    const d = diameters[size];
    const s = simplices[size];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (
        right < size &&
        (diameters[right] < diameters[child] ||
          (diameters[right] === diameters[child] && simplices[right] > simplices[child]))
      )
        child = right;
      if (d < diameters[child] || (d === diameters[child] && s >= simplices[child])) break;
      diameters[at] = diameters[child];
      simplices[at] = simplices[child];
      at = child;
    }
    diameters[at] = d;
    simplices[at] = s;
  }

  /** Takes the first entry that is left over GF(2); false when the column is zero. */
  pop(): boolean {
    while (this.#size > 0) {
      this.#take();
      if (this.#size > 0 && this.#simplices[0] === this.simplex) this.#take();
      else return true;
    }
    return false;
  }
}

/** Simplices with their diameters. */
interface Columns {
  simplices: Float64Array;
  diameters: Float64Array;
}

/** Columns by descending diameter, among equals ascending number: the reverse of the filtration. */
function inReverse(simplices: readonly number[], diameters: readonly number[]): Columns {
  const order = singletons(simplices.length).sort((a, b) => diameters[b] - diameters[a] || simplices[a] - simplices[b]);
  return {
    simplices: Float64Array.from(order, (i) => simplices[i]),
    diameters: Float64Array.from(order, (i) => diameters[i]),
  };
}

function sortedBars(dim: number, births: readonly number[], deaths: readonly number[]): Barcode {
  const length = (i: number): number => deaths[i] - births[i];
  const order = singletons(births.length).sort((a, b) =>
    length(a) === length(b) ? births[a] - births[b] : length(b) - length(a),
  );
  return {
    dim,
    births: Float64Array.from(order, (i) => births[i]),
    deaths: Float64Array.from(order, (i) => deaths[i]),
  };
}

/** Dimension 0 by Kruskal, and the edges that dimension 1 has to reduce. */
function components(space: RipsSimplices, threshold: number): { bars: Barcode; edges: Columns; rest: Columns } {
  const { n, d } = space;
  const [simplices, diameters]: [number[], number[]] = [[], []];
  for (let i = 1; i < n; i++)
    for (let j = 0; j < i; j++)
      if (d[i * n + j] <= threshold) {
        simplices.push(space.edge(i, j));
        diameters.push(d[i * n + j]);
      }
  const edges = inReverse(simplices, diameters);
  const parent = singletons(n);
  const vertices = new Int32Array(2);
  const rest: [number[], number[]] = [[], []];
  const [births, deaths]: [number[], number[]] = [[], []];
  for (let e = edges.simplices.length - 1; e >= 0; e--) {
    space.vertices(edges.simplices[e], 1, vertices);
    const [x, y] = [find(parent, vertices[0]), find(parent, vertices[1])];
    if (x !== y) {
      parent[x] = y;
      if (edges.diameters[e] > 0) {
        births.push(0);
        deaths.push(edges.diameters[e]);
      }
    } else if (!space.hasApparentCofacet(edges.simplices[e], 1, edges.diameters[e])) {
      rest[0].push(edges.simplices[e]);
      rest[1].push(edges.diameters[e]);
    }
  }
  for (let v = 0; v < n; v++)
    if (find(parent, v) === v) {
      births.push(0);
      deaths.push(Infinity);
    }
  return { bars: sortedBars(0, births, deaths), edges, rest: inReverse(rest[0], rest[1]) };
}

/** The reduction of one dimension: its columns, their pivots, and what was added to each. */
class Reduction {
  readonly #walk: CofacetWalk;
  readonly #working = new ColumnHeap();
  readonly #sum = new ColumnHeap();
  /** Column that has a simplex as pivot. */
  readonly pivots = new Map<number, number>();
  /** Which columns were added to each reduced one, itself left out. */
  readonly #added: Array<Columns | undefined> = [];

  constructor(
    private readonly space: RipsSimplices,
    private readonly dim: number,
    private readonly threshold: number,
    private readonly columns: Columns,
  ) {
    this.#walk = new CofacetWalk(space);
  }

  #addCoboundary(simplex: number, diameter: number): void {
    const walk = this.#walk;
    walk.start(simplex, this.dim, diameter);
    while (walk.next()) if (walk.diameter <= this.threshold) this.#working.push(walk.diameter, walk.simplex);
  }

  /** Fills the working column with a coboundary; true when its pivot shows on the way and no column has it yet. */
  #startsWithPivot(simplex: number, diameter: number): boolean {
    const { space, dim } = this;
    const walk = this.#walk;
    this.#working.clear();
    walk.start(simplex, dim, diameter);
    let look = true;
    while (walk.next()) {
      if (walk.diameter > this.threshold) continue;
      if (look && walk.diameter === diameter) {
        if (!this.pivots.has(walk.simplex) && space.apparentFacet(walk.simplex, dim + 1, diameter) < 0) {
          this.#working.diameter = walk.diameter;
          this.#working.simplex = walk.simplex;
          return true;
        }
        look = false;
      }
      this.#working.push(walk.diameter, walk.simplex);
    }
    return false;
  }

  /** Reduces column c; the diameter at which its class dies, or Infinity. */
  reduce(c: number): number {
    const { columns, dim, space } = this;
    const working = this.#working;
    const sum = this.#sum;
    const [own, width] = [columns.simplices[c], columns.diameters[c]];
    sum.clear();
    let added = false;
    let found = this.#startsWithPivot(own, width);
    while (!found) {
      if (!working.pop()) return Infinity;
      const [pivot, diameter] = [working.simplex, working.diameter];
      const other = this.pivots.get(pivot);
      const facet = other === undefined ? space.apparentFacet(pivot, dim + 1, diameter) : -1;
      if (other === undefined && facet < 0) {
        found = true;
        break;
      }
      working.push(diameter, pivot);
      added = true;
      const add = (simplex: number, at: number): void => {
        sum.push(at, simplex);
        this.#addCoboundary(simplex, at);
      };
      if (other === undefined) add(facet, diameter);
      else {
        add(columns.simplices[other], columns.diameters[other]);
        const more = this.#added[other];
        if (more) for (let i = 0; i < more.simplices.length; i++) add(more.simplices[i], more.diameters[i]);
      }
    }
    const death = working.diameter;
    this.pivots.set(working.simplex, c);
    if (added) {
      const [simplices, diameters]: [number[], number[]] = [[], []];
      while (sum.pop()) {
        simplices.push(sum.simplex);
        diameters.push(sum.diameter);
      }
      this.#added[c] = { simplices: Float64Array.from(simplices), diameters: Float64Array.from(diameters) };
    }
    return death;
  }
}

/** The triangles that dimension 2 has to reduce: those that neither dimension 1 nor an apparent pair has matched. */
async function trianglesToReduce(
  space: RipsSimplices,
  threshold: number,
  edges: Columns,
  pivots: ReadonlyMap<number, number>,
  call: CallOptions,
): Promise<Columns> {
  const walk = new CofacetWalk(space);
  const [simplices, diameters]: [number[], number[]] = [[], []];
  const pause = pauses(call.signal, PROGRESS);
  for (let e = 0; e < edges.simplices.length; e++) {
    walk.start(edges.simplices[e], 1, edges.diameters[e]);
    while (walk.next(true)) {
      const { simplex, diameter } = walk;
      if (
        diameter > threshold ||
        pivots.has(simplex) ||
        space.apparentFacet(simplex, 2, diameter) >= 0 ||
        space.hasApparentCofacet(simplex, 2, diameter)
      )
        continue;
      simplices.push(simplex);
      diameters.push(diameter);
    }
    if (e % 64 === 0) await pause();
  }
  return inReverse(simplices, diameters);
}

/** The least over points of the largest distance to another; 0 for fewer than two points. */
export function enclosingRadius({ n, d }: Distances): number {
  let radius = n < 2 ? 0 : Infinity;
  for (let i = 0; i < n && n > 1; i++) {
    let farthest = 0;
    for (let j = 0; j < n; j++) farthest = Math.max(farthest, d[i * n + j]);
    radius = Math.min(radius, farthest);
  }
  return radius;
}

/**
 * Barcodes of dimensions 0 to maxDim over GF(2) of the Vietoris-Rips filtration of symmetric distances (a simplex
 * enters at its longest edge). Bars of length 0 are left out. Memory and time grow with the number of simplices up to
 * dimension maxDim (C(n, 3) for maxDim 2), so n is for the caller to bound.
 */
export async function ripsBarcodes(
  distances: Distances,
  options: Pick<RipsPersistenceOptions, 'maxDim' | 'threshold'> & CallOptions = {},
): Promise<{ barcodes: Barcode[]; threshold: number }> {
  const { maxDim } = filled(RIPS, options);
  const pause = pauses(options.signal, PROGRESS);
  const threshold = options.threshold ?? enclosingRadius(distances);
  const space = new RipsSimplices(distances, maxDim);
  const { bars, edges, rest } = components(space, threshold);
  const barcodes = [bars];
  let columns = rest;
  for (let dim = 1; dim <= maxDim; dim++) {
    const reduction = new Reduction(space, dim, threshold, columns);
    const [births, deaths]: [number[], number[]] = [[], []];
    for (let c = 0; c < columns.simplices.length; c++) {
      const birth = columns.diameters[c];
      const death = reduction.reduce(c);
      if (death > birth) {
        births.push(birth);
        deaths.push(death);
      }
      if (c % 16 === 0) {
        options.onProgress?.({ label: `Persistence H${dim}`, done: c, total: columns.simplices.length });
        await pause();
      }
    }
    barcodes.push(sortedBars(dim, births, deaths));
    if (dim < maxDim) columns = await trianglesToReduce(space, threshold, edges, reduction.pivots, options);
  }
  return { barcodes, threshold };
}
