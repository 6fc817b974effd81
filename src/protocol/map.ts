/**
 * Feature maps: an output carries only a MapDescriptor, the data lies in a bundle (bundle.ts). Its meta is map.json; it has
 * one set, or two whose points are linked.
 */
import {
  pointColumnCount,
  type BundleDescriptor,
  type BundleManifest,
  type ColumnSpec,
  type ColumnsOf,
  type PointColumn,
} from './bundle.js';
import type { KeywordGroup } from './keywordGroups.js';
import type { PromptMeta } from './prompt.js';
import type { ReferenceOrigin } from './referenceMap.js';

export interface MapSetMeta {
  /** "A" or "B", or the set's own short name. */
  name: string;
  /** Such as "tiny-1L · blocks.0.hook_mlp_out · topk 512". */
  title: string;
  points: number;
  dead: number;
  /** Joint maps: the SAEs whose features lie in this one embedding, in the order of the points. */
  parts?: MapPart[];
  /** Present where no activations were given: firings are -1, rates 0. */
  unmeasured?: true;
  /** Identity of the SAE whose features the points are: selections are exchanged with other views by it. */
  sae?: { id: string; name: string };
  /** Columns of the decoder rows that the bundle carries, a row for each point; absent: it carries none. */
  width?: number;
  /** Columns that were added to colour and sort the points by; absent: none. */
  columns?: PointColumn[];
  /** Counterparts beside the partner that a point may have; absent: none. */
  others?: number;
  /** How x and y were made, such as "UMAP n_neighbors 15, min_dist 0.1, cosine, seed 0". */
  layout: string;
}

export interface MapPart {
  /** Short, such as "128". */
  name: string;
  title: string;
  points: number;
}

export interface MapMeta {
  version: 1;
  title: string;
  sets: MapSetMeta[];
  /** Present on twin maps: how partners were found. */
  pairing?: { method: string; pairs: number; tokens: number; meanR: number };
  /** Keyword groups offered in the panel: name and whole words. */
  groups?: KeywordGroup[];
  /** Present on a map that was read from the reference tool's JSON. */
  reference?: ReferenceOrigin;
  /**
   * Present on maps of before and after: x and y are before, x2 and y2 after. All sets lie in one embedding; the second, if
   * any, is the null beside the first, point by point.
   */
  shift?: MapShift;
  /** Both sets were laid out in one plane, and are drawn in one frame: the same place is the same place in both. */
  plane?: 'shared';
}

export interface MapShift {
  /** What a point is: "token". */
  unit: string;
  /** Names of the two states, such as "before" and "after". */
  before: string;
  after: string;
  /** What `delta` is, such as "Δ norm". */
  delta: string;
  /** What is over what, and the figures beside their null. */
  note: string;
}

/** The output of a feature map. */
export type MapDescriptor = BundleDescriptor<MapMeta> & { prompt?: PromptMeta };

/** Bytes of decoder rows that a bundle carries, and that a page does: live scores need them, and the rest does not. */
export const MAX_DECODER_BYTES = 128 * 2 ** 20;
const MAX_DECODER_BYTES_IN_PAGES = 24 * 2 ** 20;

/** Elements of the decoder rows of these sets. */
export const decoderLength = (sets: ReadonlyArray<Pick<MapSetMeta, 'points' | 'width'>>): number =>
  sets.reduce((sum, { points, width }) => sum + points * (width ?? 0), 0);

const perPoint = ({ points }: MapSetMeta): number => points;

/** Far above what a map of features keeps. */
const MAX_OTHERS = 64;

/** How many further counterparts a point may have. @throws Error where that is no number, or too large */
function othersOf({ others = 0 }: MapSetMeta): number {
  if (!Number.isInteger(others) || others < 0 || others > MAX_OTHERS)
    throw new Error(`a map's set has ${String(others)} further counterparts a point; expected 0 to ${MAX_OTHERS}`);
  return others;
}

/** Columns and files of a feature map. */
export const MAP_BUNDLE = {
  what: 'a map',
  meta: 'map.json',
  texts: 'needed',
  /** The decoder rows of the first set, then those of the second, in the order of the points. */
  matrix: {
    name: 'decoder',
    shape: (sets) => [1, decoderLength(sets)],
    maxBytesInPages: MAX_DECODER_BYTES_IN_PAGES,
  },
  columns: {
    x: { dtype: 'F32', length: perPoint },
    y: { dtype: 'F32', length: perPoint },
    /** Layouts in three dimensions. */
    z: { dtype: 'F32', length: perPoint, optional: true },
    /** Feature id of each point; on a joint map its number among all points. */
    feature: { dtype: 'I32', length: perPoint },
    /** Share of tokens on which it fires, and how many these are (-1: not known). */
    firingRate: {
      dtype: 'F32',
      length: perPoint,
      shown: { title: 'Fires on', as: 'percent', key: 'rate', measured: true },
    },
    firings: { dtype: 'I32', length: perPoint, shown: { title: 'Firings', as: 'count', measured: true } },
    /** With a second set: POINT index in the other set, -1 = none, and the r of the two, NaN = none. */
    partner: { dtype: 'I32', length: perPoint, optional: true },
    r: { dtype: 'F32', length: perPoint, optional: true },
    /** Further counterparts, best first: other.0 of every point, then other.1, …; as `partner` and `r`. */
    other: { dtype: 'I32', length: perPoint, list: othersOf },
    otherR: { dtype: 'F32', length: perPoint, list: othersOf },
    /** Maps of before and after: where each point went, and how far, in the space that was laid out. */
    x2: { dtype: 'F32', length: perPoint, optional: true },
    y2: { dtype: 'F32', length: perPoint, optional: true },
    delta: { dtype: 'F32', length: perPoint, optional: true },
    /** Joint maps: POINT index of the nearest row of the part before, -1 = none, and the cosine of the two, NaN = none. */
    parent: { dtype: 'I32', length: perPoint, optional: true },
    cosine: { dtype: 'F32', length: perPoint, optional: true },
    /** Values of MapSetMeta.columns, in its order; NaN = no value. */
    column: { dtype: 'F32', length: perPoint, list: pointColumnCount },
  },
} as const satisfies BundleManifest<MapSetMeta, Record<string, ColumnSpec<MapSetMeta>>>;

export type MapColumns = ColumnsOf<typeof MAP_BUNDLE>;
