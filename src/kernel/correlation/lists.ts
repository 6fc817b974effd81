/**
 * The best partners of every feature in both directions, in parts: a part holds the lists of some features, made from
 * all tokens in their order. So parts made one by one, after an interruption or on other machines give the same bits as
 * the whole, however they are cut.
 */
import { holds } from '../activations/store.js';
import type { SparseActivations, TokenRange } from '../activations/types.js';
import { usableFeatures, positionShares, countedTokens } from '../activations/statistics.js';
import { freemem } from 'node:os';
import { formatBytes } from '../../protocol/bytes.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { CANDIDATES } from './assignedPairs.js';
import { associationSums, isOfFiring, ofFiring, type Association } from './association.js';
import { MORE } from './match.js';
import type { CorrelateSettings } from './options.js';
import { bestPartners, type FeatureSums, type Partners, type PartnersOptions } from './pearson.js';
import { rowBytes, type Spans } from './products.js';
import { columnsOf, pairedSpans, tokenBlock, type Cut, type TokenSpan } from './spans.js';

/** The spans of a pass, and the queries of a block where they are read again for each. */
interface SpanSource {
  spans: Spans;
  rows?: number;
}

/** Features of both sides, and where the products of a B feature with all As come from, and of an A with all Bs. */
export interface Sides {
  a: FeatureSums;
  b: FeatureSums;
  toA: SpanSource;
  toB: SpanSource;
}

export interface Lists {
  aOfB: Partners;
  bOfA: Partners;
}

/** Query features from … to − 1, the features of B first, then those of A. */
export interface PartRange {
  readonly from: number;
  readonly to: number;
}

/** The lists of a range. */
export interface Part extends PartRange {
  /** Partners kept per feature. */
  readonly n: number;
  /** [(to − from) × n]: partners, best first; -1 = none. */
  readonly index: Int32Array;
  /** [(to − from) × n]: the measure; NaN where index is -1. */
  readonly r: Float64Array;
}

/** Partners that a list holds: matchers that weigh all features at once begin with CANDIDATES of each. */
export const listed = ({ match, counterparts }: CorrelateSettings): number =>
  match === 'hungarian' || match === 'sinkhorn' ? Math.max(counterparts, CANDIDATES) : counterparts;

/** Bytes of an entry of a store in memory with its column, and of a token's place. */
const ENTRY_BYTES = 16;

/** Cost of a correlation. */
export interface CorrelationCost {
  /** Both stores and their columns, held at once: they are read once. */
  readonly resident: boolean;
  /** Passes over both stores. */
  readonly passes: number;
  /** Query features of a pass; a power of two, so that a little more or less free memory changes nothing. */
  readonly block: number;
  readonly bytesRead: number;
  /** Multiplications of two activations on one token, if both sides fire independently of each other. */
  readonly products: number;
  /** Bytes held at once. */
  readonly memory: number;
}

/** Rounds of lists that a matcher may ask for beside the first: more were not seen. */
const MATCHING_ROUNDS = 8;

/** Bytes on the disk: lists of finished blocks (base64 in lines), and the map. */
export function correlationDisk(a: Sized, b: Sized, settings: CorrelateSettings): number {
  const entry = 16;
  const all = a.features + b.features;
  const rounds = settings.match === 'one-to-one' || settings.match === 'hungarian' ? MATCHING_ROUNDS : 0;
  const lines = entry * (all * listed(settings) + rounds * MORE * b.features);
  return lines + 8 * all * settings.counterparts + 12 * b.features + 2 ** 16;
}

export type Sized = Pick<SparseActivations['meta'], 'tokens' | 'features' | 'nonZeros' | 'shards'>;

const entryBytes = ({ features }: Sized): number => (features > 65_536 ? 8 : 6);
const largestShard = ({ shards }: Sized): number =>
  shards.reduce((most, { nonZeros, tokens }) => Math.max(most, ENTRY_BYTES * nonZeros + 8 * tokens), 0);

/** What a range of tokens takes of a store: its shards that hold some of them. */
export function sizedWithin({ features, shards }: Sized, range: TokenRange): Sized {
  const some = shards.filter((shard) => holds(shard, range));
  const nonZeros = some.reduce((sum, shard) => sum + shard.nonZeros, 0);
  return { tokens: range.to - range.from, features, nonZeros, shards: some };
}

/** Bytes of a row of sums. */
const rowOf = (a: Sized, b: Sized): number =>
  rowBytes(a.tokens, tokenBlock(a.features, b.features)) * Math.max(1, a.features, b.features);

/** The least memory that a run takes: the stores' largest shards, and one row of sums. */
export const leastMemory = (a: Sized, b: Sized): number => largestShard(a) + largestShard(b) + rowOf(a, b);

/** @throws RangeError when leastMemory() does not fit `memory`, in figures */
export function correlationCost(a: Sized, b: Sized, memory: number): CorrelationCost {
  const whole = ENTRY_BYTES * (a.nonZeros + b.nonZeros) + ENTRY_BYTES * a.tokens;
  const products = 2 * a.tokens * (a.nonZeros / Math.max(1, a.tokens)) * (b.nonZeros / Math.max(1, b.tokens));
  const bytes = entryBytes(a) * a.nonZeros + entryBytes(b) * b.nonZeros + 16 * a.tokens;
  if (whole <= memory / 2)
    return { resident: true, passes: 1, block: a.features + b.features, bytesRead: bytes, products, memory: whole };
  const fixed = largestShard(a) + largestShard(b);
  const row = rowOf(a, b);
  const least = leastMemory(a, b);
  if (memory < least)
    throw new RangeError(
      `correlating ${a.features} × ${b.features} features over ${a.tokens} tokens needs ${formatBytes(least)} at least, the largest shards of both stores and one row of sums, but may use ${formatBytes(memory)}; give more by memoryBytes, or save the activations in smaller shards`,
    );
  const block = 2 ** Math.floor(Math.log2((memory - fixed) / row));
  const passes = Math.ceil(a.features / block) + Math.ceil(b.features / block);
  return {
    ...{ resident: false, passes, block, products },
    bytesRead: passes * bytes,
    memory: fixed + row * Math.min(block, Math.max(a.features, b.features)),
  };
}

/** Memory that a call may use when it is not told. */
export const defaultMemory = (): number => Math.min(1.5 * 2 ** 30, freemem() / 2);

/**
 * Seconds per multiplication, and per byte read and checked; of one core of a server of 2023. A multiplication waits for
 * its sum: at 32,768 × 32,768 features sums do not fit the caches (measured, 400,000 tokens in memory). Smaller ones are
 * faster than said. A byte that is read again in every pass is decoded and laid out by features too (measured, 2,000,000
 * tokens in 32 passes).
 */
const SECONDS = { product: 3e-8, byte: 8e-9 };

/** The cost of a call in words; undefined where it is done in a few seconds. */
export function costInWords(a: Sized, b: Sized, cost: CorrelationCost, disk: number): string | undefined {
  const seconds = cost.products * SECONDS.product + cost.bytesRead * SECONDS.byte;
  if (seconds < 10) return undefined;
  const time = seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  const passes = cost.passes === 1 ? 'one pass' : `${cost.passes} passes of ${cost.block} features`;
  return `${a.tokens.toLocaleString('en-US')} tokens, ${a.features.toLocaleString('en-US')} × ${b.features.toLocaleString('en-US')} features: ${passes}, ${formatBytes(cost.bytesRead)} read, ${formatBytes(cost.memory)} of memory beside the kernel's own, ${formatBytes(disk)} on the disk, about ${time} on one core`;
}

/** Reads what both directions need. */
export async function openSides(
  a: SparseActivations,
  b: SparseActivations,
  settings: CorrelateSettings,
  options: CallOptions & { memoryBytes?: number; blockTokens?: number },
): Promise<Sides> {
  const { blockTokens } = options;
  const cost = correlationCost(a.meta, b.meta, options.memoryBytes ?? defaultMemory());
  return {
    a: await participants(a, settings, options),
    b: await participants(b, settings, options),
    toA: await spanSource(b, a, cost, settings.by, { blockTokens }),
    toB: await spanSource(a, b, cost, settings.by, { blockTokens }),
  };
}

/** The sums of a side, of the features that take part. */
export async function participants(
  activations: SparseActivations,
  { minFirings, maxShareAtOnePosition, by }: CorrelateSettings,
  options: CallOptions,
): Promise<FeatureSums> {
  const positions = maxShareAtOnePosition < 1 ? await positionShares(activations, options) : undefined;
  const usable = usableFeatures(activations.statistics, { minFirings, positions, maxShareAtOnePosition });
  return associationSums(by, activations.statistics, countedTokens(activations.meta), usable);
}

/** Where the spans of a pass come from: kept in memory with their columns, or read again for each block of queries. */
export async function spanSource(
  query: SparseActivations,
  base: SparseActivations,
  { resident, block }: CorrelationCost,
  by: Association = 'pearson',
  cut: Cut = {},
): Promise<SpanSource> {
  const read = <S extends TokenSpan>(span: S): S => (isOfFiring(by) ? ofFiring(span) : span);
  if (!resident) return { spans: () => eachSpan(pairedSpans(query, base, cut), read), rows: block };
  const spans: Array<Required<TokenSpan>> = [];
  for await (const span of pairedSpans(query, base, cut)) {
    spans.push(read({ ...span, columns: columnsOf(span.query, query.meta.features) }));
  }
  return { spans };
}

async function* eachSpan(spans: AsyncIterable<TokenSpan>, read: (span: TokenSpan) => TokenSpan) {
  for await (const span of spans) yield read(span);
}

/** The lists of a range of query features, with `n` partners each. */
export async function partOf(sides: Sides, range: PartRange, n: number, call: CallOptions): Promise<Part> {
  const { a, b, toA, toB } = sides;
  const all = a.features + b.features;
  const { from, to } = range;
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= all))
    throw new RangeError(
      `a part of a correlation is features from … to of 0 to ${all} (B's, then A's) but is ${from} to ${to}`,
    );
  const index = new Int32Array((to - from) * n);
  const r = new Float64Array((to - from) * n);
  for (const [first, query, base, source, label] of [
    [0, b, a, toA, 'best A of each B'],
    [b.features, a, b, toB, 'best B of each A'],
  ] as const) {
    const [low, high] = [Math.max(from, first), Math.min(to, first + query.features)];
    if (low >= high) continue;
    const queries = Int32Array.from({ length: high - low }, (_, i) => low - first + i);
    const onProgress: CallOptions['onProgress'] = (p) =>
      call.onProgress?.({ ...p, done: Math.round(low - first + (p.total ? (p.done / p.total) * (high - low) : 0)), total: query.features }); // prettier-ignore
    const options = { n, queries, label, rows: source.rows, signal: call.signal, onProgress };
    const found = await bestPartners(query, base, source.spans, options);
    index.set(found.index, (low - from) * n);
    r.set(found.r, (low - from) * n);
  }
  return { from, to, n, index, r };
}

/** Gives the lists of a block of features that were made before under this name, or makes and keeps them. */
export type KeepPart = (name: string, make: () => Promise<Partners>) => Promise<Partners>;

/**
 * The lists of all features, by blocks of queries where the stores are read for each; `keep` is asked for every block.
 */
export async function allLists(sides: Sides, n: number, call: CallOptions, keep?: KeepPart): Promise<Lists> {
  const { a, b, toA, toB } = sides;
  const parts: Part[] = [];
  for (const [first, features, source] of [
    [0, b.features, toA],
    [b.features, a.features, toB],
  ] as const) {
    const block = source.rows ?? features;
    for (let from = 0; from < features; from += block) {
      checkAborted(call.signal, 'correlate');
      const range = { from: first + from, to: first + Math.min(features, from + block) };
      const make = (): Promise<Partners> => partOf(sides, range, n, call);
      const kept = keep && source.rows !== undefined;
      parts.push({ ...range, ...(kept ? await keep(`${range.from}-${range.to}`, make) : await make()) });
    }
  }
  return mergedParts(parts, a.features, b.features, n);
}

/**
 * The best As of some Bs among those that a matcher still allows, by blocks of queries where the stores are read for
 * each; `keep` is asked for every block. `name` tells the passes of a matching apart.
 */
export async function moreLists(
  { a, b, toA }: Sides,
  name: string,
  options: PartnersOptions,
  keep?: KeepPart,
): Promise<Partners> {
  const queries = options.queries ?? Int32Array.from({ length: b.features }, (_, f) => f);
  const block = toA.rows ?? queries.length;
  const size = queries.length * options.n;
  const all = { n: options.n, index: new Int32Array(size), r: new Float64Array(size) };
  for (let from = 0; from < queries.length; from += block) {
    checkAborted(options.signal, 'correlate');
    const some = queries.subarray(from, from + block);
    const onProgress: CallOptions['onProgress'] = (p) =>
      options.onProgress?.({ ...p, done: from + (p.total ? Math.round((p.done / p.total) * some.length) : 0), total: queries.length }); // prettier-ignore
    const make = (): Promise<Partners> =>
      bestPartners(b, a, toA.spans, { ...options, onProgress, queries: some, rows: toA.rows });
    const found = keep && toA.rows !== undefined ? await keep(`${name} ${from}`, make) : await make();
    all.index.set(found.index, from * options.n);
    all.r.set(found.r, from * options.n);
  }
  return all;
}

/** @throws when features are missing, come twice or have lists of another length, naming them */
export function mergedParts(parts: readonly Part[], featuresA: number, featuresB: number, n: number): Lists {
  const all = featuresA + featuresB;
  const index = new Int32Array(all * n).fill(-1);
  const r = new Float64Array(all * n).fill(NaN);
  let next = 0;
  for (const part of [...parts].sort((x, y) => x.from - y.from || x.to - y.to)) {
    if (part.from !== next)
      throw new Error(
        part.from > next
          ? `the parts of a correlation leave out features ${next} to ${part.from} of ${all} (B's, then A's)`
          : `the parts of a correlation hold feature ${part.from} of ${all} (B's, then A's) twice`,
      );
    if (part.n !== n || part.index.length !== (part.to - part.from) * n || part.r.length !== part.index.length)
      throw new Error(
        `the part of features ${part.from} to ${part.to} has lists of ${part.n} partners, not of ${n}: it belongs to another call`,
      );
    index.set(part.index, part.from * n);
    r.set(part.r, part.from * n);
    next = part.to;
  }
  if (next !== all)
    throw new Error(`the parts of a correlation leave out features ${next} to ${all} of ${all} (B's, then A's)`);
  const cut = featuresB * n;
  return {
    aOfB: { n, index: index.slice(0, cut), r: r.slice(0, cut) },
    bOfA: { n, index: index.slice(cut), r: r.slice(cut) },
  };
}
