/** How well a learned dictionary holds the true one, by directions alone: cosines, assignments, random floors. */
import type { CallOptions } from '../../compute/call.js';
import { bestOfColumns, bestOfRows, cosines, type Best } from '../../compute/cosines.js';
import { matrix, type Matrix } from '../../compute/matrix.js';
import { Random } from '../../compute/random.js';
import { mean } from '../../compute/statistics.js';
import { besideNull } from '../../correlation/nulls.js';
import type { SimilarityScore } from '../../correlation/types.js';
import { RECOVERY, type RecoveryParameters } from './options.js';
import { linearAssignment } from '../../compute/assignment.js';

/** What the two dictionaries are called in messages. */
const NAMES = ['true', 'learned'] as const;

const absolutes = (values: Float32Array): Float32Array => values.map(Math.abs);

/** Recovery measured on the two dictionaries alone. */
export interface CosineRecovery {
  /** Scores beside the floor of random dictionaries, in a fixed order. */
  scores: SimilarityScore[];
  /** [features] latent assigned by |cosine| (Hungarian), −1 = none left; and its cosine, signed (0 where none). */
  assigned: Best;
  /** [latents] true feature of largest |cosine|. */
  featureOf: Best;
}

/** Names and definitions of the scores of cosineValues, in its order. */
const SCORES: ReadonlyArray<readonly [metric: string, variant: string]> = [
  ['MMCS true → learned', 'mean over features of the largest cosine with a latent'],
  ['MMCS true → learned, absolute', 'the same with |cosine|'],
  ['MMCS learned → true', 'mean over latents of the largest cosine with a feature'],
  ['MMCS learned → true, absolute', 'the same with |cosine|'],
  ['matched cosine', 'mean cosine of the assignment of largest total cosine (Hungarian)'],
  ['MCC (dictionary)', 'mean |cosine| of the assignment of largest total |cosine|, as SAELens'],
  ['uniqueness', 'different best features (|cosine|) of the latents / latents, as SAELens'],
];

async function cosineValues(
  c: Matrix,
  call: CallOptions,
): Promise<{ values: number[]; assigned: Best; featureOf: Best }> {
  const latentOf = bestOfRows(c, true);
  const featureOf = bestOfColumns(c, true);
  const signed = await linearAssignment(c.data, c.rows, c.cols, { ...call, maximize: true });
  const unsigned = await linearAssignment(absolutes(c.data), c.rows, c.cols, { ...call, maximize: true });
  const assigned: Best = { index: new Int32Array(c.rows).fill(-1), cosine: new Float32Array(c.rows) };
  unsigned.rows.forEach((i, k) => {
    assigned.index[i] = unsigned.cols[k];
    assigned.cosine[i] = c.data[i * c.cols + unsigned.cols[k]];
  });
  const values = [
    mean(bestOfRows(c, false).cosine),
    mean(absolutes(latentOf.cosine)),
    mean(bestOfColumns(c, false).cosine),
    mean(absolutes(featureOf.cosine)),
    signed.total / signed.rows.length,
    unsigned.total / unsigned.rows.length,
    new Set(featureOf.index).size / c.cols,
  ];
  return { values, assigned, featureOf };
}

/** Rows of independent standard normals: directions equally likely everywhere. */
export function randomDictionary(rows: number, cols: number, random: Random): Matrix {
  return matrix(rows, cols, random.normals(new Float32Array(rows * cols)));
}

/**
 * MMCS both ways (signed and absolute), Hungarian-matched cosine, MCC and uniqueness of a learned dictionary
 * [latents × dim] against the true one [features × dim]. Rows are compared by direction; a zero row has cosine 0. The
 * floor of each score is that of Gaussian random dictionaries as large as the learned one. Throws on NaN, empty
 * dictionaries and different widths.
 */
export async function cosineRecovery(
  truth: Matrix,
  learned: Matrix,
  options: Pick<RecoveryParameters, 'floors' | 'seed'> & CallOptions = {},
): Promise<CosineRecovery> {
  const { runs, seed: from } = RECOVERY.nulls.members;
  const { floors = runs.usual, seed = from.usual, signal, onProgress } = options;
  for (const [name, m] of Object.entries({ true: truth, learned })) {
    if (m.rows === 0) throw new RangeError(`the ${name} dictionary has no rows: there is nothing to compare`);
  }
  const { values, assigned, featureOf } = await cosineValues(await cosines(truth, learned, { signal }, NAMES), {
    signal,
  });
  const random = new Random(seed).fork('recovery floor');
  const nulls = values.map(() => new Float64Array(floors));
  for (let run = 0; run < floors; run++) {
    const c = await cosines(truth, randomDictionary(learned.rows, learned.cols, random), { signal }, NAMES);
    (await cosineValues(c, { signal })).values.forEach((value, s) => (nulls[s][run] = value));
    onProgress?.({ label: 'floor of random dictionaries', done: run + 1, total: floors, unit: 'runs' });
  }
  const pairs = Math.min(truth.rows, learned.rows);
  const ns = [truth.rows, truth.rows, learned.rows, learned.rows, pairs, pairs, learned.rows];
  const scores = SCORES.map(([metric, variant], s) =>
    besideNull(values[s], nulls[s], { metric, variant, n: ns[s], seed, kind: 'random dictionary' }),
  );
  return { scores, assigned, featureOf };
}
