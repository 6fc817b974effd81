/**
 * Reads feature-map bundles (layout in protocol/map.ts) for webviews: columns when a set is drawn, examples of one
 * point by byte range. A bundle is named by a path relative to the notebook's folder; nothing outside is ever read.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { FeatureExample, MapMeta } from '../../protocol/map.js';
import {
  headerLength,
  parseHeader,
  typedView,
  type Dtype,
  type SafetensorsHeader,
  type TypedArray,
} from '../../protocol/safetensors.js';
import type { Base64Array, MapRef, WireColumns, WireFloats, WireInts } from '../../protocol/webview.js';

/** Bytes of one point's examples: far above what a map writes, far below what would hurt. */
const MAX_EXAMPLES_BYTES = 16 * 2 ** 20;
const MAX_META_BYTES = 64 * 2 ** 20;

/** Raised when a request names something outside the notebook's folder. */
export class OutsideFolderError extends Error {
  override name = 'OutsideFolderError';
}

/**
 * The absolute folder of a bundle.
 * @throws OutsideFolderError for absolute paths, "..", backslashes, and links that lead outside.
 */
export async function bundleFolder(notebookFolder: string, relative: unknown): Promise<string> {
  if (typeof relative !== 'string' || relative === '') throw new OutsideFolderError('The map names no folder.');
  const parts = relative.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(relative);
  if (bad || path.isAbsolute(relative) || /^[a-z]:/i.test(relative))
    throw new OutsideFolderError(`The map’s folder ${JSON.stringify(relative)} is not inside the notebook’s folder.`);
  const root = await fs.realpath(notebookFolder);
  const folder = await fs.realpath(path.join(root, ...parts)).catch(() => {
    throw new Error(
      `The map’s data is not there: ${path.join(notebookFolder, ...parts)}. Run the cell again, or copy the .fgnb folder beside the notebook.`,
    );
  });
  if (folder !== root && !folder.startsWith(root + path.sep))
    throw new OutsideFolderError(`The map’s folder ${JSON.stringify(relative)} leads outside the notebook’s folder.`);
  return folder;
}

async function readRange(file: string, begin: number, end: number): Promise<Uint8Array> {
  const handle = await fs.open(file, 'r');
  try {
    const bytes = new Uint8Array(end - begin);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, begin + at);
      if (bytesRead === 0) throw new Error(`${file} ends at byte ${begin + at}, expected ${end}: it is truncated`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** One bundle, with its small parts kept. */
class Bundle {
  private header: Promise<SafetensorsHeader> | undefined;
  private readonly offsets = new Map<number, Promise<BigInt64Array>>();
  private metaRead: Promise<MapMeta> | undefined;

  constructor(private readonly folder: string) {}

  private file(name: string): string {
    return path.join(this.folder, name);
  }

  private async json(name: string): Promise<unknown> {
    const file = this.file(name);
    const { size } = await fs.stat(file);
    if (size > MAX_META_BYTES) throw new Error(`${file} has ${size} bytes, over the limit of ${MAX_META_BYTES}`);
    return JSON.parse(await fs.readFile(file, 'utf8'));
  }

  meta(): Promise<MapMeta> {
    this.metaRead ??= this.json('map.json').then((value) => {
      const meta = value as Partial<MapMeta> | null;
      if (meta?.version !== 1 || !Array.isArray(meta.sets))
        throw new Error(`${this.file('map.json')} is not a map of version 1`);
      return meta as MapMeta;
    });
    return this.metaRead;
  }

  private columnsHeader(): Promise<SafetensorsHeader> {
    this.header ??= (async () => {
      const file = this.file('columns.safetensors');
      const { size } = await fs.stat(file);
      const length = headerLength(await readRange(file, 0, Math.min(8, size)), size, file);
      return parseHeader(await readRange(file, 8, 8 + length), size, file);
    })();
    return this.header;
  }

  private async column(name: string, dtype: Dtype, length: number): Promise<TypedArray | undefined> {
    const { tensors, dataStart } = await this.columnsHeader();
    const entry = tensors.get(name);
    if (!entry) return undefined;
    if (entry.dtype !== dtype || entry.shape.length !== 1 || entry.shape[0] !== length)
      throw new Error(
        `${this.file('columns.safetensors')}: ${name} is ${entry.dtype} [${entry.shape.join(', ')}], expected ${dtype} [${length}]`,
      );
    const file = this.file('columns.safetensors');
    return typedView(dtype, await readRange(file, dataStart + entry.begin, dataStart + entry.end));
  }

  private async required(name: string, dtype: Dtype, length: number): Promise<TypedArray> {
    const column = await this.column(name, dtype, length);
    if (!column) throw new Error(`${this.file('columns.safetensors')} has no column ${name}`);
    return column;
  }

  private async points(set: number): Promise<number> {
    const { sets } = await this.meta();
    if (!Number.isInteger(set) || set < 0 || set >= sets.length)
      throw new Error(`The map has ${sets.length} set(s), set ${set} was asked for`);
    return sets[set].points;
  }

  async columns(set: number): Promise<WireColumns & { x: Float32Array }> {
    const n = await this.points(set);
    const labels = (await this.json(`${set}.labels.json`)) as string[][];
    if (!Array.isArray(labels) || labels.length !== n)
      throw new Error(`${this.file(`${set}.labels.json`)} has ${labels.length} labels for ${n} points`);
    const floats = (name: string) => this.required(`${set}.${name}`, 'F32', n) as Promise<Float32Array>;
    const ints = (name: string) => this.required(`${set}.${name}`, 'I32', n) as Promise<Int32Array>;
    const partner = (await this.column(`${set}.partner`, 'I32', n)) as Int32Array | undefined;
    const r = (await this.column(`${set}.r`, 'F32', n)) as Float32Array | undefined;
    return {
      x: await floats('x'),
      y: await floats('y'),
      feature: await ints('feature'),
      firingRate: await floats('firingRate'),
      firings: await ints('firings'),
      ...(partner && { partner }),
      ...(r && { r }),
      labels,
    };
  }

  private examplesAt(set: number, n: number): Promise<BigInt64Array> {
    let offsets = this.offsets.get(set);
    if (!offsets) {
      offsets = this.required(`${set}.examplesAt`, 'I64', n + 1) as Promise<BigInt64Array>;
      this.offsets.set(set, offsets);
    }
    return offsets;
  }

  async examples(set: number, point: number): Promise<FeatureExample[]> {
    const n = await this.points(set);
    if (!Number.isInteger(point) || point < 0 || point >= n)
      throw new Error(`Set ${set} has ${n} points, point ${point} was asked for`);
    const at = await this.examplesAt(set, n);
    const begin = Number(at[point]);
    const end = Number(at[point + 1]);
    if (begin < 0 || end < begin || end - begin > MAX_EXAMPLES_BYTES)
      throw new Error(`The examples of point ${point} lie at bytes ${begin} to ${end}: the map is damaged`);
    const line = Buffer.from(await readRange(this.file(`${set}.examples.jsonl`), begin, end)).toString('utf8');
    return line.trim() === '' ? [] : (JSON.parse(line) as FeatureExample[]);
  }
}

function toBase64(array: Float32Array | Int32Array | Base64Array): Base64Array {
  if (!ArrayBuffer.isView(array)) return array;
  const base64 = Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
  return { dtype: array instanceof Float32Array ? 'F32' : 'I32', base64 };
}

/** Columns for channels that carry only JSON. */
export function columnsAsBase64(columns: WireColumns): WireColumns {
  const f = (a: WireFloats): WireFloats => toBase64(a);
  const i = (a: WireInts): WireInts => toBase64(a);
  const { x, y, feature, firingRate, firings, partner, r, labels } = columns;
  return {
    ...{ x: f(x), y: f(y), feature: i(feature), firingRate: f(firingRate), firings: i(firings) },
    ...(partner && { partner: i(partner) }),
    ...(r && { r: f(r) }),
    labels,
  };
}

/** The maps of one notebook's folder. */
export class MapData {
  private readonly bundles = new Map<string, Bundle>();

  constructor(private readonly notebookFolder: string) {}

  private async bundle(map: MapRef): Promise<Bundle> {
    // Checked at every request: a link may have been put in place since the last.
    const folder = await bundleFolder(this.notebookFolder, map.path);
    const key = `${map.id} ${folder}`;
    let bundle = this.bundles.get(key);
    if (!bundle) this.bundles.set(key, (bundle = new Bundle(folder)));
    return bundle;
  }

  private async from<T>(map: MapRef, read: (bundle: Bundle) => Promise<T>): Promise<T> {
    try {
      return await read(await this.bundle(map));
    } catch (error) {
      // What failed once may be there after the cell ran again.
      this.bundles.clear();
      throw error;
    }
  }

  meta(map: MapRef): Promise<MapMeta> {
    return this.from(map, (bundle) => bundle.meta());
  }

  columns(map: MapRef, set: number): Promise<WireColumns> {
    return this.from(map, (bundle) => bundle.columns(set));
  }

  examples(map: MapRef, set: number, point: number): Promise<FeatureExample[]> {
    return this.from(map, (bundle) => bundle.examples(set, point));
  }
}
