import { heatmap, sideBySide } from '#kernel/present/charts.js';
import { parse, View, loader } from 'vega';
import { describe, expect, it } from 'vitest';
import {
  chartItems,
  comparisonItems,
  DISPLAY,
  featureItems,
  formatNumber,
  scoreTable,
  tableItems,
  tableOf,
  withDisplay,
  withSummary,
} from '#kernel/present/items.js';
import type { ChartDescriptor, TableDescriptor } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';

const textOf = (items: OutputItem[]): string => [items.find((i) => i.mime === MIME.text)?.text ?? []].flat().join('');
const jsonOf = <T>(items: OutputItem[], mime: string): T => items.find((i) => i.mime === mime)?.json as T;

describe('tables that are shown', () => {
  it('have the columns of their rows in order of appearance, numbers right and texts left', () => {
    const items = tableItems(
      tableOf(
        [
          { name: 'a', r: 0.123456 },
          { name: 'long name', r: -2, dead: true },
          { name: 'none', r: null },
        ],
        'Title',
      ),
    );
    expect(textOf(items).split('\n')).toEqual([
      'Title',
      'name            r  dead',
      '─────────  ──────  ────',
      'a          0.1235',
      'long name      -2  true',
      'none',
    ]);
    expect(jsonOf<TableDescriptor>(items, MIME.table)).toEqual({
      version: 1,
      title: 'Title',
      columns: [
        { key: 'name', title: 'name', type: 'text' },
        { key: 'r', title: 'r', type: 'number' },
        { key: 'dead', title: 'dead', type: 'text' },
      ],
      rows: [
        { name: 'a', r: 0.123456, dead: null },
        { name: 'long name', r: -2, dead: 'true' },
        { name: 'none', r: null, dead: null },
      ],
    });
  });

  it('of more rows than the limit keep the first and say how many there are', () => {
    const rows = Array.from({ length: 2500 }, (_, i) => ({ i }));
    const items = tableItems(tableOf(rows, undefined, 1000));
    const table = jsonOf<TableDescriptor>(items, MIME.table);
    expect([table.rows.length, table.totalRows, table.rows[999]]).toEqual([1000, 2500, { i: 999 }]);
    expect(textOf(items)).toMatch(/\n999\nfirst 1,000 of 2,500 rows$/);
    expect(tableOf(rows, undefined, 2500)).not.toHaveProperty('totalRows');
  });

  it('without rows are a table without columns', () => {
    expect(tableOf([])).toEqual({ version: 1, columns: [], rows: [] });
    expect(() => tableItems(tableOf([]))).not.toThrow();
  });

  it('write numbers with four significant digits, whole ones whole', () => {
    expect([0.000123456, 12345.678, 7, 123456789, NaN, -Infinity, 1 / 3].map((x) => formatNumber(x))).toEqual([
      '0.0001235',
      '12350',
      '7',
      '123456789',
      'NaN',
      '-Infinity',
      '0.3333',
    ]);
    expect(formatNumber(Math.PI, 2)).toBe('3.1');
  });

  it('of scores carry null, p, n, variant and warnings', () => {
    const items = scoreTable(
      [
        {
          metric: 'cca',
          variant: 'mean of 3',
          value: 0.5,
          n: 4,
          null: { kind: 'shuffle', runs: 9, mean: 0.1, std: 0.05, max: 0.2 },
          p: 0.1,
          seed: 7,
          warning: 'n ≤ d',
        },
      ],
      'Scores',
    );
    const table = jsonOf<TableDescriptor>(items, MIME.table);
    expect(table.rows).toEqual([
      {
        score: 'cca',
        value: 0.5,
        'null mean': 0.1,
        'null std': 0.05,
        'null max': 0.2,
        p: 0.1,
        n: 4,
        runs: 9,
        seed: 7,
        variant: 'mean of 3; null: shuffle',
      },
    ]);
    expect(table.note).toContain('p = (k + 1)/(R + 1)');
    expect(table.note).toContain('cca: n ≤ d');
  });
});

describe('charts that are shown', () => {
  const spec = {
    data: {
      values: [
        { x: 1, y: 2, url: 'https://example.org' },
        { x: 2, y: 5 },
      ],
    },
    mark: 'bar',
    encoding: { x: { field: 'x', type: 'ordinal' }, y: { field: 'y', type: 'quantitative' } },
  };

  it('are compiled to Vega that draws the data', async () => {
    const items = chartItems(spec, 'Bars');
    const chart = jsonOf<ChartDescriptor>(items, MIME.chart);
    expect(chart).toMatchObject({ version: 1, title: 'Bars', vegaLite: spec });
    expect(chart.spec.$schema).toMatch(/\/schema\/vega\/v\d+\.json$/);
    expect(textOf(items)).toBe('Bars');
    const refused = loader();
    refused.load = () => Promise.reject(new Error('nothing is loaded'));
    const view = await new View(parse(chart.spec), { renderer: 'none', loader: refused }).runAsync();
    const svg = await view.toSVG();
    expect(svg.match(/aria-roledescription="bar"/g)).toHaveLength(2);
    view.finalize();
  });

  it('side by side go on in the next row where the pane ends, and in a file stand as they were meant', async () => {
    const items = chartItems(sideBySide([spec, spec, spec], 200));
    const view = await new View(parse(jsonOf<ChartDescriptor>(items, MIME.chart).spec), {
      renderer: 'none',
    }).runAsync();
    // Vega's scene is untyped: the places of the three groups.
    const places = () =>
      (view.scenegraph() as unknown as { root: { items: Array<{ items: Array<{ marktype: string; items: Array<{ x: number; y: number }> }> }> } }).root.items[0].items
        .filter(({ marktype }) => marktype === 'group')
        .map(({ items: [{ x, y }] }) => [x, y]); // prettier-ignore
    expect(new Set(places().map(([, y]) => y)).size).toBe(1);
    await view.signal('columnsThatFit', 2).runAsync();
    expect([new Set(places().map(([x]) => x)).size, new Set(places().map(([, y]) => y)).size]).toEqual([2, 2]);
    await view.signal('columnsThatFit', 1).runAsync();
    expect([new Set(places().map(([x]) => x)).size, new Set(places().map(([, y]) => y)).size]).toEqual([1, 3]);
    view.finalize();
  });

  it('refuse URLs wherever they stand, but not a column of that name', () => {
    const inline = { ...spec, datasets: { more: [{ url: 'x' }] } };
    expect(() => chartItems(inline)).not.toThrow();
    const wrong: Array<[string, object]> = [
      ['data.url', { ...spec, data: { url: 'https://example.org/a.csv' } }],
      ['layer.1.data.url', { layer: [spec, { ...spec, data: { url: 'a.csv' } }] }],
      ['mark.url', { ...spec, mark: { type: 'image', url: 'https://example.org/a.png' } }],
      ['encoding.url', { ...spec, encoding: { ...spec.encoding, url: { field: 'url', type: 'nominal' } } }],
      [
        'transform.0.from.data.url',
        { ...spec, transform: [{ lookup: 'x', from: { data: { url: 'b.csv' }, key: 'x', fields: ['z'] } }] },
      ],
    ];
    for (const [at, bad] of wrong)
      expect(() => chartItems(bad)).toThrow(`this spec names a URL at ${at}, which is never loaded`);
  });

  it('take typed arrays as data, and a copy of the spec', () => {
    const values = Float32Array.of(0.5, 1.5);
    const own = { ...spec, data: { values } };
    const chart = jsonOf<ChartDescriptor>(chartItems(own), MIME.chart);
    values.fill(9);
    expect(chart.vegaLite).toMatchObject({ data: { values: [0.5, 1.5] } });
    expect(JSON.stringify(chart.spec)).toContain('[0.5,1.5]');
  });
});

describe('text beside rich outputs', () => {
  it('of feature cards names the peak token of each example', () => {
    const example = {
      sequence: 0,
      position: 1,
      value: 2.5,
      tokens: ['the', ' king', '\n'],
      peak: 1,
      activations: [0, 2.5, 0],
    };
    const card = {
      side: 'A: sae',
      feature: 7,
      label: [' king', ' queen'],
      firingRate: 0.0123,
      firings: 5,
      examples: [example],
    };
    const dead = { side: 'B: sae', feature: 1, label: [], firingRate: 0, firings: 0, examples: [] };
    const items = featureItems({ version: 1, title: 'T', groups: [{ heading: 'A #7 ↔ B #1', cards: [card, dead] }] });
    expect(textOf(items).split('\n')).toEqual([
      'T',
      '',
      'A #7 ↔ B #1',
      '  A: sae #7: king, queen — 1.230 % of tokens',
      '       2.50  the **king**↵',
      '  B: sae #1: (dead) — 0.000 % of tokens',
    ]);
  });

  it('of comparisons shows texts and probabilities', () => {
    const text = textOf(
      comparisonItems({
        version: 1,
        intervention: 'steer',
        rows: [{ prompt: 'One', before: ' day', after: ' king' }],
        tokens: [
          { token: ' king', before: 0.1, after: 0.75, logit: { before: 1.5, after: 4, delta: 2.5 } },
          { token: ' day', before: 0.2, after: 0.1, logit: { before: 2, after: -1, delta: -3 } },
          { token: ' old', before: 0.25, after: 0.125 },
        ],
        note: 'greedy decoding',
      }),
    );
    for (const part of ['steer', 'greedy', 'prompt  One', 'before  day', 'after   king', '" king"', '0.1000 → 0.7500'])
      expect(text).toContain(part);
    expect(text).toContain('0.1000 → 0.7500  1.500 → 4.000 (+2.500)');
    expect(text).toContain('0.2000 → 0.1000  2.000 → -1.000 (-3.000)');
    expect(text).toMatch(/0\.2500 → 0\.1250$/m);
  });

  it('is given to a value without changing it, and can be given again', () => {
    const value = withDisplay([1, 2], () => tableItems(tableOf([{ a: 1 }])));
    expect(Object.keys(value)).toEqual(['0', '1']);
    expect(value).toEqual([1, 2]);
    const again = withSummary(value, () => 'two numbers');
    expect(again).toBe(value);
    expect((again as typeof value)[DISPLAY]()).toEqual([{ mime: MIME.text, text: ['two numbers'] }]);
  });
});

describe('heat maps', () => {
  it('write light on dark cells and dark on light ones, and a cell without a value in grey', async () => {
    const values = [0, 0.4, 0.6, 1, null].map((value, i) => ({ x: i, y: 0, value }));
    const { spec } = jsonOf<ChartDescriptor>(chartItems(heatmap('h', values, 'x', 'y'), 'h'), MIME.chart);
    const view = await new View(parse(spec), { renderer: 'none' }).runAsync();
    const fills: string[] = [];
    const visit = (node: { items?: []; text?: unknown; fill?: string; datum?: { value?: unknown } }): void => {
      node.items?.forEach(visit);
      if (node.text !== undefined && node.datum && 'value' in node.datum && 'x' in node.datum) fills.push(node.fill!);
    };
    // Cast: the types of Vega leave the root of the scene out.
    visit((view.scenegraph() as unknown as { root: Parameters<typeof visit>[0] }).root);
    view.finalize();
    expect(fills).toEqual(['white', 'white', 'black', 'black', 'gray']);
  });
});
