/**
 * fg.correlation.map in shards of tokens: Σ x_q x_a of all pairs of features over some blocks of tokens (products.ts).
 * One pass over both stores adds up the same blocks in the same order, so the rows that are put together here are its
 * rows, to the bit. Σ x and Σ x² are those of the stores, which hold them.
 */
import { access, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { sameRows, sameRowsToRead } from '../activations/ignored.js';
import type { TokenRange } from '../activations/types.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { Pieces, ShardFolder } from '../verb/split.js';
import { correlationCost, listed, participants, sizedWithin, spanSource, type Part, type PartRange } from './lists.js';
import { correlateSettings, type CorrelateOptions } from './options.js';
import { Selection } from './pearson.js';
import { eachProductRow, ProductRow } from './products.js';
import { PLAN_MEMORY, type MapShards, type ShardPlace, type Stores } from './split.js';
import { tokenBlock } from './spans.js';

/** Bytes of sums that a file may hold, and that a merge holds at once. */
const FILE_BYTES = 2 ** 26;
/** An entry of a file: base feature and sum. */
const ENTRY_BYTES = 12;
const MOST_ROWS = 1024;

/** Options, and the tokens of a block where they are not those of tokenBlock(). */
export type TokenShardOptions = CorrelateOptions & { blockTokens?: number };

const blockOf = ([a, b]: Stores, { blockTokens }: TokenShardOptions): number =>
  blockTokens ?? tokenBlock(a.meta.features, b.meta.features);

/** Tokens of block `k`. */
const rangeOf = ([{ meta }]: Stores, block: number, k: number): TokenRange => ({
  from: k * block,
  to: Math.min(meta.tokens, (k + 1) * block),
});

/** Query features of a file, counted through both sides, those of B first; never of both sides. */
function tilesOf([a, b]: Stores): PartRange[] {
  const tiles: PartRange[] = [];
  for (const [first, features, base] of [
    [0, b.meta.features, a.meta.features],
    [b.meta.features, a.meta.features, b.meta.features],
  ]) {
    const rows = Math.min(MOST_ROWS, Math.max(1, Math.floor(FILE_BYTES / (ENTRY_BYTES * Math.max(1, base)))));
    for (let from = 0; from < features; from += rows)
      tiles.push({ from: first + from, to: first + Math.min(features, from + rows) });
  }
  return tiles;
}

const fileOf = (k: number, { from, to }: PartRange): string => `sums-${k}-${from}-${to}.safetensors`;

/** Sums of the rows of a tile over a block. */
interface Sums {
  /** [rows]: entries of each row. */
  readonly counts: Int32Array;
  /** [entries]: base features, ascending within a row. */
  readonly index: Int32Array;
  /** [entries]: Σ x_q x_a; never zero. */
  readonly sums: Float64Array;
}

const checkOf = ({ counts, index, sums }: Sums): string => sha256([counts, index, sums]);

/**
 * Pieces are blocks of tokens. Files hold the sums that are not zero: at most those of all pairs, and one for each product.
 * @throws RangeError when a task's memory does not hold the largest shards of both stores
 */
function pieces(stores: Stores, options: TokenShardOptions): Pieces {
  const [a, b] = stores;
  const block = blockOf(stores, options);
  const count = Math.ceil(a.meta.tokens / block);
  const pairs = a.meta.features * b.meta.features;
  let [memory, products, entries] = [0, 0, 0];
  for (let k = 0; k < count; k++) {
    const sizes = stores.map(({ meta }) => sizedWithin(meta, rangeOf(stores, block, k)));
    const cost = correlationCost(sizes[0], sizes[1], options.memoryBytes ?? PLAN_MEMORY);
    memory = Math.max(memory, cost.memory);
    products += cost.products;
    entries += Math.min(2 * pairs, Math.ceil(cost.products));
  }
  return {
    pieces: count,
    work: { amount: products, unit: 'products of activations' },
    memory: memory + 2 * FILE_BYTES + 64 * (a.meta.features + b.meta.features),
    disk: ENTRY_BYTES * entries,
    layout: { of: 'tokens', block },
  };
}

/** Makes the sums of the blocks from … to − 1; files that a stopped shard finished are used. */
async function make(given: Stores, options: TokenShardOptions, at: ShardPlace): Promise<void> {
  const { folder, from, to, resume, signal, onProgress } = at;
  const stores: Stores = await sameRowsToRead(...given);
  await mkdir(resume, { recursive: true });
  const tiles = tilesOf(stores);
  const total = (to - from) * tiles.length;
  let done = 0;
  const told = (files: number): void => onProgress?.({ label: 'shard', done: (done += files), total, unit: 'files' });
  for (let k = from; k < to; k++) {
    const whole = await Promise.all(tiles.map((tile) => isWhole(join(resume, fileOf(k, tile)), tile)));
    const missing = tiles.filter((_, i) => !whole[i]);
    told(tiles.length - missing.length);
    await makeBlock(stores, { ...options, signal }, k, missing, async (tile, sums) => {
      await writeSums(join(resume, fileOf(k, tile)), sums);
      told(1);
    });
  }
  for (let k = from; k < to; k++)
    for (const tile of tiles) await rename(join(resume, fileOf(k, tile)), join(folder, fileOf(k, tile)));
}

type Write = (tile: PartRange, sums: Sums) => Promise<void>;

/** The sums of some tiles over one block, each handed to `write`. */
async function makeBlock(
  stores: Stores,
  options: TokenShardOptions,
  k: number,
  tiles: readonly PartRange[],
  write: Write,
): Promise<void> {
  const [a, b] = stores;
  const blockTokens = blockOf(stores, options);
  const range = rangeOf(stores, blockTokens, k);
  const sizes = [a, b].map(({ meta }) => sizedWithin(meta, range));
  const cost = correlationCost(sizes[0], sizes[1], options.memoryBytes ?? PLAN_MEMORY);
  for (const [first, query, base] of [
    [0, b, a],
    [b.meta.features, a, b],
  ] as const) {
    const own = tiles.filter(({ from }) => from >= first && from < first + query.meta.features);
    if (own.length === 0) continue;
    const by = correlateSettings(options).by;
    const { spans, rows } = await spanSource(query, base, cost, by, { ...range, blockTokens });
    const files = new Files(own, write);
    await eachProductRow({
      queries: Int32Array.from(
        own.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from - first + i)),
      ),
      ...{ queryFeatures: query.meta.features, baseFeatures: base.meta.features },
      ...{ tokens: range.to - range.from, spans, rows },
      take: (row) => files.take(row),
      async pause() {
        checkAborted(options.signal, 'correlate');
        await files.flush();
      },
    });
    await files.flush();
  }
}

/** Collects rows into tiles, which are written as they are complete. */
class Files {
  private rows: Array<Pick<Sums, 'index' | 'sums'>> = [];
  private tile = 0;
  private readonly complete: Array<() => Promise<void>> = [];

  constructor(
    private readonly tiles: readonly PartRange[],
    private readonly write: Write,
  ) {}

  take({ touched, count, products }: ProductRow): void {
    const index = touched.slice(0, count).sort();
    this.rows.push({ index, sums: Float64Array.from(index, (a) => products[a]) });
    const tile = this.tiles[this.tile];
    if (this.rows.length < tile.to - tile.from) return;
    const sums = joined(this.rows);
    this.rows = [];
    this.tile++;
    this.complete.push(() => this.write(tile, sums));
  }

  async flush(): Promise<void> {
    for (const write of this.complete.splice(0)) await write();
  }
}

function joined(rows: ReadonlyArray<Pick<Sums, 'index' | 'sums'>>): Sums {
  const counts = Int32Array.from(rows, ({ index }) => index.length);
  const entries = counts.reduce((sum, n) => sum + n, 0);
  const all = { counts, index: new Int32Array(entries), sums: new Float64Array(entries) };
  let at = 0;
  for (const { index, sums } of rows) {
    all.index.set(index, at);
    all.sums.set(sums, at);
    at += index.length;
  }
  return all;
}

async function writeSums(path: string, of: Sums): Promise<void> {
  const { counts, index, sums } = of;
  await writeSafetensors(
    path,
    {
      counts: ndarray('I32', [counts.length], counts),
      index: ndarray('I32', [index.length], index),
      sums: ndarray('F64', [sums.length], sums),
    },
    { check: checkOf(of) },
  );
}

async function isWhole(path: string, tile: PartRange): Promise<boolean> {
  try {
    await access(path);
    await readSums(path, tile, { checked: false });
    return true;
  } catch {
    // Absent, cut off or damaged: all three are made again.
    return false;
  }
}

/** @param checked the bytes were compared with the hashes of their shard already */
async function readSums(path: string, { from, to }: PartRange, { checked }: { checked: boolean }): Promise<Sums> {
  const file = await SafetensorsFile.open(path);
  try {
    const [counts, index, sums] = [await file.read('counts'), await file.read('index'), await file.read('sums')].map(({ data }) => data); // prettier-ignore
    const fits =
      counts instanceof Int32Array && index instanceof Int32Array && sums instanceof Float64Array &&
      counts.length === to - from && index.length === sums.length && counts.reduce((sum, n) => sum + n, 0) === sums.length; // prettier-ignore
    if (!fits) throw new Error(`${path} does not hold the sums of features ${from} to ${to - 1}`);
    const read = { counts, index, sums };
    if (!checked && file.metadata.check !== checkOf(read)) throw new Error(`${path} is not what was written`);
    return read;
  } finally {
    await file.close();
  }
}

/** The lists of all features, by tiles: the sums of all blocks are added up in their order, and the partners selected. */
async function parts(given: Stores, shards: readonly ShardFolder[], options: TokenShardOptions): Promise<Part[]> {
  const settings = correlateSettings(options);
  const stores: Stores = await sameRows(...given, options);
  const [a, b] = [await participants(stores[0], settings, options), await participants(stores[1], settings, options)];
  const n = listed(settings);
  const made: Part[] = [];
  const tiles = tilesOf(stores);
  for (const tile of tiles) {
    const [query, base, first] = tile.from < b.features ? [b, a, 0] : [a, b, b.features];
    const features = Int32Array.from({ length: tile.to - tile.from }, (_, i) => tile.from - first + i);
    const selection = new Selection(query, base, features, n);
    const rows = Array.from(features, () => new ProductRow(base.features));
    await addBlocks(rows, tile, shards, options);
    for (const [i, feature] of selection.features.entries()) selection.take(rows[feature - features[0]], i);
    made.push({ ...tile, ...selection.out });
    options.onProgress?.({ label: 'merging sums', done: made.length, total: tiles.length, unit: 'tiles' });
  }
  return made;
}

/** Adds the sums of all blocks to the rows of a tile. */
async function addBlocks(
  rows: readonly ProductRow[],
  tile: PartRange,
  shards: readonly ShardFolder[],
  { signal }: CallOptions,
): Promise<void> {
  for (const { folder, from, to } of shards) {
    for (let k = from; k < to; k++) {
      checkAborted(signal, 'correlate');
      const { counts, index, sums } = await readSums(join(folder, fileOf(k, tile)), tile, { checked: true });
      let at = 0;
      for (const [i, row] of rows.entries()) {
        row.addSums(index.subarray(at, at + counts[i]), sums.subarray(at, at + counts[i]));
        at += counts[i];
      }
    }
  }
}

/** Shards of tokens. */
export const TOKEN_SHARDS = { pieces, make, parts } satisfies MapShards;
