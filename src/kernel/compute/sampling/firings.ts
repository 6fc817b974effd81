/**
 * Which features fire in a chunk of samples, feature by feature: geometric skips for rare ones; copulas are in
 * copulaFirings.ts.
 */
import { drawCopula } from './copulaFirings.js';
import type { Bits } from './bits.js';
import type { Law } from './law.js';

/** Firings of a chunk: per feature a run of samples, each once, in no set order. */
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

/** Members of an exclusive group: a firing of the group, then one member for it. */
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
