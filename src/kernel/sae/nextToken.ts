/** Next-token cross-entropy and divergence from logits, in float64. */
import { breathe } from '../compute/call.js';

/** Logits read between two breaths: about 0.2 s of exponentials. */
const PIECE = 1 << 24;

export class NextTokenSums {
  /** Positions that predict a known next token. */
  positions = 0;
  /** Σ −log p(next token), nats. */
  crossEntropy = 0;
  /** Σ KL(clean ‖ changed), nats; 0 when both are the same array. */
  divergence = 0;

  /**
   * Adds B sequences: logits [B·T, V] of the clean and the changed run. The last position of a sequence predicts nothing
   * known and is left out, as are positions that `counted` refuses.
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
      if (clean !== changed)
        this.divergence += divergence(clean.subarray(position * vocab, (position + 1) * vocab), q, logTotal);
    }
  }
}

function logSumExp(logits: Float32Array): number {
  let most = -Infinity;
  for (let v = 0; v < logits.length; v++) if (logits[v] > most) most = logits[v];
  let sum = 0;
  for (let v = 0; v < logits.length; v++) sum += Math.exp(logits[v] - most);
  return most + Math.log(sum);
}

/** Σ p (log p − log q) */
function divergence(p: Float32Array, q: Float32Array, logTotalQ: number): number {
  const logTotalP = logSumExp(p);
  let sum = 0;
  for (let v = 0; v < p.length; v++) {
    if (p[v] === -Infinity) continue;
    const logP = p[v] - logTotalP;
    sum += Math.exp(logP) * (logP - q[v] + logTotalQ);
  }
  return sum;
}
