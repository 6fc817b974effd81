import { describe, expect, test } from 'vitest';
import {
  aggregate,
  commonest,
  defaultColour,
  histogram,
  isColour,
  keywordShare,
  nodeColours,
} from '#webviews/graph/colour.js';
import { placeOn } from '#webviews/plot/scale.js';
import { emptyFixture, graphBundle, graphFixture } from '#test/kit/graphBundle.js';
import { open, small } from '#test/kit/graphModel.js';

describe('node colours', () => {
  const values = [3, 1, NaN, 8, 4];
  const members = Int32Array.of(0, 1, 2, 3);

  test('mean, median, population std and max, NaN members left out', () => {
    expect(aggregate(values, members, 'mean')).toBe(4);
    expect(aggregate(values, members, 'median')).toBe(3);
    expect(aggregate(values, Int32Array.of(0, 1, 3, 4), 'median')).toBe(3.5);
    expect(aggregate(values, members, 'std')).toBeCloseTo(Math.sqrt((1 + 9 + 16) / 3), 12);
    expect(aggregate(values, members, 'max')).toBe(8);
    for (const stat of ['mean', 'median', 'std', 'max'] as const)
      expect(aggregate(values, Int32Array.of(2), stat)).toBeNaN();
  });

  test('the commonest class, the first on a tie, none without a value', () => {
    expect(commonest([1, 0, 1, 2], Int32Array.of(0, 1, 2, 3))).toBe(1);
    expect(commonest([1, 0], Int32Array.of(0, 1))).toBe(0);
    expect(commonest([NaN], Int32Array.of(0))).toBeNaN();
  });

  test('the share of a keyword group counts members, whole words, any case', async () => {
    const { sets } = await open(small());
    expect([...keywordShare(sets[0], ['KING'])]).toEqual([2 / 3, 0, 0]);
    expect([...keywordShare(sets[0], ['talk'])]).toEqual([0, 0, 0]);
    expect([...keywordShare(sets[0], ['queen', 'king'])]).toEqual([2 / 3, 0, 0]);
    const beside = await open(graphFixture('null'));
    expect(keywordShare(beside.sets[1], ['king']).every(Number.isNaN)).toBe(true);
  });

  test('a column is drawn together per node; classes become the commonest class', async () => {
    const model = await open(small());
    const rate = nodeColours(model, 'column:firing rate', 'mean');
    expect(rate.title).toBe('mean firing rate');
    expect(rate.percent).toBe(true);
    expect(rate.values[0][0]).toBeCloseTo(0.25, 6);
    expect(rate.values[0][1]).toBeCloseTo(0.2, 6);
    expect(rate.values[0][2]).toBeNaN();
    expect(rate.range[0]).toBeCloseTo(0.2, 6);
    const group = nodeColours(model, 'column:group', 'mean');
    expect(group.classes).toEqual(['x', 'y']);
    expect([...group.values[0]]).toEqual([0, 0, NaN]);
  });

  test('graphs that number the same classes differently agree on the colours', async () => {
    const set = (name: string, classes: string[], codes: number[]) => ({
      meta: { name, role: 'data' as const, points: 2, columns: [{ name: 'kind', classes }] },
      ...{ nodes: [[0], [1]], x: [0, 1], y: [0, 1], columns: [codes] },
    });
    const fixture = graphBundle('two', 'Two', [set('A', ['x', 'y'], [0, 1]), set('B', ['y', 'z'], [0, 1])]);
    const colours = nodeColours(await open(fixture), 'column:kind', 'mean');
    expect(colours.classes).toEqual(['x', 'y', 'z']);
    expect(colours.values.map((v) => [...v])).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  test('the histogram counts every node with a value once, the largest in the last bin', () => {
    const colours = {
      ...{ title: '', classes: null, percent: false, log: false },
      range: [0, 10] as [number, number],
      clipped: [false, false] as [boolean, boolean],
    };
    expect(histogram({ ...colours, values: [Float64Array.of(0, 4.9, 5, 10, NaN), Float64Array.of(9)] }, 2)).toEqual([
      2, 3,
    ]);
  });

  test('a scale of one value puts it in the middle; a logarithmic one is even in factors', () => {
    expect(placeOn({ range: [2, 2], log: false }, 2)).toBe(0.5);
    expect(placeOn({ range: [1, 100], log: true }, 10)).toBeCloseTo(0.5, 12);
    expect(placeOn({ range: [2, 2], log: false }, NaN)).toBeNaN();
  });

  test('the scale of many nodes leaves out 2 % at either end and says so; few nodes have it whole', async () => {
    const scale = async (n: number, value: (i: number) => number) => {
      const nodes = Array.from({ length: n }, (_, i) => [i]);
      const places = nodes.map((_, i) => i);
      const meta = { name: 'A', role: 'data' as const, points: n, columns: [{ name: 'v' }] };
      const set = { meta, nodes, x: places, y: places, columns: [places.map(value)] };
      return nodeColours(await open(graphBundle('scale', 'Scale', [set])), 'column:v', 'mean');
    };
    expect(await scale(100, (i) => i)).toMatchObject({ range: [2, 97], clipped: [true, true], log: true });
    expect(await scale(49, (i) => i)).toMatchObject({ range: [0, 48], clipped: [false, false] });
    // Where the middle is all alike, the few others count.
    expect(await scale(100, (i) => (i === 0 ? 9 : 1))).toMatchObject({ range: [1, 9], clipped: [false, false] });
    expect(await scale(60, () => NaN)).toMatchObject({ range: [0, 1] });
  });

  test('the first column with values is shown first; unknown colours are refused', async () => {
    const model = await open(small());
    expect(defaultColour(model)).toBe('column:firing rate');
    expect(isColour(model, 'column:nothing')).toBe(false);
    expect(isColour(model, 'words:king')).toBe(true);
    expect(isColour(model, 'words: ,')).toBe(false);
    expect(defaultColour(await open(emptyFixture()))).toBe('members');
  });
});
