/**
 * Bundles: the data that a picture shows, as files in a folder beside the notebook. An output carries only a descriptor,
 * which names the folder. A kind of picture declares its columns once, in a manifest (map.ts, graph.ts, feature.ts);
 * the writers in the kernel, the reader in the webviews and those who copy bundles into pages all go by it.
 *
 * Folder layout, s = number of the set from 0:
 *   <manifest.meta>      the meta, JSON: title, sets and what else the kind says of itself
 *   columns.safetensors  `s.<column>` of every column of the manifest
 *   <matrix>.safetensors the matrix of the manifest, where it has one
 *   s.labels.json        per point a LinkedLabel, or string[]: peak tokens, best first (by versions up to 0.3), or a text;
 *                        [] = no label
 *   s.examples.jsonl     one line per point, FeatureExample[]; line i lies at bytes `s.examplesAt`[i] to [i + 1], I64
 *   s.<line>.jsonl       the same of every name in the manifest's "lines", with `s.<line>At`
 */
import { clip } from './clip.js';
import type { Dtype, NdArray } from './safetensors.js';
import type { FeatureLabel, TokenShare } from './tokens.js';

/** What every descriptor says: the JSON of an output that a view draws. */
export interface Descriptor {
  version: 1;
  /** Content hash of what is shown: the same id is the same picture. */
  id: string;
  /** Folder of its bundle, relative to the notebook's folder, "/"-separated, never leaving it; absent without a bundle. */
  path?: string;
  meta: { title: string };
}

/** A descriptor with a bundle. */
export interface BundleDescriptor<M extends BundleMeta = BundleMeta> extends Descriptor {
  path: string;
  meta: M;
}

export type BundleRef = Pick<BundleDescriptor, 'id' | 'path'>;

export interface BundleMeta {
  version: 1;
  title: string;
  sets: Array<{ points: number }>;
}

/** A column that a cell added to the points, to colour and to sort them by. */
export interface PointColumn {
  /** Such as "firing rate", "stability", "lens 1". */
  name: string;
  /** Unit or meaning in a few words, for the legend's tooltip. */
  note?: string;
  /** Values are codes of these classes; NaN = none. */
  classes?: string[];
}

/** Far above what a picture has. */
const MAX_POINT_COLUMNS = 256;

/** How many columns a set's meta lists. @throws Error where it is no list, or too long */
export function pointColumnCount({ columns }: { points: number; columns?: readonly PointColumn[] }): number {
  if (columns === undefined) return 0;
  if (!Array.isArray(columns) || columns.length > MAX_POINT_COLUMNS)
    throw new Error(`a set's columns are no list of at most ${MAX_POINT_COLUMNS}`);
  return columns.length;
}

/** The label of a feature that may have a counterpart in another set. */
export interface LinkedLabel extends FeatureLabel {
  /** Tokens by share of Σ a·b with the first counterpart; absent without one. */
  together?: TokenShare[];
}

/** One dataset example: a window of tokens around a peak. */
export interface FeatureExample {
  sequence: number;
  position: number;
  /** Activation at the peak. */
  value: number;
  /** Decoded tokens of the window, in order. */
  tokens: string[];
  /** Index of the peak in `tokens`. */
  peak: number;
  /** Activation of each token of the window; same length as tokens. */
  activations: number[];
  /** Of the band of activations that it was drawn from; absent: one of the largest activations. */
  band?: ExampleBand;
}

/** Activations above `from` and up to `to`, and how many of a feature's firings they are. */
export interface ExampleBand {
  from: number;
  to: number;
  firings: number;
}

export interface ColumnArrays {
  F32: Float32Array;
  I32: Int32Array;
}

export interface ColumnSpec<S> {
  dtype: keyof ColumnArrays;
  /** Elements by the set's meta; -1: any number. */
  length(set: S): number;
  /** A bundle may lack it. */
  optional?: true;
  /** A list of columns of this many, named `<column>.0`, `<column>.1`, …. */
  list?(set: S): number;
  /** How tables of points show it; absent: the view does something of its own with it. */
  shown?: ShownColumn;
}

export interface ShownColumn {
  title: string;
  as: 'count' | 'percent' | 'number' | 'correlation';
  /** Its name in the kept state of a view, where that is not the column's. */
  key?: string;
  /** Said of a point in its card and tooltip too, after the title. */
  card?: true;
  /** Only where activations were given. */
  measured?: true;
}

export interface BundleManifest<S = never, C = Record<string, ColumnSpec<S>>> {
  /** As shown: "a map". */
  what: string;
  /** Name of the JSON file of the meta. */
  meta: string;
  columns: C;
  /** Whether labels and examples of every set must be there. */
  texts: 'needed' | 'optional';
  /** Further files of one line of JSON per point, besides the examples. */
  lines?: readonly string[];
  /** An F32 matrix in a file of its own, which a bundle may lack. */
  matrix?: {
    name: string;
    shape(sets: readonly S[]): [rows: number, columns: number];
    /** A larger one is left out of pages; absent: never. */
    maxBytesInPages?: number;
  };
}

type ArrayOf<C extends ColumnSpec<never>> = C extends { list: unknown }
  ? Array<ColumnArrays[C['dtype']]>
  : ColumnArrays[C['dtype']];
type Optional<C> = { [K in keyof C]: C[K] extends { optional: true } ? K : never }[keyof C];

/** The columns of a set as arrays, without its labels. */
export type ArraysOf<C extends Record<string, ColumnSpec<never>>> = {
  [K in Exclude<keyof C, Optional<C>>]: ArrayOf<C[K]>;
} & { [K in Optional<C>]?: ArrayOf<C[K]> };

/** The columns of a set as a view reads them. */
export type ColumnsOf<M extends { columns: Record<string, ColumnSpec<never>> }> = ArraysOf<M['columns']> & {
  /** The words of each label. */
  labels: string[][];
  /** The labels with their shares; null for those that are words alone. */
  shares: Array<LinkedLabel | null>;
};

/** Far above what an output shows. */
const MAX_SETS = 32;
/** Far above the largest meta that is written. */
export const MAX_META_BYTES = 64 * 2 ** 20;

/** JSON of a file `where`. @throws Error that names the file */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${where} is not JSON: ${clip(error instanceof Error ? error.message : String(error), 200)}`);
  }
}

/**
 * The meta of a bundle from the text of its file `where`.
 * @throws Error when it is not of this kind and version
 */
export function parseMeta<M extends BundleMeta>(text: string, manifest: BundleManifest, where: string): M {
  const meta = parseJson(text, where) as Partial<M> | null;
  if (meta?.version !== 1 || !Array.isArray(meta.sets))
    throw new Error(`${where} is not ${manifest.what} of version 1`);
  if (meta.sets.length > MAX_SETS) throw new Error(`${where} has ${meta.sets.length} sets, more than ${MAX_SETS}`);
  return meta as M;
}

/** The file of the columns of every set. */
export const COLUMNS_FILE = 'columns.safetensors';
export const labelsFile = (set: number): string => `${set}.labels.json`;
/** The file of one line per point: "examples", or a name in the manifest's `lines`. */
export const linesFile = (set: number, name: string): string => `${set}.${name}.jsonl`;
export const matrixFile = (name: string): string => `${name}.safetensors`;

interface BundleFile {
  name: string;
  needed: boolean;
  /** Pages go without it where it is larger. */
  maxBytesInPages?: number;
}

/** Files of a bundle with that many sets, the meta first. */
export function bundleFiles(manifest: BundleManifest, sets: number): BundleFile[] {
  const { matrix, lines = [] } = manifest;
  const named = ['examples', ...lines];
  const perSet = Array.from({ length: sets }, (_, s) => [labelsFile(s), ...named.map((n) => linesFile(s, n))]).flat();
  return [
    { name: manifest.meta, needed: true },
    { name: COLUMNS_FILE, needed: true },
    ...(matrix ? [{ name: matrixFile(matrix.name), needed: false, maxBytesInPages: matrix.maxBytesInPages }] : []),
    ...perSet.map((name) => ({ name, needed: manifest.texts === 'needed' })),
  ];
}

/** Whether a bundle of this kind may have a file of this name. */
export function isFileOf(manifest: BundleManifest, name: string): boolean {
  const of = /^(\d{1,2})\./.exec(name);
  return bundleFiles(manifest, of ? Math.min(MAX_SETS, Number(of[1]) + 1) : 0).some((file) => file.name === name);
}

interface Tensor {
  column: string;
  name: string;
  dtype: keyof ColumnArrays;
  length: number;
  optional: boolean;
  list: boolean;
}

/** The tensors of a set in columns.safetensors. */
function tensorsOf<S>(columns: Record<string, ColumnSpec<S>>, set: S, s: number): Tensor[] {
  return Object.entries(columns).flatMap(([column, spec]): Tensor[] => {
    const name = `${s}.${column}`;
    const one = { column, dtype: spec.dtype, length: spec.length(set), optional: spec.optional ?? false };
    if (!spec.list) return [{ ...one, name, list: false }];
    return Array.from({ length: spec.list(set) }, (_, k) => ({ ...one, name: `${name}.${k}`, list: true }));
  });
}

/**
 * The columns of a set as tensors of columns.safetensors.
 * @throws RangeError when one is missing or has another type or length than the manifest says
 */
export function encodeColumns<S, C extends Record<string, ColumnSpec<S>>>(
  { columns }: { columns: C },
  set: S,
  s: number,
  values: ArraysOf<C>,
): Record<string, NdArray> {
  const given = values as Record<string, NdArray['data'] | Array<NdArray['data']> | undefined>;
  const next = new Map<string, number>();
  const out: Record<string, NdArray> = {};
  for (const { column, name, dtype, length, optional, list } of tensorsOf(columns, set, s)) {
    const k = next.get(column) ?? 0;
    next.set(column, k + 1);
    const data = list ? (given[column] as Array<NdArray['data']>)[k] : (given[column] as NdArray['data'] | undefined);
    if (data === undefined && optional) continue;
    const fits = dtype === 'F32' ? data instanceof Float32Array : data instanceof Int32Array;
    if (!data || !fits || (length >= 0 && data.length !== length))
      throw new RangeError(`column ${name} has ${data?.length ?? 'no'} values, expected ${length} of ${dtype}`);
    out[name] = { dtype, shape: [data.length], data };
  }
  return out;
}

/**
 * The columns of a set from the tensors of its file `where`.
 * @throws Error when one is missing or has another type or shape than the manifest says
 */
export function decodeColumns<S, C extends Record<string, ColumnSpec<S>>>(
  { columns }: { columns: C },
  set: S,
  s: number,
  tensors: ReadonlyMap<string, NdArray>,
  where: string,
): ArraysOf<C> {
  const lists = Object.entries(columns).flatMap(([column, spec]) => (spec.list ? [[column, []] as const] : []));
  const out: Record<string, unknown> = Object.fromEntries(lists);
  for (const { column, name, dtype, length, optional, list } of tensorsOf(columns, set, s)) {
    const tensor = tensors.get(name);
    if (!tensor && optional) continue;
    if (!tensor) throw new Error(`${where} has no column ${name}`);
    requireShape(tensor, dtype, [length], `${where}: ${name}`);
    if (list) (out[column] as unknown[]).push(tensor.data);
    else out[column] = tensor.data;
  }
  return out as ArraysOf<C>;
}

/** @throws Error unless the tensor has this type and shape; -1 stands for any size */
export function requireShape(tensor: NdArray, dtype: Dtype, shape: readonly number[], where: string): void {
  const fits = tensor.shape.length === shape.length && shape.every((n, i) => n === -1 || n === tensor.shape[i]);
  if (tensor.dtype !== dtype || !fits)
    throw new Error(
      `${where} is ${tensor.dtype} [${tensor.shape.join(', ')}], expected ${dtype} [${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
    );
}
