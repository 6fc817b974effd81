/** Splitting: planted splits and absorption found, dense and brute-force references, and nulls that stay level. */
import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import type { SparseActivations } from '#kernel/activations/types.js';
import { initDevice } from '#kernel/compute/device.js';
import type { Matrix } from '#kernel/compute/matrix.js';
import { Random } from '#kernel/compute/random.js';
import { pearson } from '#kernel/compute/statistics.js';
import { splitting } from '#kernel/correlation/splitting.js';
import type { Splitting } from '#kernel/correlation/splittingTypes.js';
import { createTwins } from '#kernel/synthetic/twins/twins.js';
import { fromUniform, placed } from '#test/kit/numbers.js';
import { fromRows } from '#test/kit/rows.js';
import { directions, handWorld, independent, matrixOf } from '#test/kit/world.js';

await initDevice({ device: 'cpu' });

const storeOf = (dense: readonly (readonly number[])[], context = 1): SparseActivations =>
  memoryActivations(fromRows(dense), { context, meta: { tokenSet: { id: 'one', tokenizer: 'none' } } });

/** Unit rows, the first few copies of `of` with noise. */
function near(of: Matrix, copies: readonly number[], noise: number, seed: number): Matrix {
  const random = new Random(seed);
  return matrixOf(
    copies.map((p) => {
      const v = Array.from({ length: of.cols }, (_, j) =>
        p >= 0 ? of.data[p * of.cols + j] + noise * random.normal() : random.normal(),
      );
      const norm = Math.hypot(...v);
      return v.map((x) => x / norm);
    }),
  );
}

const parent = (s: Splitting, p: number) => s.parents.find((one) => one.parent === p)!;

describe('splitting by decoder rows', () => {
  it('finds planted children, and says how far they span the parent', async () => {
    const small = directions(6, 24, 1);
    // Features 0 and 1 split in three and two, 2 stays one, 3 to 5 have no child; ten rows are of nobody.
    const large = near(small, [0, 0, 0, 1, 1, 2, ...Array.from({ length: 10 }, () => -1)], 0.1, 2);
    const s = await splitting({ small, large }, { runs: 49, least: 0.6 });
    expect(s.parents.slice(0, 3).map((p) => [p.parent, p.children.length])).toEqual([[0, 3], [1, 2], [2, 1]]); // prettier-ignore
    expect([...s.parentOf.subarray(0, 6)]).toEqual([0, 0, 0, 1, 1, 2]);
    expect(parent(s, 0).coverage).toBeGreaterThan(0.85);
    expect(parent(s, 0).p).toBe(1 / 50);
    expect(parent(s, 0).entropy).toBeCloseTo(Math.log2(3), 1);
    expect(parent(s, 2).entropy).toBe(0);
    for (const score of s.scores) expect([score.metric, score.p, score.null.runs, score.seed]).toEqual([score.metric, 1 / 50, 49, 0]); // prettier-ignore
    // 6 of 16 large rows have a parent.
    const share = s.scores[2];
    expect(share).toMatchObject({ value: 6 / 16, n: 16, interval: { level: 0.95, runs: 500 } });
    const { low, high } = share.interval!;
    expect((high - low) / (2 * 1.96 * Math.sqrt((6 * 10) / 16 ** 3))).toBeCloseTo(1, 0);
    for (const { value, interval } of s.scores) expect(value > interval!.low && value < interval!.high).toBe(true);
    expect(await splitting({ small, large }, { runs: 49, least: 0.6 })).toEqual(s);
    expect(s.notes[0]).toContain('Absorption is seen in activations');
  });

  it('takes cosines and coverage as defined: against normal equations in float64, with repeated and zero rows', async () => {
    const small = directions(3, 5, 4);
    const rows = [...directions(8, 5, 5).data];
    rows.splice(5, 5, ...rows.slice(0, 5)); // row 1 repeats row 0
    rows.splice(10, 5, 0, 0, 0, 0, 0); // row 2 is zero
    const large: Matrix = { rows: 8, cols: 5, data: Float32Array.from(rows) };
    const s = await splitting({ small, large }, { runs: 3, least: -1 });
    expect(s.parentOf[2]).toBe(-1);
    const at = (m: Matrix, i: number) => [...m.data.slice(i * 5, i * 5 + 5)];
    const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, v, j) => sum + v * y[j], 0);
    for (const { parent: p, children, coverage } of s.parents) {
      for (const { child, cosine } of children) {
        const cosines = [0, 1, 2].map((q) => dot(at(small, q), at(large, child)));
        expect(Math.max(...cosines)).toBe(cosines[p]);
        expect(cosine).toBeCloseTo(cosines[p], 6);
      }
      const basis = children.filter(({ child }) => child !== 1).map(({ child }) => at(large, child));
      expect(coverage).toBeCloseTo(projection(at(small, p), basis), 5);
    }
  });

  it('refuses decoders of different widths, naming both, and NaN with its place', async () => {
    const small = directions(3, 5, 4);
    await expect(splitting({ small, large: directions(8, 6, 1) })).rejects.toThrow('both need the same width');
    const broken = directions(3, 5, 4);
    broken.data[7] = NaN;
    await expect(splitting({ small, large: broken })).rejects.toThrow('row 1 of the large dictionary holds NaN');
  });

  it(
    'p is uniform over 200 seeds where the two decoders have nothing in common, and least where they do',
    { timeout: 60_000 },
    async () => {
      const p: number[] = [];
      for (let seed = 0; seed < 200; seed++) {
        const s = await splitting({ small: directions(6, 8, seed), large: directions(12, 8, 1000 + seed) }, { runs: 19, seed }); // prettier-ignore
        p.push(placed(s.scores[1].p, 19, seed));
      }
      expect(fromUniform(p)).toBeLessThan(1);
      let power = 0;
      for (let seed = 0; seed < 20; seed++) {
        const small = directions(6, 8, seed);
        const s = await splitting(
          { small, large: near(small, [0, 0, 1, 1, 2, 3, 4, 5], 0.15, seed) },
          { runs: 19, seed },
        );
        power += Number(s.scores[1].p <= 0.05);
      }
      expect(power).toBe(20);
    },
  );
});

/** Squared length of the projection of a unit vector on a span, by solving the normal equations. */
function projection(x: readonly number[], basis: readonly number[][]): number {
  if (basis.length === 0) return 0;
  if (basis.length >= x.length) return 1;
  const dot = (u: readonly number[], v: readonly number[]) => u.reduce((s, w, j) => s + w * v[j], 0);
  const n = basis.length;
  const a = basis.map((u, i) => [...basis.map((v) => dot(u, v)), dot(u, x), i]);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const f = a[k][i] / a[i][i];
      for (let j = i; j <= n; j++) a[k][j] -= f * a[i][j];
    }
  const weights = a.map((r, i) => r[n] / r[i]);
  return basis.reduce((s, u, i) => s + weights[i] * dot(u, x), 0);
}

describe('splitting by activations', () => {
  /** Twins of one width in which B splits some of A's features and absorbs others; independent events. */
  async function planted(
    seed: number,
    o: { shared?: number; splits?: number; absorptions?: number; samples?: number } = {},
  ) {
    // prettier-ignore
    const world = handWorld({ dictionary: directions(48, 24, seed), codes: independent(48, 0.06), id: `hand ${seed}` });
    const { shared = 1, splits = 4, absorptions = 2, samples = 3000 } = o;
    const twins = await createTwins(world, { features: 20, dimA: 24, dimB: 24, shared, splits, absorptions, childShare: 0.4, seed }); // prettier-ignore
    const collect = async (side: 'a' | 'b') => {
      const dense: number[][] = [];
      for await (const { codes } of twins[side].sample(samples, { seed }))
        for (let i = 0; i < codes.rows; i++) {
          const r = new Array<number>(codes.cols).fill(0);
          for (let e = codes.indptr[i]; e < codes.indptr[i + 1]; e++) r[codes.indices[e]] = codes.values[e];
          dense.push(r);
        }
      return dense;
    };
    const [a, b] = [await collect('a'), await collect('b')];
    return { twins, a, b, input: { small: twins.a.dictionary, large: twins.b.dictionary, activations: { small: storeOf(a), large: storeOf(b) } } }; // prettier-ignore
  }

  it('planted split: finds the two children of each, that cover it, half and half', async () => {
    const { twins, input } = await planted(1);
    const s = await splitting(input, { runs: 49 });
    expect(twins.truth.splits).toHaveLength(4);
    for (const { a, b } of twins.truth.splits) {
      const p = parent(s, a);
      expect(p.children.map(({ child }) => child).sort((x, y) => x - y)).toEqual([...b].sort((x, y) => x - y));
      expect(p.coverage).toBe(1);
      expect(p.entropy).toBeGreaterThan(0.9);
      expect(p.p).toBe(1 / 50);
      for (const { outside, share } of p.children) {
        expect(outside).toBe(0);
        expect(share).toBeGreaterThan(0.3);
      }
    }
    for (const { a, b } of [0, 1, 2].map((i) => ({ a: twins.truth.pairs.a[i], b: twins.truth.pairs.b[i] })))
      expect(parent(s, a).children.map(({ child }) => child)).toEqual([b]);
    for (const { p } of s.scores) expect(p).toBe(1 / 50);
    for (const { value, interval } of s.scores) expect(value >= interval!.low && value <= interval!.high).toBe(true);
  });

  it('intervals are over parents, by the seed: of r as wide as the mean over the children of as many parents spreads', async () => {
    const { input } = await planted(2);
    const of = (seed: number) => splitting(input, { runs: 3, seed });
    const s = await of(1);
    const [coverage, r] = s.scores;
    expect([coverage.metric, r.metric]).toEqual(['coverage', 'child r']);
    const spread = (values: readonly number[]) => {
      const mean = values.reduce((x, y) => x + y, 0) / values.length;
      return Math.sqrt(values.reduce((x, y) => x + (y - mean) ** 2, 0)) / values.length;
    };
    const widthOf = ({ interval }: typeof r) => (interval!.high - interval!.low) / (2 * 1.96);
    expect(widthOf(coverage) / spread(s.parents.map((p) => p.coverage))).toBeCloseTo(1, 0);
    // Linearised: each parent's children against the mean, over the children of a parent on average.
    const perParent = r.n / s.parents.length;
    const sums = s.parents.map((p) => p.children.reduce((x, c) => x + c.r - r.value, 0) / perParent);
    expect(widthOf(r) / spread(sums)).toBeGreaterThan(0.85);
    expect(widthOf(r) / spread(sums)).toBeLessThan(1.15);
    expect((await of(1)).scores).toEqual(s.scores);
    expect((await of(2)).scores[1].interval).not.toEqual(r.interval);
  });

  it('r, share and the rest are those of the sequences that did not choose: dense float64', async () => {
    const { a, b, input } = await planted(2, { samples: 1201 });
    const s = await splitting(input, { runs: 3 });
    const judged = a.map((_, t) => t).filter((t) => t % 2 === 1);
    const chosen = a.map((_, t) => t).filter((t) => t % 2 === 0);
    expect(s.tokens).toEqual({ chose: chosen.length, judged: judged.length });
    const column = (m: number[][], f: number, on: readonly number[]) => on.map((t) => Math.fround(m[t][f]));
    for (const { parent: p, children, coverage } of s.parents) {
      const x = column(a, p, judged);
      const fires = judged.filter((_, i) => x[i] > 0);
      const covered = fires.filter((t) => children.some(({ child }) => b[t][child] > 0));
      expect(coverage).toBeCloseTo(covered.length / fires.length, 12);
      for (const { child, r, outside, share } of children) {
        const y = column(b, child, judged);
        expect(r).toBeCloseTo(pearson(x, y), 10);
        const rs = a[0].map((_, q) => pearson(column(a, q, chosen), column(b, child, chosen)));
        expect(Math.max(...rs.filter((v) => !Number.isNaN(v)))).toBe(rs[p]);
        expect(outside).toBeCloseTo(y.filter((v, i) => v > 0 && x[i] === 0).length / y.filter((v) => v > 0).length, 12);
        const held = covered.reduce((sum, t) => sum + Number(b[t][child] > 0) / children.filter((c) => b[t][c.child] > 0).length, 0); // prettier-ignore
        expect(share).toBeCloseTo(held / covered.length, 12);
      }
    }
  });

  it(
    'p of coverage and of r is uniform over 400 seeds where the features have nothing in common',
    { timeout: 120_000 },
    async () => {
      const p: number[][] = [[], []];
      for (let seed = 0; seed < 400; seed++) {
        const random = new Random(seed);
        const [small, large] = [8, 24].map(
          (features) =>
        storeOf(Array.from({ length: 300 }, () => Array.from({ length: features }, () => (random.next() < 0.12 ? 0.2 + random.next() : 0)))), // prettier-ignore
        );
        const input = { small: directions(8, 6, 1), large: directions(24, 6, 2), activations: { small, large } };
        const s = await splitting(input, { runs: 19, seed, least: 0 });
        s.scores.forEach((score, i) => p[i].push(placed(score.p, 19, seed)));
      }
      for (const values of p) expect(fromUniform(values)).toBeLessThan(1);
    },
  );

  it('power at the planted truth: twins of 12 seeds that split four of twenty features, p of the scores least in every one, each split parent found, its p low', async () => {
    let [found, low, splits, alarms] = [0, 0, 0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const { twins, input } = await planted(100 + seed, { samples: 1200, absorptions: 0 });
      const s = await splitting(input, { runs: 19, seed, minFirings: 5 });
      for (const { metric, p } of s.scores) expect([seed, metric, p]).toEqual([seed, metric, 1 / 20]);
      for (const { a, b } of twins.truth.splits) {
        splits++;
        const children = parent(s, a).children.map(({ child }) => child).sort((x, y) => x - y); // prettier-ignore
        found += Number(children.join() === [...b].sort((x, y) => x - y).join());
        low += Number(parent(s, a).p <= 0.1);
      }
      const split = new Set(twins.truth.splits.map(({ a }) => a));
      alarms += s.parents.filter((p) => !split.has(p.parent) && p.children.length > 1).length;
    }
    expect(splits).toBe(48);
    expect(found).toBeGreaterThanOrEqual(46);
    // Of 24 features the null draws both children of a parent now and then.
    expect(low).toBeGreaterThanOrEqual(44);
    // Of 192 features that did not split.
    expect(alarms).toBeLessThanOrEqual(4);
  });
});

describe('absorption', () => {
  /**
   * Small: 0 "royal" fires on kings and queens. Large: 0 is royal but silent on queens, 1 is the queen, whose row holds
   * royal too, 2 fires on the same tokens as the queen and has nothing of royal in it; 3 to 9 are noise.
   */
  const d = 24;
  const base = directions(10, d, 7);
  const mix = (x: number, y: number) => [...base.data.slice(x * d, x * d + d)].map((v, j) => (v + base.data[y * d + j]) / Math.SQRT2); // prettier-ignore
  const at = (i: number) => [...base.data.slice(i * d, i * d + d)];
  const small = matrixOf([at(0), at(5), at(6)]);
  const large = matrixOf([at(0), mix(0, 1), ...[2, 3, 4, 5, 6, 7, 8, 9].map(at)]);
  const random = new Random(3);
  const a: number[][] = [];
  const b: number[][] = [];
  for (let t = 0; t < 2000; t++) {
    const [king, queen] = [random.next() < 0.08, random.next() < 0.05];
    const size = 1 + random.next();
    const noise = Array.from({ length: 7 }, () => (random.next() < 0.1 ? 0.5 + random.next() : 0));
    a.push([king || queen ? size : 0, noise[2], noise[3]]);
    b.push([king && !queen ? size : 0, queen ? Math.SQRT2 * size : 0, queen ? 0.7 : 0, ...noise]);
  }
  const input = { small, large, activations: { small: storeOf(a), large: storeOf(b) } };

  it('finds the planted one, and not what only fires beside it: the functional test', async () => {
    const s = await splitting(input, { runs: 99 });
    const of = (absorber: number) => s.absorption.find((c) => c.parent === 0 && c.absorber === absorber)!;
    expect(of(1)).toMatchObject({ main: 0, absorbs: true, ofSilent: 1, p: 0.01 });
    expect(of(1).lost).toBeGreaterThan(0.8);
    expect(of(1).cosine).toBeGreaterThan(0.5);
    expect(of(2)).toMatchObject({ main: 0, absorbs: false, ofSilent: 1 });
    expect(of(2).lost).toBeLessThan(0.3);
    // By hand: on the judged queens without a king, what each feature writes along the row of the parent.
    const unit = at(0);
    const along = (f: number) => unit.reduce((sum, v, j) => sum + v * large.data[f * d + j], 0);
    const queens = b.flatMap((r, t) => (t % 2 === 1 && r[1] > 0 ? [t] : []));
    const part = (f: number) => queens.reduce((sum, t) => sum + Math.fround(b[t][f]) * along(f), 0);
    const total = Array.from({ length: 10 }, (_, f) => part(f)).reduce((x, y) => x + y, 0);
    expect(of(1).tokens).toBe(queens.length);
    expect(of(1).lost).toBeCloseTo(part(1) / total, 6);
    expect(of(2).lost).toBeCloseTo(part(2) / total, 6);
  });

  it('is not tested where the widths of the activations differ: that is said, and nothing is claimed', async () => {
    const s = await splitting({ ...input, large: directions(10, d + 1, 1) });
    expect(s.notes).toEqual(['The decoders are of widths 24 and 25: no cosines, and absorption is not tested.']);
    expect(s.absorption.length).toBeGreaterThan(0);
    for (const { lost, absorbs } of s.absorption) expect([lost, absorbs]).toEqual([NaN, false]);
  });

  it('of stores with dead features and no tokens that repeat is empty, not an error', async () => {
    const [none, one] = [storeOf([[0, 0], [0, 0], [1, 0], [0, 0]]), storeOf([[0], [0], [1], [0]])]; // prettier-ignore
    const s = await splitting({ small: directions(2, 4, 1), large: directions(1, 4, 1), activations: { small: none, large: one } }); // prettier-ignore
    expect(s.parents).toEqual([]);
    expect(s.absorption).toEqual([]);
    expect([...s.parentOf]).toEqual([-1]);
  });
});
