/** How grids of layers are shown: heat maps of the score, of its null and p, and of mean r. */
import type { GridCell, LayerGrid } from '../correlation/grid.js';
import type { OutputItem } from '../../protocol/notebook.js';
import { heatmap, orNull } from './charts.js';
import { chartItems, count, tableItems, tableOf, textItem } from './items.js';

export function layerGridItems(grid: LayerGrid): OutputItem[] {
  const { cells, models, tokens, method } = grid;
  const [x, y] = [`B: ${models[1]}`, `A: ${models[0]}`];
  const map = (title: string, of: (cell: GridCell) => number | undefined): object =>
    heatmap(
      title,
      cells.map((cell) => ({ [x]: grid.b[cell.b], [y]: grid.a[cell.a], value: orNull(of(cell) ?? NaN) })),
      x,
      y,
    );
  const first = cells.find(({ scores }) => scores.length > 0)?.scores[0];
  const score = (cell: GridCell) => cell.scores.at(0);
  const concat = [
    ...(first
      ? [
          map(first.metric, (cell) => score(cell)?.value),
          map(`${first.metric}: mean of ${first.null.runs} nulls`, (cell) => score(cell)?.null.mean),
          map(`${first.metric}: p`, (cell) => score(cell)?.p),
        ]
      : []),
    map('mean r', ({ meanR }) => meanR),
    map('pairs', ({ pairs }) => pairs),
  ];
  const rows = cells.map((cell) => ({
    ...{ A: grid.a[cell.a], B: grid.b[cell.b], pairs: cell.pairs, 'mean r': orNull(cell.meanR) },
    ...Object.fromEntries(
      cell.scores.flatMap(({ metric, value, null: { mean }, p }) => [
        [metric, orNull(value)],
        [`${metric} null mean`, orNull(mean)],
        [`${metric} p`, p],
      ]),
    ),
  }));
  const title = `${models[0]} against ${models[1]}, layer by layer`;
  const seed = first ? `; null: ${first.null.kind}, seed ${first.seed}, p = (k + 1)/(R + 1)` : '';
  const note = `${method}, over ${count(tokens)} tokens${seed}`;
  const text = tableItems({ ...tableOf(rows, title), note }).filter(({ mime }) => mime === textItem('').mime);
  return [chartItems({ columns: 2, concat }, `${title}; ${note}`)[0], ...text];
}
