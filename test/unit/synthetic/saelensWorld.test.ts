/** Worlds in the published form of SAELens, against what PyTorch draws by the same law: test/goldens/synthetic-model.py. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile, writeSafetensors } from '#kernel/io/safetensors.js';
import type { NdArray } from '#kernel/io/ndarray.js';
import { readSyntheticModel } from '#kernel/synthetic/saelens/read.js';
import { torchNormals } from '#kernel/synthetic/saelens/torchNormals.js';
import type { GeneratedWorld } from '#kernel/synthetic/world/world.js';
import { freshFg } from '#test/kit/fg.js';
import { testFolder } from '#test/kit/folder.js';

interface Drawn {
  frequencies: number[];
  means: number[];
  together: number[];
  x: number[];
}
const FOLDER = path.join(import.meta.dirname, '../../goldens/synthetic-model');
const golden = JSON.parse(fs.readFileSync(`${FOLDER}.json`, 'utf8')) as {
  samples: number;
  randn: Array<[count: number, seed: number, values: number[]]>;
  std: number[];
  mean: number[];
  correlated: Drawn;
  independent: Drawn;
};

/** A copy of the published folder with another config, tensors or hierarchy. */
async function changed(change: {
  config?: (config: Record<string, unknown>) => object;
  tensors?: (tensors: Record<string, NdArray>) => void;
  hierarchy?: string | null;
}): Promise<string> {
  const folder = testFolder();
  fs.cpSync(FOLDER, folder, { recursive: true });
  const config = path.join(folder, 'synthetic_model_config.json');
  const read = JSON.parse(fs.readFileSync(config, 'utf8')) as Record<string, unknown>;
  if (change.config) fs.writeFileSync(config, JSON.stringify(change.config(read)));
  if (change.tensors) {
    const weights = path.join(folder, 'synthetic_model.safetensors');
    const file = await SafetensorsFile.open(weights);
    const tensors: Record<string, NdArray> = {};
    for (const name of file.names()) tensors[name] = await file.read(name);
    await file.close();
    change.tensors(tensors);
    await writeSafetensors(weights, tensors);
  }
  if (change.hierarchy !== undefined) {
    const trees = path.join(folder, 'hierarchy.json');
    if (change.hierarchy === null) fs.rmSync(trees);
    else fs.writeFileSync(trees, change.hierarchy);
  }
  return folder;
}

const N = 40;
const SAMPLES = 100_000;

/** What our samples of a world come to. */
async function drawn(world: GeneratedWorld): Promise<Drawn> {
  const [fires, sums] = [new Float64Array(N), new Float64Array(N)];
  const together = new Float64Array(N * N);
  const x = new Float64Array(world.dim);
  for await (const { x: rows, codes } of world.sample(SAMPLES)) {
    rows.data.forEach((v, i) => (x[i % world.dim] += v / SAMPLES));
    for (let s = 0; s < codes.rows; s++)
      for (let a = codes.indptr[s]; a < codes.indptr[s + 1]; a++) {
        fires[codes.indices[a]]++;
        sums[codes.indices[a]] += codes.values[a];
        for (let b = codes.indptr[s]; b < codes.indptr[s + 1]; b++)
          together[codes.indices[a] * N + codes.indices[b]] += 1 / SAMPLES;
      }
  }
  return {
    frequencies: Array.from(fires, (n) => n / SAMPLES),
    means: Array.from(sums, (v, f) => v / fires[f]),
    together: Array.from(together),
    x: Array.from(x),
  };
}

/** Largest distance of shares in standard errors of their difference. */
function largestZ(found: number[], expected: number[], n = golden.samples): number {
  return Math.max(
    ...found.map((p, i) => {
      const pooled = (p * SAMPLES + expected[i] * n) / (SAMPLES + n);
      const error = Math.sqrt(pooled * (1 - pooled) * (1 / SAMPLES + 1 / n));
      return p === expected[i] ? 0 : Math.abs(p - expected[i]) / error;
    }),
  );
}

describe('a published world', () => {
  const session = freshFg();

  it.each(golden.randn)('draws %i normal numbers of seed %i as PyTorch does', (count, seed, values) => {
    torchNormals(count, seed).forEach((v, i) => expect(Math.abs(v - values[i])).toBeLessThan(2e-6));
  });

  it('has the directions, magnitudes and trees of its files, and fires as they say', async () => {
    const world = await readSyntheticModel(FOLDER);
    const law = world.law.published!;
    if (law.kind !== 'synthsaebench') throw new Error(law.kind);
    golden.std.forEach((v, f) => expect(Math.abs(law.std[f] - v)).toBeLessThan(2e-6));
    golden.mean.forEach((v, f) => expect(Math.abs(law.mean[f] - v)).toBeLessThan(1e-6));
    expect([world.features, world.dim]).toEqual([N, 12]);
    // Feature 30 stands between 0 and 1; 11 and 3 hang below a node without a feature, which 8 gates.
    expect([1, 30, 0, 11, 3, 12, 20].map((f) => world.parents[f])).toEqual([30, 0, -1, 8, 8, -1, -1]);
    expect(world.groups[11]).toBe(world.groups[3]);
    expect(world.groups[12]).toBe(world.groups[15]);
    expect([9, 10, 6, 20].map((f) => world.groups[f])).toEqual([-1, -1, -1, -1]);
    const found = await drawn(world);
    expect(largestZ(found.frequencies, golden.correlated.frequencies)).toBeLessThan(4.2);
    expect(largestZ(found.together, golden.correlated.together)).toBeLessThan(5);
    golden.correlated.means.forEach((m, f) => expect(Math.abs(found.means[f] / m - 1)).toBeLessThan(0.03));
    golden.correlated.x.forEach((v, j) => expect(Math.abs(found.x[j] - v)).toBeLessThan(0.02));
  });

  it('without correlation fires as often as its frequencies say', async () => {
    const world = await readSyntheticModel(
      await changed({
        config: (config) => ({ ...config, correlation: null }),
        tensors: (tensors) => {
          delete tensors.correlation_factor;
          delete tensors.correlation_diag;
        },
      }),
    );
    const exact = Array.from(world.frequencies);
    // The chances of the law itself, against the draws of PyTorch and ours.
    expect(largestZ((await drawn(world)).frequencies, exact, 1e12)).toBeLessThan(4.2);
    golden.independent.frequencies.forEach((p, f) => {
      const error = Math.sqrt((exact[f] * (1 - exact[f])) / golden.samples);
      expect(Math.abs(p - exact[f])).toBeLessThan(4.2 * error + 1e-9);
    });
  });

  it('is loaded by its folder and by its id, and names what it cannot read', async () => {
    const { fg } = session;
    const world = await fg.synthetic.load(FOLDER);
    expect((await fg.artifacts.load(world.id, { kind: 'world' })).id).toBe(world.id);
    expect(world.faults.join()).toMatch(/probabilities of 1 of the features are cut at 1.*normals before gates/s);
    const other = await fg.synthetic.load(await changed({ hierarchy: '{"roots": []}' }));
    expect(other.id).not.toBe(world.id);
    const refused = async (change: Parameters<typeof changed>[0], why: RegExp) =>
      expect(fg.synthetic.load(await changed(change))).rejects.toThrow(why);
    await refused({ hierarchy: null }, /asks for a hierarchy, but there is no hierarchy.json/);
    await refused(
      { hierarchy: '{"roots": [{"feature_index": 40}]}' },
      /feature_index 40; expected null or .* below 40/,
    );
    await refused({ hierarchy: '{"roots": [{"feature_index": 4}, {"feature_index": 4}]}' }, /feature 4 .* twice/);
    await refused({ config: (c) => ({ ...c, noise: 1 }) }, /has noise; known are num_features/);
    await refused({ config: (c) => ({ ...c, hidden_dim: 13 }) }, /feature_vectors is \[40, 12\]; expected \[40, 13\]/);
    await refused({ config: (c) => ({ ...c, std_firing_magnitudes: { generator_name: 'gamma' } }) }, /"gamma"; known are constant/); // prettier-ignore
    await refused({ config: (c) => ({ ...c, mean_firing_magnitudes: -1 }) }, /gives -1 for feature 0/);
    await refused({ tensors: (t) => delete t.bias }, /no tensor "bias"/);
    await refused({ tensors: (t) => void ((t.firing_probabilities.data as Float32Array)[3] = 1.5) }, /\[3\] is 1.5; expected 0 to 1/); // prettier-ignore
    await refused({ tensors: (t) => void ((t.correlation_diag.data as Float32Array)[2] = 3) }, /variance of feature 2/);
    await expect(fg.synthetic.load(testFolder())).rejects.toThrow(/synthetic_model_config.json/);
  });
});
