/** How well a learned dictionary holds the true one, by directions alone: cosines, assignments, random floors. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { gemm, initGemm } from '../compute/gemm.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import { mean } from '../compute/statistics.js';
import { besideNull, requireRuns } from '../correlation/nulls.js';
import type { SimilarityScore } from '../correlation/types.js';
import { linearAssignment } from './recoveryAssignment.js';

/** Rows of one native product. */
const BLOCK = 1024;

/** Rows scaled to norm 1 (norms in float64); a zero row stays zero. Throws on NaN and infinity, with the place. */
export function unitRows(m: Matrix, name = 'dictionary'): Matrix {
  const out = new Float32Array(m.data.length);
  for (let i = 0; i < m.rows; i++) {
    let square = 0;
    for (let j = i * m.cols; j < (i + 1) * m.cols; j++) square += m.data[j] * m.data[j];
    if (!Number.isFinite(square)) throw new RangeError(`row ${i} of the ${name} holds NaN or infinity`);
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let j = i * m.cols; j < (i + 1) * m.cols; j++) out[j] = m.data[j] * scale;
  }
  return matrix(m.rows, m.cols, out);
}

/** cos(truth_i, learned_j), truth.rows × learned.rows; rows of norm 0 have cosine 0. Throws on different widths. */
export async function cosines(truth: Matrix, learned: Matrix, call: CallOptions = {}): Promise<Matrix> {
  if (truth.cols !== learned.cols)
    throw new RangeError(
      `the true dictionary is ${truth.rows} × ${truth.cols} and the learned one ${learned.rows} × ${learned.cols}: both need the same width`,
    );
  requireMemory('the cosines of two dictionaries', 12 * truth.rows * learned.rows);
  await initGemm();
  const [t, l] = [unitRows(truth, 'true dictionary'), unitRows(learned, 'learned dictionary')];
  const out = matrix(t.rows, l.rows);
  for (let first = 0; first < t.rows; first += BLOCK) {
    checkAborted(call.signal, 'cosines');
    const rows = Math.min(BLOCK, t.rows - first);
    gemm(t.data.subarray(first * t.cols, (first + rows) * t.cols), l.data, rows, l.rows, t.cols, {
      transB: true,
      out: out.data.subarray(first * l.rows, (first + rows) * l.rows),
    });
    await breathe();
  }
  return out;
}

/** The best column of every row and the best row of every column. */
export interface Best {
  /** Index of the largest entry (signed or absolute), ties to the lower; −1 where there is none. */
  index: Int32Array;
  /** The entry itself, with its sign. */
  cosine: Float32Array;
}

export function bestOfRows(c: Matrix, absolute: boolean): Best {
  const best: Best = { index: new Int32Array(c.rows).fill(-1), cosine: new Float32Array(c.rows) };
  for (let i = 0; i < c.rows; i++) {
    let top = -Infinity;
    for (let j = 0; j < c.cols; j++) {
      const value = c.data[i * c.cols + j];
      const score = absolute ? Math.abs(value) : value;
      if (score <= top) continue;
      top = score;
      best.index[i] = j;
      best.cosine[i] = value;
    }
  }
  return best;
}

export function bestOfColumns(c: Matrix, absolute: boolean): Best {
  const best: Best = { index: new Int32Array(c.cols).fill(-1), cosine: new Float32Array(c.cols) };
  const top = new Float32Array(c.cols).fill(-Infinity);
  for (let i = 0; i < c.rows; i++) {
    for (let j = 0; j < c.cols; j++) {
      const value = c.data[i * c.cols + j];
      const score = absolute ? Math.abs(value) : value;
      if (score <= top[j]) continue;
      top[j] = score;
      best.index[j] = i;
      best.cosine[j] = value;
    }
  }
  return best;
}

const absolutes = (values: Float32Array): Float32Array => values.map(Math.abs);

/** What the dictionaries alone say. */
export interface CosineRecovery {
  /** Scores beside the floor of random dictionaries, in a fixed order. */
  scores: SimilarityScore[];
  /** [features] latent assigned by |cosine| (Hungarian), −1 = none left; and its cosine, signed (0 where none). */
  assigned: Best;
  /** [latents] true feature of largest |cosine|. */
  featureOf: Best;
}

export interface CosineOptions extends CallOptions {
  /** Random dictionaries for the floor; default 20. 0 leaves the floor out. */
  floors?: number;
  /** Seed of the random dictionaries; default 0. */
  seed?: number;
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
  options: CosineOptions = {},
): Promise<CosineRecovery> {
  const { floors = 20, seed = 0, signal, onProgress } = options;
  requireRuns(floors);
  for (const [name, m] of Object.entries({ true: truth, learned })) {
    if (m.rows === 0) throw new RangeError(`the ${name} dictionary has no rows: there is nothing to compare`);
  }
  const { values, assigned, featureOf } = await cosineValues(await cosines(truth, learned, { signal }), { signal });
  const random = new Random(seed).fork('recovery floor');
  const nulls = values.map(() => new Float64Array(floors));
  for (let run = 0; run < floors; run++) {
    const c = await cosines(truth, randomDictionary(learned.rows, learned.cols, random), { signal });
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
