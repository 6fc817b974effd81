/** Columns of a bundle that tables and cards show as the manifest says, without a view that knows them. */
import type { ColumnSpec, ShownColumn } from '../../protocol/bundle.js';
import { aligned, alignedPercent, correlation, count, number, percent } from '../ui/format.js';
import type { GridColumn } from './table.js';

const FORMATS: Readonly<Record<ShownColumn['as'], (value: number) => string>> = {
  count,
  percent,
  number,
  correlation,
};

/** In a column closing zeros stay. */
const IN_COLUMNS: typeof FORMATS = { ...FORMATS, percent: alignedPercent, number: (v) => aligned(v, 4) };

interface Shown extends ShownColumn {
  name: string;
  values: ArrayLike<number>;
}

/** @param values what a bundle has, by column */
function shownOf(
  specs: Readonly<Record<string, ColumnSpec<never>>>,
  values: Readonly<Record<string, unknown>>,
  measured: boolean,
): Shown[] {
  return Object.entries(specs).flatMap(([name, { shown, list }]) =>
    shown && !list && values[name] !== undefined && (measured || !shown.measured)
      ? [{ ...shown, name, values: values[name] as ArrayLike<number> }]
      : [],
  );
}

/** For the table of points. */
export const shownColumns = (...of: Parameters<typeof shownOf>): GridColumn[] =>
  shownOf(...of).map(({ name, key = name, title, as, values }) => ({
    ...{ key, title, width: `${title.length / 2 + 1.5}em`, numeric: true },
    text: (i) => IN_COLUMNS[as](values[i]),
    value: (i) => values[i],
  }));

/** For the card of a point: "mean activation 0.31". */
export const shownTexts = (point: number, ...of: Parameters<typeof shownOf>): string[] =>
  shownOf(...of)
    .filter(({ card }) => card)
    .map(({ title, as, values }) => `${title.toLowerCase()} ${FORMATS[as](values[point])}`);
