/**
 * How well a crosscoder reconstructs each side, and which of its exclusive features are none.
 *
 * A feature is exclusive to side m by its decoder when its share ‖d_m‖ / Σ‖d‖ is at least 1 − `sharedFrom`. Training may
 * have made it so although the other side o holds the same: the L1 penalty shrinks the small decoder away, or another
 * feature reconstructs the other side. Latent scaling (arXiv 2504.02922) looks: over all tokens, in scaled units,
 *
 *   v(y) = Σ (f − f̄)(y − ȳ) / Σ (f − f̄)²                the least-squares slope of y on the feature f
 *   νε   = ‖v(x_o − x̂_o + f·d_o)‖ / ‖v(x_m − x̂_m + f·d_m)‖     what side o's error still says with the feature
 *   νr   = ‖v(x̂_o)‖ / ‖v(x̂_m)‖                          what others already reconstruct of it there
 *
 * Models without common axes have no common direction, so lengths of slopes are compared; direction 'own' takes the part
 * along d_m alone, as the paper does, for models of one space. The squared length of noise alone, as tokens shifted
 * against the feature give it, is taken off ‖v‖² of the other side. A feature stays exclusive when νε and νr are below
 * their thresholds.
 */
import { filled } from '../verb/filled.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import type { SparseRows } from '../compute/sparse.js';
import { ReconstructionSums } from '../sae/reconstruction.js';
import { share } from '../synthetic/recovery/absorption.js';
import { nulls as nullRuns } from '../verb/common.js';
import type { NullsInline } from '../verb/nulls.js';
import { choice, real, type Given } from '../verb/option.js';
import { join, offsetsOf } from './crosscoder.js';
import { inStep, type Sources } from './source.js';
import type { Crosscoder } from './types.js';

/** Raised when the same inputs give another evaluation. */
export const EVALUATION_VERSION = 1;

export const EVALUATED = {
  sharedFrom: share(
    'A part of the decoder norm from this share on belongs to the feature; below it the feature is exclusive to the other side.',
    0.1,
  ),
  errorFrom: real({ doc: 'Least νε of a feature that is not exclusive.', min: 0, usual: 0.2 }),
  reconstructionFrom: real({ doc: 'Least νr of a feature that is not exclusive.', min: 0, usual: 0.5 }),
  direction: choice(['free', 'own'], {
    doc: "'free' compares lengths of slopes, for models without common axes; 'own' their parts along the feature's own decoder, for models of one space.",
    usual: 'free',
  }),
  nulls: nullRuns({
    doc: 'Shifts of the tokens against the features: what they give is taken off, and p is held against them.',
    runs: 20,
    draws: 'Of the shifts.',
  }),
};
export interface EvaluationOptions extends NullsInline<Given<typeof EVALUATED>>, CallOptions {}

export interface SideEvaluation {
  name: string;
  /** 1 − SSE/SST about the mean. */
  explainedVariance: number;
  /** Features that are exclusive to it by their decoder, and those that still are after latent scaling. */
  exclusive: number;
  exclusiveAfter: number;
}

export interface CrosscoderEvaluation {
  crosscoder: { name: string; id: string };
  tokens: number;
  /** Mean features that fire on a token. */
  l0: number;
  /** Features that never fired here. */
  dead: number;
  sides: SideEvaluation[];
  /** Features that fired and are exclusive to no side by their decoder. */
  shared: number;
  /** Per feature: side that it is exclusive to by its decoder, −1 shared, −2 never fired or no decoder. */
  home: Int32Array;
  /** The same after latent scaling. */
  homeAfter: Int32Array;
  /** Per feature, NaN where `home` is negative: νε and νr of the other side where they are largest, and their p. */
  errorRatio: Float64Array;
  reconstructionRatio: Float64Array;
  pError: Float64Array;
  pReconstruction: Float64Array;
  firings: Float64Array;
  settings: Required<Omit<EvaluationOptions, keyof CallOptions>>;
}

/** The side whose share of the decoder norms is at least 1 − sharedFrom; −1 none, −2 a zero decoder. */
function homeOf(shares: Matrix, feature: number, sharedFrom: number): number {
  const own = shares.data.subarray(feature * shares.cols, (feature + 1) * shares.cols);
  if (own.some(Number.isNaN)) return -2;
  return own.findIndex((share) => share > 1 - sharedFrom);
}

/** Sums of the slopes of y on some features: of the tokens as they are, and of shifted ones. */
class Slopes {
  private readonly sums: Float64Array;
  /** Run 0 is unshifted: [runs + 1][features × width]. */
  private readonly products: Float64Array[];

  constructor(
    features: number,
    private readonly width: number,
    runs: number,
  ) {
    this.sums = new Float64Array(width);
    this.products = Array.from({ length: runs + 1 }, () => new Float64Array(features * width));
  }

  /** @param at place of a feature among those that are looked at, −1 = not among them */
  add(codes: SparseRows, at: Int32Array, y: Matrix, shifts: readonly number[]): void {
    const { width, sums, products } = this;
    for (let i = 0, j = 0; i < y.rows; i++) for (let c = 0; c < width; c++) sums[c] += y.data[j++];
    for (let i = 0; i < codes.rows; i++) {
      for (let e = codes.indptr[i]; e < codes.indptr[i + 1]; e++) {
        const place = at[codes.indices[e]];
        if (place < 0) continue;
        const value = codes.values[e];
        for (let r = 0; r < products.length; r++) {
          const row = ((i + shifts[r]) % y.rows) * width;
          const to = place * width;
          for (let c = 0; c < width; c++) products[r][to + c] += value * y.data[row + c];
        }
      }
    }
  }

  /** The slope of a feature over n tokens. @param of its Σ f and Σ f² */
  slope(run: number, place: number, n: number, of: { sum: number; squares: number }): Float64Array {
    const { width, sums, products } = this;
    const spread = of.squares - (of.sum * of.sum) / n;
    const v = new Float64Array(width);
    if (!(spread > 0)) return v;
    for (let c = 0; c < width; c++) v[c] = (products[run][place * width + c] - (of.sum * sums[c]) / n) / spread;
    return v;
  }
}

/** What one reading of all tokens gives. */
class Reading {
  tokens = 0;
  readonly firings: Float64Array;
  readonly home: Int32Array;
  readonly error: Slopes;
  readonly made: Slopes;
  readonly quality: ReconstructionSums[];
  /** Place of an exclusive feature in the slopes; −1 for the others. */
  private readonly at: Int32Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private readonly offsets: number[];
  private readonly random: Random;

  constructor(
    private readonly crosscoder: Crosscoder,
    private readonly settings: CrosscoderEvaluation['settings'],
  ) {
    const { features, sides, shares } = crosscoder;
    this.offsets = offsetsOf(sides);
    const width = this.offsets[sides.length];
    this.home = Int32Array.from({ length: features }, (_, f) => homeOf(shares, f, settings.sharedFrom));
    this.at = new Int32Array(features).fill(-1);
    let exclusive = 0;
    this.home.forEach((side, f) => side >= 0 && (this.at[f] = exclusive++));
    requireMemory('latent scaling', 16 * exclusive * width * (settings.runs + 1));
    this.error = new Slopes(exclusive, width, settings.runs);
    this.made = new Slopes(exclusive, width, settings.runs);
    this.quality = sides.map((side) => new ReconstructionSums(side.width));
    this.firings = new Float64Array(features);
    this.sums = new Float64Array(features);
    this.squares = new Float64Array(features);
    this.random = new Random(settings.seed).fork('latent scaling');
  }

  add(xs: readonly Matrix[]): void {
    const { sides, joined } = this.crosscoder;
    const x = join(xs, sides);
    const codes = joined.encode(x);
    const reconstruction = joined.decode(codes);
    for (let e = 0; e < codes.indptr[codes.rows]; e++) {
      const f = codes.indices[e];
      const value = codes.values[e];
      if (value !== 0) this.firings[f]++;
      this.sums[f] += value;
      this.squares[f] += value * value;
    }
    const residual = matrix(x.rows, x.cols);
    for (let i = 0; i < x.data.length; i++) residual.data[i] = x.data[i] - reconstruction.data[i];
    sides.forEach((_, m) => this.quality[m].add(columns(x, this.offsets, m), columns(reconstruction, this.offsets, m)));
    const { runs } = this.settings;
    const shifts = Array.from({ length: runs + 1 }, (_, r) =>
      r === 0 ? 0 : shiftOf(this.random, this.tokens, r, x.rows),
    );
    this.error.add(codes, this.at, residual, shifts);
    this.made.add(codes, this.at, reconstruction, shifts);
    this.tokens += x.rows;
  }

  /** ν of the other side where it is largest, and its p, per feature. @param putBack adds f·d to what is explained */
  ratios(slopes: Slopes, putBack: boolean): { ratio: Float64Array; p: Float64Array } {
    const { features, sides, joined } = this.crosscoder;
    const { direction, runs } = this.settings;
    const { offsets, home } = this;
    const width = offsets[sides.length];
    const ratio = new Float64Array(features).fill(NaN);
    const p = new Float64Array(features).fill(NaN);
    for (let f = 0; f < features; f++) {
      if (home[f] < 0 || this.firings[f] === 0) continue;
      const decoder = joined.W_dec.data.subarray(f * width, (f + 1) * width);
      const lengths = Array.from({ length: runs + 1 }, (_, run) => {
        const v = slopes.slope(run, this.at[f], this.tokens, { sum: this.sums[f], squares: this.squares[f] });
        if (putBack && run === 0) for (let c = 0; c < width; c++) v[c] += decoder[c];
        return sides.map((_side, m) => lengthOf(v, decoder, offsets, m, home[f], direction));
      });
      const found = largestRatio(lengths, home[f]);
      ratio[f] = found.ratio;
      p[f] = found.p;
    }
    return { ratio, p };
  }
}

/**
 * Reads all tokens once and measures.
 * @throws RangeError where the slopes of its exclusive features do not fit the memory budget
 */
export async function evaluateCrosscoder(
  crosscoder: Crosscoder,
  sources: Sources,
  options: EvaluationOptions = {},
): Promise<CrosscoderEvaluation> {
  const { sharedFrom, errorFrom, reconstructionFrom, direction, runs, seed } = filled(
    { ...EVALUATED, ...EVALUATED.nulls.members },
    options,
  );
  const settings = { sharedFrom, errorFrom, reconstructionFrom, direction, runs, seed };
  const reading = new Reading(crosscoder, settings);
  for await (const xs of inStep(sources, 0, { signal: options.signal })) {
    checkAborted(options.signal, 'latent scaling');
    reading.add(xs);
    const done = reading.tokens;
    options.onProgress?.({ label: 'latent scaling', done, total: sources[0].rows ?? done, unit: 'tokens' });
    await breathe();
  }
  const { tokens, firings, quality } = reading;
  const error = reading.ratios(reading.error, true);
  const made = reading.ratios(reading.made, false);
  const home = reading.home.map((side, f) => (firings[f] === 0 ? -2 : side));
  const homeAfter = home.map((side, f) =>
    side < 0 || (error.ratio[f] < errorFrom && made.ratio[f] < reconstructionFrom) ? side : -1,
  );
  const count = (of: Int32Array, side: number): number => of.reduce((n, each) => n + Number(each === side), 0);
  return {
    crosscoder: { name: crosscoder.name, id: crosscoder.id },
    tokens,
    l0: firings.reduce((a, b) => a + b, 0) / tokens,
    dead: firings.reduce((n, each) => n + Number(each === 0), 0),
    sides: crosscoder.sides.map(({ name }, m) => ({
      name,
      explainedVariance: quality[m].metrics().explainedVariance,
      exclusive: count(home, m),
      exclusiveAfter: count(homeAfter, m),
    })),
    shared: count(home, -1),
    home,
    homeAfter,
    errorRatio: error.ratio,
    reconstructionRatio: made.ratio,
    pError: error.p,
    pReconstruction: made.p,
    firings,
    settings,
  };
}

/** A shift of at least one row within a piece of `rows`; 0 where there is one row alone. */
const shiftOf = (random: Random, piece: number, run: number, rows: number): number =>
  rows < 2 ? 0 : 1 + Math.floor(random.fork(piece).fork(run).next() * (rows - 1));

function columns(x: Matrix, offsets: readonly number[], m: number): Matrix {
  const cols = offsets[m + 1] - offsets[m];
  const part = matrix(x.rows, cols);
  for (let i = 0; i < x.rows; i++)
    part.data.set(x.data.subarray(i * x.cols + offsets[m], i * x.cols + offsets[m + 1]), i * cols);
  return part;
}

/** Length of a slope in the columns of side m, or its part along the home side's decoder. */
function lengthOf(
  v: Float64Array,
  decoder: Float32Array,
  offsets: readonly number[],
  m: number,
  home: number,
  direction: 'free' | 'own',
): number {
  let square = 0;
  let inner = 0;
  let norm = 0;
  for (let c = offsets[m], d = offsets[home]; c < offsets[m + 1]; c++, d++) {
    square += v[c] * v[c];
    if (direction === 'free') continue;
    inner += v[c] * decoder[d];
    norm += decoder[d] * decoder[d];
  }
  return direction === 'free' ? Math.sqrt(square) : Math.abs(inner) / Math.sqrt(norm);
}

/** @param lengths of the slopes by side: the unshifted run first */
function largestRatio([own, ...shifted]: readonly number[][], home: number): { ratio: number; p: number } {
  const found = { ratio: 0, p: NaN };
  own.forEach((length, m) => {
    if (m === home) return;
    const noise = shifted.reduce((sum, each) => sum + each[m] ** 2, 0) / Math.max(1, shifted.length);
    const ratio = Math.sqrt(Math.max(0, length ** 2 - noise)) / own[home];
    const above = shifted.filter((each) => each[m] >= length).length;
    if (!(ratio >= found.ratio)) return;
    found.ratio = ratio;
    found.p = shifted.length > 0 ? (above + 1) / (shifted.length + 1) : NaN;
  });
  return found;
}
