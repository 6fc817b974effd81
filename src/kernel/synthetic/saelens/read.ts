/**
 * Worlds in the form in which SAELens publishes them: synthetic_model_config.json, synthetic_model.safetensors and,
 * where features gate each other, hierarchy.json. SynthSAEBench-16k is one of them (docs/synthetic.md).
 */
import { join } from 'node:path';
import type { JsonObject } from '../../../protocol/notebook.js';
import { listed } from '../../../protocol/clip.js';
import { isJsonObject, isRecord } from '../../../protocol/objects.js';
import { kindOfPath, parseJson, readText } from '../../io/files.js';
import { canonicalJson, sha256 } from '../../io/hash.js';
import { toFloat32 } from '../../io/ndarray.js';
import { SafetensorsFile } from '../../io/safetensors.js';
import { magnitudesOf, worldOf, type GeneratedWorld } from '../world/world.js';
import { lowRankCopula } from '../world/copula.js';
import { Random, USUAL_SEED } from '../../compute/random.js';
import type { CopulaLaw } from '../../compute/sampling/law.js';
import { magnitudesOfConfig } from './magnitudes.js';
import { frequenciesOf, noTrees, treesOf } from './trees.js';

export const MODEL_FILES = {
  config: 'synthetic_model_config.json',
  weights: 'synthetic_model.safetensors',
  hierarchy: 'hierarchy.json',
} as const;

/** Samples that share a stream of random numbers; published samples do not depend on their batch. */
const CHUNK = 1024;
const TENSORS = ['feature_vectors', 'bias', 'firing_probabilities', 'correlation_factor', 'correlation_diag'] as const;
type Tensors = Partial<Record<(typeof TENSORS)[number], { shape: readonly number[]; data: Float32Array }>>;
/** Fields of the config that say how the tensors and the hierarchy were made, and where they ran. */
const MADE_BY: readonly string[] = [
  ...['firing_probability', 'hierarchy', 'orthogonalization', 'correlation', 'bias', 'dtype'],
  ...['feature_dict_bias', 'device', 'use_sparse_tensors'],
];
const OWN: readonly string[] = [
  'num_features',
  'hidden_dim',
  'std_firing_magnitudes',
  'mean_firing_magnitudes',
  'seed',
];

interface ModelFiles {
  config: JsonObject;
  configPath: string;
  tensors: Tensors;
  weightsPath: string;
  hierarchy?: unknown;
  hierarchyPath: string;
}

async function filesOf(folder: string): Promise<ModelFiles> {
  const [configPath, weightsPath, hierarchyPath] = Object.values(MODEL_FILES).map((name) => join(folder, name));
  const config = parseJson(await readText(configPath), configPath);
  if (!isJsonObject(config)) throw new Error(`${configPath} holds no object`);
  const other = Object.keys(config).filter((name) => !OWN.includes(name) && !MADE_BY.includes(name));
  if (other.length > 0)
    throw new Error(`${configPath} has ${listed(other)}; known are ${listed([...OWN, ...MADE_BY])}`);
  const file = await SafetensorsFile.open(weightsPath);
  try {
    const names = file.names();
    const unknown = names.filter((name) => !(TENSORS as readonly string[]).includes(name));
    if (unknown.length > 0) throw new Error(`${weightsPath} has ${listed(unknown)}; known are ${listed(TENSORS)}`);
    const tensors: Tensors = {};
    for (const name of TENSORS) {
      if (!file.has(name)) continue;
      const read = await file.read(name);
      tensors[name] = { shape: read.shape, data: toFloat32(read) };
    }
    const gated = (await kindOfPath(hierarchyPath)) === 'file';
    const hierarchy = gated ? parseJson(await readText(hierarchyPath), hierarchyPath) : undefined;
    if (!gated && isRecord(config.hierarchy) && config.hierarchy.total_root_nodes !== 0)
      throw new Error(`${configPath} asks for a hierarchy, but there is no ${MODEL_FILES.hierarchy} beside it`);
    return { config, configPath, tensors, weightsPath, hierarchy, hierarchyPath };
  } finally {
    await file.close();
  }
}

function tensor({ tensors, weightsPath }: ModelFiles, name: keyof Tensors, shape: readonly number[]): Float32Array {
  const found = tensors[name];
  if (!found) throw new Error(`${weightsPath}: no tensor "${name}"; it has ${listed(Object.keys(tensors))}`);
  if (found.shape.join() !== shape.join())
    throw new Error(`${weightsPath}: ${name} is [${found.shape.join(', ')}]; expected [${shape.join(', ')}]`);
  const bad = found.data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new Error(`${weightsPath}: ${name} holds ${found.data[bad]} at place ${bad}`);
  return found.data;
}

function sizeOf({ config, configPath }: ModelFiles, name: 'num_features' | 'hidden_dim'): number {
  const value = config[name];
  if (!(Number.isInteger(value) && (value as number) > 0))
    throw new Error(`${configPath}: ${name} is ${JSON.stringify(value)}; expected a whole number above 0`);
  return value as number;
}

/** The normals behind the firings: with the factors of the file, or independent of each other. */
function copulaOf(files: ModelFiles, features: number, fires: Float64Array): CopulaLaw {
  const all = Array.from({ length: features }, (_, f) => f);
  const rank = files.tensors.correlation_factor?.shape[1] ?? 0;
  if (rank === 0) return lowRankCopula(all, { rank: 0, loadings: all.map(() => []) }, fires, new Random(0));
  const factor = tensor(files, 'correlation_factor', [features, rank]);
  const rest = tensor(files, 'correlation_diag', [features]);
  const loadings = all.map((f) => Array.from(factor.subarray(f * rank, (f + 1) * rank)));
  loadings.forEach((row, f) => {
    const variance = row.reduce((sum, a) => sum + a * a, rest[f]);
    if (Math.abs(variance - 1) > 1e-3)
      throw new Error(
        `${files.weightsPath}: the variance of feature ${f} (its row of correlation_factor squared, and correlation_diag) is ${variance}; expected 1`,
      );
  });
  return lowRankCopula(all, { rank, loadings }, fires, new Random(0));
}

function faultsOf(of: { fires: Float64Array; gated: boolean; correlated: boolean; drawn: boolean }): string[] {
  const always = of.fires.reduce((sum, p) => sum + (p >= 1 ? 1 : 0), 0);
  return [
    ...(always > 0
      ? [`probabilities of ${always} of the features are cut at 1: they fire less often than asked for`]
      : []),
    ...(of.gated && of.correlated
      ? [
          'the correlation is of the normals before gates and exclusion, not of the firings; frequencies given here leave it out',
        ]
      : []),
    ...(of.drawn ? ['the config has no seed, and the files no magnitudes: random ones are drawn with seed 0'] : []),
  ];
}

/** A world from a folder in the form of SAELens. Every field and tensor is used, known to change nothing, or refused. */
export async function readSyntheticModel(folder: string): Promise<GeneratedWorld> {
  const files = await filesOf(folder);
  const { config, configPath: path } = files;
  const [features, dim] = [sizeOf(files, 'num_features'), sizeOf(files, 'hidden_dim')];
  const seed = config.seed ?? USUAL_SEED;
  if (!Number.isSafeInteger(seed)) throw new Error(`${path}: seed is ${JSON.stringify(seed)}; expected a whole number`);
  const fires = Float64Array.from(tensor(files, 'firing_probabilities', [features]));
  const bad = fires.findIndex((p) => p < 0 || p > 1);
  if (bad >= 0) throw new Error(`${files.weightsPath}: firing_probabilities[${bad}] is ${fires[bad]}; expected 0 to 1`);
  // SAELens draws deviations with the seed after the model's own, and means with the one after that.
  const law = (name: string, usual: number, after: number): Float64Array =>
    magnitudesOfConfig(config[name] ?? usual, { name, path, count: features, seed: (seed as number) + after });
  const std = law('std_firing_magnitudes', 0, 1);
  const mean = law('mean_firing_magnitudes', 1, 2);
  const gated = files.hierarchy !== undefined;
  const trees = gated ? treesOf(files.hierarchy, features, files.hierarchyPath) : noTrees(features);
  const frequencies = frequenciesOf(trees, { fires, mean, std });
  const none = new Int32Array(features).fill(-1);
  const others = Object.entries(files.tensors).filter(([name]) => name !== 'feature_vectors');
  const drawn = config.seed == null && canonicalJson(config).includes('"folded_normal"');
  const correlated = files.tensors.correlation_factor !== undefined;
  return worldOf({
    law: {
      features,
      dim,
      chunk: CHUNK,
      dictionary: tensor(files, 'feature_vectors', [features, dim]),
      mean: tensor(files, 'bias', [dim]),
      noiseStd: 0,
      noiseAlong: 0,
      order: new Int32Array(0),
      parents: none,
      conditional: new Float64Array(features),
      exclusive: none,
      copulas: [],
      ...magnitudesOf(undefined, features),
      published: { kind: 'synthsaebench', copula: copulaOf(files, features, fires), mean, std, ...trees },
    },
    seed: seed as number,
    originals: none,
    shapes: none,
    frequencies,
    parents: trees.parents,
    groups: trees.exclusive,
    description: `published world of ${features} features in ${dim} dimensions, mean L0 ${frequencies.reduce((a, b) => a + b, 0).toFixed(2)}, seed ${String(seed)}`,
    parameters: {
      config,
      files: sha256([canonicalJson(files.hierarchy ?? null), ...others.flatMap(([name, { data }]) => [name, data])]),
    },
    faults: faultsOf({ fires, gated, correlated, drawn }),
  });
}
