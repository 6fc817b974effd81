/** Next-token cross-entropy and divergence from logits, in float64. */
import { breathe } from '../compute/call.js';
import { divergence, logSumExp } from '../compute/logits.js';

/** Logits read between two breaths: about 0.2 s of exponentials. */
const PIECE = 1 << 24;

/** Sums over positions that are added in batches, and over parts that are added as numbers. */
export class NextTokenSums {
  /** Positions that predict a known next token. */
  positions = 0;
  /** Σ −log p(next token), nats. */
  crossEntropy = 0;
  /** Σ KL(clean ‖ changed), nats; 0 when both are the same array. */
  divergence = 0;

  /** The sums as numbers. */
  state(): number[] {
    return [this.positions, this.crossEntropy, this.divergence];
  }

  /** Adds what state() of other sequences gave. */
  addState([positions, crossEntropy, divergence]: readonly number[]): void {
    this.positions += positions;
    this.crossEntropy += crossEntropy;
    this.divergence += divergence;
  }

  /**
   * Adds B sequences: logits [B·T, V] of the clean and the changed run. The last position of a sequence predicts
   * nothing known and is left out, as are positions that `counted` refuses.
   */
  async add(
    clean: Float32Array,
    changed: Float32Array,
    ids: Int32Array,
    batch: number,
    vocab: number,
    counted: (position: number) => boolean,
  ): Promise<void> {
    const context = ids.length / batch;
    const breatheEvery = Math.max(1, Math.floor(PIECE / vocab));
    for (let position = 0; position < ids.length; position++) {
      if (position % breatheEvery === breatheEvery - 1) await breathe();
      if (position % context === context - 1 || !counted(position)) continue;
      const q = changed.subarray(position * vocab, (position + 1) * vocab);
      const logTotal = logSumExp(q);
      this.positions++;
      this.crossEntropy += logTotal - q[ids[position + 1]];
      if (clean !== changed) {
        const p = clean.subarray(position * vocab, (position + 1) * vocab);
        this.divergence += divergence(p, logSumExp(p), q, logTotal);
      }
    }
  }
}
