/** A store from arrays that another program made: dense rows, or CSR. */
import { isTypedArray } from '../../protocol/objects.js';
import type { ArtifactStore, Computed } from '../artifacts/store.js';
import type { ArtifactKey } from '../artifacts/types.js';
import type { SparseRows } from '../compute/sparse.js';
import { sha256 } from '../io/hash.js';
import { toFloat64, type NdArray } from '../io/ndarray.js';
import type { TokenSet, Tokenizer } from '../models/types.js';
import type { KEPT } from '../verb/common.js';
import { choice, required, text, value, whole, type Given } from '../verb/option.js';
import { isShard, openActivations } from './store.js';
import type { SparseActivations, TokenDecoder } from './types.js';
import { writeActivations } from './write.js';

/** Bumped when the same arrays give another store. */
const CODE_VERSION = 1;
/** Code version for arrays with padded tokens: 2 leaves their rows out. */
const PADDED_VERSION = 2;

/** Numbers in a row: an array, a typed array, or an array from a file. */
export type NumberList = readonly number[] | Exclude<NdArray['data'], BigInt64Array | BigUint64Array> | NdArray;

/** Compressed sparse rows, as scipy's csr_matrix has them: row i holds entries indptr[i] to indptr[i + 1] − 1. */
export interface CsrArrays {
  readonly indptr: NumberList;
  readonly indices: NumberList;
  readonly values: NumberList;
  /** [N, F], or [S, T, F] for S sequences of T tokens. */
  readonly shape: readonly number[] | NdArray;
}

/**
 * Activations in a plain form: dense [N, F] or [S, T, F] (an array from a file, { shape, data }, rows, a tensor), or
 * CSR.
 */
export type ActivationArrays =
  | CsrArrays
  | NdArray
  | { readonly shape: readonly number[]; readonly data: NumberList | (() => Promise<ArrayLike<number>>) }
  | ReadonlyArray<ArrayLike<number>>
  | { readonly rows: number; readonly cols: number; readonly data: Float32Array };

/** Tokens that the rows belong to: a token set, or ids [N] or [S, T]. */
export type TokensOfRows = TokenSet | NumberList | ReadonlyArray<readonly number[]>;

/** What decodes token ids: a tokenizer, { id, piece }, or a model that has one. */
export type Decoder = TokenDecoder | { readonly tokenizer: Tokenizer };

export const FROM = {
  name: required(text({ doc: 'What the features are of, for people: titles and legends say it.' })),
  tokens: value<TokensOfRows>('a token set of fg.datasets, or token ids [N] or [S, T]', {
    doc: 'Tokens of the rows, in their order.',
    fallback: 'none: rows are known by their number',
  }),
  tokenizer: value<Decoder>('model.tokenizer, or the model', {
    doc: 'Decodes token ids that were given as numbers.',
    fallback: 'that of a token set; else ids are shown',
  }),
  context: whole({
    doc: 'Tokens per sequence, where neither tokens nor shape say it.',
    min: 1,
    fallback: 'all rows in one sequence',
  }),
  hook: text({ doc: 'Hook of the activations, for people.', fallback: 'none' }),
  model: text({ doc: 'Model of the activations, for people.', fallback: 'none' }),
  negative: choice(['refuse', 'zero'], {
    doc: 'What negative entries are: an error, or no firing.',
    default: 'refuse',
  }),
} as const;

export type FromArraysOptions = Given<typeof FROM> & Given<typeof KEPT>;

/** Rows in one form: entries of row i in ascending order of features. */
interface PlainRows {
  rows: number;
  cols: number;
  /** Tokens per sequence, when the shape says it. */
  context?: number;
  hash: string;
  /** Rows from `first`, at most `count`. */
  block(first: number, count: number): SparseRows;
}

interface PlainTokens {
  ids: Int32Array;
  context?: number;
  id?: string;
  tokenizer?: TokenDecoder;
  padding?: Uint8Array;
}

/**
 * Makes a store of sparse activations from arrays and keeps it as an artifact; the same arrays and options load it.
 * Zeros are left out, and rows of a token set's padding. Rows belong to tokens: two stores can be correlated when both
 * were given the same tokens, or when neither was given any and they have as many rows in the same sequences.
 * @throws TypeError or RangeError on arrays that do not fit each other, on NaN and infinity, with the place, and on
 *   negative entries unless { negative: 'zero' }
 */
export async function activationsFrom(
  data: ActivationArrays,
  store: ArtifactStore,
  options: FromArraysOptions,
): Promise<Computed<SparseActivations>> {
  const { name, hook = '', model = '' } = options;
  const rows = await plainRows(data, options.negative ?? FROM.negative.usual);
  const tokens = plainTokens(options.tokens, options.tokenizer);
  const context = contextOf(rows, tokens, options.context);
  if (tokens && tokens.ids.length !== rows.rows)
    throw new RangeError(`there are ${rows.rows} rows of activations but ${tokens.ids.length} tokens: one row a token`);
  const tokenIds = tokens?.ids ?? Int32Array.from({ length: rows.rows }, (_, i) => i);
  // Without tokens, rows are known by their number alone.
  const tokenizer = tokens ? (tokens.tokenizer?.id ?? 'ids') : 'rows';
  const tokenSet = { id: tokens?.id ?? sha256([`${tokenizer} ${context}`, tokenIds]), tokenizer };
  const key: ArtifactKey = {
    kind: 'activations',
    parameters: { from: 'arrays', name, hook, model, context, negative: options.negative ?? FROM.negative.usual },
    inputs: { arrays: rows.hash, tokens: tokenSet.id },
    codeVersion: tokens?.padding ? PADDED_VERSION : CODE_VERSION,
  };
  const piece = tokens?.tokenizer ? (id: number): string => (tokens.tokenizer as TokenDecoder).piece(id) : undefined;
  return store.compute<SparseActivations>(key, {
    fresh: options.fresh,
    title: `${name}${hook ? ` ${hook}` : ''} from arrays, ${rows.rows} × ${rows.cols}`,
    make: async (folder) => {
      await writeActivations(folder, blocks(rows), {
        signal: options.signal,
        onProgress: options.onProgress,
        features: rows.cols,
        tokenIds,
        context,
        hook,
        model: { name: model || 'arrays', id: sha256([`model ${model}`]) },
        sae: { name, id: rows.hash },
        tokenSet,
        ignored: tokens?.padding,
        piece,
        id: store.idOf(key),
      });
    },
    lazy: isShard,
    load: (folder, record) => openActivations(folder, tokens?.tokenizer, record.files),
  });
}

/** Rows at a time: a block of wide dense rows stays small. */
function* blocks(rows: PlainRows): Generator<SparseRows> {
  const size = Math.max(1, Math.min(4096, Math.floor(2 ** 24 / Math.max(1, rows.cols))));
  for (let first = 0; first < rows.rows; first += size) yield rows.block(first, Math.min(size, rows.rows - first));
}

function contextOf(rows: PlainRows, tokens: PlainTokens | undefined, given: number | undefined): number {
  const said = [
    ['the shape of the activations', rows.context],
    ['tokens', tokens?.context],
    ['{ context }', given],
  ].filter((s): s is [string, number] => s[1] !== undefined);
  const other = said.find(([, n]) => n !== said[0][1]);
  if (other)
    throw new RangeError(`${said[0][0]} says ${said[0][1]} tokens per sequence but ${other[0]} says ${other[1]}`);
  const context = said[0]?.[1] ?? Math.max(1, rows.rows);
  if (rows.rows % context !== 0) throw new RangeError(`${rows.rows} rows are not whole sequences of ${context} tokens`);
  return context;
}

const LARGEST = 3.4028234663852886e38;

/** Whether an entry is a firing. @throws RangeError with its place on what a store cannot hold */
function fires(value: number, negative: 'refuse' | 'zero', row: number, feature: number): boolean {
  // What float32 rounds to 0 does not fire.
  if (value >= 0 && value <= LARGEST) return Math.fround(value) > 0;
  const at = `the activation of feature ${feature} in row ${row} is ${value}`;
  if (!(Math.abs(value) <= LARGEST)) throw new RangeError(`${at}; expected finite numbers within float32`);
  if (negative === 'refuse')
    throw new RangeError(`${at}; features fire above 0: give { negative: 'zero' } to leave negative entries out`);
  return false;
}

async function plainRows(data: ActivationArrays, negative: 'refuse' | 'zero'): Promise<PlainRows> {
  const given: object = data;
  if ('indptr' in given) return csrRows(given as CsrArrays, negative);
  if (Array.isArray(given)) return denseRows(stacked(given as unknown[]), negative);
  if ('rows' in given && 'cols' in given && 'data' in given) {
    const { rows, cols, data: values } = given as { rows: number; cols: number; data: Float32Array };
    return denseRows({ shape: [rows, cols], values }, negative);
  }
  if (!('shape' in given) || !('data' in given)) throw new TypeError(`data is no array; expected ${FORMS}`);
  const { shape, data: held } = given as { shape: readonly number[]; data: unknown };
  const values =
    typeof held === 'function'
      ? Float64Array.from((await (held as () => Promise<unknown>).call(given)) as ArrayLike<number>)
      : numbers('dtype' in given ? given : held, 'data');
  return denseRows({ shape, values }, negative);
}

const FORMS =
  'dense activations [N, F] or [S, T, F] (an array that fg.arrays.load gave, { shape, data }, rows of numbers, a tensor), or CSR { indptr, indices, values, shape }';

interface Dense {
  shape: readonly number[];
  values: ArrayLike<number>;
}

/** An array of rows as one list. */
function stacked(rows: readonly unknown[]): Dense {
  const lists = rows.map((row, i) => numbers(row, `row ${i} of data`));
  const cols = lists[0]?.length ?? 0;
  const ragged = lists.findIndex((list) => list.length !== cols);
  if (ragged >= 0)
    throw new RangeError(`row ${ragged} of data has ${lists[ragged].length} numbers but row 0 has ${cols}`);
  const values = new Float64Array(rows.length * cols);
  lists.forEach((list, i) => values.set(list, i * cols));
  return { shape: [rows.length, cols], values };
}

/** Sizes of [N, F] or [S, T, F]. */
function sizes(shape: readonly number[]): { rows: number; cols: number; context?: number } {
  const whole = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
  if (!whole || shape.length < 2 || shape.length > 3)
    throw new RangeError(`the shape of data is [${Array.from(shape ?? []).join(', ')}]; expected [N, F] or [S, T, F]`);
  if (shape.length === 2) return { rows: shape[0], cols: shape[1] };
  return { rows: shape[0] * shape[1], cols: shape[2], context: Math.max(1, shape[1]) };
}

function denseRows({ shape, values }: Dense, negative: 'refuse' | 'zero'): PlainRows {
  const { rows, cols, context } = sizes(shape);
  if (values.length !== rows * cols)
    throw new RangeError(`data of shape [${shape.join(', ')}] needs ${rows * cols} values but has ${values.length}`);
  return {
    rows,
    cols,
    context,
    hash: hashOf('dense', [rows, cols], [values]),
    block: (first, count) => {
      const [indptr, indices, kept] = [new Uint32Array(count + 1), [] as number[], [] as number[]];
      for (let i = 0; i < count; i++) {
        for (let f = 0, at = (first + i) * cols; f < cols; f++, at++) {
          const value = values[at];
          if (value === 0 || !fires(value, negative, first + i, f)) continue;
          indices.push(f);
          kept.push(value);
        }
        indptr[i + 1] = indices.length;
      }
      return { rows: count, cols, indptr, indices: indexArray(cols, indices), values: Float32Array.from(kept) };
    },
  };
}

function csrRows(given: CsrArrays, negative: 'refuse' | 'zero'): PlainRows {
  const shape = Array.from(numbers(given.shape, 'shape'));
  const { rows, cols, context } = sizes(shape);
  const indptr = numbers(given.indptr, 'indptr');
  const indices = numbers(given.indices, 'indices');
  const values = numbers(given.values, 'values');
  if (indptr.length !== rows + 1 || indptr[0] !== 0 || indptr[rows] !== indices.length)
    throw new RangeError(
      `indptr has ${indptr.length} numbers from ${indptr[0]} to ${indptr[indptr.length - 1]}; ${rows} rows need ${rows + 1}, from 0 to the ${indices.length} entries`,
    );
  if (values.length !== indices.length)
    throw new RangeError(`there are ${indices.length} indices but ${values.length} values`);
  for (let i = 0; i < rows; i++)
    if (!(indptr[i + 1] >= indptr[i]))
      throw new RangeError(`indptr falls from ${indptr[i]} to ${indptr[i + 1]} at row ${i}`);
  return {
    rows,
    cols,
    context,
    hash: hashOf('csr', [rows, cols], [indptr, indices, values]),
    block: (first, count) => {
      const starts = new Uint32Array(count + 1);
      const kept: Array<[feature: number, value: number]> = [];
      for (let i = 0; i < count; i++) {
        const row: Array<[number, number]> = [];
        for (let p = indptr[first + i]; p < indptr[first + i + 1]; p++) {
          const f = indices[p];
          if (!(Number.isInteger(f) && f >= 0 && f < cols))
            throw new RangeError(`row ${first + i} has feature ${f}; features are 0 to ${cols - 1}`);
          if (fires(values[p], negative, first + i, f)) row.push([f, values[p]]);
        }
        // scipy does not sort the entries of a row.
        row.sort(([a], [b]) => a - b);
        const twice = row.findIndex(([f], at) => at > 0 && f === row[at - 1][0]);
        if (twice >= 0)
          throw new RangeError(`row ${first + i} has feature ${row[twice][0]} twice; sum_duplicates first`);
        for (const entry of row) kept.push(entry);
        starts[i + 1] = kept.length;
      }
      return {
        rows: count,
        cols,
        indptr: starts,
        indices: indexArray(
          cols,
          kept.map(([f]) => f),
        ),
        values: Float32Array.from(kept, ([, v]) => v),
      };
    },
  };
}

function indexArray(cols: number, indices: readonly number[]): Uint16Array | Int32Array {
  return cols <= 65_536 ? Uint16Array.from(indices) : Int32Array.from(indices);
}

/** Hash of the numbers, however they were given: float32 and float64 of the same values have the same. */
function hashOf(kind: string, shape: readonly number[], lists: ReadonlyArray<ArrayLike<number>>): string {
  return sha256([`activations from ${kind} ${shape.join(' ')}`, ...lists.map((list) => Float64Array.from(list))]);
}

/** Numbers of an array, a typed array or an array from a file. Float32 values stay float32, without a copy. */
function numbers(given: unknown, what: string): ArrayLike<number> {
  if (isTypedArray(given)) {
    const wide = given instanceof BigInt64Array || given instanceof BigUint64Array;
    return wide ? Float64Array.from(given, Number) : given;
  }
  if (Array.isArray(given)) {
    const bad = given.findIndex((v) => typeof v !== 'number');
    if (bad >= 0) throw new TypeError(`${what} has ${typeof given[bad]} at ${bad}; expected numbers`);
    return given as number[];
  }
  const array = given as Partial<NdArray> | null | undefined;
  if (typeof array?.dtype === 'string' && ArrayBuffer.isView(array.data))
    return array.dtype === 'F32' ? (array.data as Float32Array) : toFloat64(array as NdArray);
  if (array && 'data' in array) return numbers(array.data, what);
  throw new TypeError(`${what} is ${given === null ? 'null' : typeof given}; expected numbers`);
}

function plainTokens(
  given: TokensOfRows | undefined,
  decoder: FromArraysOptions['tokenizer'],
): PlainTokens | undefined {
  const tokenizer = decoder && ('tokenizer' in decoder ? decoder.tokenizer : decoder);
  if (given === undefined) return undefined;
  if (typeof given === 'object' && 'sequences' in given && 'tokenizer' in given) {
    const { tokens, context, id, tokenizer, padding } = given;
    return { ids: tokens, context, id, tokenizer, padding };
  }
  const rows = Array.isArray(given) && Array.isArray(given[0]) ? stacked(given as unknown[]) : undefined;
  const shape = rows?.shape ?? (given as Partial<NdArray>).shape;
  const list = rows?.values ?? numbers(given, 'tokens');
  const ids = Int32Array.from(list);
  const bad = Array.from(ids.keys()).find(
    (i) => ids[i] !== list[i] || ids[i] < 0 || ids[i] >= (tokenizer?.vocabSize ?? Infinity),
  );
  if (bad !== undefined)
    throw new RangeError(
      `token ${bad} is ${list[bad]}; expected whole numbers from 0${tokenizer?.vocabSize === undefined ? '' : ` to ${tokenizer.vocabSize - 1}`}`,
    );
  return { ids, ...(shape?.length === 2 ? { context: shape[1] } : {}), tokenizer };
}
