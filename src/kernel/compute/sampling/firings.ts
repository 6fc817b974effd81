/** Which features fire in a chunk of samples, feature by feature: skips for rare ones, thresholded normals for copulas. */
import { normalCdf } from './normal.js';
import type { Bits } from './bits.js';
import type { CopulaLaw, Law } from './law.js';

/** Firings of a chunk: per feature a run of samples, ascending. */
export class Firings {
  /** Run of feature f: begin[f] … end[f]. */
  readonly begin: Int32Array;
  readonly end: Int32Array;
  samples: Uint16Array;
  /** Place in `samples` of the parent's firing; filled for children only. */
  origins: Int32Array;
  values: Float32Array;
  count = 0;

  constructor(slots: number, expected: number) {
    this.begin = new Int32Array(slots);
    this.end = new Int32Array(slots);
    const size = Math.max(1024, expected);
    this.samples = new Uint16Array(size);
    this.origins = new Int32Array(size);
    this.values = new Float32Array(size);
  }

  clear(): void {
    this.begin.fill(0);
    this.end.fill(0);
    this.count = 0;
  }

  /** Room for `more` firings. */
  reserve(more: number): void {
    if (this.count + more <= this.samples.length) return;
    const size = Math.max(this.count + more, 2 * this.samples.length);
    const grow = <T extends Uint16Array | Int32Array | Float32Array>(old: T): T => {
      const array = new (old.constructor as new (n: number) => T)(size);
      array.set(old);
      return array;
    };
    this.samples = grow(this.samples);
    this.origins = grow(this.origins);
    this.values = grow(this.values);
  }
}

/**
 * Runs of successes among n trials of probability p, by geometric skips: the gap to the next success is
 * ⌊ln u / ln(1 − p)⌋. `hit` receives the trial's number.
 */
export function eachSuccess(n: number, p: number, bits: Bits, hit: (trial: number) => void): void {
  if (p <= 0) return;
  if (p >= 1) {
    for (let i = 0; i < n; i++) hit(i);
    return;
  }
  if (p > 0.3) {
    const limit = p * 2 ** 32;
    for (let i = 0; i < n; i++) if (bits.u32() + 0.5 < limit) hit(i);
    return;
  }
  const scale = 1 / Math.log1p(-p);
  for (let i = Math.floor(Math.log(bits.unit()) * scale); i < n; i += 1 + Math.floor(Math.log(bits.unit()) * scale))
    hit(i);
}

/** One feature: a success of each of its parent's firings, or of each sample. */
function drawAlone(law: Law, f: number, chunk: number, bits: Bits, out: Firings): void {
  const parent = law.parents[f];
  const from = parent < 0 ? 0 : out.begin[parent];
  const trials = parent < 0 ? chunk : out.end[parent] - from;
  out.reserve(trials);
  out.begin[f] = out.count;
  const { samples, origins } = out;
  let at = out.count;
  eachSuccess(trials, law.conditional[f], bits, (i) => {
    samples[at] = parent < 0 ? i : samples[from + i];
    origins[at++] = from + i;
  });
  out.count = out.end[f] = at;
}

/** Members of an exclusive group: a success of the group, then one member of it. */
function drawExclusive(law: Law, members: Int32Array, chunk: number, bits: Bits, out: Firings): void {
  const parent = law.parents[members[0]];
  const from = parent < 0 ? 0 : out.begin[parent];
  const trials = parent < 0 ? chunk : out.end[parent] - from;
  const upTo = new Float64Array(members.length);
  let total = 0;
  members.forEach((f, i) => (upTo[i] = total += law.conditional[f]));
  const hits: number[] = [];
  const whose: number[] = [];
  const sizes = new Int32Array(members.length);
  eachSuccess(trials, Math.min(1, total), bits, (i) => {
    const u = bits.unit() * total;
    let low = 0;
    let high = members.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (u < upTo[middle]) high = middle;
      else low = middle + 1;
    }
    hits.push(i);
    whose.push(low);
    sizes[low]++;
  });
  out.reserve(hits.length);
  const next = new Int32Array(members.length);
  let at = out.count;
  members.forEach((f, i) => {
    out.begin[f] = next[i] = at;
    at += sizes[i];
    out.end[f] = at;
  });
  out.count = at;
  for (let h = 0; h < hits.length; h++) {
    const to = next[whose[h]]++;
    out.samples[to] = parent < 0 ? hits[h] : out.samples[from + hits[h]];
    out.origins[to] = from + hits[h];
  }
}

const STEPS = 64;
const REACH = 9;
/** Φ at (k / STEPS − REACH), times 2^32; the last entry is past every number drawn. */
const CUTS = ((): Float64Array => {
  const cuts = new Float64Array(2 * REACH * STEPS + 2);
  for (let i = 0; i < cuts.length - 1; i++) cuts[i] = normalCdf(i / STEPS - REACH) * 2 ** 32;
  cuts[cuts.length - 1] = Infinity;
  return cuts;
})();

/** Samples on which residual · ε > t − z, by one uniform number each against Φ; returns the end of the run. */
function cutNormals(
  z: Float64Array,
  u: Uint32Array,
  t: number,
  residual: number,
  samples: Uint16Array,
  from: number,
): number {
  const scale = STEPS / residual;
  const shift = REACH * STEPS - t * scale;
  const last = CUTS.length - 2;
  let at = from;
  for (let s = 0; s < z.length; s++) {
    const place = z[s] * scale + shift;
    // Below the table the chance is under 1e-18.
    if (place < 0) continue;
    const k = place >= last ? last : place | 0;
    const v = u[s];
    if (v >= CUTS[k + 1]) continue;
    if (v + 1 <= CUTS[k] || v + 0.5 < normalCdf(place / STEPS - REACH) * 4294967296) samples[at++] = s;
  }
  return at;
}

/**
 * Features of a copula. Given the factors a feature fires with probability Φ((Λg − t)/residual): one uniform number
 * decides, against a table of Φ but for a hundredth of the entries, which ask Φ itself.
 */
export function drawCopula(c: CopulaLaw, chunk: number, bits: Bits, out: Firings): void {
  const g = new Float32Array(c.factors * chunk);
  bits.normals(g);
  const z = new Float64Array(chunk);
  const u = new Uint32Array(chunk);
  for (let i = 0; i < c.features.length; i++) {
    addLoadings(c, i, g, z);
    const f = c.features[i];
    const t = c.threshold[i];
    out.reserve(chunk);
    const { samples } = out;
    let at = out.count;
    out.begin[f] = at;
    if (c.residual[i] === 0) {
      for (let s = 0; s < chunk; s++) if (z[s] > t) samples[at++] = s;
    } else {
      bits.fill(u);
      at = cutNormals(z, u, t, c.residual[i], samples, at);
    }
    out.count = out.end[f] = at;
  }
}

function addLoadings(c: CopulaLaw, i: number, g: Float32Array, z: Float64Array): void {
  const chunk = z.length;
  z.fill(0);
  let e = c.indptr[i];
  const end = c.indptr[i + 1];
  for (; e + 3 < end; e += 4) {
    const [a0, a1, a2, a3] = [c.loading[e], c.loading[e + 1], c.loading[e + 2], c.loading[e + 3]];
    const [p0, p1] = [c.factor[e] * chunk, c.factor[e + 1] * chunk];
    const [p2, p3] = [c.factor[e + 2] * chunk, c.factor[e + 3] * chunk];
    for (let s = 0; s < chunk; s++) z[s] += a0 * g[p0 + s] + a1 * g[p1 + s] + (a2 * g[p2 + s] + a3 * g[p3 + s]);
  }
  for (; e < end; e++) {
    const a = c.loading[e];
    const p = c.factor[e] * chunk;
    for (let s = 0; s < chunk; s++) z[s] += a * g[p + s];
  }
}

/** All firings of a chunk. */
export function drawFirings(law: Law, bits: Bits, out: Firings): void {
  out.clear();
  for (const copula of law.copulas) drawCopula(copula, law.chunk, bits, out);
  const { order, exclusive } = law;
  for (let i = 0; i < order.length;) {
    const group = exclusive[order[i]];
    let next = i + 1;
    if (group < 0) drawAlone(law, order[i], law.chunk, bits, out);
    else {
      while (next < order.length && exclusive[order[next]] === group) next++;
      drawExclusive(law, order.subarray(i, next), law.chunk, bits, out);
    }
    i = next;
  }
}
