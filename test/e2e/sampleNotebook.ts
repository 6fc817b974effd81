/** A notebook with every kind of output, some of them hostile. */
import { compile, type TopLevelSpec } from 'vega-lite';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import type { Json, NotebookCell, NotebookFile } from '#protocol/notebook.js';
import { HOSTILE, type MapFixture } from './fixtures.js';

const lines = (text: string) => text.split(/(?<=\n)/);
let next = 0;
const markdown = (text: string): NotebookCell => ({
  id: `m${next++}`,
  kind: 'markdown',
  language: 'markdown',
  source: lines(text),
});
const code = (source: string, ...items: Array<[string, unknown]>): NotebookCell => ({
  id: `c${next++}`,
  kind: 'code',
  language: 'fgnb-typescript',
  source: lines(source),
  execution: { order: next, status: 'ok' },
  outputs: items.map(([mime, value]) => ({
    items: [typeof value === 'string' ? { mime, text: lines(value) } : { mime, json: value as Json }],
  })),
});

const examples = (word: string) =>
  [9.5, 7.25, 3].map((value, k) => ({
    sequence: k,
    position: 3,
    value,
    tokens: ['Once', ' upon', ' a', ` ${word}`, '\n', ' the', ' end'],
    peak: 3,
    activations: [0, 0, 0.3 * value, value, 0, 0.1 * value, 0],
  }));

export function chartSpec(): Json {
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 420,
    height: 200,
    title: 'Firing rates',
    data: {
      values: Array.from({ length: 40 }, (_, i) => ({
        rate: 10 ** (-4 + i / 12),
        n: 20 * Math.exp(-((i - 18) ** 2) / 80),
      })),
    },
    mark: { type: 'bar', tooltip: true },
    encoding: {
      x: { field: 'rate', type: 'quantitative', scale: { type: 'log' }, title: 'firing rate' },
      y: { field: 'n', type: 'quantitative', title: 'features' },
      opacity: { condition: { test: 'datum.n > 10', value: 1 }, value: 0.6 },
    },
  };
  return compile(spec).spec as unknown as Json;
}

export const TABLE = {
  version: 1,
  title: 'Similarity of the two dictionaries',
  columns: [
    { key: 'metric', title: 'Metric', type: 'text' },
    { key: 'score', title: 'Score', type: 'number' },
    { key: 'null', title: 'Null mean', type: 'number', digits: 3 },
    { key: 'p', title: 'p', type: 'number' },
  ],
  rows: [
    { metric: 'SVCCA', score: 0.731234, null: 0.304567, p: 0.00990099 },
    { metric: 'CKA', score: 0.4401, null: 0.0123456, p: 0.00990099 },
    { metric: HOSTILE, score: -0.00001234, null: null, p: 1 },
    { metric: '=SUM(A1)', score: 12345678, null: 0, p: null },
  ],
  note: '100 shuffles, seed 0',
};

export const FEATURES = {
  version: 1,
  title: 'Matched pairs',
  groups: [
    {
      heading: 'A #12 ↔ B #34',
      r: 0.934,
      sharedTokens: ['princess'],
      cards: [
        {
          side: 'A: tiny-1L',
          feature: 12,
          label: [' princess', ' queen'],
          firingRate: 0.0031,
          firings: 198,
          examples: examples('princess'),
        },
        {
          side: 'B: tiny-2L',
          feature: 34,
          label: [' princess', HOSTILE],
          firingRate: 0.0044,
          firings: 281,
          examples: examples(HOSTILE),
        },
      ],
    },
    {
      heading: 'A dead feature',
      cards: [{ side: 'A: tiny-1L', feature: 99, label: [], firingRate: 0, firings: 0, examples: [] }],
    },
  ],
};

export const COMPARISON = {
  version: 1,
  title: 'Steering',
  intervention: 'steer A #12 (princess) +8.0 at blocks.0.hook_mlp_out',
  rows: [
    {
      prompt: 'Once upon a time',
      before: ' there was a little boy who lived in a house. He was happy.',
      after: ` there was a little princess who lived in a castle. She was happy. ${HOSTILE}`,
    },
  ],
  tokens: [
    { token: ' princess', before: 0.012, after: 0.41, logit: { before: 1.25, after: 6, delta: 4.75 } },
    { token: ' boy', before: 0.32, after: 0.05 },
  ],
  note: 'Same seed on both sides.',
};

/** What people write, and what the hostile do. */
export const MARKDOWN = `Line one
line two\\
broken, ~~gone~~, \`a < b\`, \\*no emphasis\\*, &copy;, snake_case_name, **bold *and* italic**, https://example.org/bare?a=1.

3. three
4. four

- [x] tight
- loose

  second paragraph

\`\`\`ts
const x = '<b>'
\`\`\`

    indented code

Setext
------

![alt text](figures/a.png) ![pixel](https://evil.example/p.gif) <https://example.org/auto>

<script>window.__hacked = 1</script>
<div onclick="window.__hacked=2">block</div>

text with <img src=x onerror="window.__hacked=3"> inside

[one](java&#115;cript:alert(1)) [two](JAVASCRIPT:alert(1)) [three](data:text/html,x) [four](//evil.example) <javascript:alert(1)>
[five][ref] ![six](vbscript:x)

[ref]: javascript:alert(1)
`;

export function sampleNotebook(map: MapFixture): NotebookFile {
  const descriptor: MapDescriptor = { version: 1, id: map.id, path: `.fgnb/${map.id}`, meta: map.meta };
  return {
    fgnb: 1,
    metadata: {},
    cells: [
      markdown(
        `# Two tiny models, one map\n\nA *small* run of the **whole road**: \`load\` → train → [map](https://example.org/a_(b)).\n\n- first\n- second\n  1. nested\n  2. list\n\n> quoted ${HOSTILE}\n\n| metric | value |\n|:--|--:|\n| CKA | 0.44 |\n\n[bad](javascript:alert(1)) ${HOSTILE}\n`,
      ),
      markdown(MARKDOWN),
      markdown('## Load\n\nBoth models.\n'),
      code(`const lm = await fg.models.load('tiny-1L') // one layer\nconsole.log(\`loaded \${lm.name}\`)\n`, [
        MIME.stdout,
        'loaded tiny-1L\n\u001b[31mred\u001b[0m\n',
      ]),
      markdown('## The map\n'),
      code('await fg.show([mapA, mapB], { map: pairs })\n', [MIME.map, descriptor]),
      markdown('## Scores\n'),
      code('scores\n', [MIME.table, TABLE]),
      code('fg.show(firingRates(acts))\n', [MIME.chart, { version: 1, title: 'Firing rates', spec: chartSpec() }]),
      markdown('## Pairs\n'),
      code('fg.show(pairs)\n', [MIME.features, FEATURES]),
      markdown('## Steering\n'),
      code('await fg.interventions.compare(steer)\n', [MIME.comparison, COMPARISON]),
      code(
        'throw new Error("no")\n',
        [MIME.error, { name: 'RangeError', message: `SAE expects width 64 ${HOSTILE}`, stack: '' }],
        [MIME.stderr, 'warning: slow\n'],
      ),
      code('unknown\n', ['application/x-unknown', 'never shown']),
    ],
  };
}
