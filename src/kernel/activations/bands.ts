/** Bands of a feature's activations, and examples drawn from each: what it does besides its peaks. */
import type { ExampleBand } from '../../protocol/bundle.js';
import type { CallOptions } from '../compute/call.js';
import { finished, type Contexts, type Peak } from './contexts.js';
import { everyFiring } from './firings.js';
import type { BandOptions } from './options.js';
import type { SparseActivations } from './types.js';

/** Activations sorted at once: 64 MB. */
const BLOCK = 1 << 24;

/**
 * [features × count]: where each band of a wanted feature ends, the last at its maximum; NaN for others and dead ones.
 * By 'quantile' the i-th of n ends at the smallest activation that at least i/n of the firings do not exceed (numpy's
 * 'inverted_cdf'), so that equal activations stay in one band.
 */
export async function bandEnds(
  activations: SparseActivations,
  wanted: Uint8Array,
  { count, by }: Pick<BandOptions, 'count' | 'by'>,
  options: CallOptions,
  block = BLOCK,
): Promise<Float64Array> {
  const { firings, max } = activations.statistics;
  const features = wanted.length;
  const ends = new Float64Array(features * count).fill(NaN);
  const values = (f: number): number => (wanted[f] ? firings[f] : 0);
  if (by === 'range') {
    for (let f = 0; f < features; f++)
      if (values(f) > 0) for (let i = 0; i < count; i++) ends[f * count + i] = (max[f] * (i + 1)) / count;
    return ends;
  }
  for (let first = 0, last = 0; first < features; first = last) {
    const starts = [0];
    for (last = first; last < features; last++) {
      if (last > first && starts[last - first] + values(last) > block) break;
      starts.push(starts[last - first] + values(last));
    }
    const sorted = new Float32Array(starts[last - first]);
    if (sorted.length === 0) continue;
    const next = Uint32Array.from(starts);
    await everyFiring(activations, 'bands of activations', options, (f, _, value) => {
      if (f >= first && f < last && wanted[f]) sorted[next[f - first]++] = value;
    });
    for (let f = first; f < last; f++) {
      const own = sorted.subarray(starts[f - first], starts[f - first + 1]).sort();
      if (own.length === 0) continue;
      for (let i = 0; i < count; i++) ends[f * count + i] = own[Math.ceil(((i + 1) * own.length) / count) - 1];
    }
  }
  return ends;
}

/**
 * Draws contexts from each band of each feature, uniformly among those that differ: every context has a random number
 * of its own, a hash of it with seed and feature, and the lowest are kept. So one pass is enough, however the store is
 * cut into shards. Each band keeps so many that `perBand` are left when all shown elsewhere are among them.
 */
export class BandDraws {
  /** [features × bands]: firings in each. */
  readonly firings: Uint32Array;
  private readonly room: number;
  private readonly number: Float64Array;
  private readonly token: Int32Array;
  private readonly value: Float32Array;
  private readonly kept: Int32Array;
  private at = -1;
  private high = 0;
  private low = 0;

  constructor(
    features: number,
    private readonly bands: BandOptions,
    private readonly ends: Float64Array,
    private readonly contexts: Contexts,
    /** Examples of a feature that are shown besides. */
    others: number,
  ) {
    const { count, perBand } = bands;
    this.room = perBand === 0 ? 0 : perBand * count + others;
    this.firings = new Uint32Array(features * count);
    this.kept = new Int32Array(features * count);
    this.number = new Float64Array(features * count * this.room);
    this.token = new Int32Array(features * count * this.room);
    this.value = new Float32Array(features * count * this.room);
  }

  /** Firings come in order of their tokens. */
  add(feature: number, token: number, value: number): void {
    const { bands, ends, room, kept } = this;
    let band = feature * bands.count;
    while (value > ends[band]) band++;
    this.firings[band]++;
    if (room === 0) return;
    const number = this.numberOf(feature, token);
    const base = band * room;
    let slot = base + kept[band];
    if (kept[band] === room && number >= this.number[slot - 1]) return;
    for (let s = base; s < slot; s++) if (this.number[s] === number && this.contexts.same(this.token[s], token)) return;
    if (kept[band] < room) kept[band]++;
    else slot--;
    while (slot > base && this.number[slot - 1] > number) {
      this.number[slot] = this.number[slot - 1];
      this.token[slot] = this.token[slot - 1];
      this.value[slot] = this.value[slot - 1];
      slot--;
    }
    this.number[slot] = number;
    this.token[slot] = token;
    this.value[slot] = value;
  }

  /** 53 random bits of the context with this feature. */
  private numberOf(feature: number, token: number): number {
    if (token !== this.at) {
      const seed = finished(this.bands.seed);
      this.high = this.contexts.hash(token, seed);
      this.low = this.contexts.hash(token, ~seed);
      this.at = token;
    }
    const own = Math.imul(feature + 1, 0x9e3779b1);
    return finished(this.high ^ own) * 2 ** 21 + (finished(this.low ^ own) >>> 11);
  }

  /** The bands of a feature, the highest first, with what was drawn from each, none of it a context of `shown`. */
  drawn(feature: number, shown: readonly number[]): Array<{ band: ExampleBand; peaks: Peak[] }> {
    const { count, perBand } = this.bands;
    const { room, ends } = this;
    const taken = [...shown];
    return Array.from({ length: count }, (_, k) => {
      const at = feature * count + count - 1 - k;
      const band = { from: k === count - 1 ? 0 : ends[at - 1], to: ends[at], firings: this.firings[at] };
      const peaks: Peak[] = [];
      for (let s = at * room; s < at * room + this.kept[at] && peaks.length < perBand; s++) {
        const token = this.token[s];
        if (taken.some((other) => this.contexts.same(other, token))) continue;
        taken.push(token);
        peaks.push({ feature, token, value: this.value[s], band });
      }
      return { band, peaks: peaks.sort((a, b) => b.value - a.value || a.token - b.token) };
    });
  }
}
