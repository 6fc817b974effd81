/**
 * The sparse activation store on disk. A folder holds
 *   activations.json          ActivationsMeta and the store's id
 *   shard-00000.safetensors   indptr I64 [n+1], indices U16|I32 [nnz], values F32 [nnz], tokens I32 [n],
 *                             sequence I32 [s+1] (row offsets of the sequences in this shard), whole sequences;
 *                             ignored U8 [n] (rows that are no text and have no entries), where there are any
 *   statistics.safetensors    firings U32, sum F64, sumSquares F64, max F32, each [features]
 *   pieces.json               text of each token that occurs, [[id, text], …], when a tokenizer was at hand
 * activations.json is written last, so a folder without it is not a store.
 */
import { join } from 'node:path';
import { clip } from '../../protocol/clip.js';
import type { FileDigest, FolderDigest } from '../io/digest.js';
import { parseJson, readJson, readText, safeJoin } from '../io/files.js';
import { sha256 } from '../io/hash.js';
import type { NdArray } from '../io/ndarray.js';
import { SafetensorsFile } from '../io/safetensors.js';
import type { SparseRows } from '../compute/sparse.js';
import { emptied } from './ignored.js';
import { addRows, checkRows, checkStatistics, emptyStatistics } from './statistics.js';
import type { ActivationsMeta, FiringStatistics, SparseActivations, TokenDecoder, TokenRange } from './types.js';

export const META_FILE = 'activations.json';
export const STATISTICS_FILE = 'statistics.safetensors';
export const PIECES_FILE = 'pieces.json';

type Shard = ActivationsMeta['shards'][number];

/** Files that are read shard by shard, long after the store is opened (ComputeOptions.lazy). */
export const isShard = (file: string): boolean => /^shard-\d+\.safetensors$/.test(file);

/**
 * Opens a store: meta and statistics are read, shards when asked for. `tokenizer` decodes tokens; without it the
 * pieces saved with the store are used, and a token that has none reads "<id>". `digests`: hashes of the files, from
 * the artifact's record; shards are checked against them as they are read. Without them everything that the writer
 * checks is checked again, as it always is. Throws when the folder is not a complete store, or the tokenizer is not the
 * one that made the tokens.
 */
export async function openActivations(
  folder: string,
  tokenizer?: TokenDecoder,
  digests: FolderDigest = {},
): Promise<SparseActivations> {
  const { id, meta } = await readMeta(folder);
  if (tokenizer && tokenizer.id !== meta.tokenSet.tokenizer) {
    throw new Error(
      `activations ${folder} hold tokens of tokenizer ${meta.tokenSet.tokenizer} but tokenizer ${tokenizer.id} was given`,
    );
  }
  const statistics = await readStatistics(join(folder, STATISTICS_FILE), meta);
  const piece = tokenizer ? (token: number) => tokenizer.piece(token) : await savedPieces(join(folder, PIECES_FILE));
  return {
    id,
    folder,
    meta,
    statistics,
    piece,
    tokenIds: () => ofEveryShard(folder, meta, digests, 'tokens', Int32Array),
    ignored: () => (meta.ignored ? ignoredRows(folder, meta, digests) : Promise.resolve(undefined)),
    async *shards(within) {
      for (const shard of meta.shards.filter((one) => holds(one, within))) {
        yield {
          firstToken: shard.firstToken,
          rows: await readShard(safeJoin(folder, shard.file), shard, meta, digests[shard.file]),
        };
      }
    },
  };
}

/** Whether a shard holds tokens of the range. */
export const holds = ({ firstToken, tokens }: Pick<Shard, 'firstToken' | 'tokens'>, within?: TokenRange): boolean =>
  within === undefined || (firstToken < within.to && firstToken + tokens > within.from);

/** One array per token, from all shards. */
async function ofEveryShard<T extends Int32Array | Uint8Array>(
  folder: string,
  meta: ActivationsMeta,
  digests: FolderDigest,
  name: string,
  type: { new (n: number): T; name: string },
): Promise<T> {
  const all = new type(meta.tokens);
  for (const shard of meta.shards) {
    const path = safeJoin(folder, shard.file);
    const file = await SafetensorsFile.open(path, digests[shard.file]);
    try {
      if (name === 'ignored' && !file.names().includes(name))
        throw new Error(
          `${path} does not say which of its rows are ignored: it was saved by an earlier version; save the activations again`,
        );
      all.set(typed(await file.read(name), type, shard.tokens, `${path}: ${name}`), shard.firstToken);
    } finally {
      await file.close();
    }
  }
  return all;
}

async function ignoredRows(folder: string, meta: ActivationsMeta, digests: FolderDigest): Promise<Uint8Array> {
  const mask = await ofEveryShard(folder, meta, digests, 'ignored', Uint8Array);
  const marks = mask.reduce((sum, one) => sum + one, 0);
  if (marks !== meta.ignored || mask.some((one) => one > 1))
    throw new Error(
      `${folder} is damaged: its shards mark ${marks} ignored rows but ${META_FILE} says ${meta.ignored}`,
    );
  return mask;
}

async function readMeta(folder: string): Promise<{ id: string; meta: ActivationsMeta }> {
  const path = join(folder, META_FILE);
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    throw new Error(`${folder} holds no activations (no readable ${META_FILE}); save them first`, { cause: error });
  }
  const { id, ...meta } = (parseJson(text, path) ?? {}) as ActivationsMeta & { id: string };
  if (meta.version !== 1) throw new Error(`${path}: version ${String(meta.version)}, expected 1`);
  requireMeta(meta, path);
  return { id, meta };
}

/** Throws unless the numbers of a store fit each other. */
function requireMeta(meta: ActivationsMeta, path: string): void {
  const { tokens, sequences, context, features, nonZeros, shards, ignored = 0 } = meta;
  if (!Array.isArray(shards)) throw new Error(`${path} names no shards`);
  for (const [name, n] of Object.entries({ tokens, sequences, context, features, nonZeros, ignored }))
    if (!Number.isSafeInteger(n) || n < 0) throw new Error(`${path}: ${name} is ${String(n)}, not a whole number ≥ 0`);
  if (sequences * context !== tokens)
    throw new Error(`${path}: ${sequences} sequences of ${context} are not ${tokens} tokens`);
  if (ignored > tokens) throw new Error(`${path}: ${ignored} of ${tokens} tokens are ignored`);
  let [atToken, entries] = [0, 0];
  for (const shard of shards) {
    if (!isShard(shard.file)) throw new Error(`${path}: "${clip(String(shard.file))}" is no name of a shard`);
    if (shard.firstToken !== atToken)
      throw new Error(`${path}: ${shard.file} starts at ${shard.firstToken}, not ${atToken}`);
    atToken += shard.tokens;
    entries += shard.nonZeros;
  }
  if (atToken !== tokens) throw new Error(`${path}: shards hold ${atToken} tokens, expected ${tokens}`);
  if (entries !== nonZeros) throw new Error(`${path}: shards hold ${entries} entries, expected ${nonZeros}`);
}

async function readStatistics(path: string, meta: ActivationsMeta): Promise<FiringStatistics> {
  const { features } = meta;
  const file = await SafetensorsFile.open(path);
  try {
    const statistics = {
      firings: typed(await file.read('firings'), Uint32Array, features, `${path}: firings`),
      sum: typed(await file.read('sum'), Float64Array, features, `${path}: sum`),
      sumSquares: typed(await file.read('sumSquares'), Float64Array, features, `${path}: sumSquares`),
      max: typed(await file.read('max'), Float32Array, features, `${path}: max`),
    };
    inFile(path, () => checkStatistics(statistics, meta));
    return statistics;
  } finally {
    await file.close();
  }
}

/** Runs a check of what a file held; its error names the file. */
function inFile(path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(`${path} is damaged: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

async function savedPieces(path: string): Promise<(token: number) => string> {
  let pieces: Map<number, string> | undefined;
  try {
    const list = (await readJson(path)) as Array<[number, string]>;
    if (!Array.isArray(list) || list.some((p) => !Array.isArray(p) || typeof p[1] !== 'string'))
      throw new Error(`${path} is no list of token ids and texts`);
    pieces = new Map(list);
  } catch (error) {
    // A store written without a tokenizer has no pieces; anything else is damage to report.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return (token) => pieces?.get(token) ?? `<${token}>`;
}

/** Reads one shard and checks all that its writer does (see checkRows), and that its arrays fit together. */
export async function readShard(
  path: string,
  shard: Shard,
  { features, context }: Pick<ActivationsMeta, 'features' | 'context'>,
  digest?: FileDigest,
): Promise<SparseRows> {
  const file = await SafetensorsFile.open(path, digest);
  try {
    const starts = typed(await file.read('indptr'), BigInt64Array, shard.tokens + 1, `${path}: indptr`);
    const indptr = new Uint32Array(starts.length);
    for (let i = 0; i < starts.length; i++) {
      indptr[i] = Number(starts[i]);
      // Before it is cut to 32 bits: a wrong start must not become a right one.
      if (BigInt(indptr[i]) !== starts[i]) throw new Error(`${path}: indptr is ${starts[i]} at row ${i}`);
    }
    if (indptr[0] !== 0 || indptr[shard.tokens] !== shard.nonZeros) {
      throw new Error(
        `${path}: indptr runs from ${indptr[0]} to ${indptr[shard.tokens]}, expected 0 to ${shard.nonZeros}`,
      );
    }
    const sequences = typed(await file.read('sequence'), Int32Array, shard.tokens / context + 1, `${path}: sequence`);
    if (sequences.some((start, i) => start !== i * context))
      throw new Error(`${path}: its sequences are not of ${context} tokens each`);
    const indices = await file.read('indices');
    const rows: SparseRows = {
      rows: shard.tokens,
      cols: features,
      indptr,
      indices:
        indices.dtype === 'U16'
          ? typed(indices, Uint16Array, shard.nonZeros, `${path}: indices`)
          : typed(indices, Int32Array, shard.nonZeros, `${path}: indices`),
      values: typed(await file.read('values'), Float32Array, shard.nonZeros, `${path}: values`),
    };
    inFile(path, () => checkRows(rows, shard.firstToken));
    if (file.names().includes('ignored')) {
      const mask = typed(await file.read('ignored'), Uint8Array, shard.tokens, `${path}: ignored`);
      const firing = mask.findIndex((one, t) => one === 1 && indptr[t + 1] > indptr[t]);
      if (firing >= 0)
        throw new Error(`${path} is damaged: token ${shard.firstToken + firing} is ignored but has activations`);
    }
    return rows;
  } finally {
    await file.close();
  }
}

function typed<T extends NdArray['data']>(
  array: NdArray,
  type: { new (n: number): T; name: string },
  length: number,
  what: string,
): T {
  if (!(array.data instanceof type) || array.data.length !== length) {
    throw new Error(`${what} is ${array.dtype} [${array.shape.join(', ')}], expected ${length} values as ${type.name}`);
  }
  return array.data;
}

export interface MemoryActivationsOptions {
  /** Token ids; default 0, 1, 2, … so that every token differs. */
  tokenIds?: Int32Array;
  /** Tokens per sequence; default all tokens in one. */
  context?: number;
  piece?: (token: number) => string;
  /** Rows whose entries are left out (1), [tokens]; default none. */
  ignored?: Uint8Array;
  /** Identity; default a hash of the content. */
  id?: string;
  meta?: Partial<Pick<ActivationsMeta, 'hook' | 'model' | 'sae' | 'tokenSet'>>;
}

/** A store that lives in memory, for small generated data: one shard per given block of rows. */
export function memoryActivations(
  blocks: SparseRows | readonly SparseRows[],
  options: MemoryActivationsOptions = {},
): SparseActivations {
  const { ignored } = options;
  const given: readonly SparseRows[] = 'indptr' in blocks ? [blocks] : blocks;
  if (given.length === 0) throw new RangeError('activations need at least one block of rows');
  let row = 0;
  const parts = given.map((rows) => (ignored ? emptied(rows, ignored.subarray(row, (row += rows.rows))) : rows));
  const statistics = emptyStatistics(parts[0].cols);
  const shards: Shard[] = [];
  let tokens = 0;
  for (const rows of parts) {
    addRows(statistics, rows, tokens);
    shards.push({ file: '', firstToken: tokens, tokens: rows.rows, nonZeros: rows.indptr[rows.rows] });
    tokens += rows.rows;
  }
  const context = options.context ?? Math.max(1, tokens);
  const ids = options.tokenIds ?? Int32Array.from({ length: tokens }, (_, i) => i);
  if (tokens % context !== 0 || ids.length !== tokens) {
    throw new RangeError(
      `${tokens} rows need ${tokens} token ids (got ${ids.length}) in whole sequences of ${context}`,
    );
  }
  const none = { name: 'memory', id: 'memory' };
  const meta: ActivationsMeta = {
    version: 1,
    tokens,
    ...(ignored?.includes(1) ? { ignored: ignored.reduce((sum, one) => sum + one, 0) } : {}),
    sequences: tokens / context,
    context,
    features: parts[0].cols,
    nonZeros: shards.reduce((n, s) => n + s.nonZeros, 0),
    hook: 'memory',
    model: none,
    sae: none,
    tokenSet: { id: sha256([`context ${context}`, ids]), tokenizer: 'memory' },
    ...options.meta,
    shards,
  };
  const id = options.id ?? sha256([JSON.stringify(meta), ...parts.flatMap((r) => [r.indptr, r.indices, r.values])]);
  return {
    id,
    folder: '',
    meta,
    statistics,
    piece: options.piece ?? ((token) => `<${token}>`),
    tokenIds: () => Promise.resolve(ids.slice()),
    ignored: () => Promise.resolve(ignored?.includes(1) ? ignored : undefined),
    async *shards(within) {
      for (let i = 0; i < parts.length; i++)
        if (holds(shards[i], within)) yield await Promise.resolve({ firstToken: shards[i].firstToken, rows: parts[i] });
    },
  };
}
