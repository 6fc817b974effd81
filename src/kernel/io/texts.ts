/** Texts for tokenizing, from .txt, .jsonl, .json and .parquet files, folders of them, and hub datasets. */
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
import { listed } from '../../protocol/clip.js';
import { kindOfPath, openData, readJson, readText } from './files.js';
import { datasetFiles } from './datasetFiles.js';
import type { RepoOptions } from './hub.js';
import { ndarray, type NdArray } from './ndarray.js';

export interface TextOptions extends Omit<RepoOptions, 'repoType'> {
  /** Of a hub dataset or a folder; default "train". */
  split?: string;
  /** Of a hub dataset that has several configurations: its folder. */
  config?: string;
  /** Column of texts; default "text", else the only column of strings. */
  column?: string;
  /** Texts at most; default all. The first ones, unless `seed` is set. */
  limit?: number;
  /** Take `limit` texts at random (seeded, all read first) instead of the first; they keep their order. */
  seed?: number;
  /**
   * How a .txt file is parted: undefined (default) = one text; "blank-lines" = at runs of blank lines; any other
   * string = at that separator, such as "<|endoftext|>". Parts are trimmed, empty ones are left out.
   */
  separator?: string;
}

export interface Texts {
  texts: string[];
  /** Where they came from: what a token set keeps. */
  source: JsonObject;
}

/** A parquet file is read in pieces of so many rows. */
const PIECE_ROWS = 5_000;

/** What hyparquet leaves to others (it reads uncompressed and snappy itself); zstd from Node 22.15 on. */
type Unpack = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
const zstd = (zlib as { zstdDecompressSync?: Unpack }).zstdDecompressSync;
const compressors: Compressors = {
  GZIP: (input, length) => zlib.gunzipSync(input, limited(length)),
  BROTLI: (input, length) => zlib.brotliDecompressSync(input, limited(length)),
  ...(zstd ? { ZSTD: (input: Uint8Array, length: number) => zstd(input, limited(length)) } : {}),
};

/** A page of a parquet file is about a megabyte; what claims far more is damaged or a bomb. */
const MAX_PAGE_BYTES = 2 ** 28;

function limited(length: number): { maxOutputLength: number } {
  if (length > MAX_PAGE_BYTES) throw new Error(`a page of ${length} bytes; ${MAX_PAGE_BYTES} are the most`);
  return { maxOutputLength: Math.max(1, length) };
}

/**
 * Reads texts from a file, a folder or a hub dataset id. Throws when nothing is there, when a column is missing or not
 * text (naming those there are), and on a line of .jsonl that is not readable (naming it).
 */
export async function readTexts(pathOrRepo: string, options: TextOptions = {}): Promise<Texts> {
  const { limit, seed, signal } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    throw new RangeError(`limit is ${limit}: expected a whole number ≥ 1`);
  const needed = seed === undefined ? (limit ?? Infinity) : Infinity;
  const texts: string[] = [];
  const files: string[] = [];
  for await (const path of inputFiles(pathOrRepo, options)) {
    files.push(basename(path));
    await readTextFile(path, options, needed, texts);
    checkAborted(signal, 'reading texts');
    options.onProgress?.({ label: `Reading ${pathOrRepo}`, done: texts.length, total: limit, unit: 'texts' });
    if (texts.length >= needed) break;
  }
  if (texts.length === 0) throw new Error(`${pathOrRepo} holds no text`);
  const chosen = seed === undefined || limit === undefined ? texts.slice(0, limit) : sample(texts, limit, seed);
  return { texts: chosen, source: sourceOf(pathOrRepo, files, options, { texts: chosen.length }) };
}

/**
 * Reads ready rows of token ids, [rows, length] I32, from a parquet column (default "input_ids") of equal-length lists.
 * Throws when rows differ in length, with both lengths.
 */
export async function readTokenRows(
  pathOrRepo: string,
  options: TextOptions = {},
): Promise<{ rows: NdArray; source: JsonObject }> {
  const { limit = Infinity, column = 'input_ids', signal } = options;
  const rows: Int32Array[] = [];
  const files: string[] = [];
  for await (const path of inputFiles(pathOrRepo, options)) {
    if (extname(path) !== '.parquet') throw new Error(`${path}: rows of token ids are read from .parquet`);
    files.push(basename(path));
    await readColumn(path, column, limit - rows.length, signal, (value, row) => {
      const ids = tokenRow(value, `${path}: row ${row} of "${column}"`);
      if (rows.length > 0 && ids.length !== rows[0].length) {
        throw new Error(
          `${path}: row ${row} of "${column}" has ${ids.length} tokens but the first has ${rows[0].length}; rows must be of one length`,
        );
      }
      rows.push(ids);
    });
    if (rows.length >= limit) break;
  }
  if (rows.length === 0) throw new Error(`${pathOrRepo} holds no row of "${column}"`);
  const length = rows[0].length;
  const data = new Int32Array(rows.length * length);
  rows.forEach((ids, i) => data.set(ids, i * length));
  return {
    rows: ndarray('I32', [rows.length, length], data),
    source: sourceOf(pathOrRepo, files, { ...options, column }, { rows: rows.length }),
  };
}

async function* inputFiles(pathOrRepo: string, options: TextOptions): AsyncGenerator<string> {
  if ((await kindOfPath(pathOrRepo)) === 'file') yield pathOrRepo;
  else yield* datasetFiles(pathOrRepo, options);
}

async function readTextFile(path: string, options: TextOptions, needed: number, texts: string[]): Promise<void> {
  switch (extname(path)) {
    case '.txt': {
      const text = stripMark(await readText(path));
      for (const part of splitText(text, options.separator)) texts.push(part);
      return;
    }
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, options, needed, texts);
    case '.json': {
      const rows = await readJson(path);
      if (!Array.isArray(rows))
        throw new Error(`${path}: expected a JSON array of texts or of objects with a text column`);
      rows.forEach((row, i) => texts.push(textOf(row, options.column, `${path}: item ${i}`)));
      return;
    }
    case '.parquet': {
      const column = await textColumn(path, options.column);
      return readColumn(path, column, needed - texts.length, options.signal, (value, row) => {
        if (typeof value !== 'string') throw notText(`${path}: row ${row}`, column, value);
        texts.push(value);
      });
    }
    default:
      throw new Error(`${path}: texts are read from .txt, .jsonl, .json and .parquet files`);
  }
}

function stripMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** Parts of a text file; see TextOptions.separator. */
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

async function readJsonLines(path: string, options: TextOptions, needed: number, texts: string[]): Promise<void> {
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
      texts.push(textOf(row, options.column, where));
      if (texts.length >= needed) return;
      if (number % 10_000 === 0) checkAborted(options.signal, 'reading texts');
    }
  } finally {
    input.destroy();
  }
}

/** The text of one row: a string, or an object's column. */
function textOf(row: unknown, column: string | undefined, where: string): string {
  if (typeof row === 'string' && column === undefined) return row;
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new Error(`${where} is ${row === null ? 'null' : 'no text and no object'}; ${LEAVE_OUT}`);
  const fields = row as Record<string, unknown>;
  const strings = Object.keys(fields).filter((key) => typeof fields[key] === 'string');
  const usual = Object.hasOwn(fields, 'text') ? 'text' : strings.length === 1 ? strings[0] : undefined;
  const name = column ?? usual ?? Object.keys(fields).find((key) => fields[key] === null);
  const value = name !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (typeof value === 'string') return value;
  if (name !== undefined && value !== undefined) throw notText(where, name, value);
  throw new Error(
    `${where} has no text column ${name === undefined ? 'to choose; set { column }' : `"${name}"`}: it has ${listed(Object.keys(fields))}`,
  );
}

const LEAVE_OUT = 'delete it from the file, or give it a text';

/** A row that has the column, but null or a number in it. */
function notText(where: string, column: string, value: unknown): Error {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
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

async function metadataOf(path: string): Promise<FileMetaData> {
  // Refuses pipes and Git LFS pointers, which hyparquet does not know.
  await (await openData(path)).close();
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch((error: unknown) => {
    throw new Error(`${path} is no readable parquet file: ${error instanceof Error ? error.message : String(error)}`);
  });
  const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (rows !== metadata.num_rows)
    throw new Error(`${path} claims ${metadata.num_rows} rows but its row groups have ${rows}: it is damaged`);
  return metadata;
}

/** Columns right below the root of the schema, which parquet stores as a depth-first list. */
function topColumns({ schema }: FileMetaData): Array<{ name: string; text: boolean }> {
  const columns: Array<{ name: string; text: boolean }> = [];
  const skip = (at: number): number => {
    let next = at + 1;
    for (let i = 0; i < (schema[at].num_children ?? 0); i++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) {
    const { name, type, converted_type: converted, logical_type: logical } = schema[at];
    columns.push({ name, text: type === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING') });
  }
  return columns;
}

/** Values of a column in order, `limit` at most, read piece by piece. */
async function readColumn(
  path: string,
  column: string,
  limit: number,
  signal: AbortSignal | undefined,
  take: (value: unknown, row: number) => void,
): Promise<void> {
  const metadata = await metadataOf(path);
  const names = topColumns(metadata).map(({ name }) => name);
  if (!names.includes(column)) throw new Error(`${path} has no column "${column}"; it has ${listed(names)}`);
  const file = await asyncBufferFromFile(path);
  const rows = Math.min(Number(metadata.num_rows), limit);
  for (let first = 0; first < rows; first += PIECE_ROWS) {
    checkAborted(signal, 'reading texts');
    const rowEnd = Math.min(rows, first + PIECE_ROWS);
    const piece = await parquetReadObjects({ file, metadata, columns: [column], rowStart: first, rowEnd, compressors });
    piece.forEach((row, i) => take((row as Record<string, unknown>)[column], first + i));
    await breathe();
  }
}

function tokenRow(value: unknown, where: string): Int32Array {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw new Error(`${where} is no list of token ids`);
  return Int32Array.from(value as ArrayLike<unknown>, (id) => {
    const number = Number(id);
    if (id === null || !Number.isInteger(number) || number < 0 || number > 0x7fffffff)
      throw new Error(`${where} has the token id ${String(id)}`);
    return number;
  });
}

/** `count` of the texts at random, in their order. */
function sample(texts: string[], count: number, seed: number): string[] {
  if (count >= texts.length) return texts;
  const chosen = new Random(seed).permutation(texts.length).subarray(0, count).slice().sort();
  return Array.from(chosen, (i) => texts[i]);
}

function sourceOf(pathOrRepo: string, files: string[], options: TextOptions, counts: JsonObject): JsonObject {
  const { split, config, column, revision, limit, seed, separator } = options;
  const set = Object.entries({ split, config, column, revision, limit, seed, separator }).filter(
    ([, value]) => value !== undefined,
  );
  const local = pathOrRepo.endsWith(files[0]) ? basename(pathOrRepo) : pathOrRepo;
  return { dataset: local, files, ...(Object.fromEntries(set) as JsonObject), ...counts };
}
