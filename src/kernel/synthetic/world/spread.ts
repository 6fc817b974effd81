/** Rows spread over the sphere: as orthogonal as descent on the sum of cos⁴ makes them. */
import { filled } from '../../verb/filled.js';
import { breathe, checkAborted, type CallOptions } from '../../compute/call.js';
import { gemm } from '../../compute/gemm.js';
import { matrix, row, type Matrix } from '../../compute/matrix.js';
import type { Random } from '../../compute/random.js';
import type { OfKind } from '../../verb/kinds.js';
import { GEOMETRY } from './options.js';

/** Rows of the Gram matrix at once. */
const BLOCK = 1024;

/** No n unit vectors of width d have all |cos| below this (Welch 1974). */
export function welchBound(n: number, d: number): number {
  return n <= d ? 0 : Math.sqrt((n - d) / (d * (n - 1)));
}

/** Divides every row by its length, in place; sums are float64. A row of zeros becomes NaN. */
export function normalizeRows(m: Matrix): void {
  for (let i = 0; i < m.rows; i++) {
    const v = row(m, i);
    let sum = 0;
    for (let j = 0; j < v.length; j++) sum += v[j] * v[j];
    const norm = Math.sqrt(sum);
    for (let j = 0; j < v.length; j++) v[j] /= norm;
  }
}

/** Orthonormal rows by modified Gram-Schmidt, twice, in float64. */
function orthonormal(n: number, d: number, random: Random): Matrix {
  const rows: Float64Array[] = [];
  for (let i = 0; i < n; i++) {
    const v = Float64Array.from({ length: d }, () => random.normal());
    for (const u of [...rows, ...rows]) {
      let dot = 0;
      for (let j = 0; j < d; j++) dot += u[j] * v[j];
      for (let j = 0; j < d; j++) v[j] -= dot * u[j];
    }
    const norm = Math.hypot(...v);
    rows.push(v.map((x) => x / norm));
  }
  const m = matrix(n, d);
  rows.forEach((v, i) => row(m, i).set(v));
  return m;
}

/**
 * Gram rows block by block: `each(first, block)` may change the block; then block · D is added to `out` when given.
 */
export async function eachGramBlock(
  m: Matrix,
  each: (first: number, rows: number, gram: Float32Array) => void,
  call: CallOptions,
  out?: Float32Array,
  limit = m.rows,
): Promise<void> {
  const { rows: n, cols: d } = m;
  for (let first = 0; first < limit; first += BLOCK) {
    checkAborted(call.signal, 'geometry');
    const rows = Math.min(BLOCK, limit - first);
    const part = m.data.subarray(first * d, (first + rows) * d);
    const gram = gemm(part, m.data, rows, n, d, { transB: true });
    each(first, rows, gram);
    if (out) gemm(gram, m.data, rows, d, n, { out: out.subarray(first * d, (first + rows) * d) });
    await breathe();
  }
}

/**
 * Largest |cos| of the first `limit` rows (default all) to the others, the mean of these largest, and the mean |cos|.
 */
export async function largestCosines(
  m: Matrix,
  call: CallOptions = {},
  limit = m.rows,
): Promise<{ max: number; meanMax: number; meanAbs: number }> {
  let [max, sum, all] = [0, 0, 0];
  await eachGramBlock(
    m,
    (first, rows, gram) => {
      for (let i = 0; i < rows; i++) {
        let most = 0;
        for (let j = 0; j < m.rows; j++) {
          if (j === first + i) continue;
          const c = Math.abs(gram[i * m.rows + j]);
          all += c;
          if (c > most) most = c;
        }
        sum += most;
        max = Math.max(max, most);
      }
    },
    call,
    undefined,
    limit,
  );
  return { max, meanMax: sum / limit, meanAbs: m.rows > 1 ? all / (limit * (m.rows - 1)) : 0 };
}

/**
 * n near-orthogonal unit rows of width d: orthonormal when n ≤ d, else random rows after `steps` (default 100) steps of
 * gradient descent on Σ cos⁴, each row moved by at most a tenth, less towards the end. Throws when `maxCosine` is
 * below the Welch bound, or is not reached.
 */
export async function spreadRows(
  n: number,
  d: number,
  random: Random,
  options: Pick<OfKind<typeof GEOMETRY, 'near-orthogonal'>, 'steps' | 'maxCosine'>,
  call: CallOptions,
): Promise<Matrix> {
  const { steps, maxCosine } = filled(GEOMETRY.table['near-orthogonal'].members, options);
  const bound = welchBound(n, d);
  if (maxCosine !== undefined && maxCosine < bound)
    throw new RangeError(
      `${n} directions in ${d} dimensions have some |cos| of ${bound.toFixed(4)} or more (Welch bound): maxCosine ${maxCosine} is impossible; the feasible range is [${bound.toFixed(4)}, 1]`,
    );
  if (n <= d) return orthonormal(n, d, random);
  const m = matrix(n, d, random.normals(new Float32Array(n * d)));
  normalizeRows(m);
  const gradient = new Float32Array(n * d);
  for (let step = 0; step < steps; step++) {
    call.onProgress?.({ label: 'near-orthogonal directions', done: step, total: steps, unit: 'steps' });
    const cube = (first: number, rows: number, gram: Float32Array): void => {
      for (let i = 0; i < gram.length; i++) gram[i] *= gram[i] * gram[i];
      for (let i = 0; i < rows; i++) gram[i * n + first + i] = 0;
    };
    await eachGramBlock(m, cube, call, gradient);
    let most = 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = i * d; j < (i + 1) * d; j++) sum += gradient[j] * gradient[j];
      most = Math.max(most, Math.sqrt(sum));
    }
    const rate = (0.1 * (1 - step / steps)) / (most || 1);
    for (let i = 0; i < m.data.length; i++) m.data[i] -= rate * gradient[i];
    normalizeRows(m);
  }
  if (maxCosine !== undefined) {
    const { max } = await largestCosines(m, call);
    if (max > maxCosine)
      throw new RangeError(
        `${steps} steps bring ${n} directions in ${d} dimensions to a largest |cos| of ${max.toFixed(4)}, not ${maxCosine}: give more steps, or between ${max.toFixed(4)} and 1 (the Welch bound is ${bound.toFixed(4)})`,
      );
  }
  return m;
}
