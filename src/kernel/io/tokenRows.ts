/** Rows of token ids that are already tokenized, from .parquet, .jsonl and .json files, folders and hub datasets. */
import { basename, extname } from 'node:path';
import type { JsonObject } from '../../protocol/notebook.js';
import { readJson } from './files.js';
import { ndarray, type NdArray } from './ndarray.js';
import {
  inputFiles,
  metadataOf,
  readColumns,
  readJsonLines,
  sample,
  sourceOf,
  topColumns,
  type TextOptions,
} from './texts.js';

/** The column that transformers' tokenizers write. */
const IDS = 'input_ids';
const MASK = 'attention_mask';

export interface TokenRows {
  /** [rows, length] I32. */
  rows: NdArray;
  /** rows × length: 1 where the attention mask is 0 (padding). Undefined where nothing is masked. */
  padding?: Uint8Array;
  source: JsonObject;
}

/**
 * Whether a dataset holds rows of token ids: the requested column holds lists, or there is an input_ids column and no
 * column "text". Reads the first row of the first file.
 */
export async function holdsTokenRows(pathOrRepo: string, options: TextOptions = {}): Promise<boolean> {
  for await (const path of inputFiles(pathOrRepo, options)) {
    if (extname(path) === '.parquet') {
      const columns = topColumns(await metadataOf(path));
      const asked = columns.find(({ name }) => name === options.column);
      if (options.column !== undefined) return asked !== undefined && asked.list;
      return isTokenRow(Object.fromEntries(columns.map(({ name, list }) => [name, list ? [] : ''])), undefined);
    }
    let found = false;
    if (extname(path) === '.jsonl' || extname(path) === '.ndjson')
      await readJsonLines(path, options.signal, (row) => {
        found = isTokenRow(row, options.column);
        return false;
      });
    if (extname(path) === '.json') {
      const rows = await readJson(path);
      found = Array.isArray(rows) && isTokenRow(rows[0], options.column);
    }
    return found;
  }
  return false;
}

function isTokenRow(row: unknown, column: string | undefined): boolean {
  if (typeof row !== 'object' || row === null) return false;
  const fields = row as Record<string, unknown>;
  if (column !== undefined) return Array.isArray(fields[column]);
  return Array.isArray(fields[IDS]) && !Object.hasOwn(fields, 'text');
}

interface Row {
  ids: Int32Array;
  mask: Int32Array | undefined;
}

/**
 * Reads rows of token ids, [rows, length] I32, from a column (default "input_ids") of equal-length lists, with
 * attention_mask beside it where there is one. Throws when rows differ in length, with both lengths, and when a row has
 * values that are not token ids.
 */
export async function readTokenRows(pathOrRepo: string, options: TextOptions = {}): Promise<TokenRows> {
  const { limit, seed, column = IDS } = options;
  const needed = seed === undefined ? (limit ?? Infinity) : Infinity;
  const read: Row[] = [];
  const files: string[] = [];
  for await (const path of inputFiles(pathOrRepo, options)) {
    files.push(basename(path));
    await readRowFile(path, column, options.signal, (values, where) => {
      const ids = tokenRow(values[column], `${where} of "${column}"`);
      if (read.length > 0 && ids.length !== read[0].ids.length)
        throw new Error(
          `${where} of "${column}" has ${ids.length} tokens but the first has ${read[0].ids.length}; rows must be of one length`,
        );
      read.push({ ids, mask: maskRow(values[MASK], ids.length, where) });
      return read.length < needed;
    });
    if (read.length >= needed) break;
  }
  if (read.length === 0)
    throw new Error(`${pathOrRepo} holds no row of "${column}"; expected at least one list of token ids`);
  const rows = seed === undefined || limit === undefined ? read : sample(read, limit, seed);
  const length = rows[0].ids.length;
  const data = new Int32Array(rows.length * length);
  const padding = new Uint8Array(data.length);
  rows.forEach(({ ids, mask }, i) => {
    data.set(ids, i * length);
    mask?.forEach((kept, t) => (padding[i * length + t] = kept === 0 ? 1 : 0));
  });
  return {
    rows: ndarray('I32', [rows.length, length], data),
    ...(padding.includes(1) ? { padding } : {}),
    source: sourceOf(pathOrRepo, files, { ...options, column }, { rows: rows.length }),
  };
}

/** Rows of one file as objects, until `take` says that it has enough. */
async function readRowFile(
  path: string,
  column: string,
  signal: AbortSignal | undefined,
  take: (values: Record<string, unknown>, where: string) => boolean,
): Promise<void> {
  const object = (row: unknown, where: string): Record<string, unknown> => {
    if (typeof row === 'object' && row !== null && Object.hasOwn(row, column)) return row as Record<string, unknown>;
    throw new Error(`${where} has no "${column}": expected an object with a list of token ids there`);
  };
  switch (extname(path)) {
    case '.parquet': {
      const names = topColumns(await metadataOf(path)).map(({ name }) => name);
      const columns = names.includes(MASK) ? [column, MASK] : [column];
      return readColumns(path, columns, signal, (values, row) => take(values, `${path}: row ${row}`));
    }
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, signal, (row, where) => take(object(row, where), where));
    case '.json': {
      const rows = await readJson(path);
      if (!Array.isArray(rows)) throw new Error(`${path}: expected a JSON array of objects with "${column}"`);
      for (const [i, row] of rows.entries()) if (!take(object(row, `${path}: item ${i}`), `${path}: item ${i}`)) return;
      return;
    }
    default:
      throw new Error(`${path}: rows of token ids are read from .parquet, .jsonl and .json files`);
  }
}

function tokenRow(value: unknown, where: string): Int32Array {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw new Error(`${where} is no list of token ids`);
  return Int32Array.from(value as ArrayLike<unknown>, (id) => {
    const number = Number(id);
    if (id === null || !Number.isInteger(number) || number < 0 || number > 0x7fffffff)
      throw new Error(`${where} has the token id ${String(id)}; expected a whole number of 0 or more`);
    return number;
  });
}

function maskRow(value: unknown, length: number, where: string): Int32Array | undefined {
  if (value === undefined || value === null) return undefined;
  const mask = tokenRow(value, `${where} of "${MASK}"`);
  if (mask.length !== length || mask.some((kept) => kept > 1))
    throw new Error(`${where} of "${MASK}" is no list of ${length} zeros and ones`);
  // Rotary and learned positions count from the first token, so padding on the left would shift them.
  const firstPad = mask.indexOf(0);
  if (firstPad >= 0 && mask.indexOf(1, firstPad) >= 0)
    throw new Error(`${where} of "${MASK}" has padding before tokens; only rows padded on the right are read`);
  return mask;
}
