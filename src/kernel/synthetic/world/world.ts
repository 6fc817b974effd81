/** A world: known directions and the law by which they fire, sampled as a stream. */
import { filled } from '../../verb/filled.js';
import type { Json } from '../../../protocol/notebook.js';
import { breathe, checkAborted } from '../../compute/call.js';
import { matrix } from '../../compute/matrix.js';
import { memoryBudget } from '../../compute/memory.js';
import { pool } from '../../compute/pool.js';
import { Random } from '../../compute/random.js';
import type { SparseRows } from '../../compute/sparse.js';
import { canonicalJson, sha256 } from '../../io/hash.js';
import { buildGeometry, unitVector } from './geometry.js';
import { drawSpan, joinRows, type Span, type SpanRequest } from '../../compute/sampling/span.js';
import { MAGNITUDES, shareLaw, type Law } from '../../compute/sampling/law.js';
import type { SampleOptions, World, WorldBatch } from '../types.js';
import { WORLD, NOISE, MAGNITUDE_LAWS, type MagnitudeSpec, type WorldOptions } from './options.js';
import { planOf, type Plan } from './plan.js';
import { requireWhole } from '../../compute/require.js';

/** Bumped when the same options give other samples. */
export const WORLD_VERSION = 2;
/** Samples of a chunk of worlds without a published batch. */
export const CHUNK = 4096;

/** What the report and the joint probabilities read besides the contract. */
export interface GeneratedWorld extends World {
  readonly law: Law;
  readonly plan?: Plan;
  /** Feature that a duplicate copies, −1 = none. */
  readonly originals: Int32Array;
  /** Cluster, circle, four or tree of the geometry, −1 = none. */
  readonly shapes: Int32Array;
  readonly seed: number;
  /** What is known to be wrong with a published generator. */
  readonly faults: readonly string[];
}

/** Typed arrays as arrays; functions and signals left out. */
export function worldParameters(options: object): Record<string, Json> {
  const kept = Object.entries(options).filter(
    ([key, v]) => v !== undefined && key !== 'signal' && key !== 'onProgress',
  );
  return JSON.parse(
    JSON.stringify(Object.fromEntries(kept), (_, v: unknown) =>
      ArrayBuffer.isView(v) ? Array.from(v as Float64Array) : v,
    ),
  ) as Record<string, Json>;
}

const sum = (p: ArrayLike<number>): number =>
  Array.prototype.reduce.call(p, (a, b) => (a as number) + (b as number), 0) as number;

interface Parts extends Omit<GeneratedWorld, 'id' | 'dim' | 'features' | 'sample' | 'dictionary' | 'law'> {
  law: Law;
}

/** A world around a law; its id hashes parameters, seed, directions and code version. */
export function worldOf(parts: Parts): GeneratedWorld {
  const { features, dim } = parts.law;
  const law = shareLaw(parts.law);
  const dictionary = matrix(features, dim, parts.law.dictionary);
  const id = sha256([`world ${WORLD_VERSION}`, canonicalJson(parts.parameters), String(parts.seed), dictionary.data]);
  return {
    ...parts,
    law,
    id,
    dim,
    features,
    dictionary,
    sample: (n, options) => sampleLaw(law, parts.seed, n, options),
  };
}

function dimOf({ features, dim, superposition }: WorldOptions): number {
  if ((dim === undefined) === (superposition === undefined))
    throw new RangeError('give either dim (the width of x) or superposition (features per dimension)');
  return dim ?? Math.max(1, Math.round(features / superposition!));
}

/** Index, two parameters and mean of a magnitude law. */
function magnitudeOf(spec: MagnitudeSpec, f: number): [kind: number, a: number, b: number, mean: number] {
  const kind = MAGNITUDES.indexOf(spec.kind);
  const need = (ok: boolean, what: string): void => {
    if (!ok) throw new RangeError(`magnitudes of feature ${f} (${spec.kind}): ${what}; magnitudes are above 0`);
  };
  switch (spec.kind) {
    case 'constant': {
      const { value } = filled(MAGNITUDE_LAWS.table.constant.members, spec);
      return [kind, value, 0, value];
    }
    case 'uniform': {
      const { low, high } = filled(MAGNITUDE_LAWS.table.uniform.members, spec);
      need(high > low, `low is ${low}, high ${high}`);
      return [kind, low, high, (low + high) / 2];
    }
    case 'half-normal': {
      const { scale } = filled(MAGNITUDE_LAWS.table['half-normal'].members, spec);
      return [kind, scale, 0, scale * Math.sqrt(2 / Math.PI)];
    }
    case 'exponential': {
      const { mean } = filled(MAGNITUDE_LAWS.table.exponential.members, spec);
      return [kind, mean, 0, mean];
    }
    case 'log-normal': {
      const { mu, sigma } = filled(MAGNITUDE_LAWS.table['log-normal'].members, spec);
      return [kind, mu, sigma, Math.exp(mu + (sigma * sigma) / 2)];
    }
    case 'truncated-normal': {
      const { mean, std } = filled(MAGNITUDE_LAWS.table['truncated-normal'].members, spec);
      need(mean > -3 * std && (std > 0 || mean > 0), `mean is ${mean}, std ${std}: the mean must be above −3 std`);
      return [kind, mean, std, mean];
    }
  }
}

/** [features] arrays of magnitude laws. */
export function magnitudesOf(
  specs: MagnitudeSpec | readonly MagnitudeSpec[] | undefined,
  features: number,
): Pick<Law, 'magnitude' | 'magnitudeA' | 'magnitudeB' | 'magnitudeMean'> {
  const given: MagnitudeSpec | readonly MagnitudeSpec[] = specs ?? WORLD.magnitudes.usual;
  if (!('kind' in given) && given.length !== features)
    throw new RangeError(
      `magnitudes has ${given.length} laws for ${features} features: give one for all, or one for each`,
    );
  const law = {
    magnitude: new Uint8Array(features),
    magnitudeA: new Float64Array(features),
    magnitudeB: new Float64Array(features),
    magnitudeMean: new Float64Array(features),
  };
  for (let f = 0; f < features; f++) {
    const [kind, a, b, mean] = magnitudeOf('kind' in given ? given : given[f], f);
    law.magnitude[f] = kind;
    law.magnitudeA[f] = a;
    law.magnitudeB[f] = b;
    law.magnitudeMean[f] = mean;
  }
  return law;
}

function meanOf(mean: WorldOptions['mean'], d: number, random: Random): Float32Array | undefined {
  if (mean === undefined || mean === 0) return undefined;
  if (typeof mean === 'number') {
    return Float32Array.from(unitVector(random, d), (v) => v * mean);
  }
  if (mean.length !== d || !mean.every(Number.isFinite))
    throw new RangeError(`mean needs ${d} finite numbers but has ${mean.length}`);
  return Float32Array.from(mean);
}

/** Noise as the law holds it; low-rank directions are drawn orthonormal. */
export function noiseOf(
  { noise = {} }: Pick<WorldOptions, 'noise'>,
  d: number,
  random: Random,
): Pick<Law, 'noiseStd' | 'noiseDirections' | 'noiseAlong'> {
  const { std, lowRank } = filled(NOISE, noise);
  if (!lowRank) return { noiseStd: std, noiseAlong: 0 };
  if (lowRank.rank > d)
    throw new RangeError(`noise.lowRank.rank is ${lowRank.rank}; expected at most ${d}, the width of x`);
  const directions: Float64Array[] = [];
  for (let r = 0; r < lowRank.rank; r++) directions.push(unitVector(random, d, directions));
  const noiseDirections = new Float32Array(lowRank.rank * d);
  directions.forEach((v, r) => noiseDirections.set(v, r * d));
  return { noiseStd: std, noiseDirections, noiseAlong: lowRank.std };
}

/**
 * Makes a world: unit-norm directions and an exact law of firing. Throws RangeErrors that name the feasible range for
 * requests no distribution can meet.
 */
export async function createWorld(options: WorldOptions): Promise<GeneratedWorld> {
  const { signal, onProgress } = options;
  const d = dimOf(options);
  const { features, seed, geometry } = filled(WORLD, options);
  const random = new Random(seed).fork('world');
  const parts = 'kind' in geometry ? [geometry] : geometry;
  const g = await buildGeometry(parts, features, d, random.fork('geometry'), { signal, onProgress });
  const plan = planOf(options, g.parts, g.parents, random.fork('correlations'));
  const magnitudes = magnitudesOf(options.magnitudes, features);
  const law: Law = {
    features,
    dim: d,
    chunk: CHUNK,
    dictionary: g.dictionary.data,
    mean: meanOf(options.mean, d, random.fork('mean')),
    ...noiseOf(options, d, random.fork('noise')),
    order: plan.order,
    parents: plan.gates,
    conditional: plan.conditional,
    exclusive: plan.exclusive,
    copulas: plan.copulas,
    ...magnitudes,
    scaled: plan.scaled,
  };
  const kinds = g.parts.map((p) => p.part.kind).join(', ');
  return worldOf({
    law,
    plan,
    seed,
    originals: g.originals,
    shapes: g.groups,
    frequencies: plan.frequencies,
    parents: plan.parents,
    groups: plan.groups.map((group, f) => (group >= 0 ? group : g.groups[f])),
    description: `world of ${features} features in ${d} dimensions (${kinds}), mean L0 ${sum(plan.frequencies).toFixed(2)}, seed ${seed}`,
    parameters: worldParameters({ ...options, dim: d, seed }),
    faults: [],
  });
}

/** Spans of chunks in order, several at once in workers. */
async function* spans(law: Law, seed: number, n: number, options: SampleOptions): AsyncGenerator<Span> {
  const { signal } = options;
  const workers = pool();
  const bytes = law.chunk * law.dim * 4;
  const most = Math.max(1, Math.floor(memoryBudget() / (16 * bytes)));
  // About a tenth of a second of work, so that cancelling and other work come through.
  const chunks = Math.max(1, Math.min(most, Math.floor(2 ** 14 / law.chunk)));
  const step = chunks * law.chunk;
  const threads = workers.threaded ? Math.min(options.workers ?? workers.size, workers.size) : 0;
  const request = (first: number): SpanRequest => ({
    law,
    seed,
    chunk: first / law.chunk,
    samples: Math.min(step, n - first),
  });
  if (threads === 0) {
    for (let first = 0; first < n; first += step) {
      checkAborted(signal, 'sampling');
      yield drawSpan(request(first));
      await breathe();
    }
    return;
  }
  const running: Array<Promise<Span>> = [];
  try {
    for (let first = 0, started = 0; first < n; first += step) {
      for (; started < n && running.length < threads + 1; started += step) {
        const task = workers.run<Span>('drawSpan', request(started), { signal });
        // A task may fail while an earlier one is awaited: that is no unhandled rejection, since it is awaited in its
        // turn.
        task.catch(() => undefined);
        running.push(task);
      }
      yield await running.shift()!;
    }
  } finally {
    await Promise.allSettled(running);
  }
}

/** Entries a … b of the rows of a span. */
function cut(span: Span, dim: number, from: number, to: number): Span {
  if (from === 0 && to === span.indptr.length - 1) return span;
  const [a, b] = [span.indptr[from], span.indptr[to]];
  return {
    x: span.x.slice(from * dim, to * dim),
    indptr: span.indptr.subarray(from, to + 1).map((e) => e - a),
    indices: span.indices.slice(a, b),
    values: span.values.slice(a, b),
  };
}

function rowsOf(features: number, rows: number, parts: readonly Span[]): SparseRows {
  const { indptr, indices, values } = joinRows(parts);
  return { rows, cols: features, indptr, indices, values };
}

/**
 * n samples of a law in batches. A seed has one stream: a longer run begins with the samples of a shorter one,
 * whatever the batch size and the number of workers.
 */
export async function* sampleLaw(
  law: Law,
  own: number,
  n: number,
  options: SampleOptions = {},
): AsyncGenerator<WorldBatch> {
  const { seed = own, batch = 2 ** 14, onProgress } = options;
  for (const [name, value, least] of [
    ['n', n, 0],
    ['batch', batch, 1],
    ['workers', options.workers ?? 1, 1],
  ] as const)
    requireWhole(name, value, least);
  const { dim, features } = law;
  let first = 0;
  let waiting: Span[] = [];
  let rows = 0;
  const batchOf = (parts: readonly Span[], count: number): WorldBatch => {
    const x = parts.length === 1 ? parts[0].x : new Float32Array(count * dim);
    if (parts.length > 1) parts.reduce((at, p) => (x.set(p.x, at), at + p.x.length), 0);
    return { first, x: matrix(count, dim, x), codes: rowsOf(features, count, parts) };
  };
  for await (const span of spans(law, seed, n, options)) {
    const total = span.indptr.length - 1;
    for (let at = 0; at < total;) {
      const take = Math.min(batch - rows, total - at);
      waiting.push(cut(span, dim, at, at + take));
      rows += take;
      at += take;
      if (rows < batch && first + rows < n) continue;
      yield batchOf(waiting, rows);
      first += rows;
      onProgress?.({ label: 'samples', done: first, total: n, unit: 'samples' });
      waiting = [];
      rows = 0;
    }
  }
}
