/** Texts for tokenizing, from .txt, .jsonl, .json and .parquet files, folders of them, and hub datasets. */
import { filled } from '../verb/filled.js';
import { basename, extname } from 'node:path';
import { createInterface } from 'node:readline';
import * as zlib from 'node:zlib';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  type Compressors,
  type FileMetaData,
} from 'hyparquet';
import type { JsonObject } from '../../protocol/notebook.js';
import { breathe, checkAborted } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { clip, listed } from '../../protocol/clip.js';
import { kindOfPath, openData, readJson, readText } from './files.js';
import { datasetFiles } from './datasetFiles.js';
import { text, whole, type Given } from '../verb/option.js';
import type { RepoOptions } from './hub.js';

export const READ = {
  split: text({ doc: 'Of a dataset on the hub, or of a folder.', usual: 'train' }),
  config: text({ doc: 'Of a dataset on the hub that has several configurations: its folder.' }),
  column: text({ doc: 'Column of the texts.', fallback: "'text', else the only column of strings" }),
  limit: whole({
    doc: 'Texts at most: the first ones, unless `seed` is given.',
    min: 1,
    fallback: 'all',
  }),
  seed: whole({ doc: 'Takes `limit` texts at random, all of them read first; they keep their order.' }),
} as const;

/** Parts of a .txt file are trimmed, and empty ones left out. */
export const SPLIT = {
  splitAt: text({
    doc: "Where a .txt file is parted into texts: 'blank-lines', or a separator such as '<|endoftext|>'.",
    fallback: 'the file is one text',
  }),
} as const;

export type TextOptions = Given<typeof READ> & Given<typeof SPLIT> & Omit<RepoOptions, 'repoType'>;

export interface Texts {
  texts: string[];
  /** Where the texts came from, as token sets record it. `nullRows` counts the rows left out, where there are any. */
  source: JsonObject;
  /** Rows without a text (null) that were left out. */
  nullRows: number;
}

/** Parquet files are read in pieces of this many rows. */
const PIECE_ROWS = 5_000;

/**
 * Decompression that hyparquet leaves to others (it reads uncompressed and snappy data itself); zstd needs Node 22.15.
 */
type Unpack = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
const zstd = (zlib as { zstdDecompressSync?: Unpack }).zstdDecompressSync;
const compressors: Compressors = {
  GZIP: (input, length) => zlib.gunzipSync(input, limited(length)),
  BROTLI: (input, length) => zlib.brotliDecompressSync(input, limited(length)),
  ...(zstd ? { ZSTD: (input: Uint8Array, length: number) => zstd(input, limited(length)) } : {}),
};

/** A page of a parquet file has about a megabyte; a file that states far more is damaged or a bomb. */
const MAX_PAGE_BYTES = 2 ** 28;

function limited(length: number): { maxOutputLength: number } {
  if (length > MAX_PAGE_BYTES) throw new Error(`a page of ${length} bytes; ${MAX_PAGE_BYTES} are the most`);
  return { maxOutputLength: Math.max(1, length) };
}

/**
 * Reads texts from a file, a folder or a hub dataset id. Throws when nothing is there, when a column is missing or not
 * text (naming those there are), and on a line of .jsonl that is not readable (naming it). Rows whose text is null are
 * left out and counted: corpora have them, and one such row must not stop the reading.
 */
export async function readTexts(pathOrRepo: string, options: TextOptions = {}): Promise<Texts> {
  const { limit, seed, signal } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw new RangeError(`limit is ${limit}: expected a whole number ≥ 1`);
  const needed = seed === undefined ? (limit ?? Infinity) : Infinity;
  const taken: TakenTexts = { texts: [], nullRows: 0 };
  const { texts } = taken;
  const files: string[] = [];
  for await (const path of inputFiles(pathOrRepo, options)) {
    files.push(basename(path));
    await readTextFile(path, options, needed, taken);
    checkAborted(signal, 'reading texts');
    options.onProgress?.({ label: `Reading ${pathOrRepo}`, done: texts.length, total: limit, unit: 'texts' });
    if (texts.length >= needed) break;
  }
  const { nullRows } = taken;
  if (texts.length === 0)
    throw new Error(`${pathOrRepo} holds no text${nullRows > 0 ? `: all of its ${nullRows} rows are null` : ''}`);
  const chosen = seed === undefined || limit === undefined ? texts.slice(0, limit) : sample(texts, limit, seed);
  const counts = { texts: chosen.length, ...(nullRows > 0 ? { nullRows } : {}) };
  return { texts: chosen, nullRows, source: sourceOf(pathOrRepo, files, options, counts) };
}

/** Texts read from the files so far. */
interface TakenTexts {
  texts: string[];
  nullRows: number;
}

function take(taken: TakenTexts, text: string | null): void {
  if (text === null) taken.nullRows++;
  else taken.texts.push(text);
}

/** Local paths of the files to read: the file itself, or those of a folder's or dataset's split. */
export async function* inputFiles(pathOrRepo: string, options: TextOptions): AsyncGenerator<string> {
  if ((await kindOfPath(pathOrRepo)) === 'file') yield pathOrRepo;
  else yield* datasetFiles(pathOrRepo, filled(READ, options));
}

async function readTextFile(path: string, options: TextOptions, needed: number, taken: TakenTexts): Promise<void> {
  switch (extname(path)) {
    case '.txt': {
      const text = stripMark(await readText(path));
      for (const part of splitText(text, options.splitAt)) taken.texts.push(part);
      return;
    }
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, options.signal, (row, where) => {
        take(taken, textOf(row, options.column, where));
        return taken.texts.length < needed;
      });
    case '.json': {
      const rows = await readJson(path);
      if (!Array.isArray(rows))
        throw new Error(`${path}: expected a JSON array of texts or of objects with a text column`);
      rows.forEach((row, i) => take(taken, textOf(row, options.column, `${path}: item ${i}`)));
      return;
    }
    case '.parquet': {
      const column = await textColumn(path, options.column);
      return readColumns(path, [column], options.signal, (values, row) => {
        const value = values[column] ?? null;
        if (value !== null && typeof value !== 'string') throw notText(`${path}: row ${row}`, column, value);
        take(taken, value);
        return taken.texts.length < needed;
      });
    }
    default:
      throw new Error(`${path}: texts are read from .txt, .jsonl, .json and .parquet files`);
  }
}

function stripMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** Parts of a text file; see SPLIT. */
export function splitText(text: string, separator?: string): string[] {
  if (separator === '') throw new Error('separator is empty: leave it out to keep the file whole');
  const parts =
    separator === undefined
      ? [text]
      : separator === 'blank-lines'
        ? text.split(/\r?\n(?:[ \t]*\r?\n)+/)
        : text.split(separator);
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** Passes on each line's value with its place, until `take` says that it has enough. */
export async function readJsonLines(
  path: string,
  signal: AbortSignal | undefined,
  take: (row: unknown, where: string) => boolean,
): Promise<void> {
  const input = (await openData(path)).createReadStream({ encoding: 'utf8', start: 0 });
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      if (line.trim() === '') continue;
      const where = `${path}: line ${number}`;
      let row: unknown;
      try {
        row = JSON.parse(number === 1 ? stripMark(line) : line);
      } catch (error) {
        throw new Error(`${where} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
      }
      if (!take(row, where)) return;
      if (number % 10_000 === 0) checkAborted(signal, 'reading texts');
    }
  } finally {
    input.destroy();
  }
}

/** The text of one row: a string, or an object's column; null where it is null. */
function textOf(row: unknown, column: string | undefined, where: string): string | null {
  if (row === null || (typeof row === 'string' && column === undefined)) return row;
  if (typeof row !== 'object' || Array.isArray(row)) throw new Error(`${where} is no text and no object; ${LEAVE_OUT}`);
  const fields = row as Record<string, unknown>;
  const strings = Object.keys(fields).filter((key) => typeof fields[key] === 'string');
  const usual = Object.hasOwn(fields, 'text') ? 'text' : strings.length === 1 ? strings[0] : undefined;
  const name = column ?? usual ?? Object.keys(fields).find((key) => fields[key] === null);
  const value = name !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof value === 'string' || value === null) return value;
  if (name !== undefined && value !== undefined) throw notText(where, name, value);
  throw new Error(
    `${where} has no text column ${name === undefined ? 'to choose; set { column }' : `"${name}"`}: it has ${listed(Object.keys(fields))}`,
  );
}

const LEAVE_OUT = 'delete it from the file, or give it a text';

/** The error for a row whose column is not text, such as a number. */
function notText(where: string, column: string, value: unknown): Error {
  const kind = Array.isArray(value) ? 'a list' : typeof value;
  return new Error(`${where}: "${column}" is ${kind}, not text; ${LEAVE_OUT}, or set { column } to another column`);
}

async function textColumn(path: string, column: string | undefined): Promise<string> {
  const strings = topColumns(await metadataOf(path)).filter(({ text }) => text);
  const names = strings.map(({ name }) => name);
  if (column !== undefined) return column;
  if (names.includes('text')) return 'text';
  if (names.length === 1) return names[0];
  throw new Error(
    `${path}: which column holds the texts? Set { column } to one of ${names.join(', ') || '(it has no column of strings)'}`,
  );
}

/** The metadata of a parquet file. @throws Error with the path when the file is not readable as parquet */
export async function metadataOf(path: string): Promise<FileMetaData> {
  // Opened once to refuse pipes and Git LFS pointers, which hyparquet does not check for.
  await (await openData(path)).close();
  const file = await asyncBufferFromFile(path);
  try {
    // Geometry columns are not used here, and with a negative count the library's search for them never ends.
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
    if (rows !== metadata.num_rows)
      throw new Error(`it claims ${metadata.num_rows} rows but its row groups have ${rows}`);
    // An inconsistent schema is reported here, before anything is read by it.
    topColumns(metadata);
    return metadata;
  } catch (error) {
    throw new Error(`${path} is no readable parquet file: ${parquetProblem(error)}`, { cause: error });
  }
}

/**
 * The message of a parquet error. hyparquet trusts the counts and kinds that a file states, so wrong ones end in errors
 * of the JavaScript engine.
 */
function parquetProblem(error: unknown): string {
  if (error instanceof TypeError || error instanceof RangeError)
    return 'what it says of its columns does not fit together';
  return error instanceof Error ? error.message : String(error);
}

interface TopColumn {
  name: string;
  /** Whether the values are strings. */
  text: boolean;
  /** Whether the values are lists. */
  list: boolean;
}

/** Columns right below the root of the schema, which parquet stores as a depth-first list. */
export function topColumns({ schema }: FileMetaData): TopColumn[] {
  const columns: TopColumn[] = [];
  const skip = (at: number): number => {
    const { name, num_children: children = 0 } = schema[at];
    if (!(children >= 0)) throw new Error(`its column "${clip(String(name))}" claims ${children} parts`);
    let next = at + 1;
    for (let i = 0; i < children; i++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) {
    const { name, type, converted_type: converted, logical_type: logical } = schema[at];
    if (typeof name !== 'string') throw new Error('one of its columns has no name');
    const text = type === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING');
    columns.push({ name, text, list: converted === 'LIST' || logical?.type === 'LIST' });
  }
  return columns;
}

/** Reads values of columns row by row, a piece at a time, until `take` says that it has enough. */
export async function readColumns(
  path: string,
  columns: string[],
  signal: AbortSignal | undefined,
  take: (values: Record<string, unknown>, row: number) => boolean,
): Promise<void> {
  const metadata = await metadataOf(path);
  const names = topColumns(metadata).map(({ name }) => name);
  const missing = columns.find((column) => !names.includes(column));
  if (missing !== undefined) throw new Error(`${path} has no column "${missing}"; it has ${listed(names)}`);
  const file = await asyncBufferFromFile(path);
  const rows = Number(metadata.num_rows);
  for (let first = 0; first < rows; first += PIECE_ROWS) {
    checkAborted(signal, 'reading texts');
    const rowEnd = Math.min(rows, first + PIECE_ROWS);
    const piece = await parquetReadObjects({ file, metadata, columns, rowStart: first, rowEnd, compressors }).catch(
      (error: unknown) => {
        throw new Error(`${path} is damaged in rows ${first} to ${rowEnd}: ${parquetProblem(error)}`);
      },
    );
    if (piece.length !== rowEnd - first)
      throw new Error(`${path} is damaged: it claims rows ${first} to ${rowEnd} but ${piece.length} of them are there`);
    for (const [i, row] of piece.entries()) if (!take(row as Record<string, unknown>, first + i)) return;
    await breathe();
  }
}

/** A random sample of `count` items, in their order. */
export function sample<T>(items: T[], count: number, seed: number): T[] {
  if (count >= items.length) return items;
  const chosen = new Random(seed).permutation(items.length).subarray(0, count).slice().sort();
  return Array.from(chosen, (i) => items[i]);
}

/** Where texts came from, as token sets record it: the data set by name, its files, and the options that were set. */
export function sourceOf(pathOrRepo: string, files: string[], options: TextOptions, counts: JsonObject): JsonObject {
  const { split, config, column, revision, limit, seed, splitAt: separator } = options;
  const set = Object.entries({ split, config, column, revision, limit, seed, separator }).filter(
    ([, value]) => value !== undefined,
  );
  const local = pathOrRepo.endsWith(files[0]) ? basename(pathOrRepo) : pathOrRepo;
  return { dataset: local, files, ...(Object.fromEntries(set) as JsonObject), ...counts };
}
