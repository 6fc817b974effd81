import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { initGemm } from '#kernel/compute/gemm.js';
import { matrix, type Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import {
  couplingAt,
  couplingGradient,
  reconstructionGradient,
  tied,
  type MmcsKind,
} from '#kernel/synthetic/recovery/mfrGradients.js';
import { trainMutual, trainStep, type MfrResult } from '#kernel/synthetic/recovery/mfr.js';
import { cosineRecovery } from '#kernel/synthetic/recovery/cosines.js';
import type { World } from '#kernel/synthetic/types.js';
import { testFolder } from '#test/kit/folder.js';
import { lcg } from '#test/kit/numbers.js';
import { directions, handWorld, independent } from '#test/kit/world.js';

const gaussian = (rows: number, cols: number, seed: number): Matrix =>
  matrix(rows, cols, new Random(seed).normals(new Float32Array(rows * cols)));

const rowsOf = (m: Matrix): number[][] =>
  Array.from({ length: m.rows }, (_, i) => Array.from(m.data.subarray(i * m.cols, (i + 1) * m.cols)));
const dot = (a: number[], b: number[]): number => a.reduce((sum, v, j) => sum + v * b[j], 0);
const unit = (a: number[]): number[] => a.map((v) => v / Math.sqrt(dot(a, a)));

/** Mean squared error in float64, straight from the formula. */
function lossOf(e: number[][], x: number[][], k: number): number {
  let sum = 0;
  for (const sample of x) {
    const z = e.map((row, j) => [dot(row, sample), j]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    const made = sample.map(() => 0);
    for (const [value, j] of z.slice(0, k)) if (value > 0) unit(e[j]).forEach((u, q) => (made[q] += value * u));
    sum += sample.reduce((s, v, q) => s + (made[q] - v) ** 2, 0);
  }
  return sum / (x.length * x[0].length);
}

/** MMCS in float64; 'hungarian' by trying all permutations. */
function mmcsOf(a: number[][], b: number[][], kind: MmcsKind): number {
  const c = a.map((u) => b.map((v) => dot(unit(u), unit(v))));
  if (kind === 'max') return c.reduce((sum, row) => sum + Math.max(...row), 0) / a.length;
  const best = (i: number, free: number[]): number =>
    i === a.length ? 0 : Math.max(...free.map((j) => c[i][j] + best(i + 1, free.filter((q) => q !== j)))); // prettier-ignore
  return best(0, b.map((_, j) => j)) / a.length; // prettier-ignore
}

/** Central differences of f on every entry of m. */
function numeric(m: number[][], f: (m: number[][]) => number): number[] {
  const h = 1e-6;
  return m.flatMap((row, i) =>
    row.map((value, j) => {
      const at = (v: number): number => f(m.map((r, p) => (p === i ? r.map((w, q) => (q === j ? v : w)) : r)));
      return (at(value + h) - at(value - h)) / (2 * h);
    }),
  );
}

const close = (found: ArrayLike<number>, wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length);
  const size = Math.max(...wanted.map(Math.abs));
  expect(size).toBeGreaterThan(1e-4);
  wanted.forEach((w, i) => expect(Math.abs(found[i] - w)).toBeLessThan(2e-5 * size + 1e-7));
};

describe('gradients of mutual feature regularization', () => {
  it('of the reconstruction are those of finite differences', async () => {
    await initGemm();
    const [e, x] = [gaussian(7, 5, 1), gaussian(9, 5, 2)];
    for (const k of [1, 3, 7]) {
      const gradient = new Float32Array(e.data.length);
      const mse = reconstructionGradient(tied(e), x, k, gradient);
      expect(mse).toBeCloseTo(lossOf(rowsOf(e), rowsOf(x), k), 5);
      close(
        gradient,
        numeric(rowsOf(e), (m) => lossOf(m, rowsOf(x), k)),
      );
    }
  });

  it.each(['max', 'hungarian'] as const)('of the coupling (%s) are those of finite differences', async (kind) => {
    await initGemm();
    const [a, b] = [gaussian(5, 4, 3), gaussian(5, 4, 4)];
    const [onA, onB] = [new Float32Array(20), new Float32Array(20)];
    const mmcs = await couplingGradient(tied(a), tied(b), kind, 0.7, onA, onB);
    expect(mmcs).toBeCloseTo(mmcsOf(rowsOf(a), rowsOf(b), kind), 5);
    close(
      onA,
      numeric(rowsOf(a), (m) => 0.7 * (1 - mmcsOf(m, rowsOf(b), kind))),
    );
    close(
      onB,
      numeric(rowsOf(b), (m) => 0.7 * (1 - mmcsOf(rowsOf(a), m, kind))),
    );
  });

  it('warms up along a cosine', () => {
    expect([0, 5, 10, 20].map((t) => couplingAt(t, 2, 10))).toEqual([0, expect.closeTo(1, 10), 2, 2]);
    expect(couplingAt(0, 2, 0)).toBe(2);
  });
});

describe('200 steps of one batch sequence, against PyTorch in float64', () => {
  const golden = JSON.parse(readFileSync(new URL('../../goldens/mfr.json', import.meta.url), 'utf8')) as Record<
    'd' | 'features' | 'k' | 'batch' | 'steps' | 'lr' | 'coupling' | 'warmUp',
    number
  > & { cases: Array<{ kind: MmcsKind; rows: number[][]; saes: number[][] }> };
  const { d, features, k, batch, steps, lr, coupling, warmUp } = golden;

  it.each(golden.cases)('losses and weights agree ($kind)', async ({ kind, rows, saes }) => {
    await initGemm();
    const numbers = lcg(2 * features * d + steps * batch * d, 11).values();
    const draw = (n: number, cols: number): Matrix =>
      matrix(
        n,
        cols,
        Float32Array.from({ length: n * cols }, () => numbers.next().value! - 0.5),
      );
    const members = [0, 1].map(() => {
      const e = draw(features, d);
      const zeros = (): Float32Array => new Float32Array(e.data.length);
      return { e, gradient: zeros(), moments: { m: zeros(), v: zeros() } };
    });
    const s = { saes: 2, features, k, coupling, mmcs: kind, warmUpSteps: warmUp, steps, batchSize: batch, lr, samples: batch, seed: 0 }; // prettier-ignore
    for (let t = 0; t < steps; t++) {
      const { mse, mmcs } = await trainStep(members, draw(batch, d), t, s);
      [...mse, mmcs].forEach((v, i) => expect(Math.abs(v - rows[t][i])).toBeLessThan(1e-4));
    }
    members.forEach(({ e }, i) => {
      const size = Math.max(...saes[i].map(Math.abs));
      e.data.forEach((v, at) => expect(Math.abs(v - saes[i][at])).toBeLessThan(1e-4 * size));
    });
  });
});

describe('training with mutual feature regularization', () => {
  const world = handWorld({ dictionary: directions(24, 16, 1), codes: independent(24, 0.08) });
  const options = { steps: 250, batchSize: 128, samples: 4096, k: 3, lr: 0.01, seed: 2 };

  it('finds features, pulls coupled SAEs together, and is the same again for the same seed', async () => {
    const apart = await trainMutual(world, { ...options, coupling: 0 });
    const coupled = await trainMutual(world, { ...options, coupling: 1 });
    const again = await trainMutual(world, { ...options, coupling: 1 });
    expect(again.saes.map((s) => s.id)).toEqual(coupled.saes.map((s) => s.id));
    const last = (r: typeof apart) => r.history[r.history.length - 1];
    // The runs start alike: only the coupling parts them.
    expect(apart.history[0].mse).toEqual(coupled.history[0].mse);
    expect(apart.history[0].mmcs).toBe(coupled.history[0].mmcs);
    expect(last(apart).mse[0]).toBeLessThan(0.5 * apart.history[0].mse[0]);
    expect(last(coupled).mmcs).toBeGreaterThan(last(apart).mmcs + 0.03);
    expect(last(coupled).weight).toBe(1);
    const { scores } = await cosineRecovery(world.dictionary, apart.saes[0].W_dec, { floors: 10 });
    expect(scores[0].value).toBeGreaterThan(scores[0].null.max);
    // As an SAE: rows of norm 1, k per sample, the width of the world.
    const [sae] = coupled.saes;
    expect(Math.hypot(...sae.W_dec.data.subarray(0, 16))).toBeCloseTo(1, 5);
    expect(sae.encode(gaussian(10, 16, 5)).values.length).toBeLessThanOrEqual(30);
  });

  it('stopped twice goes on to the same SAEs, to the bit, and hands over what it has', async () => {
    const small = { ...options, steps: 60, coupling: 1 };
    const whole = await trainMutual(world, small);
    const checkpoint = testFolder();
    const stopped: number[] = [];
    for (const at of [7, 31]) {
      const stop = new AbortController();
      const run = trainMutual(world, {
        ...{ ...small, checkpoint, signal: stop.signal },
        onProgress: ({ done, unit }) => void (unit === 'steps' && done === at && stop.abort()),
        onStopped: ({ saes }: MfrResult, step) => {
          stopped.push(step);
          expect(saes[1].encode(gaussian(4, 16, 5)).values.length).toBeGreaterThan(0);
          return Promise.resolve();
        },
      });
      await expect(run).rejects.toThrow('cancelled');
    }
    expect(stopped).toEqual([7, 31]);
    const found = await trainMutual(world, { ...small, checkpoint });
    expect(found.saes.map((s) => s.id)).toEqual(whole.saes.map((s) => s.id));
    expect(found.history).toEqual(whole.history);
    // The state of another run is not gone on with.
    await expect(trainMutual(world, { ...small, lr: 0.02, checkpoint })).rejects.toThrow(/another run: lr/);
  });

  it('hands over the SAEs of its last state where it diverges', async () => {
    let from = 0;
    const bad: World = {
      ...world,
      async *sample(n, o) {
        for await (const b of world.sample(n, o)) {
          // Past what the buffer takes at first.
          if (b.first >= 65_536) b.x.data.fill(NaN);
          yield b;
        }
      },
    };
    const run = trainMutual(bad, {
      ...{ ...options, samples: 70_000, batchSize: 2048, steps: 40, checkpoint: testFolder() },
      onStopped: (_, step) => Promise.resolve(void (from = step)),
    });
    await expect(run).rejects.toThrow(/diverged at step/);
    expect(from).toBeGreaterThanOrEqual(8);
  });

  it('refuses what makes no sense, and stops when cancelled', async () => {
    await expect(trainMutual(world, { k: 25 })).rejects.toThrow('k is 25 but the SAEs have 24');
    await expect(trainMutual(world, { saes: 1 })).rejects.toThrow('at least 2 SAEs');
    await expect(trainMutual(world, { batchSize: 512, samples: 100 })).rejects.toThrow('need as many samples');
    const stop = new AbortController();
    const run = trainMutual(world, {
      ...options,
      signal: stop.signal,
      onProgress: ({ done }) => void (done === 3 && stop.abort()),
    });
    await expect(run).rejects.toThrow('cancelled');
  });
});
