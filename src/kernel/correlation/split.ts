/**
 * fg.correlation.map in shards: tiles of some query features against all features of the other side, over all tokens.
 * The sums of a feature do not depend on which others are made beside it, so tiles put together are the lists of one
 * process.
 */
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { Pieces, ShardFolder } from '../verb/split.js';
import { correlationCost, listed, type Part, type PartRange } from './lists.js';
import { correlateParts } from './map.js';
import { correlateSettings, type CorrelateOptions } from './options.js';

/** Query features of a file of a shard: what a stopped shard loses at most. */
const TILE = 1024;
/** Memory that the plan counts with where the call is not told: the default of a call is never more. */
export const PLAN_MEMORY = 1.5 * 2 ** 30;

export type Stores = readonly [a: SparseActivations, b: SparseActivations];
/** Where a shard is made. */
export type ShardPlace = ShardFolder & CallOptions & { resume: string };

/** A way to cut a map into shards. */
export interface MapShards {
  /** What the pieces are and cost. */
  pieces(stores: Stores, options: CorrelateOptions): Pieces;
  /** Makes the pieces from … to − 1; what a stopped shard finished is used. */
  make(stores: Stores, options: CorrelateOptions, at: ShardPlace): Promise<void>;
  /** The lists of all features from all shards, for correlate(). @throws when a file is missing or damaged */
  parts(stores: Stores, shards: readonly ShardFolder[], options: CorrelateOptions): Promise<Part[]>;
}

/** Shards of features. */
export const TILES: MapShards = { pieces: mapPieces, make: mapShard, parts: partsOfShards };

/** The tiles of the features from … to − 1: those of B first, then those of A. */
const tilesOf = ({ from, to }: PartRange): PartRange[] =>
  Array.from({ length: Math.ceil((to - from) / TILE) }, (_, i) => ({
    from: from + i * TILE,
    to: Math.min(to, from + (i + 1) * TILE),
  }));

const fileOf = ({ from, to }: PartRange): string => `features-${from}-${to}.safetensors`;
const checkOf = ({ n, index, r }: Part): string => sha256([String(n), index, r]);

/**
 * Pieces are query features: those of B, which look for their best As, then those of A.
 * @throws RangeError when a task's memory does not hold the largest shards of both stores
 */
function mapPieces([a, b]: Stores, options: CorrelateOptions): Pieces {
  const features = a.meta.features + b.meta.features;
  const cost = correlationCost(a.meta, b.meta, options.memoryBytes ?? PLAN_MEMORY);
  return {
    pieces: features,
    work: { amount: cost.products, unit: 'products of activations' },
    // Every task reads both stores; the sums of one feature over all tokens, statistics and columns stay.
    memory: cost.memory + 64 * features,
    disk: 12 * listed(correlateSettings(options)) * features,
  };
}

/** Makes the lists of the features from … to − 1; tiles that a stopped shard finished are used. */
async function mapShard(
  [a, b]: Stores,
  options: CorrelateOptions,
  { folder, from, to, resume, signal, onProgress }: ShardPlace,
): Promise<void> {
  const n = listed(correlateSettings(options));
  await mkdir(resume, { recursive: true });
  const tiles = tilesOf({ from, to });
  const whole = await Promise.all(tiles.map((tile) => isWhole(join(resume, fileOf(tile)), tile, n)));
  const missing = tiles.filter((_, i) => !whole[i]);
  let done = tiles.length - missing.length;
  for await (const part of correlateParts(a, b, missing, { ...options, signal })) {
    const { index, r } = part;
    await writeSafetensors(
      join(resume, fileOf(part)),
      { index: ndarray('I32', [index.length], index), r: ndarray('F64', [r.length], r) },
      { check: checkOf(part) },
    );
    onProgress?.({ label: 'shard', done: ++done, total: tiles.length, unit: 'tiles' });
  }
  for (const tile of tiles) await rename(join(resume, fileOf(tile)), join(folder, fileOf(tile)));
}

async function isWhole(file: string, tile: PartRange, n: number): Promise<boolean> {
  try {
    await access(file);
    await readTile(file, tile, n);
    return true;
  } catch {
    // Absent, cut off or damaged: all three are made again.
    return false;
  }
}

async function readTile(path: string, { from, to }: PartRange, n: number): Promise<Part> {
  const file = await SafetensorsFile.open(path);
  try {
    const [{ data: index }, { data: r }] = [await file.read('index'), await file.read('r')];
    const length = (to - from) * n;
    if (!(index instanceof Int32Array && r instanceof Float64Array && index.length === length && r.length === length))
      throw new Error(`${path} does not hold ${n} partners of features ${from} to ${to - 1}`);
    const part = { from, to, n, index, r };
    if (file.metadata.check !== checkOf(part)) throw new Error(`${path} is not what was written`);
    return part;
  } finally {
    await file.close();
  }
}

async function partsOfShards(_: Stores, shards: readonly ShardFolder[], options: CorrelateOptions): Promise<Part[]> {
  const n = listed(correlateSettings(options));
  const parts: Part[] = [];
  for (const { folder, from, to } of shards)
    for (const tile of tilesOf({ from, to })) parts.push(await readTile(join(folder, fileOf(tile)), tile, n));
  return parts;
}
