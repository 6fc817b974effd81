/** One rotation between two SAEs: planted ones are found, and what is found is judged on what was not fitted. */
import { describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import { gemm } from '#kernel/compute/gemm.js';
import { matrix, row, type Matrix } from '#kernel/compute/matrix.js';
import { orthonormalRows } from '#kernel/compute/orthonormal.js';
import { Random } from '#kernel/compute/random.js';
import { rotationTransfer, type RotationInput } from '#kernel/correlation/rotation.js';
import { fromUniform, placed } from '#test/kit/numbers.js';
import { handSae } from '#test/kit/sae.js';
import { directions, matrixOf } from '#test/kit/world.js';

await initDevice({ device: 'cpu' });

const times = (x: Matrix, q: Matrix): Matrix => matrix(x.rows, q.cols, gemm(x.data, q.data, x.rows, q.cols, x.cols));

/** Sparse sums of rows of a dictionary, the same events for the same seed. */
function tokensOf(dictionary: Matrix, n: number, seed: number): Matrix {
  const random = new Random(seed);
  const out = matrix(n, dictionary.cols);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < 3; k++) {
      const [f, size] = [random.int(dictionary.rows), 1 + random.next()];
      for (let j = 0; j < dictionary.cols; j++) out.data[i * out.cols + j] += size * dictionary.data[f * out.cols + j];
    }
  return out;
}

/** An orthogonal dictionary, which its own SAE reads without error, and the same one turned. */
function planted(seed: number, d = 12, dB = d) {
  const a = orthonormalRows(d, d, new Random(seed));
  const b = times(a, orthonormalRows(d, dB, new Random(seed + 1)));
  const halves = (m: Matrix) => ({ train: tokensOf(m, 60, seed), held: tokensOf(m, 90, seed + 7), group: 3 });
  const ids = Array.from({ length: d }, (_, i) => i);
  const input: RotationInput = {
    a: { sae: handSae(a), activations: halves(a) },
    b: { sae: handSae(b), activations: halves(b) },
    pairs: { a: [0, 1, 2, 3].flatMap(() => ids), b: [0, 1, 2, 3].flatMap(() => ids) },
  };
  return { a, b, input };
}

describe('one rotation from B to A', () => {
  it('planted rotation: finds it, cosine and explained variance come back on pairs and tokens that it has not seen', async () => {
    const { a, b, input } = planted(1);
    const t = await rotationTransfer(input, { train: 0.8 });
    const of = (metric: string) => t.scores.find((s) => s.metric === metric)!;
    expect(of('pair cosine after').value).toBeCloseTo(1, 5);
    expect(of('explained variance after').value).toBeCloseTo(1, 5);
    expect(t.own).toBeCloseTo(1, 5);
    // As it lies, B's space is another: A's SAE leaves more than there is.
    expect(of('explained variance before').value).toBeLessThan(0.5);
    expect(of('pair cosine before').value).toBeLessThan(0.5);
    for (const metric of ['pair cosine after', 'explained variance after']) {
      expect(of(metric)).toMatchObject({ p: 1 / 100, seed: 0, null: { runs: 99 } });
      expect(of(metric).value).toBeGreaterThan(of(metric).null.max);
    }
    const turned = times(b, t.rotation);
    a.data.forEach((v, i) => expect(turned.data[i]).toBeCloseTo(v, 5));
    for (const { interval, value } of t.scores) {
      expect(interval!.low).toBeLessThanOrEqual(value + 1e-9);
      expect(interval!.high).toBeGreaterThanOrEqual(value - 1e-9);
    }
    expect(t.pairs).toEqual({ train: 38, held: 10 });
    expect(t.tokens).toEqual({ train: 60, held: 90 });
  });

  it('explained variance is 1 − Σ‖x̂ − x‖²/Σ‖x − mean‖² of held-out tokens, in float64', async () => {
    const { input } = planted(3);
    const sae = handSae(directions(20, 12, 9), { bias: new Array<number>(20).fill(-0.2) });
    const t = await rotationTransfer({ ...input, a: { ...input.a, sae } , pairs: { a: [0, 1, 2, 3], b: [0, 1, 2, 3] } }, { runs: 1 }); // prettier-ignore
    const x = input.b.activations!.held;
    const made = sae.decode(sae.encode(x));
    const centre = Array.from({ length: 12 }, (_, j) => Array.from({ length: 90 }, (_, i) => x.data[i * 12 + j]).reduce((s, v) => s + v, 0) / 90); // prettier-ignore
    let [error, spread] = [0, 0];
    x.data.forEach((v, i) => {
      error += (made.data[i] - v) ** 2;
      spread += (v - centre[i % 12]) ** 2;
    });
    expect(t.scores.find((s) => s.metric === 'explained variance before')!.value).toBeCloseTo(1 - error / spread, 6);
  });

  it('between widths turns into, or out of, a subspace, and has no “before”; too few pairs to fix a rotation are named', async () => {
    for (const [dB, notes] of [
      [16, ['widths 16 of B and 12 of A differ: there is no "before"']],
      [12, []],
    ] as const) {
      const { input } = planted(5, 12, dB);
      const t = await rotationTransfer(input, { train: 0.8, runs: 9 });
      expect(t.notes).toEqual(notes);
      expect(t.scores.map((s) => s.metric).some((m) => m.endsWith('before'))).toBe(dB === 12);
      expect(t.scores.find((s) => s.metric === 'pair cosine after')!.value).toBeCloseTo(1, 4);
    }
    const { input } = planted(5);
    const few = await rotationTransfer({ ...input, pairs: { a: [0, 1, 2, 3, 4, 5], b: [0, 1, 2, 3, 4, 5] } }, { runs: 3 }); // prettier-ignore
    expect(few.notes[0]).toBe('3 training pairs do not fix a rotation of 12 directions: the rest is turned at random');
  });

  it('without activations judges pairs alone and says so; refuses maps of fewer than four pairs', async () => {
    const { input } = planted(6);
    const pairs = { a: { sae: input.a.sae }, b: { sae: input.b.sae }, pairs: input.pairs };
    const t = await rotationTransfer(pairs, { runs: 3 });
    expect(t.scores.map((s) => s.metric)).toEqual(['pair cosine before', 'pair cosine after']);
    expect(t.notes).toEqual(['explained variance needs the activations of both models']);
    await expect(rotationTransfer({ ...pairs, pairs: { a: [0, 1, 2], b: [0, 1, 2] } })).rejects.toThrow('there are 3 pairs; give a map with more'); // prettier-ignore
  });

  it(
    'p is uniform over 200 seeds where pairs mean nothing, and least where they do',
    { timeout: 120_000 },
    async () => {
      const p: { pairs: number[]; tokens: number[] } = { pairs: [], tokens: [] };
      let power = 0;
      for (let seed = 0; seed < 200; seed++) {
        const [a, b] = [directions(16, 5, 3 * seed), directions(16, 5, 3 * seed + 1)];
        const ids = Array.from({ length: 16 }, (_, i) => i);
        const halves = (m: Matrix, s: number) => ({
          train: tokensOf(m, 20, s),
          held: tokensOf(m, 20, s + 1),
          group: 1,
        });
        const side = (m: Matrix, s: number) => ({ sae: handSae(m, { bias: new Array<number>(16).fill(-0.5) }), activations: halves(m, s) }); // prettier-ignore
        const t = await rotationTransfer({ a: side(a, seed), b: side(b, 5000 + seed), pairs: { a: ids, b: ids } }, { runs: 19, seed }); // prettier-ignore
        const of = (metric: string) => placed(t.scores.find((s) => s.metric === metric)!.p, 19, seed);
        p.pairs.push(of('pair cosine after'));
        p.tokens.push(of('explained variance after'));
        if (seed >= 20) continue;
        const random = new Random(seed);
        const turned = times(a, orthonormalRows(5, 5, new Random(seed)));
        const twin = matrixOf(ids.map((i) => [...row(turned, i)].map((v) => v + 0.1 * random.normal())));
        const found = await rotationTransfer({ a: side(a, seed), b: side(twin, seed), pairs: { a: ids, b: ids } }, { runs: 19, seed }); // prettier-ignore
        power += Number(found.scores[1].p <= 0.05);
      }
      expect(fromUniform(p.pairs)).toBeLessThan(1);
      expect(fromUniform(p.tokens)).toBeLessThan(1);
      expect(power).toBe(20);
    },
  );
});
