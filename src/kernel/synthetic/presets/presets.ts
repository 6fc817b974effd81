/**
 * Published generators by name, drawn as they were published, and each corrected. Sources: docs/synthetic.md. The
 * faults are measured by fg.synthetic.report and by the tests.
 */
import { filled } from '../../verb/filled.js';
import { symmetricEigenvalues } from '../../compute/linalg.js';
import { matrix } from '../../compute/matrix.js';
import { Random } from '../../compute/random.js';
import type { Law, PublishedLaw } from '../../compute/sampling/law.js';
import { cholesky } from '../../compute/cholesky.js';
import { transposed } from '../../compute/gemm.js';
import { lowRankCopula } from '../world/copula.js';
import { unitVector } from '../world/geometry.js';
import { normalizeRows, spreadRows } from '../world/spread.js';
import { hierarchyFrequencies, hierarchyParents, type Trees } from './hierarchy.js';
import { worldParameters, createWorld, magnitudesOf, noiseOf, worldOf, type GeneratedWorld } from '../world/world.js';
import { requireKnown } from '../../verb/option.js';
import { scaleToL0 } from '../world/frequencies.js';
import { PRESET, marksFaults, PRESETS, type PresetName, type PresetOptions } from './list.js';
import { requireWhole } from '../../compute/require.js';

interface Sizes {
  features: number;
  dim: number;
  seed: number;
}

const sizes = (o: PresetOptions, features: number, dim: number): Sizes => ({
  features: o.features ?? features,
  dim: o.dim ?? dim,
  seed: o.seed ?? PRESET.seed.usual,
});

const geometric = (n: number, lambda: number): Float64Array => Float64Array.from({ length: n }, (_, i) => lambda ** i);

/** λ^i with mean `l0` in all. */
function decaying(n: number, lambda: number, l0: number): Float64Array {
  return scaleToL0(geometric(n, lambda), l0, new Float64Array(n).fill(1));
}

function gaussianRows(n: number, d: number, random: Random, unit: boolean): Float32Array {
  const m = matrix(n, d, random.normals(new Float32Array(n * d)));
  if (unit) normalizeRows(m);
  return m.data;
}

interface PublishedParts extends Sizes {
  o: PresetOptions;
  dictionary: Float32Array;
  batch: number;
  published: PublishedLaw;
  frequencies: Float64Array;
  parents?: Int32Array;
  mean?: Float32Array;
  /** What is wrong with it at these sizes; default as published. */
  faults?: readonly string[];
}

function publishedWorld(p: PublishedParts): GeneratedWorld {
  const { features: n, dim, seed, o } = p;
  const { standardized, ...rest } = o;
  const none = new Int32Array(n).fill(-1);
  const law: Law = {
    features: n,
    dim,
    chunk: p.batch,
    dictionary: p.dictionary,
    mean: p.mean,
    ...noiseOf({ noise: o.noise }, dim, new Random(seed).fork('noise')),
    order: new Int32Array(0),
    parents: none,
    conditional: new Float64Array(n),
    exclusive: none,
    copulas: [],
    ...magnitudesOf({ kind: 'constant' }, n),
    published: p.published,
  };
  const entry = PRESETS.find((preset) => preset.name === o.preset)!;
  return worldOf({
    law,
    seed,
    originals: none,
    shapes: none,
    frequencies: p.frequencies,
    parents: p.parents ?? none,
    groups: none,
    description: `${o.preset}, as published: ${n} features in ${dim} dimensions, seed ${seed}`,
    // The name of the option when worlds were first identified.
    parameters: worldParameters({
      ...rest,
      standardised: standardized,
      features: n,
      dim,
      seed,
      publishedBatch: p.batch,
    }),
    faults: p.faults ?? entry.faults,
  });
}

/** A corrected form: a world of the general generator under the preset's name. */
async function corrected(o: PresetOptions, made: Promise<GeneratedWorld>): Promise<GeneratedWorld> {
  const world = await made;
  return { ...world, description: `${o.preset}: ${world.description}` };
}

function sharkey(o: PresetOptions): GeneratedWorld | Promise<GeneratedWorld> {
  const s = sizes(o, 512, 256);
  const { lambda, l0, correlated } = filled(PRESET, o);
  const n = s.features;
  const random = new Random(s.seed).fork('sharkey-2022');
  if (!correlated) {
    const frequencies = geometric(n, lambda).map((w) => (w * l0) / n);
    return createWorld({ ...s, frequencies, magnitudes: { kind: 'uniform' }, noise: o.noise }).then((world) => ({
      ...world,
      description: `sharkey-2022, uncorrelated, as published: ${n} features in ${s.dim} dimensions, seed ${s.seed}`,
      faults: [
        `p = λ^i · ${l0}/G sums to ${frequencies.reduce((a, b) => a + b, 0).toFixed(3)} active features, not ${l0}`,
      ],
    }));
  }
  const sigma = new Float64Array(n * n);
  for (let i = 0; i < sigma.length; i++) sigma[i] = random.next();
  for (let i = 0; i < n; i++)
    for (let j = 0; j < i; j++) sigma[i * n + j] = sigma[j * n + i] = (sigma[i * n + j] + sigma[j * n + i]) / 2;
  const least = symmetricEigenvalues(sigma, n)[n - 1];
  for (let i = 0; i < n; i++) sigma[i * n + i] += 1.001 * Math.abs(Math.min(0, least));
  const published: PublishedLaw = {
    kind: 'sharkey-2022',
    cholesky: cholesky(sigma, n),
    decay: geometric(n, lambda),
    l0,
  };
  const dictionary = gaussianRows(n, s.dim, random.fork('directions'), true);
  const frequencies = decaying(n, lambda, l0);
  return publishedWorld({ ...s, o, dictionary, batch: o.publishedBatch ?? 4096, published, frequencies });
}

function marksGroups(o: PresetOptions): { k: number; lambda: number; groups: number } {
  const { k = 32, lambda, groups } = filled(PRESET, o);
  return { k, lambda, groups };
}

/** Chance that each of `size` items is among k drawn without replacement with weights w: 1 − e^(−τw), summing to k. */
function inclusion(w: Float64Array, k: number): Float64Array {
  if (k >= w.length) return new Float64Array(w.length).fill(1);
  let [low, high] = [0, 1];
  const at = (t: number): number => w.reduce((sum, x) => sum - Math.expm1(-t * x), 0);
  while (at(high) < k) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (at(middle) < k) low = middle;
    else high = middle;
  }
  return w.map((x) => -Math.expm1(-low * x));
}

function marks(o: PresetOptions): GeneratedWorld {
  const s = sizes(o, 512, 256);
  const { k, lambda, groups } = marksGroups(o);
  const groupSize = Math.floor(s.features / groups);
  requireWhole('groups', groups, 1, s.features);
  if (k > groupSize)
    throw new RangeError(`k features of a group of ${groupSize} are active: k lies in [1, ${groupSize}] but is ${k}`);
  const chance = inclusion(geometric(groupSize, lambda), k);
  const frequencies = Float64Array.from({ length: s.features }, (_, f) =>
    f < groups * groupSize ? chance[f % groupSize] / groups : 0,
  );
  const random = new Random(s.seed).fork('marks-2024');
  const dictionary = gaussianRows(s.features, s.dim, random, false);
  const { perPoint } = filled(PRESET, o);
  const published: PublishedLaw = { kind: 'marks-2024', groups, groupSize, k, lambda, perPoint };
  const faults = marksFaults({ features: s.features, groups, perPoint });
  return publishedWorld({ ...s, o, dictionary, batch: o.publishedBatch ?? 10_000, published, frequencies, faults });
}

function marksCorrected(o: PresetOptions): Promise<GeneratedWorld> {
  const s = sizes(o, 512, 256);
  const { k, lambda, groups } = marksGroups(o);
  const n = s.features;
  const members = Array.from({ length: groups }, () => [] as number[]);
  for (let f = 0; f < n; f++) members[Math.floor((f * groups) / n)].push(f);
  const frequencies = new Float64Array(n);
  for (const list of members) {
    const q = decaying(list.length, lambda, k);
    list.forEach((f, j) => (frequencies[f] = q[j] / groups));
  }
  const correlations = { kind: 'contexts', count: groups } as const;
  return corrected(
    o,
    createWorld({ ...s, frequencies, correlations, magnitudes: { kind: 'uniform' }, noise: o.noise }),
  );
}

/** sklearn's make_blobs: `count` points around centres uniform in (−10, 10), deviation 1, shuffled. */
function blobs(count: number, width: number, centres: number, random: Random): Float32Array {
  const centre = Float64Array.from({ length: centres * width }, () => 20 * random.next() - 10);
  const order = random.permutation(count);
  const out = new Float32Array(count * width);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < width; j++) out[order[i] * width + j] = centre[(i % centres) * width + j] + random.normal();
  return out;
}

function lan(o: PresetOptions): GeneratedWorld {
  const s = sizes(o, 512, 256);
  const { k = 16, lambda, standardized, clip, directions } = filled(PRESET, o);
  const random = new Random(s.seed).fork('lan-2024');
  const dictionary =
    directions === 'gaussian'
      ? gaussianRows(s.features, s.dim, random, false)
      : directions === 'blobs'
        ? transposed(blobs(s.dim, s.features, 10, random), s.dim, s.features)
        : blobs(s.features, s.dim, 10, random);
  const published: PublishedLaw = { kind: 'lan-2024', k, exponent: lambda, standardised: standardized, clip };
  const frequencies = decaying(s.features, lambda, k);
  return publishedWorld({ ...s, o, dictionary, batch: o.publishedBatch ?? 1000, published, frequencies });
}

function factorWorld(o: PresetOptions, l0: number): Promise<GeneratedWorld> {
  const s = sizes(o, 512, 256);
  const { lambda, directions, strength } = filled(PRESET, o);
  return corrected(
    o,
    createWorld({
      ...s,
      geometry: directions?.startsWith('blobs') ? { kind: 'clusters', clusters: 10 } : { kind: 'random' },
      frequencies: { kind: 'geometric', lambda },
      l0,
      correlations: { kind: 'low-rank', rank: 8, strength },
      magnitudes: { kind: 'uniform' },
      noise: o.noise,
    }),
  );
}

interface SynthParts extends Sizes, Trees {
  base: Float64Array;
  parents: Int32Array;
  means: Float64Array;
  stds: Float64Array;
}

function synthParts(o: PresetOptions): SynthParts {
  const s = sizes(o, 16_384, 768);
  const tree = { roots: o.roots ?? Math.max(1, Math.round(s.features / 128)), branching: 4, depth: 3 };
  const n = s.features;
  const last = n ** -0.5;
  const base = Float64Array.from({ length: n }, (_, i) =>
    n === 1 ? 0.4 : 5e-4 + ((0.4 - 5e-4) * ((i + 1) ** -0.5 - last)) / (1 - last),
  );
  const random = new Random(s.seed).fork('magnitudes');
  const means = Float64Array.from({ length: n }, (_, i) => 5 - (n > 1 ? i / (n - 1) : 0));
  const stds = Float64Array.from({ length: n }, () => Math.abs(0.5 + 0.5 * random.normal()));
  return { ...s, ...tree, base, parents: hierarchyParents(n, tree), means, stds };
}

async function synthDirections(o: PresetOptions, s: Sizes): Promise<Float32Array> {
  const random = new Random(s.seed).fork('directions');
  if (!o.orthogonalSteps) return gaussianRows(s.features, s.dim, random, true);
  return (await spreadRows(s.features, s.dim, random, { steps: o.orthogonalSteps }, o)).data;
}

const synthCorrelation = { rank: 25, scale: 0.1 };

async function synthSaeBench(o: PresetOptions): Promise<GeneratedWorld> {
  const s = synthParts(o);
  const { base, parents } = s;
  const compensated = base.map((p, f) => {
    const parent = parents[f];
    if (parent < 0) return p;
    let siblings = 0;
    for (let g = f - s.branching; g <= f + s.branching; g++) if (g >= 0 && parents[g] === parent) siblings += base[g];
    return Math.min(1, (p / base[parent]) * (1 + Math.max(0, siblings - p) / base[parent]));
  });
  const random = new Random(s.seed).fork('correlations');
  const all = Array.from(base.keys());
  const copula = lowRankCopula(all, synthCorrelation, compensated, random);
  const published: PublishedLaw = {
    kind: 'synthsaebench',
    copula,
    mean: s.means,
    std: s.stds,
    // Breadth-first numbers: parents come before children, siblings stand together.
    order: Int32Array.from(all),
    parents,
    exclusive: parents,
    scaled: new Uint8Array(s.features).fill(1),
  };
  const dictionary = await synthDirections(o, s);
  const mean = Float32Array.from(unitVector(new Random(s.seed).fork('mean'), s.dim), (v) => 0.5 * v);
  return publishedWorld({
    ...s,
    o,
    dictionary,
    batch: o.publishedBatch ?? 1024,
    published,
    frequencies: base,
    parents,
    mean,
  });
}

async function synthSaeBenchCorrected(o: PresetOptions): Promise<GeneratedWorld> {
  const s = synthParts(o);
  const frequencies = hierarchyFrequencies(s.base, s.parents);
  const children = new Map<number, number[]>();
  s.parents.forEach((parent, f) => {
    if (parent >= 0) children.set(parent, [...(children.get(parent) ?? []), f]);
  });
  const gates = [...children].map(
    ([parent, list]) => ({ kind: 'gate', parent, children: list, exclusive: true, scale: true }) as const,
  );
  const world = createWorld({
    features: s.features,
    dim: s.dim,
    seed: s.seed,
    geometry: o.orthogonalSteps ? { kind: 'near-orthogonal', steps: o.orthogonalSteps } : { kind: 'random' },
    frequencies,
    correlations: [...gates, { kind: 'low-rank', ...synthCorrelation }],
    magnitudes: Array.from(s.means, (mean, f) => ({ kind: 'truncated-normal', mean, std: s.stds[f] }) as const),
    noise: o.noise,
    mean: 0.5,
    signal: o.signal,
    onProgress: o.onProgress,
  });
  return corrected(o, world);
}

/** A published generator, or its corrected form, by name. @throws TypeError for options of other presets */
export async function createPreset(o: PresetOptions): Promise<GeneratedWorld> {
  const known: Record<PresetName, () => GeneratedWorld | Promise<GeneratedWorld>> = {
    'sharkey-2022': () => sharkey(o),
    'sharkey-2022-corrected': () => factorWorld(o, o.l0 ?? PRESET.l0.usual),
    'marks-2024': () => marks(o),
    'marks-2024-corrected': () => marksCorrected(o),
    'lan-2024': () => lan(o),
    'lan-2024-corrected': () => factorWorld(o, o.k ?? 16),
    synthsaebench: () => synthSaeBench(o),
    'synthsaebench-corrected': () => synthSaeBenchCorrected(o),
  };
  const { options } = PRESETS.find((preset) => preset.name === o.preset)!;
  const { preset: _, signal: __, onProgress: ___, ...asked } = o;
  requireKnown(`preset "${o.preset}"`, asked, ['features', 'dim', 'seed', 'noise', ...options]);
  return known[o.preset]();
}
