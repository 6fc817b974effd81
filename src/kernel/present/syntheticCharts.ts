/** Vega-Lite charts of recovery, calibration, sweeps and concepts. */
import type { Calibration } from '../synthetic/calibration/pipeline.js';
import type { ScoreResponse } from '../synthetic/calibration/response.js';
import type { MutualRun } from '../synthetic/recovery/mutual.js';
import type { SweepRow } from '../synthetic/recovery/sweeps.js';
import type { ConceptScores } from '../synthetic/stories/concepts.js';
import { tooltipOf } from './charts.js';
import { valueOf } from './synthetic.js';

type Spec = Record<string, unknown>;

const VERSION = 'https://vega.github.io/schema/vega-lite/v6.json';
/** Visible on light and on dark: rules and texts of a chart take no colour from the theme. */
const GREY = '#888888';
const share = (title: string): Spec => ({ title, scale: { domain: [0, 1] } });

/** What an r is worth: share of true pairs by r, with 95 % intervals and the number of pairs, one panel per matcher. */
export function reliabilityChart({ reliability, from }: Calibration): Spec {
  const values = reliability.map((row) => ({ ...row, r: (row.from + row.to) / 2 }));
  const x = { field: 'r', type: 'quantitative', title: 'r of the pair', scale: { domain: [0, 1] } };
  const tooltip = tooltipOf('method', 'from', 'to', 'pairs', 'share', 'low', 'high');
  const y = (field: string): Spec => ({ field, type: 'quantitative', ...share('share of true pairs') });
  return {
    $schema: VERSION,
    title: { text: 'What an r is worth', subtitle: `pairs from ${from}, held against truth; bars: 95 % intervals` },
    data: { values },
    facet: { column: { field: 'method', type: 'nominal', title: null } },
    spec: {
      width: 165,
      height: 165,
      layer: [
        {
          mark: { type: 'rule', strokeDash: [4, 4], color: GREY },
          data: { values: [{ r: 0, share: 0, r2: 1, share2: 1 }] },
          encoding: {
            x: { ...x, field: 'r' },
            y: y('share'),
            x2: { field: 'r2' },
            y2: { field: 'share2' },
          },
        },
        { mark: { type: 'rule', color: GREY }, encoding: { x, y: y('low'), y2: { field: 'high' } } },
        { mark: { type: 'line', point: true }, encoding: { x, y: y('share'), tooltip } },
      ],
    },
  };
}

/** Precision and recall of pairs as the threshold on r rises, one panel per matcher. */
export function thresholdChart({ thresholds, from }: Calibration): Spec {
  const values = thresholds.flatMap((row) =>
    (['precision', 'recall', 'nullPrecision'] as const)
      .filter((name) => Number.isFinite(row[name]))
      .map((name) => ({
        method: row.method,
        threshold: row.threshold,
        pairs: row.pairs,
        measure: name === 'nullPrecision' ? 'precision of shuffled pairs' : name,
        value: row[name],
      })),
  );
  return {
    $schema: VERSION,
    title: { text: 'Pairs by threshold', subtitle: `pairs from ${from}, held against truth` },
    data: { values },
    facet: { column: { field: 'method', type: 'nominal', title: null } },
    spec: {
      width: 165,
      height: 165,
      mark: { type: 'line', point: { size: 16 } },
      encoding: {
        x: { field: 'threshold', type: 'quantitative', title: 'pairs of r ≥', scale: { domain: [0, 1] } },
        y: { field: 'value', type: 'quantitative', ...share('precision, recall') },
        color: { field: 'measure', type: 'nominal', title: null, legend: { orient: 'bottom', labelLimit: 260 } },
        tooltip: tooltipOf('method', 'threshold', 'pairs', 'measure', 'value'),
      },
    },
  };
}

/** Every score against the shared fraction: the value, and the range of its null, one panel per score. */
export function responseChart({ rows, pairing }: ScoreResponse): Spec {
  const values = rows.map((row) => ({
    metric: row.metric,
    shared: row.shared,
    value: row.value,
    null: row.null.mean,
    low: row.null.mean - 2 * row.null.std,
    high: row.null.mean + 2 * row.null.std,
    p: row.p,
    n: row.n,
  }));
  const x = { field: 'shared', type: 'quantitative', title: 'share in common', scale: { domain: [0, 1] } };
  const tooltip = tooltipOf('metric', 'shared', 'value', 'null', 'p', 'n');
  return {
    $schema: VERSION,
    title: {
      text: 'What each score answers to',
      subtitle: [`pairs: ${pairing}`, 'line: score; band: its null, mean ± 2 standard deviations; dashes: equality'],
    },
    data: { values },
    facet: { field: 'metric', type: 'nominal', title: null, sort: [...new Set(rows.map((row) => row.metric))] },
    columns: 4,
    spec: {
      width: 112,
      height: 120,
      layer: [
        {
          mark: { type: 'rule', strokeDash: [4, 4], color: GREY },
          data: { values: [{ shared: 0, value: 0, x2: 1, y2: 1 }] },
          encoding: {
            x,
            y: { field: 'value', type: 'quantitative' },
            x2: { field: 'x2' },
            y2: { field: 'y2' },
          },
        },
        {
          mark: { type: 'area', opacity: 0.3 },
          encoding: { x, y: { field: 'low', type: 'quantitative' }, y2: { field: 'high' } },
        },
        {
          mark: { type: 'line', point: true },
          encoding: { x, y: { field: 'value', type: 'quantitative', title: 'score' }, tooltip },
        },
      ],
    },
  };
}

/** A score or figure of a sweep: width by k, one panel per SAE and correlation; missing cells stay empty. */
export function sweepChart(rows: readonly SweepRow[], name: string): Spec {
  const values = rows.flatMap((row) => {
    const found = valueOf(row.recovery, name);
    if (!found || !Number.isFinite(found.value)) return [];
    const { sae, features, correlation, seed } = row;
    return [{ sae, features, k: row.k ?? 'none', correlation, seed, value: found.value, floor: found.floor ?? null }];
  });
  const ks = [...new Set(values.map((v) => v.k))];
  const label = { field: 'value', type: 'quantitative', aggregate: 'mean', format: '.2f' };
  return {
    $schema: VERSION,
    title: { text: name, subtitle: 'mean over seeds; empty: not there yet, or not defined' },
    data: { values },
    facet: {
      column: { field: 'correlation', type: 'nominal', title: 'correlation' },
      row: { field: 'sae', type: 'nominal', title: null },
    },
    spec: {
      width: { step: 46 },
      height: { step: 30 },
      encoding: {
        x: { field: 'features', type: 'ordinal', title: 'latents' },
        y: { field: 'k', type: 'ordinal', title: 'k', sort: ks },
      },
      layer: [
        {
          mark: 'rect',
          encoding: {
            color: { ...label, title: name, scale: { scheme: 'viridis' } },
            tooltip: [
              { field: 'sae' },
              { field: 'features', title: 'latents' },
              { field: 'k' },
              { field: 'correlation' },
              { ...label, title: name, format: '.4f' },
              { field: 'floor', type: 'quantitative', aggregate: 'mean', title: 'floor or null', format: '.4f' },
            ],
          },
        },
        // Dark on light and light on dark whatever the cell's colour: the outline parts the figure from it.
        {
          mark: { type: 'text', color: 'black', stroke: 'white', strokeWidth: 3, strokeOpacity: 0.75 },
          encoding: { text: label },
        },
        { mark: { type: 'text', color: 'black' }, encoding: { text: label } },
      ],
    },
  };
}

/**
 * One point per latent of the first SAE: its largest cosine with a true feature, and with a latent of the other SAE.
 */
function mutualPoints(runs: readonly MutualRun[]): object[] {
  return runs.flatMap(({ coupling, recoveries, agreement }) =>
    Array.from(agreement.toTrue, (toTrue, l) => ({
      coupling,
      toTrue,
      toOther: agreement.toOther[l],
      firing: (recoveries[0].firing?.latents.firings[l] ?? 0) / recoveries[0].samples,
    })),
  );
}

/** Cosine to the truth by cosine to the other SAE, one panel per coupling. */
export function agreementChart(runs: readonly MutualRun[]): Spec {
  return {
    $schema: VERSION,
    title: {
      text: 'Do latents that two SAEs agree on hold true features?',
      subtitle: 'a point: a latent of the first SAE, by its largest cosines',
    },
    data: { values: mutualPoints(runs) },
    facet: { column: { field: 'coupling', type: 'nominal', title: 'coupling' } },
    spec: {
      width: 210,
      height: 210,
      mark: { type: 'point', filled: true, opacity: 0.6, size: 22 },
      encoding: {
        x: { field: 'toOther', type: 'quantitative', ...share('cosine to the other SAE') },
        y: { field: 'toTrue', type: 'quantitative', ...share('cosine to the truth') },
        color: { field: 'firing', type: 'quantitative', title: 'firing rate', scale: { scheme: 'viridis' } },
        tooltip: tooltipOf('coupling', 'toOther', 'toTrue', 'firing'),
      },
    },
  };
}

/** Where the best feature of each concept fires: share of the tokens of every concept. */
export function confusionChart({ names, confusion, concepts }: ConceptScores): Spec {
  const width = names.length + 1;
  const columns = [...names, 'no concept'];
  const feature = new Map(concepts.map((row) => [row.concept, row.feature]));
  const values = names.flatMap((concept, c) =>
    columns.map((on, o) => ({ concept, feature: feature.get(concept), on, share: confusion[c * width + o] })),
  );
  return {
    $schema: VERSION,
    title: {
      text: 'Where the best feature of each concept fires',
      subtitle: 'row: its best feature; column: share of the tokens of a concept on which that feature fires',
    },
    data: { values },
    width: { step: 13 },
    height: { step: 13 },
    mark: 'rect',
    encoding: {
      x: { field: 'on', type: 'nominal', title: 'tokens of', sort: columns, axis: { labelAngle: -90 } },
      y: { field: 'concept', type: 'nominal', title: 'best feature of', sort: names },
      color: { field: 'share', type: 'quantitative', title: 'share', scale: { domain: [0, 1], scheme: 'viridis' } },
      tooltip: tooltipOf('concept', 'feature', 'on', 'share'),
    },
  };
}
