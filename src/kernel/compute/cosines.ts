/** Cosines between the rows of two matrices, and the best of each row and column. */
import { breathe, checkAborted, type CallOptions } from './call.js';
import { gemm, initGemm } from './gemm.js';
import { matrix, type Matrix } from './matrix.js';
import { requireMemory } from './memory.js';

/** Rows of one native product. */
const BLOCK = 1024;

/** Rows scaled to norm 1 (norms in float64); a zero row stays zero. Throws on NaN and infinity, with the place. */
export function unitRows(m: Matrix, name = 'dictionary'): Matrix {
  const out = new Float32Array(m.data.length);
  for (let i = 0; i < m.rows; i++) {
    let square = 0;
    for (let j = i * m.cols; j < (i + 1) * m.cols; j++) square += m.data[j] * m.data[j];
    if (!Number.isFinite(square))
      throw new RangeError(`row ${i} of the ${name} holds NaN or infinity; leave such rows out first`);
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let j = i * m.cols; j < (i + 1) * m.cols; j++) out[j] = m.data[j] * scale;
  }
  return matrix(m.rows, m.cols, out);
}

/**
 * cos(x_i, y_j), x.rows × y.rows, float32; rows of norm 0 have cosine 0. `names` are those of the two in messages.
 * @throws RangeError on different widths, NaN and infinity
 */
export async function cosines(
  x: Matrix,
  y: Matrix,
  call: CallOptions = {},
  names: readonly [string, string] = ['first', 'second'],
): Promise<Matrix> {
  if (x.cols !== y.cols)
    throw new RangeError(
      `the ${names[0]} dictionary is ${x.rows} × ${x.cols} and the ${names[1]} one ${y.rows} × ${y.cols}: both need the same width`,
    );
  requireMemory('the cosines of two dictionaries', 12 * x.rows * y.rows);
  await initGemm();
  const [ux, uy] = [unitRows(x, `${names[0]} dictionary`), unitRows(y, `${names[1]} dictionary`)];
  const out = matrix(ux.rows, uy.rows);
  for (let first = 0; first < ux.rows; first += BLOCK) {
    checkAborted(call.signal, 'cosines');
    const rows = Math.min(BLOCK, ux.rows - first);
    gemm(ux.data.subarray(first * ux.cols, (first + rows) * ux.cols), uy.data, rows, uy.rows, ux.cols, {
      transB: true,
      out: out.data.subarray(first * uy.rows, (first + rows) * uy.rows),
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

/** The best column of each row, by the entry or its absolute value. */
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

/** The best row of each column, by the entry or its absolute value. */
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
