/**
 * Files of the bundles that webviews show (layouts in protocol/map.ts and protocol/graph.ts): ranges of them, columns of
 * safetensors, lines by offset. A bundle is named by a path relative to the notebook's folder; nothing outside is read.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { FeatureExample } from '../../protocol/map.js';
import {
  headerLength,
  parseHeader,
  typedView,
  type Dtype,
  type SafetensorsHeader,
  type TypedArray,
} from '../../protocol/safetensors.js';
import type { Base64Array, BundleRef } from '../../protocol/webview.js';
import { openInside, OutsideFolderError, readInside, readRange, realInside } from './insideFiles.js';

export { OutsideFolderError } from './insideFiles.js';

/** Bytes of one point's examples: far above what a map writes, far below what would hurt. */
const MAX_EXAMPLES_BYTES = 16 * 2 ** 20;
const MAX_META_BYTES = 64 * 2 ** 20;

/**
 * The absolute folder of a bundle.
 * @throws OutsideFolderError for absolute paths, "..", backslashes, and links that lead outside.
 */
export async function bundleFolder(notebookFolder: string, relative: unknown): Promise<BundleFolder> {
  if (typeof relative !== 'string' || relative === '') throw new OutsideFolderError('The output names no folder.');
  const parts = relative.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(relative);
  if (bad || path.isAbsolute(relative) || /^[a-z]:/i.test(relative))
    throw new OutsideFolderError(`The folder ${JSON.stringify(relative)} is not inside the notebook’s folder.`);
  const root = await fs.realpath(notebookFolder);
  const folder = await realInside(root, path.join(root, ...parts)).catch((error: unknown) => {
    if (error instanceof OutsideFolderError) throw error;
    throw new Error(
      `The data of this output is not there: ${path.join(notebookFolder, ...parts)}. Run the cell again, or copy the .fgnb folder beside the notebook.`,
    );
  });
  return { root, folder };
}

/** Real paths of a notebook's folder and of a bundle inside it. */
export interface BundleFolder {
  root: string;
  folder: string;
}

/** The files of one bundle, with its small parts kept. */
export class BundleFiles {
  private readonly headers = new Map<string, Promise<SafetensorsHeader>>();
  private readonly offsets = new Map<number, Promise<BigInt64Array>>();

  readonly folder: string;
  /** The notebook's folder: nothing outside is read, whatever links say. */
  readonly root: string;

  constructor({ root, folder }: BundleFolder) {
    this.root = root;
    this.folder = folder;
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  async has(name: string): Promise<boolean> {
    return fs.stat(this.file(name)).then(
      (entry) => entry.isFile(),
      () => false,
    );
  }

  async json(name: string): Promise<unknown> {
    const file = this.file(name);
    const text = (await readInside(this.root, file, MAX_META_BYTES)).toString('utf8');
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`);
    }
  }

  /** Bytes of a file; opened and checked for each read, as a link may have been put in place since the last. */
  private async range(name: string, begin: number, end: number): Promise<Uint8Array> {
    const file = this.file(name);
    const handle = await openInside(this.root, file);
    try {
      const { size } = await handle.stat();
      if (end > size) throw new Error(`${file} has ${size} bytes, expected ${end}: it is truncated`);
      return await readRange(handle, file, begin, end);
    } finally {
      await handle.close();
    }
  }

  private header(name: string): Promise<SafetensorsHeader> {
    let header = this.headers.get(name);
    if (!header) {
      header = (async () => {
        const file = this.file(name);
        const { size } = await fs.stat(file);
        const length = headerLength(await this.range(name, 0, Math.min(8, size)), size, file);
        return parseHeader(await this.range(name, 8, 8 + length), size, file);
      })();
      this.headers.set(name, header);
    }
    return header;
  }

  /** A tensor of the file; undefined where it has none of that name. `shape`: -1 stands for any size. */
  async tensor(file: string, name: string, dtype: Dtype, shape: readonly number[]): Promise<TypedArray | undefined> {
    const { tensors, dataStart } = await this.header(file);
    const entry = tensors.get(name);
    if (!entry) return undefined;
    const fits = entry.shape.length === shape.length && shape.every((n, i) => n === -1 || n === entry.shape[i]);
    if (entry.dtype !== dtype || !fits)
      throw new Error(
        `${this.file(file)}: ${name} is ${entry.dtype} [${entry.shape.join(', ')}], expected ${dtype} [${shape.map((n) => (n === -1 ? 'any' : n)).join(', ')}]`,
      );
    return typedView(dtype, await this.range(file, dataStart + entry.begin, dataStart + entry.end));
  }

  /** A column of columns.safetensors. `length` -1: any. */
  column(name: string, dtype: Dtype, length: number): Promise<TypedArray | undefined> {
    return this.tensor('columns.safetensors', name, dtype, [length]);
  }

  async required(name: string, dtype: Dtype, length: number): Promise<TypedArray> {
    const column = await this.column(name, dtype, length);
    if (!column) throw new Error(`${this.file('columns.safetensors')} has no column ${name}`);
    return column;
  }

  /** Labels of a set, one list per point. */
  async labels(set: number, points: number): Promise<string[][]> {
    const labels = (await this.json(`${set}.labels.json`)) as string[][];
    if (!Array.isArray(labels) || labels.length !== points)
      throw new Error(`${this.file(`${set}.labels.json`)} has ${labels.length} labels for ${points} points`);
    return labels;
  }

  /** Dataset examples of a point: one line of the set's examples.jsonl. */
  async examples(set: number, point: number, points: number): Promise<FeatureExample[]> {
    if (!Number.isInteger(point) || point < 0 || point >= points)
      throw new Error(`Set ${set} has ${points} points, point ${point} was asked for`);
    let offsets = this.offsets.get(set);
    if (!offsets) {
      offsets = this.required(`${set}.examplesAt`, 'I64', points + 1) as Promise<BigInt64Array>;
      this.offsets.set(set, offsets);
    }
    const at = await offsets;
    const begin = Number(at[point]);
    const end = Number(at[point + 1]);
    if (begin < 0 || end < begin || end - begin > MAX_EXAMPLES_BYTES)
      throw new Error(`The examples of point ${point} lie at bytes ${begin} to ${end}: the bundle is damaged`);
    const line = Buffer.from(await this.range(`${set}.examples.jsonl`, begin, end)).toString('utf8');
    return line.trim() === '' ? [] : (JSON.parse(line) as FeatureExample[]);
  }
}

/** The bundles of one kind in one notebook's folder. */
export class BundleStore<T> {
  private readonly bundles = new Map<string, T>();

  constructor(
    private readonly notebookFolder: string,
    private readonly open: (files: BundleFiles) => T,
  ) {}

  /** Reads from a bundle. What failed once may be there after the cell ran again, so a failure is not kept. */
  async read<V>(ref: BundleRef, read: (bundle: T) => Promise<V>): Promise<V> {
    try {
      // Checked at every request: a link may have been put in place since the last.
      const at = await bundleFolder(this.notebookFolder, ref.path);
      const key = `${ref.id} ${at.folder}`;
      let bundle = this.bundles.get(key);
      if (bundle === undefined) this.bundles.set(key, (bundle = this.open(new BundleFiles(at))));
      return await read(bundle);
    } catch (error) {
      this.bundles.clear();
      throw error;
    }
  }
}

/** A typed array for channels that carry only JSON. */
export function toBase64(array: Float32Array | Int32Array | Base64Array): Base64Array {
  if (!ArrayBuffer.isView(array)) return array;
  const base64 = Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
  return { dtype: array instanceof Float32Array ? 'F32' : 'I32', base64 };
}
