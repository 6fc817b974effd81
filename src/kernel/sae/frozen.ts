/**
 * Baselines that are trained as an SAE is, with a part of it held at its random start ("Sanity checks for sparse
 * autoencoders", arXiv 2602.14111): what an SAE with a frozen decoder does as well does not speak for learned directions.
 */
import { initialParameters, type Parameters, type TrainedShape } from './parameters.js';

/** Ways of holding a part; biases are trained in all of them. */
export const FROZEN = ['frozenDecoder', 'softFrozenDecoder', 'frozenEncoder'] as const;
export type Frozen = (typeof FROZEN)[number];

/** Least cosine of a decoder row with its start where it is held softly. */
export const SOFT_COSINE = 0.8;

/** What holds a part of the parameters. */
export interface Hold {
  /** Before the update: no gradient of what is frozen, so that it counts in no norm either. */
  before(g: Parameters): void;
  /** After it. */
  after(p: Parameters): void;
}

/** The hold of a run; undefined where all is trained. The start is worked out anew, so that a run can go on. */
export function holdOf(
  baseline: Frozen | undefined,
  shape: TrainedShape & { decoderInitNorm: number; seed: number },
): Hold | undefined {
  if (baseline === undefined) return undefined;
  if (baseline === 'frozenDecoder') return { before: (g) => void g.W_dec.fill(0), after: () => undefined };
  if (baseline === 'frozenEncoder') return { before: (g) => void g.W_encT.fill(0), after: () => undefined };
  const { decoderInitNorm, seed } = shape;
  const start = initialParameters(shape, decoderInitNorm, seed).W_dec;
  return { before: () => undefined, after: (p) => keepNear(p.W_dec, start, p.dOut) };
}

/**
 * Rows whose cosine with their start is below SOFT_COSINE are turned back to that cosine, in the plane of both, and keep
 * their norm. A row that points away from its start along its line alone goes back to its start's direction.
 */
export function keepNear(rows: Float32Array, start: Float32Array, d: number): void {
  const beside = Math.sqrt(1 - SOFT_COSINE ** 2);
  for (let at = 0; at < rows.length; at += d) {
    let dot = 0, square = 0, startSquare = 0; // prettier-ignore
    for (let j = at; j < at + d; j++) {
      dot += rows[j] * start[j];
      square += rows[j] * rows[j];
      startSquare += start[j] * start[j];
    }
    const norm = Math.sqrt(square * startSquare);
    if (!(norm > 0) || dot >= SOFT_COSINE * norm) continue;
    // The part of the row across its start, of this length.
    const across = Math.sqrt(Math.max(0, square - (dot * dot) / startSquare));
    const length = Math.sqrt(square);
    const along = (across > 0 ? SOFT_COSINE : 1) * (length / Math.sqrt(startSquare));
    const by = across > 0 ? (beside * length) / across : 0;
    for (let j = at; j < at + d; j++) {
      const other = rows[j] - (dot / startSquare) * start[j];
      rows[j] = along * start[j] + by * other;
    }
  }
}
