import { describe, expect, it } from 'vitest';
import { MAP_BUNDLE } from '#protocol/map.js';
import { shownColumns, shownTexts } from '#webviews/plot/shown.js';

const values = { firingRate: Float32Array.of(0.25, NaN), firings: Int32Array.of(12_000, 3), x: Float32Array.of(1, 2) };

describe('columns of a bundle that the manifest shows', () => {
  it('stand in the table of points in its order, under the keys of kept states', () => {
    const columns = shownColumns(MAP_BUNDLE.columns, values, true);
    expect(columns.map(({ key, title }) => [key, title])).toEqual([
      ['rate', 'Fires on'],
      ['firings', 'Firings'],
    ]);
    expect(columns.map(({ text }) => [text(0), text(1)])).toEqual([
      ['25.0 %', '–'],
      ['12,000', '3'],
    ]);
    expect(columns[1].value(0)).toBe(12_000);
  });

  it('are left out where they were not measured, and where the bundle has none', () => {
    expect(shownColumns(MAP_BUNDLE.columns, values, false)).toEqual([]);
    expect(shownColumns(MAP_BUNDLE.columns, { x: values.x }, true)).toEqual([]);
  });

  it('stand in the card of a point where the manifest says so', () => {
    const length = () => -1;
    const columns = {
      mean: { dtype: 'F32', length, shown: { title: 'Mean activation', as: 'number', card: true } },
      firings: MAP_BUNDLE.columns.firings,
    } as const;
    const of = { mean: Float32Array.of(0.5, 1.25), firings: values.firings };
    expect(shownTexts(1, columns, of, true)).toEqual(['mean activation 1.25']);
  });
});
