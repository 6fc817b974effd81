/** How well x̂ reproduces x: float64 sums over tokens that arrive in batches, and the measures made of them. */
import type { Matrix } from '../compute/matrix.js';
import { columnMeans } from '../compute/rows.js';

export interface ReconstructionMetrics {
  /** Σ_d (x̂ − x)², mean over tokens: SAELens's training MSE. */
  mseSumPerToken: number;
  /** mseSumPerToken / d. */
  msePerElement: number;
  /** 1 − SSE/SST, SST about the mean activation of all tokens. NaN when all tokens are equal (SST = 0). */
  explainedVariance: number;
  /**
   * "Legacy": mean over tokens of 1 − ‖x̂ − x‖²/‖x − mean of its batch‖², as SAELens before 6.x and SAEBench report.
   * Tokens that equal their batch's mean have no such ratio and are left out; NaN when none is left.
   */
  explainedVariancePerToken: number;
  /** 1 − FVU as sparsify logs it: SSE/SST of each batch about that batch's mean, averaged over batches by tokens. */
  oneMinusFvu: number;
  /** Mean over tokens of cos(x, x̂); a token whose x or x̂ is zero counts 0. */
  cosineSimilarity: number;
  /** Σ‖x̂‖² / Σ⟨x, x̂⟩: below 1 means shrinkage. NaN when Σ⟨x, x̂⟩ is 0. */
  relativeReconstructionBias: number;
  /** Mean over tokens of ‖x̂‖/‖x‖; tokens with x = 0 are left out. */
  l2Ratio: number;
}

/** Sums of the measures over tokens that are added in batches, and over parts that are added as numbers. */
export class ReconstructionSums {
  tokens = 0;
  private squaredError = 0;
  private perToken = 0;
  private perTokenCount = 0;
  private fvu = 0;
  private fvuTokens = 0;
  private cosine = 0;
  private squaredReconstruction = 0;
  private inner = 0;
  private ratio = 0;
  private ratioCount = 0;
  private readonly mean: Float64Array;
  /** Σ (x − mean)² so far, merged batch by batch (Chan et al.): no cancellation on data with an offset. */
  private spread = 0;

  constructor(private readonly width: number) {
    this.mean = new Float64Array(width);
  }

  /** Adds tokens: x and x̂, both n × width. */
  add(x: Matrix, reconstruction: Matrix): void {
    const { width } = this;
    if (x.rows === 0) return;
    const batchMean = columnMeans(x);
    let error = 0;
    let spread = 0;
    for (let i = 0; i < x.rows; i++) {
      let e2 = 0, s2 = 0, x2 = 0, r2 = 0, xr = 0; // prettier-ignore
      for (let j = 0, at = i * width; j < width; j++, at++) {
        const value = x.data[at];
        const made = reconstruction.data[at];
        e2 += (made - value) ** 2;
        s2 += (value - batchMean[j]) ** 2;
        x2 += value * value;
        r2 += made * made;
        xr += value * made;
      }
      error += e2;
      spread += s2;
      if (s2 > 0) {
        this.perToken += 1 - e2 / s2;
        this.perTokenCount++;
      }
      if (x2 > 0) {
        this.ratio += Math.sqrt(r2 / x2);
        this.ratioCount++;
        if (r2 > 0) this.cosine += xr / Math.sqrt(x2 * r2);
      }
      this.squaredReconstruction += r2;
      this.inner += xr;
    }
    if (spread > 0) {
      this.fvu += (x.rows * error) / spread;
      this.fvuTokens += x.rows;
    }
    this.squaredError += error;
    this.mergeSpread(batchMean, spread, x.rows);
  }

  /** The sums as numbers. */
  state(): number[] {
    return [...this.scalars(), ...this.mean];
  }

  /** Adds what state() of other tokens gave. */
  addState(state: readonly number[]): void {
    const [
      tokens,
      squaredError,
      perToken,
      perTokenCount,
      fvu,
      fvuTokens,
      cosine,
      squared,
      inner,
      ratio,
      ratios,
      spread,
    ] = state;
    if (tokens === 0) return;
    this.squaredError += squaredError;
    this.perToken += perToken;
    this.perTokenCount += perTokenCount;
    this.fvu += fvu;
    this.fvuTokens += fvuTokens;
    this.cosine += cosine;
    this.squaredReconstruction += squared;
    this.inner += inner;
    this.ratio += ratio;
    this.ratioCount += ratios;
    this.mergeSpread(Float64Array.from(state.slice(this.scalars().length)), spread, tokens);
  }

  private scalars(): number[] {
    const { tokens, squaredError, perToken, perTokenCount, fvu, fvuTokens, cosine } = this;
    const { squaredReconstruction, inner, ratio, ratioCount, spread } = this;
    return [
      ...[tokens, squaredError, perToken, perTokenCount, fvu, fvuTokens, cosine],
      ...[squaredReconstruction, inner, ratio, ratioCount, spread],
    ];
  }

  metrics(): ReconstructionMetrics {
    const n = this.tokens;
    return {
      mseSumPerToken: this.squaredError / n,
      msePerElement: this.squaredError / (n * this.width),
      explainedVariance: this.spread > 0 ? 1 - this.squaredError / this.spread : NaN,
      explainedVariancePerToken: this.perToken / this.perTokenCount,
      oneMinusFvu: 1 - this.fvu / this.fvuTokens,
      cosineSimilarity: this.cosine / n,
      relativeReconstructionBias: this.inner === 0 ? NaN : this.squaredReconstruction / this.inner,
      l2Ratio: this.ratio / this.ratioCount,
    };
  }

  private mergeSpread(batchMean: Float64Array, spread: number, rows: number): void {
    if (this.tokens === 0) {
      // Copied, so that the sums of a single part are that part's to the bit.
      this.mean.set(batchMean);
      this.spread = spread;
      this.tokens = rows;
      return;
    }
    const total = this.tokens + rows;
    let between = 0;
    for (let j = 0; j < this.width; j++) {
      const delta = batchMean[j] - this.mean[j];
      between += delta * delta;
      this.mean[j] += (delta * rows) / total;
    }
    this.spread += spread + (between * this.tokens * rows) / total;
    this.tokens = total;
  }
}
