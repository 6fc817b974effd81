/** Columns that were added to a map: what they colour, and how their values read in legend, card and table. */
import { isShare, placeOn, scaleOfValues, type Scale } from '../plot/scale.js';
import type { Palette } from '../plot/palette.js';
import type { GridColumn } from '../plot/table.js';
import { number, percent } from '../ui/format.js';
import type { MapColumns, MapSetMeta } from '../../protocol/map.js';
import { groupStyle, type Mark } from './shapes.js';

/** What points are coloured by: something of the map's own, or a column that was added. */
export type ColorBy = 'none' | 'firingRate' | 'r' | 'group' | 'delta' | 'part' | 'region' | `column:${string}`;

/** A column of all sets on one scale. */
export interface MapColumn extends Scale {
  name: string;
  note?: string;
  /** Classes over all sets in their order of appearance; null: numbers. */
  classes: string[] | null;
  /** By set and point: numbers, or places in `classes`; NaN = no value. null: the set has no such column. */
  values: Array<Float32Array | null>;
}

/** How a colour by a column is called in states: its name behind this. */
const PREFIX = 'column:';
export const columnColor = (name: string): ColorBy => `${PREFIX}${name}`;
export const isColumnColor = (by: unknown): by is `column:${string}` => typeof by === 'string' && by.startsWith(PREFIX);

/** Every column of the map, each name once. */
export function mapColumns(sets: ReadonlyArray<{ meta: MapSetMeta; columns: MapColumns }>): MapColumn[] {
  const names = [...new Set(sets.flatMap(({ meta }) => (meta.columns ?? []).map(({ name }) => name)))];
  return names.map((name) => {
    const found = sets.map(({ meta, columns }) => {
      const at = meta.columns?.findIndex((column) => column.name === name) ?? -1;
      return at < 0 ? null : { ...meta.columns![at], values: columns.column[at] };
    });
    const note = found.find((each) => each?.note)?.note;
    // Sets may number the same classes in another order; numbers beside classes have no class.
    const classes = found.some((each) => each?.classes)
      ? [...new Set(found.flatMap((each) => each?.classes ?? []))]
      : null;
    const values = found.map((each) => {
      if (!each || !classes) return each && each.values;
      return each.values.map((code) =>
        each.classes?.[code] === undefined ? NaN : classes.indexOf(each.classes[code]),
      );
    });
    const scale = scaleOfValues(classes ? [] : values.map((own) => own ?? new Float32Array(0)));
    return { name, ...(note && { note }), classes, values, ...scale };
  });
}

/** The column that the points are coloured by; undefined: none of them. */
export const columnOfColor = (added: readonly MapColumn[], by: ColorBy): MapColumn | undefined =>
  isColumnColor(by) ? added.find(({ name }) => columnColor(name) === by) : undefined;

/** A value in words; "–" without one. */
export function columnText({ name, classes }: MapColumn, value: number): string {
  if (Number.isNaN(value)) return '–';
  if (classes) return classes[value];
  return isShare(name) ? percent(value) : number(value, 3);
}

/** The mark of a point under a column; undefined: it has no value. */
export function columnMark(column: MapColumn, palette: Palette, s: number, point: number): Mark | undefined {
  const value = column.values[s]?.[point] ?? NaN;
  if (Number.isNaN(value)) return undefined;
  if (column.classes) return groupStyle(value);
  return { color: palette.links[Math.round(255 * placeOn(column, value))], shape: 0 };
}

/** "stability 1 · best 0.93"; null where the map has no columns of this set. */
export function columnsLine(added: readonly MapColumn[], s: number, point: number): string | null {
  const own = added.filter((column) => column.values[s]);
  if (own.length === 0) return null;
  return own.map((column) => `${column.name} ${columnText(column, column.values[s]![point])}`).join(' · ');
}

/** The columns of set `s` in a table of its points; `title`: how they are headed, `point`: the point of a row. */
export function addedColumns(
  added: readonly MapColumn[],
  s: number,
  title: (name: string) => string,
  point: (row: number) => number,
): GridColumn[] {
  return added.flatMap((column): GridColumn[] => {
    const values = column.values[s];
    if (!values) return [];
    const value = (row: number) => values[point(row)];
    const text = (row: number) => columnText(column, value(row));
    const heading = title(column.name);
    const longest = (column.classes ?? []).reduce((most, text) => Math.max(most, text.length), heading.length);
    const width = `${Math.min(11, Math.max(4.5, 0.62 * longest + 1.2)).toFixed(1)}em`;
    const numeric = !column.classes;
    return [{ key: `${s}:${column.name}`, title: heading, width, numeric, text, value: numeric ? value : text }];
  });
}
