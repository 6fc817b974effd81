/** Next-token cross-entropy and divergence of runs, summed in float64. */
import { breathe } from '../compute/call.js';

/** Of a position of a run: −log p(next token), and KL(clean ‖ run), nats; 0 of the clean run. */
export type PositionScores = (position: number) => { crossEntropy: number; divergence: number };

/** Logits read between two breaths: about 0.2 s of exponentials. */
const PIECE = 1 << 24;

/** Sums over positions that are added in batches, and over parts that are added as numbers. */
export class NextTokenSums {
  /** Positions that predict a known next token. */
  positions = 0;
  /** Σ −log p(next token), nats. */
  crossEntropy = 0;
  /** Σ KL(clean ‖ changed), nats. */
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
   * Adds the sequences of a run, `context` of `length` positions each. The last position of a sequence predicts nothing
   * known and is left out, as are positions that `counted` refuses.
   */
  async add(
    scores: PositionScores,
    { length, context, vocab }: { length: number; context: number; vocab: number },
    counted: (position: number) => boolean,
  ): Promise<void> {
    const breatheEvery = Math.max(1, Math.floor(PIECE / vocab));
    for (let position = 0; position < length; position++) {
      if (position % breatheEvery === breatheEvery - 1) await breathe();
      if (position % context === context - 1 || !counted(position)) continue;
      const { crossEntropy, divergence } = scores(position);
      this.positions++;
      this.crossEntropy += crossEntropy;
      this.divergence += divergence;
    }
  }
}
