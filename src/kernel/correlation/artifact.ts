/** Feature maps as artifacts: map.safetensors holds the arrays, its metadata the rest. */
import { join } from 'node:path';
import type { ArtifactStore, Computed } from '../artifacts/store.js';
import type { ArtifactKey } from '../artifacts/types.js';
import { requireDisk } from '../io/disk.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { SparseActivations } from '../activations/types.js';
import { resumable, unfinishedFile } from '../verb/resume.js';
import type { Environment } from '../verb/environment.js';
import { correlationCost, correlationDisk, costInWords, defaultMemory, type Part } from './lists.js';
import { correlate, CORRELATION_VERSION, requireSameTokens, sumsIdentity } from './map.js';
import { correlateSettings, settingsIdentity, type CorrelateOptions } from './options.js';
import type { Partners } from './pearson.js';
import type { FeatureMap } from './types.js';

const FILE = 'map.safetensors';

/** Identity of a map. @throws when the stores hold other tokens than each other */
export function correlationKey(a: SparseActivations, b: SparseActivations, options: CorrelateOptions): ArtifactKey {
  requireSameTokens(a, b);
  return {
    kind: 'correlation',
    parameters: { ...settingsIdentity(correlateSettings(options)), ...sumsIdentity(a, b) },
    inputs: { a: a.id, b: b.id },
    codeVersion: CORRELATION_VERSION,
  };
}

/**
 * correlate(), kept: the same two stores and settings load the earlier map. `id` of the map is the artifact's.
 * Refuses stores over different tokens before anything is computed. With `env`, a long run says what it takes and,
 * when it was stopped, goes on after its last finished block of features. `parts` gives the lists of all features where
 * shards hold them.
 */
export async function correlateArtifact(
  a: SparseActivations,
  b: SparseActivations,
  store: ArtifactStore,
  options: CorrelateOptions & { fresh?: boolean; env?: Environment; parts?: () => Promise<Part[]> } = {},
): Promise<Computed<FeatureMap>> {
  const key = correlationKey(a, b, options);
  const { env, fresh, parts, ...how } = options;
  const unfinished = env && unfinishedFile(env, `correlation-${store.idOf(key).slice(0, 16)}`);
  const titles = await Promise.all([a, b].map((activations) => titleOf(activations, store)));
  return store.compute<FeatureMap>(key, {
    fresh,
    title: titles.join(' ↔ '),
    unfinished,
    async make(folder) {
      const map =
        env && unfinished && !parts
          ? await inSteps(a, b, { ...how, fresh, env }, unfinished)
          : await correlate(a, b, { ...how, parts: await parts?.() });
      await saveFeatureMap(folder, { ...map, id: store.idOf(key) });
    },
    load: loadFeatureMap,
  });
}

/** correlate() by blocks of features, each kept in a file until the map is safe. */
async function inSteps(
  a: SparseActivations,
  b: SparseActivations,
  { env, ...options }: CorrelateOptions & { fresh?: boolean; env: Environment },
  file: string,
): Promise<FeatureMap> {
  const cost = correlationCost(a.meta, b.meta, options.memoryBytes ?? defaultMemory());
  const disk = correlationDisk(a.meta, b.meta, correlateSettings(options));
  await requireDisk(env.context.artifactFolder, disk, 'the finished blocks and the map of this correlation');
  const words = costInWords(a.meta, b.meta, cost, disk);
  if (words !== undefined) env.context.print(`correlating ${words}`);
  return resumable(env, file, options.fresh, (remember) =>
    correlate(a, b, {
      ...options,
      keepPart: async (name, make) => unpacked(await remember(name, async () => packed(await make()))),
    }),
  );
}

/** Lists of a block in a line of JSON. */
interface Packed {
  n: number;
  /** Base64 of int32 and of float64. */
  index: string;
  r: string;
}

const base64 = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64');

const packed = ({ n, index, r }: Partners): Packed => ({ n, index: base64(index), r: base64(r) });

function unpacked({ n, index, r }: Packed): Partners {
  const bytes = (text: string): ArrayBuffer => Uint8Array.from(Buffer.from(text, 'base64')).buffer;
  return { n, index: new Int32Array(bytes(index)), r: new Float64Array(bytes(r)) };
}

/** The title that a store has in its record, else the name of its SAE. */
async function titleOf({ id, meta }: SparseActivations, store: ArtifactStore): Promise<string> {
  const kept = /^[0-9a-f]{64}$/.test(id) ? await store.find(id) : undefined;
  return kept?.record.title ?? meta.sae.name;
}

/**
 * Writes a map into an existing folder: best_a_of_b I32 and r_a_of_b F32 [features_b, n], best_b_of_a and r_b_of_a
 * [features_a, n], pairs.a, pairs.b I32 and pairs.r F32.
 */
export async function saveFeatureMap(folder: string, map: FeatureMap): Promise<void> {
  const { featuresA, featuresB, counterparts: n, pairs } = map;
  const count = pairs.a.length;
  await writeSafetensors(
    join(folder, FILE),
    {
      best_a_of_b: ndarray('I32', [featuresB, n], map.bestAofB),
      r_a_of_b: ndarray('F32', [featuresB, n], map.rAofB),
      best_b_of_a: ndarray('I32', [featuresA, n], map.bestBofA),
      r_b_of_a: ndarray('F32', [featuresA, n], map.rBofA),
      'pairs.a': ndarray('I32', [count], pairs.a),
      'pairs.b': ndarray('I32', [count], pairs.b),
      'pairs.r': ndarray('F32', [count], pairs.r),
    },
    { id: map.id, tokens: String(map.tokens), method: map.method, minFirings: String(map.minFirings) },
  );
}

/** Reads what saveFeatureMap wrote; throws when arrays are missing or of other shapes. */
export async function loadFeatureMap(folder: string): Promise<FeatureMap> {
  const file = await SafetensorsFile.open(join(folder, FILE));
  try {
    const { id, tokens, method, minFirings } = file.metadata;
    const [featuresB, n] = file.info('best_a_of_b').shape;
    const [featuresA] = file.info('best_b_of_a').shape;
    const [count] = file.info('pairs.a').shape;
    const read = async <T>(name: string, type: { new (n: number): T; name: string }, length: number): Promise<T> => {
      const { data, shape } = await file.read(name);
      if (data instanceof type && data.length === length) return data;
      throw new Error(`${file.path}: ${name} [${shape.join(', ')}] is not ${length} values as ${type.name}`);
    };
    return {
      id,
      tokens: Number(tokens),
      featuresA,
      featuresB,
      counterparts: n,
      bestAofB: await read('best_a_of_b', Int32Array, featuresB * n),
      rAofB: await read('r_a_of_b', Float32Array, featuresB * n),
      bestBofA: await read('best_b_of_a', Int32Array, featuresA * n),
      rBofA: await read('r_b_of_a', Float32Array, featuresA * n),
      pairs: {
        a: await read('pairs.a', Int32Array, count),
        b: await read('pairs.b', Int32Array, count),
        r: await read('pairs.r', Float32Array, count),
      },
      method,
      minFirings: Number(minFirings),
    };
  } finally {
    await file.close();
  }
}
