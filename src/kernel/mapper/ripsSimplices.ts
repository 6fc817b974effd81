/**
 * Simplices of a Vietoris-Rips complex without storing it: numbers in the combinatorial number system, their vertices,
 * diameters, facets and cofacets on the fly (Bauer 2021, "Ripser: efficient computation of Vietoris-Rips persistence
 * barcodes", section 4). Simplex {v0 < v1 < … < vk} has number Σ C(v_i, i + 1).
 */

/** Symmetric distances, row-major n × n. */
export interface Distances {
  n: number;
  d: Float64Array;
}

/** C(v, k) for v ≤ n and k ≤ kMax, one table per k. */
function binomials(n: number, kMax: number): Float64Array[] {
  const table = Array.from({ length: kMax + 1 }, () => new Float64Array(n + 1));
  for (let v = 0; v <= n; v++) {
    table[0][v] = 1;
    for (let k = 1; k <= kMax; k++) table[k][v] = v === 0 ? 0 : table[k - 1][v - 1] + table[k][v - 1];
  }
  return table;
}

/** A walk over the cofacets of a simplex, by descending number. */
export class CofacetWalk {
  readonly #space: RipsSimplices;
  readonly #vertices = new Int32Array(8);
  #dim = 0;
  #vertex = 0;
  #above = 0;
  #below = 0;
  #k = 0;
  #own = 0;
  /** The cofacet that `next` moved to. */
  simplex = 0;
  diameter = 0;

  constructor(space: RipsSimplices) {
    this.#space = space;
  }

  start(simplex: number, dim: number, diameter: number): void {
    this.#space.vertices(simplex, dim, this.#vertices);
    this.#dim = dim;
    this.#vertex = this.#space.n - 1;
    this.#below = simplex;
    this.#above = 0;
    this.#k = dim + 1;
    this.#own = diameter;
  }

  /** Moves on; false at the end. With `larger`, only to cofacets whose added vertex is the largest. */
  next(larger = false): boolean {
    const { binomial, d, n } = this.#space;
    let v = this.#vertex;
    let k = this.#k;
    if (v < k || (larger && binomial[k][v] <= this.#below)) return false;
    while (binomial[k][v] <= this.#below) {
      this.#below -= binomial[k][v];
      this.#above += binomial[k + 1][v];
      v--;
      k--;
    }
    const row = v * n;
    let diameter = this.#own;
    for (let i = 0; i <= this.#dim; i++) {
      const length = d[row + this.#vertices[i]];
      if (length > diameter) diameter = length;
    }
    this.simplex = this.#above + binomial[k + 1][v] + this.#below;
    this.diameter = diameter;
    this.#vertex = v - 1;
    this.#k = k;
    return true;
  }
}

/** The simplices over n points, by number: vertices, diameters, and apparent pairs. */
export class RipsSimplices {
  readonly n: number;
  readonly d: Float64Array;
  readonly binomial: readonly Float64Array[];
  readonly #vertices = new Int32Array(8);
  readonly #walk: CofacetWalk;

  /** Holds simplices to dimension maxDim + 1, whose numbers stay below 2^53. */
  constructor(distances: Distances, maxDim: number) {
    this.n = distances.n;
    this.d = distances.d;
    this.binomial = binomials(distances.n, maxDim + 3);
    this.#walk = new CofacetWalk(this);
    if (this.binomial[maxDim + 2][this.n] > Number.MAX_SAFE_INTEGER)
      throw new RangeError(`${this.n} points have too many simplices of dimension ${maxDim + 1}: take fewer landmarks`);
  }

  /** Number of the edge {i > j}. */
  edge(i: number, j: number): number {
    return this.binomial[2][i] + j;
  }

  /** Vertices of a simplex, largest first, into `out`. */
  vertices(simplex: number, dim: number, out: Int32Array): void {
    let top = this.n;
    for (let k = dim + 1; k > 0; k--) {
      // The largest v < top with C(v, k) ≤ simplex.
      const table = this.binomial[k];
      let low = k - 1;
      while (top - low > 1) {
        const middle = (low + top) >> 1;
        if (table[middle] <= simplex) low = middle;
        else top = middle;
      }
      top = low;
      out[dim + 1 - k] = top;
      simplex -= table[top];
    }
  }

  diameter(simplex: number, dim: number): number {
    const vertices = this.#vertices;
    this.vertices(simplex, dim, vertices);
    let diameter = 0;
    for (let i = 1; i <= dim; i++)
      for (let j = 0; j < i; j++) diameter = Math.max(diameter, this.d[vertices[i] * this.n + vertices[j]]);
    return diameter;
  }

  /** The facet of a simplex that is as wide as it and comes last in the filtration; -1 when there is none. */
  #widestFacet(simplex: number, dim: number, diameter: number): number {
    const { d, n, binomial } = this;
    const vertices = this.#vertices;
    this.vertices(simplex, dim, vertices);
    let below = simplex;
    let above = 0;
    for (let skip = 0; skip <= dim; skip++) {
      const own = binomial[dim + 1 - skip][vertices[skip]];
      below -= own;
      let wide = false;
      for (let i = 1; i <= dim && !wide; i++)
        for (let j = 0; j < i; j++)
          if (i !== skip && j !== skip && d[vertices[i] * n + vertices[j]] === diameter) {
            wide = true;
            break;
          }
      if (wide) return above + below;
      above += binomial[dim - skip][vertices[skip]];
    }
    return -1;
  }

  /** The cofacet as wide as the simplex that comes first in the filtration; -1 when there is none. */
  #narrowestCofacet(simplex: number, dim: number, diameter: number): number {
    const walk = this.#walk;
    walk.start(simplex, dim, diameter);
    while (walk.next()) if (walk.diameter === diameter) return walk.simplex;
    return -1;
  }

  /** The facet with which a simplex is an apparent pair of persistence 0; -1 when there is none. */
  apparentFacet(simplex: number, dim: number, diameter: number): number {
    const facet = this.#widestFacet(simplex, dim, diameter);
    return facet >= 0 && this.#narrowestCofacet(facet, dim - 1, diameter) === simplex ? facet : -1;
  }

  /** Whether a simplex is the lower half of an apparent pair of persistence 0. */
  hasApparentCofacet(simplex: number, dim: number, diameter: number): boolean {
    const cofacet = this.#narrowestCofacet(simplex, dim, diameter);
    return cofacet >= 0 && this.#widestFacet(cofacet, dim + 1, diameter) === simplex;
  }
}
