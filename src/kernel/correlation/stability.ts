/**
 * Which features come back in other SAEs of the same data, such as those of other seeds: the share of the others in
 * which a feature has a partner, and, for those that have none, whether the directions around them come back as a
 * subspace.
 */
import { filled } from '../verb/filled.js';
import type { SparseActivations } from '../activations/types.js';
import { breathe, type CallOptions } from '../compute/call.js';
import { unitRows } from '../compute/cosines.js';
import { crossKnn, exactKnn } from '../compute/knn.js';
import { row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { mean } from '../compute/statistics.js';
import { nulls } from '../verb/common.js';
import { nullsInline } from '../verb/nulls.js';
import { real, value, whole, type Given } from '../verb/option.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { bootstrapMean } from './bootstrap.js';
import { requireSameTokens } from './map.js';
import { nullRunNames, nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import { orthonormal, spanMatch } from './subspace.js';
import { bestOf } from './splittingActivations.js';
import { nearestRows, turned } from './splittingDecoder.js';
import { shuffledSequences } from './tokenHalves.js';
import type { SimilarityScore } from './types.js';

/** Raised when the same call gives another result. */
export const STABILITY_VERSION = 1;

export interface StabilityInput {
  /** Decoder rows: the SAE that is measured, then the others. All of one width. */
  decoders: readonly Matrix[];
  /** Activations of each over the same tokens: partners are then by r. */
  activations?: readonly SparseActivations[];
}

export const STABILITY = {
  activations: value<readonly SparseActivations[]>(
    'an array of what fg.activations.save returned, one for each SAE',
    { doc: 'Activations of each over the same tokens: partners are then features that fire alike.', fallback: 'none: partners are by cosine' }, // prettier-ignore
    (v) => Array.isArray(v) && v.every((one) => typeof one === 'object' && one !== null && 'shards' in one),
  ),
  least: real({ doc: 'Least cosine, or r, of a partner.', min: 0, max: 1, usual: 0.7 }),
  minFirings: whole({ doc: 'Features that fire on fewer tokens take no part; with activations.', min: 1, usual: 10 }), // prettier-ignore
  neighbors: whole({ doc: 'Nearest rows that make the surroundings of a feature, for `subspace`.', min: 0, usual: 7 }), // prettier-ignore
  nulls: nulls({
    doc: 'Null runs: the other decoders turned at random and, with activations, their sequences shuffled.',
    runs: 19,
    draws: 'Draws the runs.',
  }),
} as const;
type Asked = Omit<Given<typeof STABILITY>, 'activations'>;

/** The options of a call as stability() takes them. */
export const stabilitySettings = ({ least, minFirings, neighbors, nulls }: Asked) =>
  nullsInline<Asked>({ least, minFirings, neighbors, nulls });
type StabilitySettings = Required<ReturnType<typeof stabilitySettings>>;

/** How stable the features of one SAE are over others. */
export interface Stability {
  readonly by: 'cosine' | 'r';
  /** Features of the SAE that is measured, and how many others there are. */
  readonly features: number;
  readonly others: number;
  /** Least cosine or r of a partner. */
  readonly least: number;
  /** [features × others]: the best partner of each feature in each other SAE; -1 = none that reaches `least`. */
  readonly partners: Int32Array;
  /** One value a feature, for maps and tables; NaN for features that take no part (dead, rare). */
  readonly columns: {
    /** Share of the others in which it has a partner, 0 to 1. */
    readonly stability: Float32Array;
    /** Mean over the others of the largest cosine, or r. */
    readonly best: Float32Array;
    /**
     * Of features without a partner somewhere: mean cos² of the principal angles between the span of the feature and
     * its nearest rows, and the span of the rows of the other SAE that are nearest to it, 0 to 1. NaN for all others.
     */
    readonly subspace: Float32Array;
  };
  /** Each beside its null, with an interval over the features. */
  readonly scores: readonly SimilarityScore[];
}

const SETTINGS = { ...STABILITY, ...STABILITY.nulls.members };

const rowsOf = (m: Matrix, ids: ArrayLike<number>): Float32Array[] => Array.from(ids, (i) => row(m, i));

/** [features] mean cos² of each asked feature's surroundings in one other SAE; NaN where not asked. */
async function subspaces(
  own: Matrix,
  other: Matrix,
  asked: readonly number[],
  neighbors: number,
  call: CallOptions,
): Promise<Float64Array> {
  // prettier-ignore
  const out = new Float64Array(own.rows).fill(NaN);
  const k = Math.min(neighbors, own.rows - 1);
  const there = Math.min(neighbors + 1, other.rows);
  if (asked.length === 0) return out;
  const inOwn = k > 0 ? await exactKnn(own, k, { ...call, metric: 'cosine' }) : undefined;
  const inOther = await crossKnn(own, other, there, { ...call, metric: 'cosine' });
  for (const [n, f] of asked.entries()) {
    const around = inOwn ? rowsOf(own, inOwn.indices.subarray(f * k, (f + 1) * k)) : [];
    const a = orthonormal([row(own, f), ...around]);
    const b = orthonormal(rowsOf(other, inOther.indices.subarray(f * there, (f + 1) * there)));
    out[f] = spanMatch(a, b);
    if (n % 256 === 255) await breathe();
  }
  return out;
}

interface Partnered {
  index: Int32Array;
  /** Cosine or r of the best; NaN for features that take no part. */
  value: Float64Array;
}

/** The best partner of every feature in another SAE. */
async function partnersIn(own: Side, other: Side, minFirings: number, call: CallOptions): Promise<Partnered> {
  if (own.store && other.store) {
    const { index, r } = await bestOf(own.store, other.store, minFirings, call);
    return { index, value: r };
  }
  const { index, cosine } = await nearestRows(own.decoder, other.decoder, call);
  return { index, value: Float64Array.from(cosine, (c, f) => (index[f] >= 0 ? c : NaN)) };
}

interface Side {
  decoder: Matrix;
  store?: SparseActivations;
}

/** One SAE compared with another, feature by feature. */
interface Compared {
  partners: Partnered;
  /** [features] largest cosine with a row of the other. */
  cosine: Float32Array;
  subspace: Float64Array;
}

async function compare(own: Side, other: Side, s: StabilitySettings, call: CallOptions): Promise<Compared> {
  const partners = await partnersIn(own, other, s.minFirings, call);
  const { cosine } = await nearestRows(own.decoder, other.decoder, call);
  const without = Array.from(partners.value.keys()).filter((f) => partners.value[f] < s.least);
  return { partners, cosine, subspace: await subspaces(own.decoder, other.decoder, without, s.neighbors, call) };
}

/** Mean over what is a number; NaN of none. */
function meanOf(values: Iterable<number>): number {
  return mean(Array.from(values).filter((v) => !Number.isNaN(v)));
}

interface Columns {
  stability: Float64Array;
  best: Float64Array;
  subspace: Float64Array;
  cosine: Float64Array;
}

/** Means over the other SAEs, feature by feature. */
function columnsOf(features: number, compared: readonly Compared[], least: number): Columns {
  const column = (of: (c: Compared, f: number) => number): Float64Array =>
    Float64Array.from({ length: features }, (_, f) => meanOf(compared.map((c) => of(c, f))));
  return {
    stability: column(({ partners: { value } }, f) => (Number.isNaN(value[f]) ? NaN : Number(value[f] >= least))),
    best: column(({ partners }, f) => partners.value[f]),
    subspace: column(({ subspace }, f) => subspace[f]),
    cosine: column(({ cosine }, f) => cosine[f]),
  };
}

const numbersOf = (values: Float64Array): Float64Array => values.filter((v) => !Number.isNaN(v));

/** The name, variant and values by feature of each score. */
const scored = (by: Stability['by'], least: number, c: Columns) => [
  { metric: 'stability', variant: `mean over features of the share of SAEs with a partner at ${by} ≥ ${least}`, values: numbersOf(c.stability) }, // prettier-ignore
  { metric: 'MMCS', variant: 'mean over features of the largest cosine in another SAE', values: numbersOf(c.cosine) },
  { metric: 'subspace', variant: 'features without a partner: mean cos² of principal angles of their surroundings', values: numbersOf(c.subspace) }, // prettier-ignore
];

/**
 * Null of another SAE: its decoder turned at random and, with activations, its sequences in another order. The random
 * numbers are drawn at once, the work is done when the result is called.
 */
function byChance({ decoder, store }: Side, random: Random): () => Promise<Side> {
  const rows = turned(decoder, random);
  const order = store && random.permutation(store.meta.sequences);
  return async () => ({ decoder: rows(), ...(store && order ? { store: await shuffledSequences(store, order) } : {}) });
}

/** A null run, as it is remembered. */

/** Runs that stability() asks `remember` for. */
export const stabilityRunNames = ({ runs }: Partial<StabilitySettings>): string[] =>
  nullRunNames(runs ?? SETTINGS.runs.usual);

function requireComparable({ decoders, activations }: StabilityInput): void {
  if (decoders.length < 2) throw new RangeError(`stability is over 2 or more SAEs but got ${decoders.length}`);
  const [first] = decoders;
  decoders.forEach((d, i) => {
    if (d.cols !== first.cols)
      throw new RangeError(
        `SAE ${i} is of width ${d.cols} but SAE 0 of ${first.cols}: give SAEs of the same activations`,
      );
    const store = activations?.[i];
    if (activations && store?.meta.features !== d.rows)
      throw new RangeError(
        `SAE ${i} has ${d.rows} features but activations ${i} have ${store?.meta.features ?? 'not been given'}`,
      );
  });
  activations?.slice(1).forEach((store) => requireSameTokens(activations[0], store));
}

/**
 * `remember` gives null runs that are made already; see stabilityRunNames.
 * @throws RangeError on fewer than two SAEs, different widths, activations of other sizes or tokens, NaN
 */
export async function stability(
  input: StabilityInput,
  given: Partial<StabilitySettings> = {},
  { remember = (_, make) => make(), ...call }: CallOptions & { remember?: Remember } = {},
): Promise<Stability> {
  requireComparable(input);
  const s: StabilitySettings = filled(SETTINGS, given);
  const [own, ...others]: Side[] = input.decoders.map((d, i) => {
    const store = input.activations?.[i];
    return { decoder: unitRows(d, `dictionary of SAE ${i}`), ...(store ? { store } : {}) };
  });
  const by = input.activations ? 'r' : 'cosine';
  const features = own.decoder.rows;
  const random = new Random(s.seed).fork('stability');
  const draw = () => {
    const sides = others.map((other) => byChance(other, random));
    return async (): Promise<Array<number | string>> => {
      const compared: Compared[] = [];
      for (const side of sides) compared.push(await compare(own, await side(), s, call));
      return scored(by, s.least, columnsOf(features, compared, s.least)).map(({ values }) => plainNumber(mean(values)));
    };
  };
  const drawn = await nullRuns(s.runs, draw, { what: 'stability', remember, ...call });
  const found: Compared[] = [];
  for (const other of others) found.push(await compare(own, other, s, call));
  const columns = columnsOf(features, found, s.least);
  const real = scored(by, s.least, columns);
  const nulls = real.map((_, i) => Float64Array.from(drawn, (scores) => Number(scores[i])));
  const kind = `other decoders turned at random${by === 'r' ? ', their sequences shuffled' : ''}`;
  const draws = random.fork('intervals');
  return {
    ...{ by, features, others: others.length, least: s.least },
    partners: Int32Array.from({ length: features * others.length }, (_, at) => {
      const { index, value } = found[at % others.length].partners;
      const f = Math.floor(at / others.length);
      return value[f] >= s.least ? index[f] : -1;
    }),
    columns: {
      stability: Float32Array.from(columns.stability),
      best: Float32Array.from(columns.best),
      subspace: Float32Array.from(columns.subspace),
    },
    scores: real.map(({ metric, variant, values }, i) => ({
      ...besideNull(mean(values), nulls[i], { metric, variant, n: values.length, seed: s.seed, kind }),
      interval: bootstrapMean(values, draws.fork(metric)),
    })),
  };
}
