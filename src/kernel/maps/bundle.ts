/** Writes the bundle of a feature map (src/protocol/map.ts): what panels, outputs and reports read. */
import fs from 'node:fs/promises';
import path from 'node:path';
import {
  COLUMNS_FILE,
  encodeColumns,
  labelsFile,
  linesFile,
  matrixFile,
  type ArraysOf,
  type FeatureExample,
  type LinkedLabel,
} from '../../protocol/bundle.js';
import { decoderLength, MAP_BUNDLE, type MapMeta, type MapPart, type MapSetMeta } from '../../protocol/map.js';
import type { Matrix } from '../compute/matrix.js';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import type { BundleColumn } from './pointColumns.js';
import type { Layout } from './types.js';

export interface BundleSet {
  name: string;
  title: string;
  /** Identity of the SAE whose features the points are. */
  sae?: { id: string; name: string };
  layout: Layout;
  /** Decoder rows of the points, for live scores; absent: the bundle carries none. */
  decoder?: Matrix;
  /** Per point, what the activation store says; [points]. -1 throughout without activations. */
  firings: Uint32Array | Int32Array;
  /** Tokens the firings were counted over. */
  tokens: number;
  /** Per point: its label, or a text; and the examples, [] for a dead feature. */
  labels: ReadonlyArray<LinkedLabel | readonly string[]>;
  examples: readonly FeatureExample[][];
  /** Id of each point; default its index. */
  ids?: Int32Array;
  /** Joint maps: the SAEs in the order of the points. */
  parts?: MapPart[];
  /** Columns that a bundle may have, as MAP_BUNDLE declares them; [points] each. */
  columns?: GivenColumns;
  /** Counterparts beside the partner: a column for each rank, as `partner` and `r`. */
  others?: { other: Int32Array[]; otherR: Float32Array[] };
  /** Columns that the call of fg.show added, one value per point. */
  added?: readonly BundleColumn[];
}

/** Columns that columnsOf() makes itself, from the layout, the firings, further counterparts and the added columns. */
type Made = 'x' | 'y' | 'z' | 'feature' | 'firings' | 'firingRate' | 'column' | 'other' | 'otherR';
export type GivenColumns = Omit<ArraysOf<typeof MAP_BUNDLE.columns>, Made>;

export interface BundleOptions {
  title: string;
  pairing?: MapMeta['pairing'];
  groups?: MapMeta['groups'];
  shift?: MapMeta['shift'];
  reference?: MapMeta['reference'];
}

function requireSizes(set: BundleSet, other: BundleSet | undefined): void {
  const n = set.layout.points;
  const sizes: Array<[string, number | undefined]> = [
    [
      set.layout.axes === 3 ? 'coordinate triples' : 'coordinate pairs',
      set.layout.coordinates.length / (set.layout.axes ?? 2),
    ],
    ['firings', set.firings.length],
    ['labels', set.labels.length],
    ['examples', set.examples.length],
    ['ids', set.ids?.length],
    ['decoder rows', set.decoder?.rows],
    ...(set.added ?? []).map(({ name, values }): [string, number] => [`values of column "${name}"`, values.length]),
    ['points of its parts', set.parts?.reduce((sum, part) => sum + part.points, 0)],
    ...Object.entries(set.columns ?? {}).map(([name, values]): [string, number] => [name, values.length]),
  ];
  for (const [what, size] of sizes)
    if (size !== undefined && size !== n)
      throw new RangeError(`map set ${set.name} has ${n} points but ${size} ${what}`);
  for (const partner of [set.columns?.partner ?? [], ...(set.others?.other ?? [])]) {
    const outside = partner.findIndex((p) => p < -1 || p >= (other?.layout.points ?? 0));
    if (outside >= 0)
      throw new RangeError(
        `map set ${set.name}: point ${outside} has partner ${partner[outside]}; expected -1 (none) ${other ? `or a point of ${other.name}, 0 to ${other.layout.points - 1}` : 'in a map of one set'}`,
      );
  }
}

function setMeta(set: BundleSet): MapSetMeta {
  return {
    name: set.name,
    title: set.title,
    ...(set.sae && { sae: { id: set.sae.id, name: set.sae.name } }),
    ...(set.parts && { parts: set.parts }),
    ...(set.firings.some((f) => f < 0) && { unmeasured: true as const }),
    points: set.layout.points,
    dead: Int32Array.from(set.firings).reduce((n, f) => n + (f === 0 ? 1 : 0), 0),
    layout: set.layout.description,
    ...(set.decoder && { width: set.decoder.cols }),
    ...(set.others?.other.length && { others: set.others.other.length }),
    ...(set.added?.length && { columns: set.added.map(({ values: _, ...column }) => column) }),
  };
}

/** x (0), y (1) or z (2) of n × axes coordinates. */
export const axisOf = (coordinates: Float32Array, axis: 0 | 1 | 2, axes: number = 2): Float32Array =>
  coordinates.filter((_, i) => i % axes === axis);

/** The columns of a set, ready to write. */
function columnsOf(set: BundleSet, meta: MapSetMeta, s: number): Record<string, NdArray> {
  const { layout, firings, tokens } = set;
  return encodeColumns(MAP_BUNDLE, meta, s, {
    x: axisOf(layout.coordinates, 0, layout.axes),
    y: axisOf(layout.coordinates, 1, layout.axes),
    ...(layout.axes === 3 && { z: axisOf(layout.coordinates, 2, 3) }),
    feature: set.ids ?? Int32Array.from({ length: layout.points }, (_, i) => i),
    firings: Int32Array.from(firings),
    firingRate: Float32Array.from(firings, (f) => (tokens > 0 && f > 0 ? f / tokens : 0)),
    ...set.columns,
    other: set.others?.other ?? [],
    otherR: set.others?.otherR ?? [],
    column: (set.added ?? []).map(({ values }) => Float32Array.from(values)),
  });
}

/** Writes the labels and examples of a set; gives the column that says where the examples lie. */
export async function writeTexts(
  folder: string,
  s: number,
  labels: BundleSet['labels'],
  examples: readonly FeatureExample[][] | undefined,
): Promise<Record<string, NdArray>> {
  await fs.writeFile(path.join(folder, labelsFile(s)), JSON.stringify(labels));
  if (!examples) return {};
  return writeLines(folder, s, 'examples', examples);
}

/** Writes values as one line of JSON per point; gives the column that says where the lines lie. */
export async function writeLines(
  folder: string,
  s: number,
  name: string,
  values: readonly unknown[],
): Promise<Record<string, NdArray>> {
  const offsets = new BigInt64Array(values.length + 1);
  const handle = await fs.open(path.join(folder, linesFile(s, name)), 'w');
  try {
    let at = 0;
    let pending: Buffer[] = [];
    let size = 0;
    for (const [i, value] of values.entries()) {
      const line = Buffer.from(`${JSON.stringify(value)}\n`);
      at += line.length;
      size += line.length;
      offsets[i + 1] = BigInt(at);
      pending.push(line);
      if (size > 2 ** 20 || i + 1 === values.length) {
        await handle.write(Buffer.concat(pending));
        pending = [];
        size = 0;
      }
    }
  } finally {
    await handle.close();
  }
  return { [`${s}.${name}At`]: ndarray('I64', [offsets.length], offsets) };
}

async function writeDecoders(folder: string, sets: readonly BundleSet[], meta: MapMeta): Promise<void> {
  const { name } = MAP_BUNDLE.matrix;
  const all = new Float32Array(decoderLength(meta.sets));
  let at = 0;
  for (const { decoder } of sets) {
    if (!decoder) continue;
    all.set(decoder.data, at);
    at += decoder.data.length;
  }
  await writeSafetensors(path.join(folder, matrixFile(name)), { [name]: ndarray('F32', [1, all.length], all) });
}

/** Two layouts of one call of fg.maps.alignedUmap. */
const sharePlane = (sets: readonly BundleSet[]): boolean =>
  sets.length === 2 && sets.every(({ layout }) => layout.plane !== undefined && layout.plane === sets[0].layout.plane);

/**
 * Writes map.json, columns.safetensors, labels and examples of one or two sets into an existing folder.
 * @throws RangeError when sizes of a set disagree or a partner is outside the other set.
 */
export async function writeMapBundle(
  folder: string,
  sets: readonly BundleSet[],
  options: BundleOptions,
): Promise<MapMeta> {
  if (sets.length < 1 || sets.length > 2)
    throw new RangeError(`a map has one or two sets but ${sets.length} were given`);
  sets.forEach((set, s) => requireSizes(set, sets[1 - s]));
  const meta: MapMeta = {
    version: 1,
    title: options.title,
    sets: sets.map(setMeta),
    ...(options.pairing ? { pairing: options.pairing } : {}),
    ...(options.groups ? { groups: options.groups } : {}),
    ...(options.shift ? { shift: options.shift } : {}),
    ...(sharePlane(sets) ? { plane: 'shared' as const } : {}),
    ...(options.reference ? { reference: options.reference } : {}),
  };
  const columns: Record<string, NdArray> = {};
  for (const [s, set] of sets.entries()) {
    Object.assign(columns, columnsOf(set, meta.sets[s], s), await writeTexts(folder, s, set.labels, set.examples));
  }
  await writeSafetensors(path.join(folder, COLUMNS_FILE), columns, { format: 'fgnb-map', version: '1' });
  if (decoderLength(meta.sets) > 0) await writeDecoders(folder, sets, meta);
  await fs.writeFile(path.join(folder, MAP_BUNDLE.meta), `${JSON.stringify(meta, null, 1)}\n`);
  return meta;
}
