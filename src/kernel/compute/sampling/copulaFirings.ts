/**
 * Firings of a Gaussian copula. Given the factors g, features are independent and feature i fires with probability
 * Φ((Λᵢg − tᵢ)/residualᵢ). Rare features of one factor are drawn by thinning (Lewis and Shedler 1979): samples in bins
 * of their factor, skips at the bin's largest probability, each hit kept with its own probability over that. The others
 * compare one uniform number per sample with Φ.
 */
import type { Bits } from './bits.js';
import type { Firings } from './firings.js';
import type { CopulaLaw } from './law.js';
import { normalCdf } from './normal.js';

const STEPS = 64;
const REACH = 9;
const LAST = 2 * REACH * STEPS;
const TO_U32 = 2 ** 32;
/** Φ at (k / STEPS − REACH), times 2^32; the last entry is past every number drawn. */
const CUTS = new Float64Array(LAST + 2);
/** −ln(1 − Φ) at the same places: the amount that a trial subtracts from an exponential number. */
const HAZARDS = new Float64Array(LAST + 2);
for (let k = 0; k <= LAST; k++) {
  const p = normalCdf(k / STEPS - REACH);
  CUTS[k] = p * TO_U32;
  HAZARDS[k] = -Math.log1p(-p);
}
CUTS[LAST + 1] = Infinity;
HAZARDS[LAST + 1] = Infinity;

/** Place of x in the tables, as a real number. */
const placeOf = (x: number): number => (x + REACH) * STEPS;

/** Samples on which residual · ε > t − z, by comparing one uniform number each with Φ; returns the end of the run. */
function cutNormals(
  z: Float64Array,
  u: Uint32Array,
  t: number,
  residual: number,
  samples: Uint16Array,
  from: number,
): number {
  const scale = STEPS / residual;
  const shift = placeOf(-t / residual);
  let at = from;
  for (let s = 0; s < z.length; s++) {
    const place = z[s] * scale + shift;
    // Below the table the chance is under 1e-18.
    if (place < 0) continue;
    const k = place >= LAST ? LAST : place | 0;
    const v = u[s];
    if (v >= CUTS[k + 1]) continue;
    if (v + 1 <= CUTS[k] || v + 0.5 < normalCdf(place / STEPS - REACH) * TO_U32) samples[at++] = s;
  }
  return at;
}

/** Bins of a factor: an eighth of a deviation wide from −6 to 6, the outer two open. */
const BINS_PER_UNIT = 8;
const BIN_REACH = 6;
const BINS = 2 * BIN_REACH * BINS_PER_UNIT;

/** Samples of a chunk by bins of one factor. */
class Binned {
  readonly begin = new Int32Array(BINS + 1);
  readonly samples: Uint16Array;
  readonly g: Float32Array;
  readonly #bin: Uint8Array;
  #factor = -1;

  constructor(readonly chunk: number) {
    this.samples = new Uint16Array(chunk);
    this.g = new Float32Array(chunk);
    this.#bin = new Uint8Array(chunk);
  }

  /** Bins the samples by factor `k`, unless they are already: the features of a block stand together. */
  take(k: number, factors: Float32Array): void {
    if (k === this.#factor) return;
    this.#factor = k;
    const { begin, chunk } = this;
    const bin = this.#bin;
    const from = k * chunk;
    begin.fill(0);
    for (let s = 0; s < chunk; s++) {
      const place = (factors[from + s] + BIN_REACH) * BINS_PER_UNIT;
      const b = place < 0 ? 0 : place >= BINS ? BINS - 1 : place | 0;
      bin[s] = b;
      begin[b]++;
    }
    for (let b = 0, sum = 0; b <= BINS; b++) {
      const size = begin[b];
      begin[b] = sum;
      sum += size;
    }
    for (let s = 0; s < chunk; s++) {
      const to = begin[bin[s]]++;
      this.samples[to] = s;
      this.g[to] = factors[from + s];
    }
    begin.copyWithin(1, 0, BINS);
    begin[0] = 0;
  }
}

/** A feature of one loading by thinning; returns the end of its run in `samples`. */
function thin(
  binned: Binned,
  law: { loading: number; residual: number; threshold: number },
  bits: Bits,
  samples: Uint16Array,
  from: number,
): number {
  const scale = (law.loading * STEPS) / law.residual;
  const shift = placeOf(-law.threshold / law.residual);
  const { begin, g } = binned;
  const rising = law.loading > 0 ? 1 : 0;
  let at = from;
  let rest = -Math.log(bits.unit());
  for (let b = 0; b < BINS; b++) {
    const end = begin[b + 1];
    let i = begin[b];
    if (i === end) continue;
    const edge = b + rising;
    const open = law.loading !== 0 && edge === (rising ? BINS : 0);
    // The table's next place above the bin's likeliest edge: an upper bound of every probability in the bin.
    const bound = open ? LAST + 1 : Math.ceil((edge / BINS_PER_UNIT - BIN_REACH) * scale + shift);
    if (bound < 0) continue;
    const most = bound > LAST ? LAST + 1 : bound;
    const hazard = HAZARDS[most];
    const cut = most > LAST ? TO_U32 : CUTS[most];
    for (;;) {
      // A trial fails while the exponential number is larger than its hazard.
      const left = (end - i) * hazard;
      if (rest >= left) {
        rest -= left;
        break;
      }
      i += Math.floor(rest / hazard);
      if (i >= end) i = end - 1;
      const place = g[i] * scale + shift;
      const v = bits.unit() * cut;
      const k = place < 0 ? 0 : place >= LAST ? LAST : place | 0;
      if (v < CUTS[k + 1] && place >= 0 && (v <= CUTS[k] || v < normalCdf(place / STEPS - REACH) * TO_U32))
        samples[at++] = binned.samples[i];
      rest = -Math.log(bits.unit());
      if (++i === end) break;
    }
  }
  return at;
}

/**
 * Features with this threshold or a higher one are thinned; those that fire on 15 % of samples or more cost less sample
 * by sample.
 */
const RARE = 1.0364;

/** All features of a copula over one chunk. */
export function drawCopula(c: CopulaLaw, chunk: number, bits: Bits, out: Firings): void {
  const g = new Float32Array(c.factors * chunk);
  bits.normals(g);
  const z = new Float64Array(chunk);
  const u = new Uint32Array(chunk);
  const binned = new Binned(chunk);
  for (let i = 0; i < c.features.length; i++) {
    const f = c.features[i];
    const [threshold, residual] = [c.threshold[i], c.residual[i]];
    out.reserve(chunk);
    const { samples } = out;
    let at = out.count;
    out.begin[f] = at;
    const first = c.indptr[i];
    if (c.indptr[i + 1] - first === 1 && residual > 0 && threshold > RARE) {
      binned.take(c.factor[first], g);
      at = thin(binned, { loading: c.loading[first], residual, threshold }, bits, samples, at);
    } else {
      addLoadings(c, i, g, z);
      if (residual === 0) {
        for (let s = 0; s < chunk; s++) if (z[s] > threshold) samples[at++] = s;
      } else {
        bits.fill(u);
        at = cutNormals(z, u, threshold, residual, samples, at);
      }
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
