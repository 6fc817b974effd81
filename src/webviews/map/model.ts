/** The data of a map view: coordinates normalised, links made both ways, labels ready to search. */
import { normalised } from '../plot/place.js';
import { searchKey } from '../plot/search.js';
import { labelAt, type BundleSource } from '../ui/bundle.js';
import type { PointLabel } from '../../protocol/tokens.js';
import type { MapColumns, MapMeta, MapPart, MapSetMeta } from '../../protocol/map.js';
import { mapColumns, type MapColumn } from './columns.js';
import { largestDelta, placeEnds, type Ends } from './ends.js';
import { spaceOf, type Space } from './space.js';

export type MapSource = BundleSource<MapMeta, MapColumns>;

export interface MapSet {
  meta: MapSetMeta;
  /** "A" or "B" or the set's own name. */
  name: string;
  columns: MapColumns;
  n: number;
  /** Coordinates scaled alike on both axes so that the alive points lie in [-1, 1]; NaN where the layout has none. */
  x: Float32Array;
  y: Float32Array;
  /** Half the width and height of the alive points. */
  reach: readonly [x: number, y: number];
  /** 1 where the feature never fired. */
  dead: Uint8Array;
  deadCount: number;
  /** Point index in the other set, -1 = none. All -1 on a single map. */
  partner: Int32Array;
  r: Float32Array;
  /** "\n" + tokens trimmed, lower case, each followed by "\n". */
  keys: string[];
  /** Joint maps: part of each point, and the children of each, nearest first. */
  family?: { part: Uint8Array; children: Map<number, number[]> };
  /** Feature id → point. */
  pointOf: Map<number, number>;
  /** A fixed random order: any prefix is a fair sample of the map. */
  shuffled: Uint32Array;
  /** Layouts in three dimensions: x and y are two of their axes as they are turned. */
  space?: Space;
  /** Maps of before and after: x and y lie between these ends. */
  ends?: Ends;
}

export interface MapModel {
  meta: MapMeta;
  sets: MapSet[];
  twin: boolean;
  /** Columns that were added to colour and sort by. */
  added: MapColumn[];
  /** Largest Δ of a map of before and after, 0 on others. */
  largestDelta: number;
}

/** Reads and checks all columns. @throws Error when there are not one or two sets, or links lead nowhere */
export async function loadModel(source: Pick<MapSource, 'meta' | 'columns'>): Promise<MapModel> {
  const meta = await source.meta();
  if (meta.sets.length < 1 || meta.sets.length > 2)
    throw new Error(`map "${meta.title}" has ${meta.sets.length} sets; a view draws one or two`);
  const columns = await Promise.all(meta.sets.map((_, i) => source.columns(i)));
  const sets = columns.map((c, i) => makeSet(meta.sets[i], c));
  const twin = sets.length === 2;
  if (twin) linkBothWays(sets[0], sets[1]);
  if (meta.plane === 'shared') placeTogether(sets);
  if (meta.shift) placeEnds(sets).forEach((ends, s) => Object.assign(sets[s], { ends, reach: [1, 1] }));
  return { meta, sets, twin, added: mapColumns(sets), largestDelta: largestDelta(sets) };
}

/** Both sets in one frame, by the alive points of both. */
function placeTogether(sets: MapSet[]): void {
  const both = (of: (set: MapSet) => Float32Array): Float32Array => Float32Array.from(sets.flatMap((s) => [...of(s)]));
  const dead = Uint8Array.from(sets.flatMap((set) => [...set.dead]));
  const { x, y, reach } = normalised(both(({ columns }) => columns.x), both(({ columns }) => columns.y), dead); // prettier-ignore
  let from = 0;
  for (const set of sets) {
    const to = from + set.n;
    Object.assign(set, { x: x.slice(from, to), y: y.slice(from, to), reach });
    from = to;
  }
}

function makeSet(meta: MapSetMeta, columns: MapColumns): MapSet {
  const n = columns.x.length;
  const dead = new Uint8Array(n);
  let deadCount = 0;
  for (let i = 0; i < n; i++)
    if (columns.firings[i] === 0) {
      dead[i] = 1;
      deadCount++;
    }
  const space = spaceOf(columns, dead);
  const pointOf = new Map<number, number>();
  for (let i = 0; i < n; i++) pointOf.set(columns.feature[i], i);
  return {
    meta,
    name: meta.name,
    columns,
    n,
    ...(space
      ? { space, x: space.x.slice(), y: space.y.slice(), reach: [1, 1] as const }
      : normalised(columns.x, columns.y, dead)),
    dead,
    deadCount,
    partner: columns.partner ? Int32Array.from(columns.partner) : new Int32Array(n).fill(-1),
    r: columns.r ? Float32Array.from(columns.r) : new Float32Array(n).fill(NaN),
    keys: columns.labels.map(searchKey),
    ...(meta.parts && { family: familyOf(meta.parts, columns) }),
    pointOf,
    shuffled: fixedShuffle(n),
  };
}

function familyOf(parts: readonly MapPart[], { parent, cosine, x }: MapColumns): MapSet['family'] {
  const part = new Uint8Array(x.length);
  let from = 0;
  parts.forEach(({ points }, p) => part.fill(p, from, (from += points)));
  const children = new Map<number, number[]>();
  parent?.forEach((i, child) => {
    if (i >= x.length) throw new Error(`map column parent names point ${i} (at ${child}) of ${x.length}`);
    if (i >= 0) children.set(i, [...(children.get(i) ?? []), child]);
  });
  for (const list of children.values()) list.sort((a, b) => cosine![b] - cosine![a] || a - b);
  return { part, children };
}

/** What a feature of an SAE is called on this map; undefined where it is not on it. */
export function labelOf({ sets }: MapModel, sae: string, feature: number): PointLabel | undefined {
  const set = sets.find(({ meta }) => meta.sae?.id === sae);
  const point = set?.pointOf.get(feature);
  return set && point !== undefined ? labelAt(set.columns, point) : undefined;
}

/** Number of a point among the features of its SAE. */
export function ownId({ meta, family, columns }: MapSet, point: number): number {
  if (!family) return columns.feature[point];
  const before = meta.parts!.slice(0, family.part[point]).reduce((sum, { points }) => sum + points, 0);
  return point - before;
}

/** How a point is called: "#12"; on a joint map with the name of its SAE, "128 #12". */
export const idText = (set: MapSet, point: number): string =>
  `${set.family ? `${set.meta.parts![set.family.part[point]].name} ` : ''}#${ownId(set, point)}`;

function fixedShuffle(n: number): Uint32Array {
  const order = new Uint32Array(n);
  let state = 0x9e3779b9;
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}

/** Checks partners and, where only one side has them, links back: the partner of a point is the strongest link to it. */
function linkBothWays(a: MapSet, b: MapSet): void {
  for (const [from, to, index] of [
    [a, b, 0],
    [b, a, 1],
  ] as const)
    for (const [name, of] of [
      ['partner', from.partner] as const,
      ...from.columns.other.map((each, k) => [`other.${k}`, each] as const),
    ])
      for (let i = 0; i < from.n; i++)
        if (of[i] >= to.n || of[i] < -1)
          throw new Error(
            `map column ${index}.${name} names point ${of[i]} (at ${i}) but the other set has ${to.n} points`,
          );
  if (a.columns.partner && !b.columns.partner) linkBack(a, b);
  else if (b.columns.partner && !a.columns.partner) linkBack(b, a);
}

function linkBack(from: MapSet, to: MapSet): void {
  for (let i = 0; i < from.n; i++) {
    const j = from.partner[i];
    if (j >= 0 && (to.partner[j] < 0 || from.r[i] > to.r[j])) {
      to.partner[j] = i;
      to.r[j] = from.r[i];
    }
  }
}

/** Every linked pair once, as point indices: A's links, then B's that A's do not already hold. */
export function linkedPairs(model: MapModel): { a: Int32Array; b: Int32Array; r: Float32Array } {
  if (!model.twin) return { a: new Int32Array(0), b: new Int32Array(0), r: new Float32Array(0) };
  const [sa, sb] = model.sets;
  const a: number[] = [];
  const b: number[] = [];
  const r: number[] = [];
  for (let i = 0; i < sa.n; i++)
    if (sa.partner[i] >= 0) {
      a.push(i);
      b.push(sa.partner[i]);
      r.push(sa.r[i]);
    }
  for (let j = 0; j < sb.n; j++) {
    const i = sb.partner[j];
    if (i >= 0 && sa.partner[i] !== j) {
      a.push(i);
      b.push(j);
      r.push(sb.r[j]);
    }
  }
  return { a: Int32Array.from(a), b: Int32Array.from(b), r: Float32Array.from(r) };
}
