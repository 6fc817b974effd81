/**
 * Twin worlds: two models that see the same events, share a known part of their features under a rotation, and differ
 * in width. Which feature of A is which of B, what is split and what is absorbed is known, so that whatever maps
 * features between models can be scored against truth.
 *
 * A base world of dimension d₀ gives the events. Model M ∈ {A, B} has an isometry Q_M (d₀ orthonormal rows of width
 * d_M); a feature of direction v in the base lies at v·Q_M. Shared features have one direction v: cosines between
 * features are the same in both models, coordinates are not.
 */
import { filled } from '../../verb/filled.js';
import type { CallOptions } from '../../compute/call.js';
import { unitRows } from '../../compute/cosines.js';
import { gemm, initGemm } from '../../compute/gemm.js';
import { matrix, type Matrix } from '../../compute/matrix.js';
import { orthonormalRows } from '../../compute/orthonormal.js';
import { Random } from '../../compute/random.js';
import type { SparseRows } from '../../compute/sparse.js';
import { canonicalJson, sha256 } from '../../io/hash.js';
import { real, whole, type Given } from '../../verb/option.js';
import { emptyModel, populate, translate, type TwinModel } from './model.js';
import { relationsOf, type TwinTruth } from './truth.js';
import type { SampleOptions, World, WorldBatch } from '../types.js';

/** Bumped when the same options give other twins. */
const TWINS_VERSION = 1;

/** What twins are made of, but for what they share. */
export const OTHER_TWINS = {
  features: whole({ doc: 'Features of model A, and of B before splits.', min: 1, fallback: "half of the world's" }),
  dimA: whole({ doc: "Width of A, at least the world's.", min: 1, fallback: "the world's" }),
  dimB: whole({ doc: "Width of B, at least the world's.", min: 1, fallback: "one and a half times the world's" }),
  splits: whole({
    doc: 'Features of A that are two in B: each firing goes to one of the two at random.',
    min: 0,
    usual: 0,
  }),
  splitCosine: real({
    doc: 'Cosine of each of the two with the direction of the whole.',
    min: 0,
    max: 1,
    usual: 0.9,
  }),
  absorptions: whole({
    doc: "Pairs of parent and child (two features of A each) of which B's parent is silent whenever its child fires.",
    min: 0,
    usual: 0,
  }),
  childShare: real({
    doc: "Share of a parent's firings on which its child fires too.",
    min: 0,
    max: 1,
    usual: 0.3,
  }),
  noise: real({
    doc: 'Standard deviation of isotropic noise added to the activations of each model, independently.',
    min: 0,
    usual: 0,
  }),
  seed: whole({ doc: 'Of rotations, and of which features are shared, split and absorbed.', usual: 0 }),
};

export const TWINS = {
  shared: real({
    doc: "Share of A's features that B has too, splits and absorptions included.",
    min: 0,
    max: 1,
    usual: 0.5,
  }),
  ...OTHER_TWINS,
};
export interface TwinOptions extends Given<typeof TWINS> {}

export interface Twins {
  readonly id: string;
  /** The base world whose firings are the events. */
  readonly events: World;
  /** Both are worlds: what trains on and measures a world takes them. The same seed samples the same events in both. */
  readonly a: World;
  readonly b: World;
  /** Share of A's features with a counterpart in B: what was asked for, to the nearest feature. */
  readonly sharedFraction: number;
  /** Which feature is which. */
  readonly truth: TwinTruth;
  /** Q_A [d₀ × d_A] and Q_B [d₀ × d_B]: orthonormal rows. */
  readonly rotation: { a: Matrix; b: Matrix };
  readonly parameters: Required<TwinOptions>;
}

function settings(world: World, o: TwinOptions): Required<TwinOptions> {
  const { shared, splits, splitCosine, absorptions, childShare, noise, seed } = filled(TWINS, o);
  const s: Required<TwinOptions> = {
    features: o.features ?? Math.floor(world.features / 2),
    shared,
    dimA: o.dimA ?? world.dim,
    dimB: o.dimB ?? Math.ceil(1.5 * world.dim),
    ...{ splits, splitCosine, absorptions, childShare, noise, seed },
  };
  for (const name of ['dimA', 'dimB'] as const) {
    if (s[name] < world.dim)
      throw new RangeError(
        `${name} is ${s[name]}; expected at least ${world.dim}, the width of the base world: a narrower model could not hold the same geometry`,
      );
  }
  const both = Math.round(s.shared * s.features);
  if (s.splits + 2 * s.absorptions > both)
    throw new RangeError(
      `${s.splits} splits and ${s.absorptions} absorptions take ${s.splits + 2 * s.absorptions} shared features but there are ${both} (${s.shared} of ${s.features})`,
    );
  const events = 2 * s.features - both - s.absorptions;
  if (events > world.features)
    throw new RangeError(
      `twins of ${s.features} features that share ${both} need ${events} events but the base world has ${world.features} features; use at most ${Math.floor(world.features / 2)} features or a larger world`,
    );
  return s;
}

/**
 * Two worlds over the events of `world` (its dictionary gives the directions). Throws RangeError on what cannot be:
 * more features than events, narrower models than the base, more splits and absorptions than shared features.
 */
export async function createTwins(world: World, options: TwinOptions = {}): Promise<Twins> {
  const s = settings(world, options);
  const random = new Random(s.seed).fork('twins');
  const base = unitRows(world.dictionary);
  const a = emptyModel();
  const b = emptyModel();
  const truth = populate(world, base, s, random, a, b);
  const rotation = {
    a: orthonormalRows(world.dim, s.dimA, random.fork('rotation of A')),
    b: orthonormalRows(world.dim, s.dimB, random.fork('rotation of B')),
  };
  await initGemm();
  const id = sha256(['twins', String(TWINS_VERSION), world.id, canonicalJson(s)]);
  const sharedCount = truth.pairs.a.length + truth.splits.length + 2 * truth.absorptions.length;
  const make = (side: 'A' | 'B', model: TwinModel, q: Matrix): World => {
    const directions = matrix(model.directions.length, world.dim);
    model.directions.forEach((v, f) => directions.data.set(v, f * world.dim));
    const dictionary = matrix(
      directions.rows,
      q.cols,
      gemm(directions.data, q.data, directions.rows, q.cols, world.dim),
    );
    return twinWorld(side, id, world, model, unitRows(dictionary), s);
  };
  const twins: Twins = {
    id,
    events: world,
    a: make('A', a, rotation.a),
    b: make('B', b, rotation.b),
    sharedFraction: sharedCount / s.features,
    truth,
    rotation,
    parameters: s,
  };
  // Throws on a truth that contradicts itself.
  relationsOf(truth, twins.a.features, twins.b.features);
  return twins;
}

function twinWorld(
  side: 'A' | 'B',
  twins: string,
  events: World,
  model: TwinModel,
  dictionary: Matrix,
  s: Required<TwinOptions>,
): World {
  const features = dictionary.rows;
  return {
    id: sha256(['twin', twins, side]),
    dim: dictionary.cols,
    features,
    dictionary,
    frequencies: Float64Array.from(model.frequencies),
    parents: Int32Array.from(model.parents),
    groups: new Int32Array(features).fill(-1),
    description: `twin ${side}: ${features} features in ${dictionary.cols} dimensions, events of ${events.description}`,
    parameters: { twins, side, ...s },
    sample: (n, options) => sampleTwin(side, events, model, dictionary, s, n, options),
  };
}

async function* sampleTwin(
  side: 'A' | 'B',
  events: World,
  model: TwinModel,
  dictionary: Matrix,
  s: Required<TwinOptions>,
  n: number,
  options: SampleOptions & CallOptions = {},
): AsyncGenerator<WorldBatch> {
  // The turns of splits and children belong to the event, not to the model: both twins draw the same.
  const turns = new Random(options.seed ?? s.seed).fork('turns of twins');
  const noise = new Random(options.seed ?? s.seed).fork(`noise of twin ${side}`);
  for await (const { first, codes } of events.sample(n, { ...options, seed: options.seed ?? s.seed })) {
    const own = translate(codes, model, dictionary.rows, (i) => turns.fork(first + i));
    const x = combine(own, dictionary);
    if (s.noise > 0) {
      for (let i = 0; i < x.rows; i++) {
        const random = noise.fork(first + i);
        for (let j = i * x.cols; j < (i + 1) * x.cols; j++) x.data[j] += s.noise * random.normal();
      }
    }
    yield { first, x, codes: own };
  }
}

/** x = codes · dictionary, summed in float64. */
function combine(codes: SparseRows, dictionary: Matrix): Matrix {
  const d = dictionary.cols;
  const x = matrix(codes.rows, d);
  const sum = new Float64Array(d);
  for (let i = 0; i < codes.rows; i++) {
    sum.fill(0);
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) {
      const value = codes.values[p];
      const at = codes.indices[p] * d;
      for (let j = 0; j < d; j++) sum[j] += value * dictionary.data[at + j];
    }
    x.data.set(sum, i * d);
  }
  return x;
}
