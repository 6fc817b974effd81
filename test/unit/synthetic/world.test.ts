/** Worlds: streams, geometry, magnitudes, refusals. Their laws at a million samples: test/kernel/worlds.test.ts. */
import { describe, expect, it } from 'vitest';
import { row, type Matrix } from '#kernel/compute/matrix.js';
import { createWorld, type GeneratedWorld } from '#kernel/synthetic/world/world.js';
import type { WorldOptions } from '#kernel/synthetic/world/options.js';
import { worldReport } from '#kernel/synthetic/world/report.js';
import { freshFg } from '#test/kit/fg.js';

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};
const cosine = (m: Matrix, i: number, j: number): number => dot(row(m, i), row(m, j));

describe('the stream of a world', () => {
  const options: WorldOptions = {
    features: 40,
    dim: 8,
    l0: 4,
    correlations: { kind: 'block', size: 4, correlation: 0.2 },
    noise: { std: 0.1, lowRank: { rank: 2, std: 0.3 } },
    mean: 1,
  };
  const all = async (world: GeneratedWorld, n: number, batch?: number) => {
    const x: number[] = [];
    const indices: number[] = [];
    const values: number[] = [];
    for await (const b of world.sample(n, { batch })) {
      expect(b.first).toBe(x.length / world.dim);
      expect(b.codes.indptr[b.codes.rows]).toBe(b.codes.values.length);
      x.push(...b.x.data);
      indices.push(...b.codes.indices);
      values.push(...b.codes.values);
    }
    return { x, indices, values };
  };

  it('does not depend on the batch, and a shorter one is the start of a longer', async () => {
    const world = await createWorld(options);
    const whole = await all(world, 9000);
    expect(await all(world, 9000, 1234)).toEqual(whole);
    const short = await all(world, 5000, 5000);
    expect(short.x).toEqual(whole.x.slice(0, short.x.length));
    expect(short.values).toEqual(whole.values.slice(0, short.values.length));
    expect(await all(await createWorld(options), 9000, 4096)).toEqual(whole);
  });

  it('is codes · directions + mean + noise', async () => {
    const world = await createWorld({ ...options, noise: undefined });
    for await (const { x, codes } of world.sample(200)) {
      for (let s = 0; s < x.rows; s++) {
        const expected = Float64Array.from(world.law.mean!);
        for (let e = codes.indptr[s]; e < codes.indptr[s + 1]; e++)
          for (let j = 0; j < 8; j++) expected[j] += codes.values[e] * world.dictionary.data[codes.indices[e] * 8 + j];
        for (let j = 0; j < 8; j++) expect(x.data[s * 8 + j]).toBeCloseTo(expected[j], 5);
      }
    }
  });

  it('is another with another seed', async () => {
    const world = await createWorld(options);
    for await (const a of world.sample(10))
      for await (const b of world.sample(10, { seed: 1 })) expect(a.x.data).not.toEqual(b.x.data);
  });

  it('has noise of the asked size', async () => {
    const world = await createWorld({
      features: 2,
      dim: 6,
      frequencies: 0,
      noise: { std: 0.5, lowRank: { rank: 2, std: 2 } },
    });
    let sum = 0;
    for await (const { x } of world.sample(50_000)) for (const v of x.data) sum += v * v;
    // Per sample 6 · 0.25 + 2 · 4 in the mean.
    expect(sum / 50_000).toBeCloseTo(9.5, 0);
  });
});

describe('the geometry of a world', () => {
  const geometry = async (parts: WorldOptions['geometry'], features: number, dim: number) =>
    createWorld({ features, dim, geometry: parts, seed: 1 });

  it('has unit rows, all kinds together', async () => {
    const world = await geometry(
      [
        { kind: 'circle', count: 12 },
        { kind: 'helix', count: 9 },
        { kind: 'parallelograms', count: 8 },
        { kind: 'clusters', count: 20, clusters: 4 },
        { kind: 'hierarchy', count: 7 },
        { kind: 'near-orthogonal', count: 30, steps: 20 },
        { kind: 'duplicates', count: 4 },
      ],
      100,
      16,
    );
    for (let f = 0; f < 100; f++) expect(cosine(world.dictionary, f, f)).toBeCloseTo(1, 5);
    for (let f = 86; f < 90; f++) expect(cosine(world.dictionary, f, world.originals[f])).toBeCloseTo(1, 5);
  });

  it('puts circles into planes, evenly', async () => {
    const { dictionary: d } = await geometry({ kind: 'circle', radius: 0.6 }, 12, 10);
    for (let i = 0; i < 12; i++) {
      expect(cosine(d, i, (i + 1) % 12)).toBeCloseTo(0.64 + 0.36 * Math.cos(Math.PI / 6), 5);
      // Differences from the first lie in the plane of the first two.
    }
    const diff = (i: number) => Array.from(row(d, i), (x, j) => x - row(d, 0)[j]);
    const [u, v0] = [diff(3), diff(6)];
    const nu = Math.sqrt(dot(u, u));
    const e1 = u.map((x) => x / nu);
    const c = dot(v0, e1);
    const v = v0.map((x, j) => x - c * e1[j]);
    const nv = Math.sqrt(dot(v, v));
    const e2 = v.map((x) => x / nv);
    for (let i = 1; i < 12; i++) {
      const w = diff(i);
      expect(dot(w, w) - dot(w, e1) ** 2 - dot(w, e2) ** 2).toBeCloseTo(0, 5);
    }
  });

  it('keeps king − man + woman = queen', async () => {
    const { dictionary: d } = await geometry({ kind: 'parallelograms', edges: [0.9, 0.5] }, 12, 9);
    for (let q = 0; q < 12; q += 4)
      for (let j = 0; j < 9; j++)
        expect(row(d, q + 1)[j] - row(d, q)[j] + row(d, q + 2)[j]).toBeCloseTo(row(d, q + 3)[j], 5);
    const relation = (q: number) => Array.from(row(d, q + 1), (x, j) => x - row(d, q)[j]);
    relation(0).forEach((x, j) => expect(x).toBeCloseTo(relation(4)[j], 5));
  });

  it('keeps the cosines of clusters and trees', async () => {
    const tree = await geometry({ kind: 'hierarchy', roots: 2, branching: 3, cosine: 0.7 }, 26, 20);
    tree.parents.forEach((parent, f) => {
      if (parent >= 0) expect(cosine(tree.dictionary, f, parent)).toBeCloseTo(0.7, 5);
    });
    expect(Array.from(tree.parents.slice(0, 9))).toEqual([-1, -1, 0, 0, 0, 1, 1, 1, 2]);
    const clusters = await geometry({ kind: 'clusters', clusters: 2, cosine: 0.9 }, 40, 200);
    const inside = cosine(clusters.dictionary, 0, 1);
    expect(inside).toBeGreaterThan(0.6);
    expect(Math.abs(cosine(clusters.dictionary, 0, 39))).toBeLessThan(0.3);
    expect(clusters.shapes[0]).not.toBe(clusters.shapes[39]);
  });

  it('spreads near-orthogonal rows towards the Welch bound, and makes them orthonormal where they fit', async () => {
    const most = (m: Matrix): number => {
      let max = 0;
      for (let i = 0; i < m.rows; i++) for (let j = 0; j < i; j++) max = Math.max(max, Math.abs(cosine(m, i, j)));
      return max;
    };
    const random = await geometry({ kind: 'random' }, 64, 32);
    const spread = await geometry({ kind: 'near-orthogonal', steps: 200 }, 64, 32);
    expect(most(spread.dictionary)).toBeLessThan(0.5 * most(random.dictionary));
    // As many as dimensions is the hardest case: the last row has one direction left.
    for (const [n, d] of [
      [16, 16],
      [100, 100],
      [40, 160],
    ])
      expect(most((await geometry({ kind: 'near-orthogonal' }, n, d)).dictionary)).toBeLessThan(1e-6);
  });

  it('takes superposition as features per dimension', async () => {
    expect((await createWorld({ features: 100, superposition: 4 })).dim).toBe(25);
  });
});

describe('magnitudes of a world', () => {
  it.each([
    [{ kind: 'constant', value: 2 } as const, 2, 0],
    [{ kind: 'uniform', low: 1, high: 3 } as const, 2, 1 / Math.sqrt(3)],
    [{ kind: 'half-normal', scale: 2 } as const, 2 * Math.sqrt(2 / Math.PI), 2 * Math.sqrt(1 - 2 / Math.PI)],
    [{ kind: 'exponential', mean: 3 } as const, 3, 3],
    [
      { kind: 'log-normal', mu: 0.2, sigma: 0.5 } as const,
      Math.exp(0.325),
      Math.exp(0.325) * Math.sqrt(Math.expm1(0.25)),
    ],
    [{ kind: 'truncated-normal', mean: 0, std: 1 } as const, Math.sqrt(2 / Math.PI), Math.sqrt(1 - 2 / Math.PI)],
  ])('%j has its mean and deviation', async (magnitudes, mean, sd) => {
    const world = await createWorld({ features: 4, dim: 2, frequencies: 0.5, magnitudes });
    const report = await worldReport(world, { samples: 100_000 });
    expect(Math.abs(report.magnitudes.mean - mean)).toBeLessThan(0.001 + (4 * sd) / Math.sqrt(200_000));
    expect(Math.abs(report.magnitudes.sd - sd)).toBeLessThan(0.001 + 0.02 * sd);
  });

  it('can be a law for each feature, and scale with the parent', async () => {
    const world = await createWorld({
      features: 2,
      dim: 2,
      frequencies: [0.5, 0.5],
      magnitudes: [{ kind: 'uniform' }, { kind: 'constant', value: 3 }],
      correlations: { kind: 'gate', parent: 0, children: [1], scale: true },
    });
    for await (const { codes } of world.sample(500)) {
      expect(codes.values.length).toBeGreaterThan(0);
      for (let s = 0; s < codes.rows; s++) {
        const [a, b] = codes.values.subarray(codes.indptr[s], codes.indptr[s + 1]);
        if (a !== undefined) expect(b).toBeCloseTo(6 * a, 5);
      }
    }
  });
});

describe('impossible requests are refused with the feasible range', () => {
  const session = freshFg();
  const base = { features: 8, dim: 4 };
  it.each<[string, WorldOptions, RegExp]>([
    ['p > 1', { ...base, frequencies: { kind: 'zipf', max: 1.2 } }, /probability 1\.2: frequencies lie in \[0, 1\]/],
    ['L0 above the features', { ...base, l0: 9 }, /at most 8 is possible here: the feasible range is \(0, 8\]/],
    [
      'Fréchet',
      {
        ...base,
        frequencies: [0.01, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        correlations: { kind: 'block', size: 2, correlation: 0.3 },
      },
      /can correlate from -0\.1005 to 0\.1005/,
    ],
    [
      'all negative',
      { ...base, frequencies: 0.3, correlations: { kind: 'block', size: 4, correlation: -0.5, of: 'latent' } },
      /feasible range on this side is \[-0\.333, 0\]/,
    ],
    [
      'child above parent',
      { ...base, frequencies: [0.1, 0.2, 0, 0, 0, 0, 0, 0], correlations: { kind: 'gate', parent: 0, children: [1] } },
      /more often than its parent 0 \(0\.1\): the feasible range is \[0, 0\.1\]/,
    ],
    [
      'exclusive group',
      { ...base, frequencies: 0.3, correlations: { kind: 'exclusive', size: 4 } },
      /sum to 1\.2, .*\[0, 1\]/,
    ],
    [
      'not PSD',
      {
        ...base,
        correlations: {
          kind: 'matrix',
          of: 'latent',
          features: [0, 1, 2],
          matrix: [
            [1, 0.9, -0.9],
            [0.9, 1, 0.9],
            [-0.9, 0.9, 1],
          ],
        },
      },
      /smallest eigenvalue is -0\.8/,
    ],
    ['circle in a line', { features: 3, dim: 1, geometry: { kind: 'circle' } }, /at least 2 dimensions but dim is 1/],
    ['below Welch', { ...base, geometry: { kind: 'near-orthogonal', maxCosine: 0.1 } }, /Welch bound.*\[0\.3780, 1\]/],
    ['too many features', { ...base, geometry: { kind: 'circle', count: 12 } }, /take 12 features, but there are 8/],
    [
      'two structures of a feature',
      {
        ...base,
        correlations: [
          { kind: 'exclusive', groups: [[0, 1]] },
          { kind: 'block', blocks: [[1, 2]], correlation: 0.1 },
        ],
      },
      /feature 1 is in "exclusive" and in "block"/,
    ],
    [
      'a gate of itself',
      {
        ...base,
        correlations: [
          { kind: 'gate', parent: 0, children: [1] },
          { kind: 'gate', parent: 1, children: [0] },
        ],
      },
      /gates itself/,
    ],
    ['fours', { ...base, geometry: { kind: 'parallelograms', count: 6 } }, /come in fours/],
    [
      'magnitudes',
      { ...base, magnitudes: { kind: 'constant', value: 0 } },
      /magnitudes\.value is 0; expected a number above 0/,
    ],
    [
      'a misspelt kind',
      { ...base, geometry: { kind: 'cluster' } as never },
      /kind is "cluster" \(did you mean 'clusters'\?\)/,
    ],
    [
      'a misspelt option of a part',
      { ...base, geometry: [{ kind: 'clusters', cosin: 0.9 } as never] },
      /geometry\[0\] of kind 'clusters' has no option "cosin" \(did you mean "cosine"\?\); it has count, clusters, cosine/,
    ],
    [
      'no clusters',
      { ...base, geometry: { kind: 'clusters', clusters: 0 } },
      /geometry\.clusters is 0; expected a whole number of at least 1/,
    ],
    [
      'a cosine of 2',
      { ...base, geometry: { kind: 'duplicates', count: 2, cosine: 2 } },
      /geometry\.cosine is 2; expected a number at least -1 and at most 1/,
    ],
    [
      'a law without its number',
      { ...base, correlations: { kind: 'contexts' } as never },
      /correlations\.count is missing; expected a whole number of at least 2/,
    ],
    [
      'an option of another law',
      { ...base, correlations: { kind: 'block', size: 2, groups: [] } as never },
      /has no option "groups"; it has size, blocks, correlation, of/,
    ],
    ['a misspelt shape', { ...base, frequencies: { kind: 'zipff' } as never }, /did you mean 'zipf'/],
    [
      'frequencies as text',
      { ...base, frequencies: '0.1' as never },
      /frequencies is "0\.1"; expected a number, one number per feature, or a shape/,
    ],
    [
      'a misspelt noise',
      { ...base, noise: { sd: 1 } as never },
      /noise has no option "sd" \(did you mean "std"\?\); it has std, lowRank/,
    ],
    [
      'a misspelt noise, one floor down',
      { ...base, noise: { lowRank: { rank: 1, sdt: 1 } as never } },
      /noise\.lowRank has no option "sdt" \(did you mean "std"\?\)/,
    ],
    [
      'uniform the wrong way round',
      { ...base, magnitudes: { kind: 'uniform', low: 2, high: 1 } },
      /low is 2, high 1; magnitudes are above 0/,
    ],
    [
      'a misspelt law of one feature',
      { ...base, magnitudes: [{ kind: 'exponential', maen: 1 } as never] },
      /magnitudes\[0\] of kind 'exponential' has no option "maen"/,
    ],
    ['neither width', { features: 8 }, /either dim .* or superposition/],
  ])('%s', async (_, options, message) => {
    await expect(session.fg.synthetic.world(options)).rejects.toThrow(message);
  });
});
