/**
 * ONNX Runtime's matrix product, with results that depend neither on the number of threads nor on the other rows.
 *
 * MLAS (onnxruntime/core/mlas/lib/sgemm.cpp) sums every entry in the order of k, in blocks whose length it takes from
 * the number of columns that a thread works on: 128 where these are more than 64, or the left operand is transposed; up
 * to 1,024 where they are few. One row, or one column, takes other code with another order. It shares products out by
 * rows, or by columns where there are more of these. So a product is shared among threads only where the shares keep
 * the order of sums, one column is computed as two, and callers never cut off a single row (rowCuts).
 */
import os from 'node:os';
import type { OnnxGraph } from './onnxModel.js';
import { openSession, type NativeSession, type Shaped as ShapedOf } from './ort.js';
import { NARROW } from './productCuts.js';
import { Random } from './random.js';

type Shaped = ShapedOf<Float32Array>;

export interface NativeProduct {
  /**
   * C = op(A) · op(B); shapes as stored, leading dimensions broadcast as in numpy, but those of B must not all be 1
   * unless those of A are. `c` is overwritten. Row i of C depends only on row i of A, on B, n and transA, and on
   * whether A has a single row.
   */
  multiply(a: Shaped, b: Shaped, c: Shaped, transA: boolean, transB: boolean): void;
  /** rows × cols → cols × rows, into `out`. */
  transpose(x: Float32Array, rows: number, cols: number, out: Float32Array): void;
}

/**
 * Columns that a share must have on average, so that the smallest one (shares are multiples of 16) has more than
 * NARROW.
 */
const SHARE = 96;
/** Length of a block of k where there are more than NARROW columns or the left operand is transposed. */
const BLOCK_K = 128;
/** Shares per thread that ONNX Runtime may cut products into: one; four on processors with two kinds of cores. */
const SHARES_PER_THREAD = [1, 4];

const last = (shape: readonly number[]): [number, number] => [shape[shape.length - 2], shape[shape.length - 1]];

/** One column twice: [.., k] values → [.., k, 2], or [.., 2, k] when rows are columns. */
function doubledColumn(b: Float32Array, k: number, transB: boolean): Float32Array {
  const out = new Float32Array(2 * b.length);
  if (transB)
    for (let i = 0; i < b.length; i += k) for (let r = 0; r < 2; r++) out.set(b.subarray(i, i + k), 2 * i + r * k);
  else for (let i = 0; i < b.length; i++) out[2 * i] = out[2 * i + 1] = b[i];
  return out;
}

function productGraph(transA: boolean, transB: boolean): OnnxGraph {
  const attributes = { transA: Number(transA), transB: Number(transB) };
  const node = { op: 'FusedMatMul', inputs: ['a', 'b'], output: 'c', attributes, domain: 'com.microsoft' } as const;
  return { nodes: [node], inputs: ['a', 'b'], outputs: ['c'] };
}

class SharedProduct implements NativeProduct {
  readonly #sessions = new Map<string, NativeSession>();

  /** `shares`: the most parts that a product is cut into. */
  constructor(
    private readonly threads: number,
    private readonly shares: number,
  ) {}

  #session(key: string, threads: number, graph: () => OnnxGraph): NativeSession {
    const full = `${key} ${threads}`;
    let found = this.#sessions.get(full);
    if (!found) this.#sessions.set(full, (found = openSession(graph(), threads)));
    return found;
  }

  /** Whether every share of a product sums in the same order as the whole. */
  #shares(m: number, n: number, k: number, batches: number): boolean {
    if (this.shares === 1 || batches >= this.shares) return true;
    return m >= n ? m >= 2 * this.shares : k <= BLOCK_K || n >= SHARE * this.shares;
  }

  multiply(a: Shaped, b: Shaped, c: Shaped, transA: boolean, transB: boolean): void {
    const [m, n] = last(c[1]);
    const batch = c[1].slice(0, -2);
    if (n === 1 && m > 1) {
      const k = last(b[1])[transB ? 1 : 0];
      const wide = [...b[1].slice(0, -2), ...(transB ? [2, k] : [k, 2])];
      const two = new Float32Array(2 * c[0].length);
      this.multiply(a, [doubledColumn(b[0], k, transB), wide], [two, [...batch, m, 2]], transA, transB);
      for (let i = 0; i < c[0].length; i++) c[0][i] = two[2 * i];
      return;
    }
    const run = (left: Shaped, turned: boolean, threads: number): void =>
      this.#session(`${turned} ${transB}`, threads, () => productGraph(turned, transB)).run({ a: left, b }, { c });
    const k = last(a[1])[transA ? 0 : 1];
    const batches = batch.reduce((x, y) => x * y, 1);
    if (transA || this.#shares(m, n, k, batches)) return run(a, transA, this.threads);
    // Transposed, all blocks of k have one length, however few columns a share has.
    if (n <= NARROW || m === 1 || batches > 1) return run(a, false, 1);
    const turned = new Float32Array(m * k);
    this.transpose(a[0], m, k, turned);
    run([turned, [...a[1].slice(0, -2), k, m]], true, this.threads);
  }

  transpose(x: Float32Array, rows: number, cols: number, out: Float32Array): void {
    const turn = this.#session('transpose', this.threads, () => {
      const node = { op: 'Transpose', inputs: ['x'], output: 'y', attributes: { perm: [1, 0] } };
      return { nodes: [node], inputs: ['x'], outputs: ['y'] };
    });
    turn.run({ x: [x, [rows, cols]] }, { y: [out, [cols, rows]] });
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }
}

/** Whether products with the narrowest possible shares have the same bits on all threads as on one. */
function sharesKeepBits(product: NativeProduct, shares: number): boolean {
  const random = new Random(5);
  const one = new SharedProduct(1, 1);
  try {
    return [
      [8, SHARE * shares],
      [2 * shares, NARROW],
      [2 * shares, 2],
    ].every(([m, n]) => {
      const k = 5 * BLOCK_K + 60;
      const [a, b] = [m * k, k * n].map((length) => random.normals(new Float32Array(length)));
      const [by, alone] = [product, one].map((p) => {
        const c = new Float32Array(m * n);
        p.multiply([a, [m, k]], [b, [k, n]], [c, [m, n]], false, false);
        return c;
      });
      return by.every((v, i) => v === alone[i]);
    });
  } finally {
    one.close();
  }
}

/**
 * The product on `threads` threads, all cores by default. Each way of sharing is compared with one thread; where none
 * gives the same bits, one thread is used.
 *
 * @throws when ONNX Runtime or its binary for this platform is missing
 */
export function openNativeProduct(threads = os.availableParallelism()): NativeProduct {
  if (threads > 1) {
    for (const each of SHARES_PER_THREAD) {
      const product = new SharedProduct(threads, each * threads);
      if (sharesKeepBits(product, each * threads)) return product;
      product.close();
    }
  }
  return new SharedProduct(1, 1);
}
