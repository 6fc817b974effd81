/** Directions of features: unit rows, drawn part by part. */
import { filled } from '../../verb/filled.js';
import type { CallOptions } from '../../compute/call.js';
import { matrix, row, type Matrix } from '../../compute/matrix.js';
import { Random } from '../../compute/random.js';
import { spreadRows } from './spread.js';
import { GEOMETRY, type GeometryPart } from './options.js';

/** A part with its features first … first + count − 1. */
export interface PlacedPart {
  part: GeometryPart;
  first: number;
  count: number;
}

export interface Geometry {
  dictionary: Matrix;
  /** Parent in a hierarchy, −1 = none. */
  parents: Int32Array;
  /** Cluster, circle, four or tree, numbered over all parts, −1 = none. */
  groups: Int32Array;
  /** The feature a duplicate copies, −1 = none. */
  originals: Int32Array;
  parts: PlacedPart[];
}

type Vector = Float64Array;

function gaussian(random: Random, d: number): Vector {
  return Float64Array.from({ length: d }, () => random.normal());
}

function normalize(v: Vector): Vector {
  const norm = Math.hypot(...v);
  return v.map((x) => x / norm);
}

/** A random unit vector, orthogonal to the given orthonormal ones. */
export function unitVector(random: Random, d: number, against: readonly Vector[] = []): Vector {
  if (against.length >= d)
    throw new RangeError(`${against.length + 1} orthogonal directions do not fit ${d} dimensions: dim must be larger`);
  for (;;) {
    let v = gaussian(random, d);
    // Twice: once alone leaves rounding of the first.
    for (const u of [...against, ...against]) {
      const dot = v.reduce((sum, x, i) => sum + x * u[i], 0);
      v = v.map((x, i) => x - dot * u[i]);
    }
    if (Math.hypot(...v) > 1e-6) return normalize(v);
  }
}

const combine = (d: number, terms: ReadonlyArray<readonly [number, Vector]>): Vector =>
  Float64Array.from({ length: d }, (_, i) => terms.reduce((sum, [a, v]) => sum + a * v[i], 0));

/** A unit vector at cosine c to the unit vector u. */
function atCosine(random: Random, u: Vector, c: number): Vector {
  if (Math.abs(c) === 1) return u.map((x) => c * x);
  return combine(u.length, [
    [c, u],
    [Math.sqrt(1 - c * c), unitVector(random, u.length, [u])],
  ]);
}

const requireDim = (kind: string, d: number, least: number): void => {
  if (d < least) throw new RangeError(`${kind} needs at least ${least} dimensions but dim is ${d}`);
};

/** Places the parts: a part without a count takes the rest; a rest that no part takes is random. */
export function placeParts(parts: readonly GeometryPart[], features: number): PlacedPart[] {
  const open = parts.filter((p) => p.count === undefined);
  if (open.length > 1)
    throw new RangeError(
      `${open.length} geometry parts have no count (${open.map((p) => p.kind).join(', ')}): one at most takes the rest`,
    );
  const given = parts.reduce((sum, p) => sum + (p.count ?? 0), 0);
  const rest = features - given;
  if (rest < 0 || (open.length === 1 && rest === 0))
    throw new RangeError(
      `the geometry parts take ${given} features${open.length ? ' and leave none for the rest' : ''}, but there are ${features}`,
    );
  const all: GeometryPart[] = open.length === 0 && rest > 0 ? [...parts, { kind: 'random' }] : [...parts];
  let first = 0;
  return all.map((part) => {
    const count = part.count ?? rest;
    first += count;
    return { part, first: first - count, count };
  });
}

class Builder {
  readonly dictionary: Matrix;
  readonly parents: Int32Array;
  readonly groups: Int32Array;
  readonly originals: Int32Array;
  #groups = 0;

  constructor(
    features: number,
    readonly d: number,
  ) {
    this.dictionary = matrix(features, d);
    this.parents = new Int32Array(features).fill(-1);
    this.groups = new Int32Array(features).fill(-1);
    this.originals = new Int32Array(features).fill(-1);
  }

  set(i: number, v: ArrayLike<number>): void {
    row(this.dictionary, i).set(v);
  }

  get(i: number): Vector {
    return Float64Array.from(row(this.dictionary, i));
  }

  /** Numbers of `n` new groups: the first. */
  newGroups(n: number): number {
    this.#groups += n;
    return this.#groups - n;
  }

  clusters({ first, count }: PlacedPart, random: Random, clusters: number, cosine: number): void {
    requireDim('a cluster', this.d, 2);
    const centres = Array.from({ length: clusters }, () => unitVector(random, this.d));
    const group = this.newGroups(clusters);
    for (let i = 0; i < count; i++) {
      const c = Math.floor((i * clusters) / count);
      this.set(first + i, atCosine(random, centres[c], cosine));
      this.groups[first + i] = group + c;
    }
  }

  circles({ first, count }: PlacedPart, random: Random, circles: number, radius: number): void {
    requireDim('a circle', this.d, radius < 1 ? 3 : 2);
    const group = this.newGroups(circles);
    for (let c = 0; c < circles; c++) {
      const [from, to] = [Math.floor((c * count) / circles), Math.floor(((c + 1) * count) / circles)];
      const u = unitVector(random, this.d);
      const v = unitVector(random, this.d, [u]);
      const out = radius < 1 ? unitVector(random, this.d, [u, v]) : u;
      for (let i = from; i < to; i++) {
        const angle = (2 * Math.PI * (i - from)) / (to - from);
        this.set(
          first + i,
          combine(this.d, [
            [radius * Math.cos(angle), u],
            [radius * Math.sin(angle), v],
            [Math.sqrt(1 - radius * radius), out],
          ]),
        );
        this.groups[first + i] = group + c;
      }
    }
  }

  helix({ first, count }: PlacedPart, random: Random, turns: number, pitch: number): void {
    requireDim('a helix', this.d, 3);
    const u = unitVector(random, this.d);
    const v = unitVector(random, this.d, [u]);
    const w = unitVector(random, this.d, [u, v]);
    const group = this.newGroups(1);
    for (let i = 0; i < count; i++) {
      const t = count === 1 ? 0 : (2 * i) / (count - 1) - 1;
      const angle = Math.PI * turns * t;
      this.set(
        first + i,
        normalize(
          combine(this.d, [
            [Math.cos(angle), u],
            [Math.sin(angle), v],
            [pitch * t, w],
          ]),
        ),
      );
      this.groups[first + i] = group;
    }
  }

  /** Corners m ± e₁ ± e₂ of a rectangle whose centre m is orthogonal to its edges: all four of one length. */
  parallelograms({ first, count }: PlacedPart, random: Random, edges: readonly number[], shared: boolean): void {
    requireDim('a parallelogram', this.d, 3);
    if (count % 4 !== 0) throw new RangeError(`parallelograms come in fours but count is ${count}`);
    const [a, b] = edges.map((e) => e / 2);
    if (!(a > 0 && b > 0 && a * a + b * b < 1))
      throw new RangeError(
        `edges of ${edges.join(' and ')}: corners of length 1 need edges above 0 with squares summing to less than 4`,
      );
    const group = this.newGroups(count / 4);
    let relation = unitVector(random, this.d);
    for (let q = 0; q < count / 4; q++) {
      if (q > 0 && !shared) relation = unitVector(random, this.d);
      const other = unitVector(random, this.d, [relation]);
      const centre = unitVector(random, this.d, [relation, other]);
      const c = Math.sqrt(1 - a * a - b * b);
      const corners = [
        [-1, -1],
        [1, -1],
        [-1, 1],
        [1, 1],
      ];
      corners.forEach(([s, t], k) => {
        this.set(
          first + 4 * q + k,
          combine(this.d, [
            [c, centre],
            [s * a, relation],
            [t * b, other],
          ]),
        );
        this.groups[first + 4 * q + k] = group + q;
      });
    }
  }

  hierarchy({ first, count }: PlacedPart, random: Random, roots: number, branching: number, cosine: number): void {
    requireDim('a hierarchy', this.d, 2);
    if (roots > count) throw new RangeError(`${roots} roots do not fit the ${count} features of the hierarchy`);
    const group = this.newGroups(roots);
    for (let i = 0; i < count; i++) {
      if (i < roots) {
        this.set(first + i, unitVector(random, this.d));
        this.groups[first + i] = group + i;
        continue;
      }
      // Breadth first: the children of the i-th node follow those of the one before.
      const parent = first + Math.floor((i - roots) / branching);
      this.parents[first + i] = parent;
      this.groups[first + i] = this.groups[parent];
      this.set(first + i, atCosine(random, this.get(parent), cosine));
    }
  }

  duplicates({ first, count }: PlacedPart, random: Random, cosine: number, from: readonly number[]): void {
    if (from.length === 0) throw new RangeError('duplicates need features of another part to copy; add such a part');
    const order = random.permutation(from.length);
    for (let i = 0; i < count; i++) {
      const original = from[order[i % from.length]];
      this.originals[first + i] = original;
      this.set(first + i, atCosine(random, this.get(original), cosine));
    }
  }
}

const PARTS = GEOMETRY.table;

/** Directions that are arranged by a rule; duplicates come when the others are there. */
function arrange(b: Builder, place: PlacedPart, random: Random): void {
  const { part } = place;
  switch (part.kind) {
    case 'clusters': {
      const { clusters, cosine } = filled(PARTS.clusters.members, part);
      return b.clusters(place, random, clusters, cosine);
    }
    case 'circle': {
      const { circles, radius } = filled(PARTS.circle.members, part);
      return b.circles(place, random, circles, radius);
    }
    case 'helix': {
      const { turns, pitch } = filled(PARTS.helix.members, part);
      return b.helix(place, random, turns, pitch);
    }
    case 'parallelograms': {
      const { edges, sharedRelation } = filled(PARTS.parallelograms.members, part);
      return b.parallelograms(place, random, edges, sharedRelation);
    }
    case 'hierarchy': {
      const { roots, branching, cosine } = filled(PARTS.hierarchy.members, part);
      return b.hierarchy(place, random, roots, branching, cosine);
    }
    case 'random':
    case 'near-orthogonal':
    case 'duplicates':
      return;
  }
}

/**
 * Directions of all features, features × dim: unit rows to float32 rounding. Each part draws from a stream of its own.
 * Throws RangeErrors that name what does not fit and what would.
 */
export async function buildGeometry(
  parts: readonly GeometryPart[],
  features: number,
  d: number,
  random: Random,
  call: CallOptions = {},
): Promise<Geometry> {
  const placed = placeParts(parts, features);
  const b = new Builder(features, d);
  for (const [p, place] of placed.entries()) {
    const { part, first, count } = place;
    const stream = random.fork(`part ${p}`);
    if (part.kind === 'random') for (let i = 0; i < count; i++) b.set(first + i, unitVector(stream, d));
    else if (part.kind === 'near-orthogonal')
      b.dictionary.data.set((await spreadRows(count, d, stream, part, call)).data, first * d);
    else arrange(b, place, stream);
  }
  const originals = placed.filter((p) => p.part.kind !== 'duplicates');
  const from = originals.flatMap((p) => Array.from({ length: p.count }, (_, i) => p.first + i));
  for (const [p, place] of placed.entries())
    if (place.part.kind === 'duplicates')
      b.duplicates(place, random.fork(`part ${p}`), filled(PARTS.duplicates.members, place.part).cosine, from);
  const { dictionary, parents, groups } = b;
  return { dictionary, parents, groups, originals: b.originals, parts: placed };
}
