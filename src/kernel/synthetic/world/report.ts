/** What samples of a world do, compared with what was asked for, in standard errors. */
import { filled } from '../../verb/filled.js';
import { checkAborted, type CallOptions } from '../../compute/call.js';
import { row } from '../../compute/matrix.js';
import { normalQuantile, phiOfJoint } from '../../compute/sampling/normal.js';
import type { SparseRows } from '../../compute/sparse.js';
import { whole, type Given } from '../../verb/option.js';
import { largestCosines, welchBound } from './spread.js';
import type { GeneratedWorld } from './world.js';
import { jointLaw } from './joint.js';

export const REPORT = {
  samples: whole({ doc: 'Samples drawn.', min: 2, usual: 20_000 }),
  seed: whole({ doc: 'Of the samples.', fallback: "the world's own" }),
  pairFeatures: whole({ doc: 'Features whose pairs are counted, evenly spaced over all.', min: 2, usual: 512 }),
};
export interface WorldReportOptions extends Given<typeof REPORT>, CallOptions {}

/** Largest of many deviations, beside the largest that chance alone gives. */
export interface Deviations {
  /** How many were compared. */
  count: number;
  /** Largest deviation in standard errors; Infinity where something fired that was asked never to, or always to. */
  maxZ: number;
  /** Median of the largest of `count` independent deviations, in standard errors. */
  expectedMaxZ: number;
  /** The feature, or the pair of features, with the largest deviation; [] where nothing deviates. */
  at: number[];
}

export interface PairRow {
  a: number;
  b: number;
  /** Correlation of the two binary firings; asked is undefined for published generators. */
  askedPhi: number | undefined;
  phi: number;
  /** Deviation of the share of samples with both, in standard errors. */
  z: number | undefined;
}

export interface WorldReport {
  world: string;
  description: string;
  samples: number;
  seed: number;
  l0: {
    asked: number;
    mean: number;
    sd: number;
    /** Share of samples in which nothing fires. */
    none: number;
    /** mean − asked in standard errors; ±Infinity where all samples have one number, and not the one asked for. */
    z: number;
  };
  /** [features] */
  asked: Float64Array;
  realized: Float64Array;
  marginals: Deviations;
  /** Pairs with at least ten expected co-firings; undefined for published generators. */
  cofiring: Deviations | undefined;
  /** Pairs that the law forbids and that fired together. */
  forbidden: number | undefined;
  meanAbsPhi: number;
  /** Pairs farthest from what was asked, or of largest phi. */
  pairs: PairRow[];
  geometry: {
    shortest: number;
    longest: number;
    maxCosine: number;
    meanMaxCosine: number;
    meanCosine: number;
    welch: number;
    /** Features whose cosines to all others were taken. */
    cosinesOf: number;
  };
  magnitudes: { mean: number; sd: number };
  /** Samples by number of active features. */
  histogram: number[];
  faults: readonly string[];
  notes: readonly string[];
}

class Counts {
  readonly firings: Float64Array;
  readonly both: Float64Array;
  readonly histogram: number[] = [];
  readonly place: Int32Array;
  samples = 0;
  sum = 0;
  squares = 0;

  constructor(
    features: number,
    readonly chosen: Int32Array,
  ) {
    this.firings = new Float64Array(features);
    this.place = new Int32Array(features).fill(-1);
    chosen.forEach((f, i) => (this.place[f] = i));
    this.both = new Float64Array(chosen.length * chosen.length);
  }

  add({ rows, indptr, indices, values }: SparseRows): void {
    const n = this.chosen.length;
    const active: number[] = [];
    for (let s = 0; s < rows; s++) {
      const l0 = indptr[s + 1] - indptr[s];
      this.histogram[l0] = (this.histogram[l0] ?? 0) + 1;
      active.length = 0;
      for (let e = indptr[s]; e < indptr[s + 1]; e++) {
        this.firings[indices[e]]++;
        this.sum += values[e];
        this.squares += values[e] * values[e];
        if (this.place[indices[e]] >= 0) active.push(this.place[indices[e]]);
      }
      for (let i = 0; i < active.length; i++) for (let j = 0; j < i; j++) this.both[active[i] * n + active[j]]++;
    }
    this.samples += rows;
  }
}

const KEPT = 12;

function deviations(zs: ReadonlyArray<{ z: number; at: number[] }>): Deviations {
  const most = zs.reduce((a, b) => (Math.abs(b.z) > Math.abs(a.z) ? b : a), { z: 0, at: [] as number[] });
  // Median of the largest of m: P(|z| ≤ x)^m = 1/2.
  const tail = 1 - 0.5 ** (1 / Math.max(1, zs.length));
  return { count: zs.length, maxZ: Math.abs(most.z), expectedMaxZ: -normalQuantile(tail / 2), at: most.at };
}

/** Relative rounding error allowed for in sums of frequencies. */
const ROUNDING = 1e-9;

/**
 * Deviation of a share of n samples from its probability p, in standard errors. What was asked for never (p = 0) or
 * always (p = 1) has no standard error: 0 where it holds, Infinity where it does not. p itself is a sum, which may be a
 * hair outside.
 */
function standardScore(realised: number, p: number, n: number): number {
  const asked = p < 1e-15 ? 0 : p > 1 - ROUNDING ? 1 : p;
  const error = Math.sqrt((asked * (1 - asked)) / n);
  if (error > 0) return (realised - asked) / error;
  return realised === asked ? 0 : realised > asked ? Infinity : -Infinity;
}

function marginalsOf(world: GeneratedWorld, c: Counts): Deviations {
  const zs: Array<{ z: number; at: number[] }> = [];
  world.frequencies.forEach((p, f) => {
    zs.push({ z: standardScore(c.firings[f] / c.samples, p, c.samples), at: [f] });
  });
  return deviations(zs);
}

/**
 * Deviation of the mean L0 in its standard errors, sd/√n. Where every sample has the same number there is no error: 0
 * where that number is the one asked for, but for the rounding of the sum of the frequencies; ±Infinity where it is
 * not.
 */
function l0Score(mean: number, asked: number, sd: number, samples: number): number {
  if (Math.abs(mean - asked) <= ROUNDING * Math.max(1, Math.abs(asked))) return 0;
  return ((mean - asked) * Math.sqrt(samples)) / sd;
}

/** 0 for what the difference P(i and j) − pᵢpⱼ leaves of a correlation of 0. */
const withoutRounding = (phi: number): number => (Math.abs(phi) < 1e-12 ? 0 : phi);

function pairsOf(
  world: GeneratedWorld,
  c: Counts,
): Pick<WorldReport, 'cofiring' | 'forbidden' | 'meanAbsPhi' | 'pairs'> {
  const joint = jointLaw(world);
  const { chosen, samples } = c;
  const n = chosen.length;
  const zs: Array<{ z: number; at: number[] }> = [];
  let [forbidden, absolute, counted] = [0, 0, 0];
  let pairs: PairRow[] = [];
  const weight = (p: PairRow): number => Math.abs(p.z ?? p.phi);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [chosen[j], chosen[i]];
      const both = c.both[i * n + j] / samples;
      const [pa, pb] = [c.firings[a] / samples, c.firings[b] / samples];
      if (pa === 0 || pb === 0) continue;
      const phi = phiOfJoint(pa, pb, both);
      absolute += Math.abs(phi);
      counted++;
      const asked = joint?.(a, b);
      if (asked !== undefined && asked <= 1e-15) forbidden += both > 0 ? 1 : 0;
      if (asked !== undefined && asked * samples < 10) continue;
      if (asked === undefined && pa * pb * samples < 10) continue;
      const z = asked === undefined ? undefined : standardScore(both, asked, samples);
      if (z !== undefined) zs.push({ z, at: [a, b] });
      const { frequencies: p } = world;
      const askedPhi = asked === undefined ? undefined : withoutRounding(phiOfJoint(p[a], p[b], asked));
      pairs.push({ a, b, askedPhi, phi, z });
      if (pairs.length > 4096) pairs = pairs.sort((x, y) => weight(y) - weight(x)).slice(0, KEPT);
    }
  }
  return {
    cofiring: joint ? deviations(zs) : undefined,
    forbidden: joint ? forbidden : undefined,
    meanAbsPhi: counted ? absolute / counted : 0,
    pairs: pairs.sort((x, y) => weight(y) - weight(x)).slice(0, KEPT),
  };
}

async function geometryOf(world: GeneratedWorld, call: CallOptions): Promise<WorldReport['geometry']> {
  const d = { ...world.dictionary, data: world.dictionary.data.slice() };
  let [shortest, longest] = [Infinity, 0];
  // All pairs of 16,384 rows would cost more than the samples.
  const cosinesOf = d.rows <= 4096 ? d.rows : 1024;
  for (let f = 0; f < d.rows; f++) {
    const v = row(d, f);
    const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    shortest = Math.min(shortest, norm);
    longest = Math.max(longest, norm);
    if (norm > 0) for (let j = 0; j < v.length; j++) v[j] /= norm;
  }
  const { max, meanMax, meanAbs } = await largestCosines(d, call, cosinesOf);
  return {
    shortest,
    longest,
    maxCosine: max,
    meanMaxCosine: meanMax,
    meanCosine: meanAbs,
    welch: welchBound(d.rows, d.cols),
    cosinesOf,
  };
}

/** Draws samples and states what the world does and how far that is from what was asked. */
export async function worldReport(world: GeneratedWorld, options: WorldReportOptions = {}): Promise<WorldReport> {
  const { samples, seed = world.seed, pairFeatures, signal, onProgress } = filled(REPORT, options);
  const few = Math.min(world.features, pairFeatures);
  const chosen = Int32Array.from({ length: few }, (_, i) => Math.floor((i * world.features) / few));
  const counts = new Counts(world.features, chosen);
  for await (const { codes } of world.sample(samples, { seed, signal, onProgress })) {
    checkAborted(signal, 'report of a world');
    counts.add(codes);
  }
  const histogram = Array.from({ length: counts.histogram.length }, (_, k) => counts.histogram[k] ?? 0);
  const firings = counts.firings.reduce((a, b) => a + b, 0);
  const mean = firings / samples;
  const sd = Math.sqrt(histogram.reduce((sum, c, k) => sum + c * (k - mean) ** 2, 0) / Math.max(1, samples - 1));
  const asked = world.frequencies.reduce((a, b) => a + b, 0);
  const magnitude = firings ? counts.sum / firings : NaN;
  return {
    world: world.id,
    description: world.description,
    samples,
    seed,
    l0: {
      asked,
      mean,
      sd,
      none: histogram[0] / samples,
      z: l0Score(mean, asked, sd, samples),
    },
    asked: world.frequencies,
    realized: counts.firings.map((c) => c / samples),
    marginals: marginalsOf(world, counts),
    ...pairsOf(world, counts),
    geometry: await geometryOf(world, { signal }),
    magnitudes: { mean: magnitude, sd: Math.sqrt(Math.max(0, counts.squares / firings - magnitude * magnitude)) },
    histogram,
    faults: world.faults,
    notes: world.plan?.notes ?? [],
  };
}
