/**
 * Losses of mutual feature regularization with their gradients (mfr.ts has the formulas). They are exact wherever the loss
 * has one: top-k, ReLU and the choice of partners are taken as they stand.
 */
import { linearAssignment } from '../../compute/assignment.js';
import { unitRows } from '../../compute/cosines.js';
import { gemm } from '../../compute/gemm.js';
import type { Matrix } from '../../compute/matrix.js';
import { rowNorms } from '../../compute/rows.js';
import { topKRows } from '../../compute/topk.js';
import type { MfrParameters } from './mfr.js';

export type MmcsKind = NonNullable<MfrParameters['mmcs']>;

/** Encoder rows with the decoder that follows from them. */
interface Tied {
  /** features × dim. */
  e: Matrix;
  unit: Matrix;
  norms: Float64Array;
}

/** The tied decoder of encoder rows [features × dim]: the rows at length 1, and their lengths. */
export function tied(e: Matrix): Tied {
  return { e, unit: unitRows(e, 'encoder'), norms: rowNorms(e) };
}

/**
 * Mean squared error of one tied TopK SAE over a batch [rows × dim], and its gradient on the encoder rows, added to
 * `gradient`.
 */
export function reconstructionGradient({ e, unit, norms }: Tied, x: Matrix, k: number, gradient: Float32Array): number {
  const d = e.cols;
  const z = gemm(x.data, e.data, x.rows, e.rows, d, { transB: true });
  const { indices, values } = topKRows(z, x.rows, e.rows, k);
  const scale = 2 / (x.rows * d);
  const error = new Float64Array(d);
  const onUnit = new Float32Array(e.data.length);
  let squares = 0;
  for (let i = 0; i < x.rows; i++) {
    const at = i * d;
    for (let j = 0; j < d; j++) error[j] = -x.data[at + j];
    for (let s = i * k; s < (i + 1) * k; s++) {
      if (!(values[s] > 0)) continue;
      const from = indices[s] * d;
      for (let j = 0; j < d; j++) error[j] += values[s] * unit.data[from + j];
    }
    for (let j = 0; j < d; j++) squares += error[j] * error[j];
    for (let s = i * k; s < (i + 1) * k; s++) {
      const a = values[s];
      if (!(a > 0)) continue;
      const from = indices[s] * d;
      let onValue = 0;
      for (let j = 0; j < d; j++) {
        onValue += error[j] * unit.data[from + j];
        onUnit[from + j] += scale * a * error[j];
      }
      onValue *= scale;
      for (let j = 0; j < d; j++) gradient[from + j] += onValue * x.data[at + j];
    }
  }
  throughNorm(onUnit, unit, norms, gradient);
  return squares / (x.rows * d);
}

/** Gradient on unit rows → gradient on the rows they are made of: (g − ê (ê·g)) / ‖e‖; none for a zero row. */
function throughNorm(onUnit: Float32Array, unit: Matrix, norms: Float64Array, gradient: Float32Array): void {
  const d = unit.cols;
  for (let f = 0; f < unit.rows; f++) {
    if (norms[f] === 0) continue;
    let along = 0;
    for (let j = f * d; j < (f + 1) * d; j++) along += onUnit[j] * unit.data[j];
    for (let j = f * d; j < (f + 1) * d; j++) gradient[j] += (onUnit[j] - along * unit.data[j]) / norms[f];
  }
}

/** Partners of the rows of a among those of b: [row of a, row of b]. */
async function partners(c: Float32Array, n: number, kind: MmcsKind): Promise<Array<[number, number]>> {
  if (kind === 'hungarian') {
    const { rows, cols } = await linearAssignment(c, n, n, { maximize: true });
    return Array.from(rows, (r, i) => [r, cols[i]]);
  }
  return Array.from({ length: n }, (_, i) => {
    let best = 0;
    for (let j = 1; j < n; j++) if (c[i * n + j] > c[i * n + best]) best = j;
    return [i, best];
  });
}

/**
 * MMCS(a, b), and the gradient of weight · (1 − MMCS) on the encoder rows of both, added to `gradientA` and
 * `gradientB`. 'max' is not symmetric: rows of a choose.
 */
export async function couplingGradient(
  a: Tied,
  b: Tied,
  kind: MmcsKind,
  weight: number,
  gradientA: Float32Array,
  gradientB: Float32Array,
): Promise<number> {
  const n = a.e.rows;
  const d = a.e.cols;
  const c = gemm(a.unit.data, b.unit.data, n, n, d, { transB: true });
  const [onA, onB] = [new Float32Array(n * d), new Float32Array(n * d)];
  let sum = 0;
  for (const [i, j] of await partners(c, n, kind)) {
    sum += c[i * n + j];
    for (let q = 0; q < d; q++) {
      onA[i * d + q] -= (weight / n) * b.unit.data[j * d + q];
      onB[j * d + q] -= (weight / n) * a.unit.data[i * d + q];
    }
  }
  if (weight !== 0) {
    throughNorm(onA, a.unit, a.norms, gradientA);
    throughNorm(onB, b.unit, b.norms, gradientB);
  }
  return sum / n;
}

/** w(t): 0 at the first step, `coupling` from `warmUpSteps` on, along (1 − cos πt/T)/2. */
export function couplingAt(step: number, coupling: number, warmUpSteps: number): number {
  return step >= warmUpSteps ? coupling : (coupling * (1 - Math.cos((Math.PI * step) / warmUpSteps))) / 2;
}
