/**
 * Does ablating a matched pair, its feature of A in model A and its feature of B in model B, move the same
 * counterparts? Each ablation gives a vector of Δ over the matched features; the two vectors of a pair are compared,
 * and the mean over many pairs stands beside the mean over shuffled pairs.
 */
import { filled } from '../verb/filled.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { knownHooks } from '../models/known.js';
import { requireTokenizer } from '../models/capture.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { tf } from '../compute/tf.js';
import { centredSquares, cosine, meanAndStd, spearman } from '../compute/statistics.js';
import type { FeatureMap, PairedMap } from '../correlation/types.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { nulls } from '../verb/common.js';
import { nullsApart, renamed } from '../verb/nulls.js';
import { choice, value, whole, type Given } from '../verb/option.js';
import { saesAt } from './effects.js';
import { allowOtherModel, samples, SEQUENCES } from './options.js';
import { withoutFeatures, written } from './probe.js';
import { captured, sequencesOf, tensorsOf, type Activation } from './runs.js';
import { nullP } from './statistics.js';

/** Raised when the same call gives another transfer score. */
export const TRANSFER_VERSION = 3;

/** A model, the SAE whose features are ablated, and the SAE whose features are watched (default: the same). */
export interface TransferSide {
  /** Model that runs. */
  model: LanguageModel;
  /** SAE of the ablated features, at its own hook. */
  sae: Sae;
  /**
   * SAE downstream whose features are watched. Default: the same SAE, which encodes its own hook anew; that measures
   * how far encoder and decoder rows overlap, not what the model does with the change, and the result warns of it.
   */
  watch?: Sae;
}

export const TRANSFER = {
  watchMap: value<PairedMap>('what fg.correlation.map returned', {
    doc: 'Counterparts among the watched SAEs. Needed when sides have `watch`.',
    fallback: 'the map of the ablated ones',
  }),
  pairs: whole({
    doc: 'Matched pairs ablated whose features both fire in the text.',
    min: 2,
    usual: 40,
  }),
  choose: choice(['highest-r', 'random'], {
    doc: "Which pairs: those of 'highest-r', or drawn at 'random' by the seed, which speaks for the whole map.",
    usual: 'highest-r',
  }),
  samples: samples(32),
  measure: choice(['cosine', 'spearman'], {
    doc: 'How two vectors of Δ are compared.',
    usual: 'cosine',
  }),
  nulls: nulls({
    doc: 'Shuffles of which ablation of B goes with which of A.',
    runs: 999,
    min: 1,
    seed: '`seed`',
  }),
  seed: whole({ doc: 'Draws the pairs.', usual: 0 }),
  allowOtherModel,
};
/** The options of a call as transfer() takes them. */
export const transferOptions = (given: Given<typeof TRANSFER>) => renamed(nullsApart(given, 'own seed'), SEQUENCES);
interface TransferOptions extends Omit<ReturnType<typeof transferOptions>, 'watchMap'>, CallOptions {
  // The pairs are all that is read of it.
  watchMap?: FeatureMap;
}

export interface TransferPair {
  a: number;
  b: number;
  /** Activation correlation of the pair. */
  r: number;
  /** Likeness of the two vectors of Δ, the ablated pair itself left out. */
  similarity: number;
  /** Mean likeness of A's vector with the vectors of all other pairs of B. */
  others: number;
  /** Sequences in which the feature fires and was ablated. */
  sequencesA: number;
  sequencesB: number;
}

export interface Transfer {
  measure: 'cosine' | 'spearman';
  /** Mean similarity over the pairs. */
  score: number;
  null: {
    kind: string;
    runs: number;
    mean: number;
    std: number;
    max: number;
    /** Seed of the shuffles; absent in results made before it could differ from `seed`. */
    seed?: number;
  };
  /** (k + 1)/(R + 1), k = shuffles whose mean reaches the score. */
  p: number;
  seed: number;
  /** Pairs compared, in the order in which they were taken: by r, or as drawn. */
  pairs: TransferPair[];
  /** How they were chosen. */
  choose: 'highest-r' | 'random';
  /**
   * Where features were watched: 'downstream' = through the model, at later hooks on both sides; 'same hook' = the
   * changed activation encoded again on one side at least, before the model did anything with it.
   */
  watched: 'downstream' | 'same hook';
  /** Limits of what the score shows. */
  warnings: string[];
  /** Matched watched features that the vectors are over. */
  coordinates: number;
  /** Pairs looked at whose ablation moves no matched feature on one side: they are not compared. */
  withoutEffect: number;
}

/** Activations at the ablation hook and clean features of the watched SAE, by sequence. */
interface Prepared {
  side: TransferSide;
  hook: string;
  watch: Sae;
  watchHook: string;
  sequences: Int32Array[];
  x: Matrix[];
  shape: number[];
  parts: ReturnType<typeof written>[];
  clean: ReturnType<Sae['encode']>[];
  /** What a pass that is edited at the hook need not compute, by hook. */
  known: Activations[];
  /** Per watched feature 1 / standard deviation over the tokens; 0 where it never fires. */
  scale: Float64Array;
}

type Activations = Map<string, Activation>;

async function activations(
  model: LanguageModel,
  ids: Int32Array,
  hooks: readonly string[],
  edit?: { hook: string; x: Float32Array; known: Activations },
): Promise<Activations> {
  const order = (hook: string): number => model.hooks.indexOf(hook);
  const stopAt = [...hooks].sort((a, b) => order(b) - order(a))[0];
  const edits = edit && new Map([[edit.hook, [(at: tf.Tensor) => tf.tensor(edit.x, at.shape)]]]);
  const known = edit && tensorsOf(edit.known, edit.known.keys());
  try {
    return await captured(model, ids, 1, { capture: hooks, stopAt, edits, known });
  } finally {
    for (const x of known?.values() ?? []) x.dispose();
  }
}

const rowsOf = (data: Float32Array, rows: number): Matrix => matrix(rows, data.length / rows, data);

async function prepare(side: TransferSide, tokens: TokenSet, options: TransferOptions): Promise<Prepared> {
  const { model, sae } = side;
  const watch = side.watch ?? sae;
  const [{ hook }, { hook: watchHook }] = saesAt(model, [sae, watch], options);
  if (model.hooks.indexOf(watchHook) < model.hooks.indexOf(hook))
    throw new Error(`${watchHook} runs before ${hook}: ablating there cannot move it; watch an SAE downstream`);
  requireTokenizer(model, tokens);
  const { context } = tokens;
  const count = sequencesOf(tokens, options.sequences ?? TRANSFER.samples.usual);
  const out: Prepared = {
    ...{ side, hook, watch, watchHook, sequences: [], x: [], shape: [], parts: [], clean: [], known: [] },
    scale: new Float64Array(watch.config.dSae),
  };
  const [sum, squares] = [new Float64Array(watch.config.dSae), new Float64Array(watch.config.dSae)];
  const shared = watchHook === hook ? [] : knownHooks(model, [hook], [watchHook]);
  for (let s = 0; s < count; s++) {
    checkAborted(options.signal, 'transfer');
    const ids = tokens.tokens.slice(s * context, (s + 1) * context);
    const clear = await activations(model, ids, [...new Set([hook, watchHook, ...shared])]);
    const x = rowsOf(clear.get(hook)!.data, context);
    const clean = watch.encode(rowsOf(clear.get(watchHook)!.data, context));
    out.shape = clear.get(hook)!.shape;
    out.sequences.push(ids);
    out.x.push(x);
    out.parts.push(written(sae, x));
    out.clean.push(clean);
    out.known.push(new Map(shared.map((name) => [name, clear.get(name)!])));
    clean.values.forEach((v, e) => {
      sum[clean.indices[e]] += v;
      squares[clean.indices[e]] += v * v;
    });
    await breathe();
  }
  const n = count * context;
  for (let f = 0; f < sum.length; f++) {
    const variance = centredSquares(sum[f], squares[f], n) / n;
    out.scale[f] = variance > 0 ? 1 / Math.sqrt(variance) : 0;
  }
  return out;
}

/** Sequences in which a feature fires. */
function firesIn(p: Prepared, feature: number): number[] {
  return [...p.parts.keys()].filter((s) => p.parts[s].features.indices.includes(feature as never));
}

/** Mean Δ of every watched feature when one feature is removed, in standard deviations of that watched feature. */
async function ablationVector(p: Prepared, feature: number, where: readonly number[]): Promise<Float64Array> {
  const { model, sae } = p.side;
  const delta = new Float64Array(p.watch.config.dSae);
  const context = p.x[0].rows;
  for (const s of where) {
    const edited = new Float32Array(p.x[s].data.length);
    withoutFeatures(sae, p.x[s], p.parts[s], edited, (f) => f === feature);
    // At the ablated hook itself the model has nothing to compute.
    const edit = { hook: p.hook, x: edited, known: p.known[s] };
    const after =
      p.watchHook === p.hook
        ? edited
        : (await activations(model, p.sequences[s], [p.watchHook], edit)).get(p.watchHook)!.data;
    const encoded = p.watch.encode(rowsOf(after, context));
    encoded.values.forEach((v, e) => (delta[encoded.indices[e]] += v));
    p.clean[s].values.forEach((v, e) => (delta[p.clean[s].indices[e]] -= v));
    await breathe();
  }
  const n = p.x.length * context;
  return delta.map((v, f) => (v / n) * p.scale[f]);
}

/** Cosine, or Spearman's correlation, of two vectors without some coordinates; NaN where one is nothing. */
function likeness(
  a: Float64Array,
  b: Float64Array,
  without: ReadonlySet<number>,
  measure: 'cosine' | 'spearman',
): number {
  const keep = [...a.keys()].filter((k) => !without.has(k));
  const [x, y] = [keep.map((k) => a[k]), keep.map((k) => b[k])];
  if (x.every((v) => v === 0) || y.every((v) => v === 0)) return NaN;
  return measure === 'spearman' ? spearman(x, y) : cosine(x, y);
}

interface Ablated {
  a: number;
  b: number;
  r: number;
  u: Float64Array;
  v: Float64Array;
  /** Coordinates in which the ablated features themselves are watched. */
  own: Set<number>;
  sequencesA: number;
  sequencesB: number;
}

function requireSettings(map: FeatureMap, a: TransferSide, b: TransferSide, options: TransferOptions) {
  const { runs: nullRuns } = TRANSFER.nulls.members;
  const { measure, nulls, seed, pairs, choose } = filled({ ...TRANSFER, nulls: nullRuns }, options);
  if ((a.watch || b.watch) && !(a.watch && b.watch && options.watchMap))
    throw new Error('watching SAEs downstream takes { watch } on both sides and { watchMap }, the map between the two');
  const watchMap = options.watchMap ?? map;
  for (const [what, m, side, features] of [
    ['map', map, 'A', a.sae.config.dSae],
    ['watchMap', watchMap, 'A', (a.watch ?? a.sae).config.dSae],
  ] as const)
    if (m.featuresA !== features)
      throw new RangeError(`${what} has ${m.featuresA} features on side ${side} but its SAE has ${features}`);
  for (const [what, m, features] of [
    ['map', map, b.sae.config.dSae],
    ['watchMap', watchMap, (b.watch ?? b.sae).config.dSae],
  ] as const)
    if (m.featuresB !== features)
      throw new RangeError(`${what} has ${m.featuresB} features on side B but its SAE has ${features}`);
  return { measure, nulls, seed, nullSeed: options.nullSeed ?? seed, pairs, choose, watchMap };
}

/** Mean over the pairs, with pairs shuffled `runs` times. */
function beside(similarity: number[][], runs: number, seed: number) {
  const n = similarity.length;
  const meanOf = (order: ArrayLike<number>): number => {
    let [sum, count] = [0, 0];
    for (let i = 0; i < n; i++) {
      const v = similarity[i][order[i]];
      if (Number.isNaN(v)) continue;
      sum += v;
      count++;
    }
    return count > 0 ? sum / count : 0;
  };
  const score = meanOf(Array.from({ length: n }, (_, i) => i));
  const random = new Random(seed).fork('shuffled pairs');
  const nulls = Array.from({ length: runs }, () => meanOf(random.permutation(n)));
  const { mean, std } = meanAndStd(nulls);
  const max = nulls.reduce((m, v) => Math.max(m, v), -Infinity);
  return { score, null: { kind: 'shuffled pairs', runs, mean, std, max, seed }, p: nullP(score - 1e-12, nulls) };
}

/** Pairs of a map in the order in which they are tried. */
function pairOrder({ pairs: { r } }: FeatureMap, choose: 'highest-r' | 'random', seed: number): number[] {
  if (choose === 'random') return Array.from(new Random(seed).fork('pairs').permutation(r.length));
  return [...r.keys()].sort((i, j) => r[j] - r[i] || i - j);
}

function watchedAt(sides: readonly Prepared[]): Pick<Transfer, 'watched' | 'warnings'> {
  const same = sides.filter(({ hook, watchHook }) => hook === watchHook);
  if (same.length === 0) return { watched: 'downstream', warnings: [] };
  const where = [...new Set(same.map(({ side, hook }) => `${hook} of ${side.model.name}`))].join(' and ');
  return {
    watched: 'same hook',
    warnings: [
      `features are watched at the hook that is changed (${where}): the activation is only encoded again, so the score says how far the SAE's own encoder and decoder rows overlap, not what the model does; give { watch } downstream on both sides and { watchMap }`,
    ],
  };
}

/**
 * The transfer score of many matched pairs. Both models read the same text; Δ of a watched feature is in its own
 * standard deviations, so that loud features do not decide alone.
 * @throws Error when maps, SAEs, hooks and text do not fit, or fewer than 2 pairs have an effect on both sides.
 */
export async function transfer(
  a: TransferSide,
  b: TransferSide,
  map: FeatureMap,
  tokens: TokenSet,
  options: TransferOptions = {},
): Promise<Transfer> {
  const { measure, nulls, seed, nullSeed, pairs, choose, watchMap } = requireSettings(map, a, b, options);
  const [sideA, sideB] = [await prepare(a, tokens, options), await prepare(b, tokens, options)];
  // Where the ablated SAEs themselves are watched, the Δ of the ablated features is left out: it would match itself.
  const [ownA, ownB] = [sideA, sideB].map(({ watch, side }) => watch.id === side.sae.id);
  const coordinates = watchMap.pairs;
  const order = pairOrder(map, choose, seed);
  const done: Ablated[] = [];
  let withoutEffect = 0;
  for (const i of order) {
    if (done.length === pairs) break;
    checkAborted(options.signal, 'transfer');
    const [fa, fb] = [map.pairs.a[i], map.pairs.b[i]];
    const [inA, inB] = [firesIn(sideA, fa), firesIn(sideB, fb)];
    if (inA.length === 0 || inB.length === 0) continue;
    const [da, db] = [await ablationVector(sideA, fa, inA), await ablationVector(sideB, fb, inB)];
    const u = Float64Array.from(coordinates.a, (f) => da[f]);
    const v = Float64Array.from(coordinates.b, (f) => db[f]);
    const own = new Set<number>();
    coordinates.a.forEach((f, k) => ((ownA && f === fa) || (ownB && coordinates.b[k] === fb)) && own.add(k));
    const pair = { a: fa, b: fb, r: map.pairs.r[i], u, v, own, sequencesA: inA.length, sequencesB: inB.length };
    if (Number.isNaN(likeness(u, v, own, measure))) withoutEffect++;
    else done.push(pair);
    options.onProgress?.({ label: 'ablating matched pairs', done: done.length, total: pairs, unit: 'pairs' });
  }
  if (done.length < 2)
    throw new Error(
      `${done.length} matched pairs have an effect on other matched features on both sides; a transfer score needs at least 2. Give more sequences, or a map with more pairs`,
    );
  const similarity = done.map((i) => done.map((j) => likeness(i.u, j.v, new Set([...i.own, ...j.own]), measure)));
  const othersOf = (i: number): number => {
    const rest = similarity[i].filter((v, j) => j !== i && !Number.isNaN(v));
    return rest.reduce((s, v) => s + v, 0) / rest.length;
  };
  return {
    measure,
    ...beside(similarity, nulls, nullSeed),
    seed,
    pairs: done.map((d, i) => ({
      ...{ a: d.a, b: d.b, r: d.r, similarity: similarity[i][i], others: othersOf(i) },
      ...{ sequencesA: d.sequencesA, sequencesB: d.sequencesB },
    })),
    coordinates: coordinates.a.length,
    withoutEffect,
    choose,
    ...watchedAt([sideA, sideB]),
  };
}
