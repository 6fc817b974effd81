/** Covers of a lens: which points each element holds. */
import { type BalancedCover, type CoverSpec, type CubesCover } from './options.js';

export interface Cover {
  /** Elements that hold a point: KeplerMapper numbers these alone. */
  readonly elements: number;
  /** [elements + 1] and rows of the lens, ascending within an element (for knn and balls too). */
  readonly at: Int32Array;
  readonly points: Int32Array;
  /** Elements in all, empty ones included. */
  readonly total: number;
  /** As shown: "10 × 10 cubes, overlap 0.1". */
  readonly description: string;
  readonly warnings: readonly string[];
}

const MAX_ELEMENTS = 4e6;
const MAX_MEMBERS = 2 ** 28;

/** numpy.linspace, to the bit: centres decide membership. */
export function linspace(start: number, stop: number, count: number): Float64Array {
  const out = new Float64Array(count);
  const step = (stop - start) / (count - 1);
  for (let i = 0; i < count; i++)
    out[i] = count > 1 ? (step === 0 ? (i / (count - 1)) * (stop - start) : i * step) + start : start;
  if (count > 1) out[count - 1] = stop;
  return out;
}

/** Lower and upper bounds of n intervals over [low, high], closed: KeplerMapper's rule. */
export function intervals(
  low: number,
  high: number,
  n: number,
  overlap: number,
): { lower: Float64Array; upper: Float64Array } {
  const range = high - low;
  const inset = (range - ((n - 1) / n) * range) / 2;
  const radius = range / (2 * n * (1 - overlap));
  const centres = linspace(low + inset, high - inset, n);
  return { lower: centres.map((c) => c - radius), upper: centres.map((c) => c + radius) };
}

function perDimension(
  name: string,
  given: number | readonly number[] | undefined,
  dims: number,
  fallback: number,
): number[] {
  const list =
    given === undefined || typeof given === 'number' ? Array<number>(dims).fill(given ?? fallback) : [...given];
  if (list.length !== dims)
    throw new RangeError(`cover: ${name} has ${list.length} entries but the lens has ${dims} dimensions`);
  return list;
}

interface Axis {
  /** First and last interval that holds a point; first > last where none does. */
  first: Int32Array;
  last: Int32Array;
  count: number;
}

function axisOf(values: Float64Array, lower: Float64Array, upper: Float64Array): Axis {
  const first = new Int32Array(values.length);
  const last = new Int32Array(values.length).fill(-1);
  // Bounds ascend, so that the intervals that hold a value follow one another.
  values.forEach((v, i) => {
    let k = 0;
    while (k < upper.length && !(v <= upper[k])) k++;
    first[i] = k;
    while (k < lower.length && v >= lower[k]) k++;
    last[i] = k - 1;
  });
  return { first, last, count: lower.length };
}

/** Elements of the product of the axes, the first axis slowest, as itertools.product has it. */
function productCover(axes: readonly Axis[], n: number): Pick<Cover, 'elements' | 'at' | 'points' | 'total'> {
  const total = axes.reduce((t, a) => t * a.count, 1);
  if (total > MAX_ELEMENTS)
    throw new RangeError(
      `a cover of ${axes.map((a) => a.count).join(' × ')} cubes has ${total} elements; at most ${MAX_ELEMENTS} are made. Use fewer cubes or a lens of fewer dimensions`,
    );
  const dims = axes.length;
  const current = new Int32Array(dims);
  const visit = (i: number, see: (element: number) => void): void => {
    for (let d = 0; d < dims; d++) {
      if (axes[d].first[i] > axes[d].last[i]) return;
      current[d] = axes[d].first[i];
    }
    for (;;) {
      let element = 0;
      for (let d = 0; d < dims; d++) element = element * axes[d].count + current[d];
      see(element);
      let d = dims - 1;
      while (d >= 0 && current[d] === axes[d].last[i]) current[d] = axes[d--].first[i];
      if (d < 0) return;
      current[d]++;
    }
  };
  const counts = new Int32Array(total);
  for (let i = 0; i < n; i++) visit(i, (e) => counts[e]++);
  let members = 0;
  for (const c of counts) members += c;
  if (members > MAX_MEMBERS)
    throw new RangeError(`the cover has ${members} memberships, more than ${MAX_MEMBERS}; use a smaller overlap`);
  const number = new Int32Array(total).fill(-1);
  let elements = 0;
  for (let e = 0; e < total; e++) if (counts[e] > 0) number[e] = elements++;
  const at = new Int32Array(elements + 1);
  for (let e = 0; e < total; e++) if (counts[e] > 0) at[number[e] + 1] = counts[e];
  for (let e = 0; e < elements; e++) at[e + 1] += at[e];
  const next = at.slice(0, elements);
  const points = new Int32Array(members);
  for (let i = 0; i < n; i++) visit(i, (e) => (points[next[number[e]]++] = i));
  return { elements, at, points, total };
}

/** Average ranks from 0, ties sharing theirs. */
function ranks(values: Float64Array): Float64Array {
  const order = Float64Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const out = new Float64Array(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j + 1 < order.length && values[order[j + 1]] === values[order[i]]) j++;
    for (let k = i; k <= j; k++) out[order[k]] = (i + j) / 2;
    i = j + 1;
  }
  return out;
}

function cubes(values: Float64Array, n: number, dims: number, spec: CubesCover | BalancedCover): Cover {
  const balanced = spec.kind === 'balanced';
  const counts = perDimension('cubes', spec.cubes, dims, 10);
  const overlaps = perDimension('overlap', spec.overlap, dims, 0.1);
  const limits = spec.kind === 'balanced' ? undefined : spec.limits;
  if (limits && limits.length !== dims)
    throw new RangeError(`cover: limits has ${limits.length} entries but the lens has ${dims} dimensions`);
  const warnings: string[] = [];
  const axes: Axis[] = [];
  for (let d = 0; d < dims; d++) {
    let column: Float64Array = Float64Array.from({ length: n }, (_, i) => values[i * dims + d]);
    if (balanced) column = ranks(column);
    let [low, high] = [Infinity, -Infinity];
    for (const v of column) [low, high] = [Math.min(low, v), Math.max(high, v)];
    low = limits?.[d][0] ?? low;
    high = limits?.[d][1] ?? high;
    if (!(low <= high))
      throw new RangeError(
        `cover: the limits of dimension ${d + 1} are ${low} to ${high}; expected two finite numbers, the lower first`,
      );
    const outside = column.reduce((c, v) => c + (v < low || v > high ? 1 : 0), 0);
    if (outside > 0)
      warnings.push(`${outside} points lie outside the limits ${low} to ${high} of lens dimension ${d + 1}`);
    // Equal bounds would put every point into every interval.
    const { lower, upper } = intervals(low, high, low === high ? 1 : counts[d], overlaps[d]);
    if (low === high) warnings.push(`lens dimension ${d + 1} is ${low} for every point: one interval covers it`);
    axes.push(axisOf(column, lower, upper));
  }
  const same = (list: number[]): boolean => list.every((v) => v === list[0]);
  const shown = same(overlaps) ? `${overlaps[0]}` : overlaps.join(' and ');
  const kind = balanced ? 'balanced cubes' : 'cubes';
  const limited = limits ? `, limits ${JSON.stringify(limits)}` : '';
  const description = `${counts.join(' × ')} ${kind}, overlap ${shown}${limited}`;
  return { ...productCover(axes, n), description, warnings };
}

function squared(values: Float64Array, dims: number, i: number, j: number): number {
  let sum = 0;
  for (let d = 0; d < dims; d++) sum += (values[i * dims + d] - values[j * dims + d]) ** 2;
  return sum;
}

/** Elements around greedily chosen centres; `members` gives the rows of a centre's element. */
function greedy(
  n: number,
  members: (centre: number) => Int32Array,
): Pick<Cover, 'elements' | 'at' | 'points' | 'total'> {
  const covered = new Uint8Array(n);
  const lists: Int32Array[] = [];
  let size = 0;
  for (let i = 0; i < n; i++) {
    if (covered[i]) continue;
    const list = members(i).sort();
    covered[i] = 1;
    for (const j of list) covered[j] = 1;
    lists.push(list);
    if ((size += list.length) > MAX_MEMBERS)
      throw new RangeError(`the cover has more than ${MAX_MEMBERS} memberships; use a smaller radius`);
  }
  const at = new Int32Array(lists.length + 1);
  const points = new Int32Array(size);
  lists.forEach((list, e) => {
    points.set(list, at[e]);
    at[e + 1] = at[e] + list.length;
  });
  return { elements: lists.length, at, points, total: lists.length };
}

function balls(values: Float64Array, n: number, dims: number, radius: number): Cover {
  const limit = radius * radius;
  const found = greedy(n, (c) => {
    const list: number[] = [];
    for (let j = 0; j < n; j++) if (squared(values, dims, c, j) <= limit) list.push(j);
    return Int32Array.from(list);
  });
  return { ...found, description: `${found.elements} balls of radius ${radius}`, warnings: [] };
}

function nearest(values: Float64Array, n: number, dims: number, k: number): Cover {
  const size = Math.min(k, n);
  const found = greedy(n, (c) => {
    const distances = Float64Array.from({ length: n }, (_, j) => (j === c ? -1 : squared(values, dims, c, j)));
    const limit = distances.slice().sort()[size - 1];
    const list: number[] = [];
    for (let j = 0; j < n; j++) if (distances[j] < limit) list.push(j);
    for (let j = 0; j < n && list.length < size; j++) if (distances[j] === limit) list.push(j);
    return Int32Array.from(list);
  });
  const warnings =
    k > n ? [`the cover asks for ${k} nearest points but there are ${n}: one element holds them all`] : [];
  return { ...found, description: `${found.elements} elements of the ${k} nearest points`, warnings };
}

/**
 * The cover of n × dims lens values (finite). Cubes follow KeplerMapper 2: range R, n cubes and overlap p give centres
 * linspace(min + R/2n, max − R/2n), half-width R / (2n(1 − p)) and closed bounds.
 * @throws RangeError for a cover of other dimensions than the lens, or too large to hold
 */
export function coverOf(values: Float64Array, dims: number, spec: CoverSpec = {}): Cover {
  const n = dims === 0 ? 0 : values.length / dims;
  if (n === 0)
    return {
      elements: 0,
      at: new Int32Array(1),
      points: new Int32Array(0),
      total: 0,
      description: 'no cover',
      warnings: [],
    };
  switch (spec.kind) {
    case undefined:
    case 'cubes':
    case 'balanced':
      return cubes(values, n, dims, spec);
    case 'balls':
      return balls(values, n, dims, spec.radius);
    case 'knn':
      return nearest(values, n, dims, spec.k);
  }
}
