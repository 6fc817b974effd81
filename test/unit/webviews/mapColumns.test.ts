import { describe, expect, test } from 'vitest';
import type { PointColumn } from '#protocol/bundle.js';
import type { MapColumns, MapMeta } from '#protocol/map.js';
import { addedColumns, columnMark, columnOfColor, columnsLine, columnText } from '#webviews/map/columns.js';
import { loadModel } from '#webviews/map/model.js';
import type { Palette } from '#webviews/plot/palette.js';
import { restoreState } from '#webviews/map/state.js';
import type { Rgb } from '#webviews/ui/color.js';

type Added = Array<PointColumn & { values: number[] }>;

/** A map of three points in A, and of three in B, with these columns. */
function model(...added: Added[]) {
  const meta: MapMeta = {
    version: 1,
    title: 't',
    sets: added.map((own, s) => ({
      ...{ name: 'AB'[s], title: 't', points: 3, dead: 0, layout: 'UMAP' },
      columns: own.map(({ values: _, ...column }) => column),
    })),
  };
  const columns = (s: number): MapColumns => ({
    ...{ x: new Float32Array(3), y: new Float32Array(3), feature: Int32Array.of(0, 1, 2) },
    ...{ firings: Int32Array.of(5, 5, 5), firingRate: new Float32Array(3).fill(0.1) },
    ...{ labels: [[], [], []], shares: [null, null, null] },
    ...{ other: [], otherR: [] },
    column: added[s].map(({ values }) => Float32Array.from(values)),
  });
  return loadModel({ meta: () => Promise.resolve(meta), columns: (s) => Promise.resolve(columns(s)) });
}

const palette = { links: Array.from({ length: 256 }, (_, i): Rgb => [i, i, i]) } as Partial<Palette> as Palette;

describe('columns added to a map', () => {
  test('lie on one scale over both maps; what has no value has no mark', async () => {
    const { added } = await model(
      [{ name: 'best', values: [0, 0.5, NaN] }],
      [{ name: 'best', values: [1, 0.25, 0.25] }],
    );
    const [best] = added;
    expect(best).toMatchObject({ name: 'best', classes: null, range: [0, 1], log: false, clipped: [false, false] });
    const shade = (s: number, i: number) => columnMark(best, palette, s, i)?.color[0];
    expect([shade(0, 0), shade(0, 1), shade(0, 2), shade(1, 0), shade(1, 1)]).toEqual([0, 128, undefined, 255, 64]);
    expect(columnOfColor(added, 'column:best')).toBe(best);
    expect(columnOfColor(added, 'column:worst')).toBeUndefined();
    expect(columnOfColor(added, 'firingRate')).toBeUndefined();
  });

  test('of classes keep their names where the sets number them differently', async () => {
    const { added } = await model(
      [{ name: 'kind', classes: ['noun', 'verb'], values: [1, 0, NaN] }],
      [{ name: 'kind', classes: ['verb', 'comma'], values: [0, 1, 7] }],
    );
    const [kind] = added;
    expect(kind.classes).toEqual(['noun', 'verb', 'comma']);
    expect(kind.values.map((own) => [...own!])).toEqual([
      [1, 0, NaN],
      [1, 2, NaN],
    ]);
    expect(columnMark(kind, palette, 0, 0)).toEqual(columnMark(kind, palette, 1, 0));
    expect(columnMark(kind, palette, 0, 2)).toBeUndefined();
    expect(columnText(kind, 2)).toBe('comma');
  });

  test('are named in cards and tables of the set that has them, shares in per cent', async () => {
    const { added } = await model(
      [
        { name: 'stability', values: [1, 0.5, NaN] },
        { name: 'dead share', values: [0.25, 0, 0] },
      ],
      [],
    );
    expect(columnsLine(added, 0, 0)).toBe('stability 1 · dead share 25 %');
    expect(columnsLine(added, 0, 2)).toContain('stability –');
    expect(columnsLine(added, 1, 0)).toBeNull();
    const [first, second] = addedColumns(added, 0, (name) => `A ${name}`, (row) => 2 - row); // prettier-ignore
    expect([first.title, second.title]).toEqual(['A stability', 'A dead share']);
    expect([first.text(2), first.value(2), first.numeric]).toEqual(['1', 1, true]);
    expect(first.value(0)).toBeNaN();
    expect(addedColumns(added, 1, String, (row) => row)).toEqual([]);
  });

  test('are a colour that a state keeps; another thing is none', () => {
    const color = (colorBy: unknown) => restoreState({ version: 1, colorBy } as never, 1).colorBy;
    expect(color('column:stability')).toBe('column:stability');
    expect([color('rainbow'), color(7), color('firingRate')]).toEqual(['none', 'none', 'firingRate']);
  });

  test('that a damaged bundle claims are refused before anything is made of them', async () => {
    const damaged = model([]);
    const { meta } = await damaged;
    const { MAP_BUNDLE } = await import('#protocol/map.js');
    const count = MAP_BUNDLE.columns.column.list;
    expect(count(meta.sets[0])).toBe(0);
    expect(() => count({ points: 1, columns: { length: 1e9 } as never })).toThrow("a set's columns are no list");
    expect(() => count({ points: 1, columns: new Array(257).fill({ name: 'x' }) as never })).toThrow('at most 256');
  });
});
