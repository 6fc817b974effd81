/**
 * How grids of layers are shown: a heat map of each score with its null in every cell, and one of mean r with pairs.
 */
import { nullMeanText } from '../../protocol/display.js';
import { measureOf } from '../../protocol/measure.js';
import type { GridCell, LayerGrid } from '../correlation/grid.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { orNull, overCells, sideBySide, tooltipOf, type ChartRow } from './charts.js';
import { shareText } from '../../protocol/tokens.js';
import { chartItems, count, formatNumber, tableItems, tableOf, textItem } from './items.js';

/** "0 · mlp_out" of "blocks.0.hook_mlp_out": what stands on an axis must be short. */
const short = (name: string): string => name.replace(/^blocks\.(\d+)\.(hook_)?/, '$1 · ');

/** Pixels of a cell. */
const CELL = { width: 118, height: 46 };

/** Cells in the order of the layers, layer 0 at the bottom left, each with its `value` and, below it, `beside`. */
function cellMap(title: string, values: readonly ChartRow[], { x, y }: { x: Axis; y: Axis }): object {
  const axis = { type: 'ordinal', axis: { labelAngle: 0 } };
  return {
    title,
    width: { step: CELL.width },
    height: { step: CELL.height },
    data: { values },
    encoding: {
      x: { ...axis, field: x.title, title: x.title, sort: x.names },
      y: { ...axis, field: y.title, title: y.title, sort: [...y.names].reverse() },
      tooltip: tooltipOf(...Object.keys(values[0])),
    },
    layer: [
      {
        mark: 'rect',
        encoding: {
          color: { field: 'value', type: 'quantitative', title: null, legend: null, scale: { scheme: 'viridis' } },
        },
      },
      overCells(values, { field: 'value', format: '.3f' }, { dy: -8, fontSize: 13 }),
      overCells(values, { field: 'beside' }, { dy: 9, fontSize: 10 }),
    ],
    resolve: { scale: { color: 'independent' } },
  };
}

interface Axis {
  title: string;
  names: readonly string[];
}

/** A score of a cell and its null, as a row of the chart. */
function scoreRow({ scores }: GridCell, of: string): ChartRow {
  const score = scores.find(({ metric }) => metric === of);
  if (!score) return { value: null, beside: 'too few pairs' };
  const { value, null: beside, p, n, warning } = score;
  return {
    value: orNull(value),
    beside: `null ${nullMeanText(beside.mean)}, p ${formatNumber(p, 2)}`,
    ...{ 'null mean': orNull(beside.mean), 'null std': orNull(beside.std), p, n, warning: warning ?? '' },
  };
}

/** The heat maps of a grid as one chart, and all its figures as a table in plain text. */
export function layerGridItems(grid: LayerGrid): OutputItem[] {
  const { cells, models, tokens, method, aligned } = grid;
  const what = measureOf(method);
  const axes = {
    x: { title: `B: ${models[1]}`, names: grid.b.map(short) },
    y: { title: `A: ${models[0]}`, names: grid.a.map(short) },
  };
  const place = ({ a, b }: GridCell) => ({ [axes.x.title]: axes.x.names[b], [axes.y.title]: axes.y.names[a] });
  const map = (title: string, row: (cell: GridCell) => ChartRow): object =>
    cellMap(
      title,
      cells.map((cell) => ({ ...place(cell), ...row(cell) })),
      axes,
    );
  const scored = cells.find(({ scores }) => scores.length > 0)?.scores ?? [];
  const first = scored.at(0);
  const concat = [
    ...scored.map(({ metric, null: { runs } }) =>
      map(`${metric} of decoder rows, beside ${runs} nulls`, (cell) => scoreRow(cell, metric)),
    ),
    map(`mean ${what}`, ({ meanR, pairs }) => ({ value: orNull(meanR), beside: `${count(pairs)} pairs`, pairs })),
  ];
  const rows = cells.map((cell) => ({
    ...{ A: grid.a[cell.a], B: grid.b[cell.b], pairs: cell.pairs, [`mean ${what}`]: orNull(cell.meanR) },
    ...Object.fromEntries(
      cell.scores.flatMap(({ metric, value, null: { mean }, p }) => [
        [metric, orNull(value)],
        [`${metric} null mean`, orNull(mean)],
        [`${metric} p`, p],
      ]),
    ),
  }));
  const title = `${models[0]} against ${models[1]}, layer by layer`;
  const note = [
    `${method}, over ${count(tokens)} ${aligned ? 'spans of text' : 'tokens'}`,
    ...(aligned
      ? [
          `tokenizers differ: ${shareText(aligned.tokensA)} of the tokens of ${models[0]} and ${shareText(aligned.tokensB)} of those of ${models[1]} were joined`,
        ]
      : []),
    ...(first ? [`null: ${first.null.kind}, seed ${first.seed}, p = (k + 1)/(R + 1)`] : []),
    ...warningsOf(cells),
  ].join('; ');
  const text = tableItems({ ...tableOf(rows, title), note }).filter(({ mime }) => mime === textItem('').mime);
  const chart = sideBySide(concat, CELL.width * grid.b.length + 130, 2);
  return [chartItems(chart, `${title}; ${note}`)[0], ...text];
}

/** What scores warn of, each with the number of cells. */
function warningsOf(cells: readonly GridCell[]): string[] {
  const found = new Map<string, number>();
  for (const { scores } of cells)
    for (const { metric, warning } of scores) {
      // The figures in a warning differ from cell to cell.
      const text = warning && `${metric}: ${warning.replace(/\d[\d,.]*/g, '…')}`;
      if (text) found.set(text, (found.get(text) ?? 0) + 1);
    }
  return [...found].map(([text, n]) => `${text} (${n} of ${cells.length} cells)`);
}
