/** Several widths of one model in one embedding: the rows of all, and each row's nearest row of the width before. */
import type { CallOptions } from '../compute/call.js';
import { crossKnn } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';

/**
 * All rows, one below the other, in the order of the parts.
 * @throws RangeError when the parts differ in width
 */
export function stacked(parts: readonly Matrix[]): Matrix {
  const { cols } = parts[0];
  const odd = parts.findIndex((part) => part.cols !== cols);
  if (odd >= 0)
    throw new RangeError(
      `a joint map needs rows of one space: part 0 has ${cols} columns, part ${odd} has ${parts[odd].cols}; map SAEs of one hook together, and others beside each other`,
    );
  const out = matrix(
    parts.reduce((sum, part) => sum + part.rows, 0),
    cols,
  );
  let at = 0;
  for (const part of parts) {
    out.data.set(part.data, at);
    at += part.data.length;
  }
  return out;
}

export interface Family {
  /** [rows of all parts] number, among all, of the nearest row of the part before by cosine; -1 in the first part. */
  parent: Int32Array;
  /** [rows of all parts] cosine with it; NaN in the first part. */
  cosine: Float32Array;
}

/** Parents of the rows of every part but the first. Rows are finite numbers; a zero row has cosine 0 with all. */
export async function familyOf(parts: readonly Matrix[], call: CallOptions = {}): Promise<Family> {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const parent = new Int32Array(rows).fill(-1);
  const cosine = new Float32Array(rows).fill(NaN);
  let before = 0;
  for (let p = 1; p < parts.length; p++) {
    const from = before + parts[p - 1].rows;
    const { indices, distances } = await crossKnn(parts[p], parts[p - 1], 1, { metric: 'cosine', ...call });
    for (let i = 0; i < parts[p].rows; i++) {
      parent[from + i] = before + indices[i];
      cosine[from + i] = 1 - distances[i];
    }
    before = from;
  }
  return { parent, cosine };
}
