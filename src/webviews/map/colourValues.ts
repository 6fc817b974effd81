/** What the colour of each point stands for, a number on a scale or a class: legends count it and choose by it. */
import { binsOf, placeOn, type Scale } from '../plot/scale.js';
import { columnOfColor, type ColorBy } from './columns.js';
import type { MapModel } from './model.js';
import type { Regions } from './regions.js';

/** Parts of a scale that its histogram counts, and that a range begins and ends with. */
export const BINS = 24;

/** What a reader chose in the legend: parts of the scale from the first to before the last, or classes. */
export type Only = { range: [from: number, to: number] } | { classes: number[] };

export interface ColourValues {
  /** Absent: the values are classes. */
  scale?: Scale;
  /** Alive points in each part of the scale; [] for classes. */
  counts: number[];
  /** NaN: the point has no value. */
  of(set: number, point: number): number;
}

/** The class of a region: those of the second map come after those of the first. */
export const regionClass = (set: number, region: number): number => 1000 * set + region;

export interface ColourSource {
  model: MapModel;
  colorBy: ColorBy;
  rates: Scale;
  regions: readonly Regions[];
  groups: readonly Int16Array[];
}

const plain = (high: number): Scale => ({ range: [0, high], clipped: [false, false], log: false });
const known = (code: number | undefined): number => (code === undefined || code < 0 ? NaN : code);

function valuesOf({ model, colorBy, rates, regions, groups }: ColourSource): Omit<ColourValues, 'counts'> | null {
  const { sets } = model;
  const column = columnOfColor(model.added, colorBy);
  if (column) {
    const { range, clipped, log, values } = column;
    return { ...(!column.classes && { scale: { range, clipped, log } }), of: (s, i) => values[s]?.[i] ?? NaN };
  }
  switch (colorBy) {
    case 'firingRate':
      return { scale: rates, of: (s, i) => sets[s].columns.firingRate[i] || NaN };
    case 'r':
      return { scale: plain(1), of: (s, i) => (sets[s].partner[i] < 0 ? NaN : sets[s].r[i]) };
    case 'delta':
      return { scale: plain(model.largestDelta), of: (s, i) => sets[s].ends?.delta[i] ?? NaN };
    case 'part':
      return { of: (s, i) => known(sets[s].family?.part[i]) };
    case 'group':
      return { of: (s, i) => known(groups[s]?.[i]) };
    case 'region':
      return { of: (s, i) => regionClass(s, known(regions[s]?.of[i])) };
    default:
      return null;
  }
}

/** null: the points have one colour. */
export function colourValues(source: ColourSource): ColourValues | null {
  const values = valuesOf(source);
  if (!values) return null;
  const counts = values.scale ? binsOf(BINS, values.scale, (add) => {
    source.model.sets.forEach(({ n, dead }, s) => {
      for (let i = 0; i < n; i++) if (!dead[i]) add(values.of(s, i));
    });
  }) : []; // prettier-ignore
  return { ...values, counts };
}

/** 1 for the points that were chosen in the legend, by set; null: nothing was, or there is nothing to choose by. */
export function chosenPoints({ sets }: MapModel, values: ColourValues | null, only: Only | null): Uint8Array[] | null {
  if (!values || !only || 'range' in only !== !!values.scale) return null;
  const { scale } = values;
  const test = (value: number): boolean => {
    if (Number.isNaN(value)) return false;
    if (!('range' in only)) return only.classes.includes(value);
    const bin = Math.min(BINS - 1, Math.floor(placeOn(scale!, value) * BINS));
    return bin >= only.range[0] && bin < only.range[1];
  };
  return sets.map(({ n }, s) => Uint8Array.from({ length: n }, (_, i) => (test(values.of(s, i)) ? 1 : 0)));
}

/** A choice read back from a saved state; null where it is none. */
export function restoreOnly(saved: unknown): Only | null {
  const { range, classes } = (saved ?? {}) as { range?: unknown; classes?: unknown };
  const whole = (v: unknown): v is number => Number.isInteger(v) && (v as number) >= 0;
  if (Array.isArray(classes) && classes.length > 0 && classes.every(whole)) return { classes };
  if (!Array.isArray(range) || range.length !== 2 || !range.every(whole)) return null;
  const [from, to] = range as [number, number];
  return from < to && to <= BINS ? { range: [from, to] } : null;
}
