/**
 * Charts that results are shown by: a few forms, each a Vega-Lite spec over inline data. `chartItems` makes outputs of
 * them.
 */

import { maxOf, minOf } from '../../protocol/lists.js';

/** A field of the data on an axis or a colour. */
export interface Field {
  field: string;
  title?: string | null;
  /** Least and greatest value shown; default those of the data. */
  domain?: readonly [number, number];
}

export type ChartRow = Readonly<Record<string, string | number | boolean | null>>;

/** A number that JSON can hold; null for NaN and infinity, which charts leave out. */
export const orNull = (v: number): number | null => (Number.isFinite(v) ? v : null);

/** What a pointer shows of a row. */
export const tooltipOf = (...fields: readonly string[]): object[] => fields.map((field) => ({ field }));

/** A quantitative axis. */
export const axisOf = ({ field, title, domain }: Field): object => ({
  field,
  type: 'quantitative',
  ...(title === undefined ? {} : { title }),
  ...(domain === undefined ? {} : { scale: { domain } }),
});

/**
 * Charts beside each other, as many in a row as the pane has room for, and at most `columns`, as in a file.
 * @param wide pixels that one takes, its axes included.
 */
export const sideBySide = (concat: readonly object[], wide: number, columns = concat.length): object => ({
  concat,
  columns,
  usermeta: { columnWidth: wide },
});

/** Width of a cell of a heat map, and what of it a letter of a label takes, in pixels. */
const [CELL, LETTER] = [44, 6];

/** Pixels that a heat map of so many columns takes, with the labels of its rows. */
export const heatmapWidth = (columns: number, labels: readonly string[]): number =>
  CELL * columns + LETTER * labels.reduce((most, { length }) => Math.max(most, length), 0) + 60;

/** Text over cells that are coloured by `value`: white on the dark half of viridis, black on the light one. */
export function overCells(values: readonly ChartRow[], text: object, mark: object = {}): object {
  const known = values.flatMap(({ value }) => (typeof value === 'number' ? [value] : []));
  const middle = (minOf(known) + maxOf(known)) / 2;
  const condition = [
    // A cell without a value has no colour.
    { test: '!isValid(datum.value)', value: 'gray' },
    { test: `datum.value > ${middle}`, value: 'black' },
  ];
  return { mark: { type: 'text', ...mark }, encoding: { text, color: { condition, value: 'white' } } };
}

/** Values over two ordinal axes, written into their cells; whole numbers as such. */
export function heatmap(
  title: string,
  values: ReadonlyArray<ChartRow & { value: number | null }>,
  x: string,
  y: string,
): object {
  const format = values.every(({ value }) => Number.isInteger(value)) ? 'd' : '.2f';
  const text = { field: 'value', format };
  const wide = values.some((row) => LETTER * String(row[x]).length > CELL);
  return {
    title,
    width: { step: CELL },
    height: { step: 28 },
    data: { values },
    encoding: {
      x: { field: x, type: 'ordinal', title: x, axis: { labelAngle: wide ? -40 : 0 } },
      y: { field: y, type: 'ordinal', title: y, sort: 'descending' },
      tooltip: tooltipOf(y, x, 'value'),
    },
    layer: [
      {
        mark: 'rect',
        encoding: {
          color: { field: 'value', type: 'quantitative', title: null, legend: null, scale: { scheme: 'viridis' } },
        },
      },
      overCells(values, text),
    ],
    resolve: { scale: { color: 'independent' } },
  };
}

/** Horizontal bars from one field to another, one above the other in the order of `place`. */
export function bars(
  values: readonly object[],
  of: { from: Field; to: string; place: string; color: object; tooltip: object[] },
): object {
  return {
    width: 460,
    height: { step: 4 },
    data: { values },
    mark: { type: 'bar', height: 3 },
    encoding: {
      y: { field: of.place, type: 'ordinal', axis: null },
      x: axisOf(of.from),
      x2: { field: of.to },
      color: of.color,
      tooltip: of.tooltip,
    },
  };
}

/** Points over the diagonal from 0 to `top`, with more lines of the same fields. */
export function scatterWithDiagonal(
  values: readonly object[],
  of: { x: Field; y: Field; top: number; color: object; tooltip: object[]; lines?: readonly object[] },
): object {
  const { x, y, top, color, tooltip, lines = [] } = of;
  const axes = { x: axisOf({ ...x, domain: [0, top] }), y: axisOf({ ...y, domain: [0, top] }) };
  const diagonal = [0, top].map((v) => ({ [x.field]: v, [y.field]: v }));
  return {
    width: 300,
    height: 300,
    layer: [
      { data: { values: diagonal }, mark: { type: 'line', color: 'gray', strokeWidth: 1 }, encoding: axes },
      {
        data: { values: lines },
        mark: { type: 'line', strokeDash: [4, 3], strokeWidth: 1 },
        encoding: { ...axes, color },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, opacity: 0.8 },
        encoding: { ...axes, color, shape: color, tooltip },
      },
    ],
  };
}
