/**
 * Reads bundles: the one place where their bytes become what views draw, whether they come from the extension host or from
 * the page itself. Everything is checked against the kind's manifest, since a bundle may be damaged or made by anybody.
 */
import {
  COLUMNS_FILE,
  decodeColumns,
  labelsFile,
  linesFile,
  matrixFile,
  MAX_META_BYTES,
  parseJson,
  parseMeta,
  requireShape,
  type BundleManifest,
  type BundleMeta,
  type ColumnSpec,
  type ColumnsOf,
  type FeatureExample,
  type LinkedLabel,
} from '../../protocol/bundle.js';
import type { PackedTexts } from '../../protocol/packing/packedTexts.js';
import { labelWords, type PointLabel, type TokenShare } from '../../protocol/tokens.js';
import { decodeSafetensors, type NdArray } from '../../protocol/safetensors.js';

/** Where the files of a bundle are. */
export interface BundleFiles {
  /** Bytes begin to end, as far as the file goes; null where the bundle has no such file. Default: all. */
  read(file: string, begin?: number, end?: number): Promise<Uint8Array | null>;
  /** In place of the files of labels and examples, where they are packed. */
  texts?(): Promise<PackedTexts>;
}

/** Of a descriptor without its bundle. */
export const noFiles: BundleFiles = { read: () => Promise.resolve(null) };

/** What a view reads. */
export interface BundleSource<M extends BundleMeta, C> {
  meta(): Promise<M>;
  /** Columns of a set, with its labels. */
  columns(set: number): Promise<C>;
  /** Dataset examples of a point; [] where the bundle has none. */
  examples(set: number, point: number): Promise<FeatureExample[]>;
  /** The manifest's matrix, row-major; null where the bundle has none. */
  matrix(): Promise<Float32Array | null>;
}

const isWords = (v: unknown): boolean => Array.isArray(v) && v.every((token) => typeof token === 'string');
const isShares = (v: unknown): boolean =>
  Array.isArray(v) &&
  v.every((each: Partial<TokenShare> | null) => typeof each?.token === 'string' && typeof each.share === 'number');

/** Whether JSON of a bundle is a label. */
function isLabel(v: unknown): boolean {
  if (Array.isArray(v) || typeof v !== 'object' || v === null) return isWords(v);
  const { tokens, peaks, together = [] } = v as Partial<LinkedLabel>;
  return isShares(tokens) && isWords(peaks) && isShares(together);
}

/** The label of a point: with shares, or words alone. */
export const labelAt = (
  columns: Pick<ColumnsOf<{ columns: Record<string, never> }>, 'labels' | 'shares'>,
  point: number,
): PointLabel => columns.shares[point] ?? columns.labels[point];

type Sets<M extends BundleMeta> = M['sets'][number];

/** Tensors of one file: far above what is drawn. */
const MAX_TENSOR_BYTES = 2 ** 30;
/** Bytes of one point's line: far above what is written, far below what would hurt. */
const MAX_LINE_BYTES = 16 * 2 ** 20;

/** Values by key, made once; a failure is not kept, as the next look may find what is missing now. */
class Once<T> {
  private readonly known = new Map<string, Promise<T>>();

  get(key: string, make: () => Promise<T>): Promise<T> {
    let value = this.known.get(key);
    if (!value) {
      this.known.set(key, (value = make()));
      value.catch(() => this.known.delete(key));
    }
    return value;
  }
}

export class BundleReader<M extends BundleMeta, C extends Record<string, ColumnSpec<Sets<M>>>> implements BundleSource<
  M,
  ColumnsOf<{ columns: C }>
> {
  private readonly metas = new Once<M>();
  private readonly files = new Once<Map<string, NdArray> | null>();

  /** `place`: where the bundle lies, for messages. */
  constructor(
    private readonly manifest: BundleManifest<Sets<M>, C>,
    private readonly bytes: BundleFiles,
    private readonly place: string,
  ) {}

  meta(): Promise<M> {
    const { meta } = this.manifest;
    return this.metas.get(meta, async () => {
      const text = await this.text(meta);
      if (text === null) throw this.missing(meta);
      return parseMeta<M>(text, this.manifest as BundleManifest, this.where(meta));
    });
  }

  async columns(s: number): Promise<ColumnsOf<{ columns: C }>> {
    const set = await this.set(s);
    const tensors = await this.tensors(COLUMNS_FILE);
    if (!tensors) throw this.missing(COLUMNS_FILE);
    const arrays = decodeColumns(this.manifest, set, s, tensors, this.where(COLUMNS_FILE));
    const kept = await this.labels(s, set.points);
    return {
      ...arrays,
      labels: kept.map((label) => [...labelWords(label)]),
      shares: kept.map((label) => ('tokens' in label ? label : null)),
    };
  }

  async examples(s: number, point: number): Promise<FeatureExample[]> {
    const texts = await this.bytes.texts?.();
    if (!texts) return ((await this.line('examples', s, point)) ?? []) as FeatureExample[];
    await this.requirePoint(s, point);
    return texts.examples(s, point);
  }

  /** JSON of a point's line in a file of lines; null where the line is empty, or the bundle has none and needs none. */
  async line(name: string, s: number, point: number): Promise<unknown> {
    const points = await this.requirePoint(s, point);
    const column = `${s}.${name}At`;
    const at = (await this.tensors(COLUMNS_FILE))?.get(column);
    if (!at && this.manifest.texts === 'optional') return null;
    if (!at) throw new Error(`${this.where(COLUMNS_FILE)} has no column ${column}`);
    requireShape(at, 'I64', [points + 1], `${this.where(COLUMNS_FILE)}: ${column}`);
    const [begin, end] = [Number(at.data[point]), Number(at.data[point + 1])];
    if (begin < 0 || end < begin || end - begin > MAX_LINE_BYTES)
      throw new Error(`The ${name} of point ${point} lie at bytes ${begin} to ${end}: the bundle is damaged`);
    const file = linesFile(s, name);
    const line = await this.bytes.read(file, begin, end);
    if (!line) throw this.missing(file);
    if (line.length < end - begin)
      throw new Error(`${this.where(file)} ends at byte ${begin + line.length}, expected ${end}: it is truncated`);
    const text = new TextDecoder().decode(line);
    return text.trim() === '' ? null : parseJson(text, this.where(file));
  }

  async matrix(): Promise<Float32Array | null> {
    const { matrix } = this.manifest;
    if (!matrix) return null;
    const file = matrixFile(matrix.name);
    const tensor = (await this.tensors(file))?.get(matrix.name);
    if (!tensor) return null;
    const { sets } = await this.meta();
    requireShape(tensor, 'F32', matrix.shape(sets), `${this.where(file)}: ${matrix.name}`);
    return tensor.data as Float32Array;
  }

  /** How many points the set has. @throws Error unless this is one of them */
  private async requirePoint(s: number, point: number): Promise<number> {
    const { points } = await this.set(s);
    if (!Number.isInteger(point) || point < 0 || point >= points)
      throw new Error(`Set ${s} has ${points} points, point ${point} was asked for`);
    return points;
  }

  private where(file: string): string {
    return `${this.place}/${file}`;
  }

  private missing(file: string): Error {
    return new Error(`${this.where(file)} is not there: run the cell again, and export the page again.`);
  }

  private async set(s: number): Promise<Sets<M>> {
    const { sets } = await this.meta();
    if (!Number.isInteger(s) || s < 0 || s >= sets.length)
      throw new Error(`${this.place} has ${sets.length} set(s), set ${s} was asked for`);
    return sets[s];
  }

  private async whole(file: string, limit: number): Promise<Uint8Array | null> {
    const bytes = await this.bytes.read(file, 0, limit + 1);
    if (bytes && bytes.length > limit) throw new Error(`${this.where(file)} is over the limit of ${limit} bytes`);
    return bytes;
  }

  private async text(file: string): Promise<string | null> {
    const bytes = await this.whole(file, MAX_META_BYTES);
    return bytes && new TextDecoder().decode(bytes);
  }

  private tensors(file: string): Promise<Map<string, NdArray> | null> {
    return this.files.get(file, async () => {
      const bytes = await this.whole(file, MAX_TENSOR_BYTES);
      return bytes && decodeSafetensors(bytes, this.where(file)).tensors;
    });
  }

  private async labels(s: number, points: number): Promise<Array<LinkedLabel | readonly string[]>> {
    const file = labelsFile(s);
    const packed = await this.bytes.texts?.();
    const text = packed ? null : await this.text(file);
    if (!packed && text === null && this.manifest.texts === 'optional') return Array.from({ length: points }, () => []);
    if (!packed && text === null) throw this.missing(file);
    const labels = packed ? packed.labels(s) : (parseJson(text!, this.where(file)) as unknown[] | null);
    if (!Array.isArray(labels) || labels.length !== points)
      throw new Error(`${this.where(file)} has ${labels?.length ?? 'no'} labels for ${points} points`);
    const odd = labels.findIndex((label) => !isLabel(label));
    if (odd >= 0) throw new Error(`${this.where(file)}: the label of point ${odd} is damaged`);
    return labels as Array<LinkedLabel | readonly string[]>;
  }
}
