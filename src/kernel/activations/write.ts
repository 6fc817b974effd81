/** Streams sparse rows into the shards of a store (layout: store.ts). */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import { writeFileAtomic } from '../io/files.js';
import { ndarray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import { sha256 } from '../io/hash.js';
import { emptied } from './ignored.js';
import { addRows, emptyStatistics } from './statistics.js';
import { META_FILE, openActivations, PIECES_FILE, STATISTICS_FILE } from './store.js';
import type { ActivationsMeta, FiringStatistics, SparseActivations } from './types.js';

/** A shard is closed at the first sequence end past either limit. */
const SHARD_TOKENS = 65_536;
const SHARD_BYTES = 64 * 2 ** 20;

export interface WriteOptions extends CallOptions {
  features: number;
  /** [tokens] ids of the rows to come, whole sequences. */
  tokenIds: Int32Array;
  /** Tokens per sequence. */
  context: number;
  /** [tokens]: rows whose entries are left out because they are no text (1). */
  ignored?: Uint8Array;
  hook: string;
  model: { name: string; id: string };
  sae: ActivationsMeta['sae'];
  tokenSet: { id: string; tokenizer: string };
  /** Text of a token; saved for the tokens that occur, so that the store reads without its tokenizer. */
  piece?: (token: number) => string;
  /** Identity; default a hash of the content. */
  id?: string;
  shardTokens?: number;
  shardBytes?: number;
}

/**
 * Writes a store into `folder` (made when missing) from blocks of rows in token order, and opens it. Blocks may be of
 * any length. Entries must be finite and > 0 (see addRows). Throws when the rows end before or after the tokens do;
 * what was written so far is then no store, as activations.json is missing.
 */
export async function writeActivations(
  folder: string,
  rows: AsyncIterable<SparseRows> | Iterable<SparseRows>,
  options: WriteOptions,
): Promise<SparseActivations> {
  const { tokenIds, context, features, ignored } = options;
  if (!(context > 0) || tokenIds.length % context !== 0) {
    throw new RangeError(`${tokenIds.length} tokens are not whole sequences of ${context}`);
  }
  if (ignored && ignored.length !== tokenIds.length)
    throw new RangeError(`${tokenIds.length} tokens but ${ignored.length} marks of ignored ones`);
  await mkdir(folder, { recursive: true });
  const statistics = emptyStatistics(features);
  const shards = new ShardWriter(folder, options);
  let done = 0;
  for await (const given of rows) {
    checkAborted(options.signal, 'writing activations');
    if (done + given.rows > tokenIds.length) {
      throw new RangeError(
        `rows for ${done + given.rows} tokens or more given, but there are ${tokenIds.length} tokens`,
      );
    }
    const block = ignored ? emptied(given, ignored.subarray(done, done + given.rows)) : given;
    addRows(statistics, block, done);
    await shards.add(block);
    done += block.rows;
    options.onProgress?.({ label: 'activations', done, total: tokenIds.length, unit: 'tokens' });
    await breathe();
  }
  if (done !== tokenIds.length) throw new RangeError(`rows ended after ${done} of ${tokenIds.length} tokens`);
  await shards.flush();
  await writeStatistics(join(folder, STATISTICS_FILE), statistics);
  const { piece } = options;
  if (piece) {
    const pieces = [...new Set(tokenIds)].sort((a, b) => a - b).map((t) => [t, piece(t)]);
    await writeFileAtomic(join(folder, PIECES_FILE), JSON.stringify(pieces));
  }
  const { hook, model, sae, tokenSet } = options;
  const meta: ActivationsMeta = {
    version: 1,
    tokens: done,
    ...(ignored?.includes(1) ? { ignored: ignored.reduce((sum, one) => sum + one, 0) } : {}),
    sequences: done / context,
    context,
    features,
    nonZeros: shards.nonZeros,
    hook,
    model,
    sae,
    tokenSet,
    shards: shards.written,
  };
  const id = options.id ?? sha256([JSON.stringify(meta), shards.digest()]);
  await writeFileAtomic(join(folder, META_FILE), JSON.stringify({ id, ...meta }, null, 2));
  return openActivations(folder);
}

async function writeStatistics(path: string, s: FiringStatistics): Promise<void> {
  const n = s.firings.length;
  await writeSafetensors(path, {
    firings: ndarray('U32', [n], s.firings),
    sum: ndarray('F64', [n], s.sum),
    sumSquares: ndarray('F64', [n], s.sumSquares),
    max: ndarray('F32', [n], s.max),
  });
}

/** Gathers rows until a shard is full, then writes it. Only one shard is in memory. */
class ShardWriter {
  readonly written: ActivationsMeta['shards'] = [];
  nonZeros = 0;
  private readonly hash = createHash('sha256');
  private firstToken = 0;
  private tokens = 0;
  private entries = 0;
  private ends: number[] = [];
  private indices: Uint16Array | Int32Array;
  private values = new Float32Array(1 << 16);

  constructor(
    private readonly folder: string,
    private readonly options: WriteOptions,
  ) {
    this.indices = new (options.features <= 65_536 ? Uint16Array : Int32Array)(1 << 16);
  }

  async add(block: SparseRows): Promise<void> {
    const { context } = this.options;
    for (let t = 0; t < block.rows;) {
      // Only whole sequences share a shard, so a sequence never has to be put together from two files.
      const end = Math.min(block.rows, t + context - (this.tokens % context));
      this.append(block, t, end);
      t = end;
      if (this.tokens % context === 0 && this.full()) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.tokens === 0) return;
    const { context, tokenIds } = this.options;
    const file = `shard-${String(this.written.length).padStart(5, '0')}.safetensors`;
    const indptr = BigInt64Array.from([0n, ...this.ends.map(BigInt)]);
    const indices = this.indices.subarray(0, this.entries);
    const values = this.values.subarray(0, this.entries);
    const sequences = this.tokens / context;
    const tokens = tokenIds.subarray(this.firstToken, this.firstToken + this.tokens);
    const marks = this.options.ignored;
    const ignored = marks?.includes(1) ? marks.subarray(this.firstToken, this.firstToken + this.tokens) : undefined;
    await writeSafetensors(join(this.folder, file), {
      indptr: ndarray('I64', [this.tokens + 1], indptr),
      indices: ndarray(indices instanceof Uint16Array ? 'U16' : 'I32', [this.entries], indices),
      values: ndarray('F32', [this.entries], values),
      tokens: ndarray('I32', [this.tokens], tokens),
      ...(ignored ? { ignored: ndarray('U8', [this.tokens], ignored) } : {}),
      sequence: ndarray(
        'I32',
        [sequences + 1],
        Int32Array.from({ length: sequences + 1 }, (_, i) => i * context),
      ),
    });
    for (const array of [indptr, indices, values, tokens, ...(ignored ? [ignored] : [])]) this.hash.update(array);
    this.written.push({ file, firstToken: this.firstToken, tokens: this.tokens, nonZeros: this.entries });
    this.nonZeros += this.entries;
    this.firstToken += this.tokens;
    this.tokens = 0;
    this.entries = 0;
    this.ends = [];
  }

  /** Hash of the content of all shards written. */
  digest(): string {
    return this.hash.digest('hex');
  }

  private full(): boolean {
    const bytes = this.entries * (this.indices.BYTES_PER_ELEMENT + 4) + this.tokens * 12;
    return (
      this.tokens >= (this.options.shardTokens ?? SHARD_TOKENS) || bytes >= (this.options.shardBytes ?? SHARD_BYTES)
    );
  }

  private append(block: SparseRows, from: number, to: number): void {
    const begin = block.indptr[from];
    const end = block.indptr[to];
    this.reserve(this.entries + end - begin);
    this.indices.set(block.indices.subarray(begin, end), this.entries);
    this.values.set(block.values.subarray(begin, end), this.entries);
    for (let t = from + 1; t <= to; t++) this.ends.push(this.entries + block.indptr[t] - begin);
    this.entries += end - begin;
    this.tokens += to - from;
  }

  private reserve(entries: number): void {
    if (entries <= this.values.length) return;
    const size = Math.max(entries, this.values.length * 2);
    const indices = new (this.indices instanceof Uint16Array ? Uint16Array : Int32Array)(size);
    indices.set(this.indices);
    this.indices = indices;
    const values = new Float32Array(size);
    values.set(this.values);
    this.values = values;
  }
}

/**
 * Joins stores over different sequences of one model, hook, SAE, tokenizer and context length into one, in the given
 * order, shard by shard. Throws, naming both, when two parts do not belong together.
 */
export async function mergeActivations(
  folder: string,
  parts: readonly SparseActivations[],
  options: CallOptions = {},
): Promise<SparseActivations> {
  if (parts.length === 0) throw new RangeError('nothing to merge: give at least one activation store');
  const [first] = parts;
  for (const part of parts) {
    for (const what of ['features', 'context', 'hook'] as const) requireEqual(what, first.meta[what], part.meta[what]);
    for (const what of ['model', 'sae'] as const) requireEqual(what, first.meta[what].id, part.meta[what].id);
    requireEqual('tokenizer', first.meta.tokenSet.tokenizer, part.meta.tokenSet.tokenizer);
  }
  const ids = await Promise.all(parts.map((part) => part.tokenIds()));
  const masks = await Promise.all(parts.map((part) => part.ignored()));
  const tokenIds = new Int32Array(ids.reduce((n, a) => n + a.length, 0));
  const ignored = new Uint8Array(tokenIds.length);
  let at = 0;
  for (const [i, part] of ids.entries()) {
    tokenIds.set(part, at);
    ignored.set(masks[i] ?? new Uint8Array(part.length), at);
    at += part.length;
  }
  const { features, context, hook, model, sae, tokenSet } = first.meta;
  const owner = new Map(ids.flatMap((list, i) => [...new Set(list)].map((token) => [token, parts[i]] as const)));
  async function* rows() {
    for (const part of parts) for await (const shard of part.shards()) yield shard.rows;
  }
  return writeActivations(folder, rows(), {
    ...options,
    features,
    tokenIds,
    context,
    ignored,
    hook,
    model,
    sae,
    tokenSet: { id: sha256(parts.map((p) => p.meta.tokenSet.id)), tokenizer: tokenSet.tokenizer },
    piece: (token) => (owner.get(token) ?? first).piece(token),
  });
}

function requireEqual(what: string, a: string | number, b: string | number): void {
  if (a !== b) throw new Error(`activations to merge differ in ${what}: ${a} and ${b}`);
}
