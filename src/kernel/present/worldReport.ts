/** How the report of a world is shown: requested beside realised figures. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { WorldReport } from '../synthetic/world/report.js';
import { tooltipOf } from './charts.js';
import { chartItems, count, formatNumber, tableItems, tableOf } from './items.js';

/** Figures of a report, one a row. */
export function reportItems(r: WorldReport): OutputItem[] {
  const { l0, geometry: g, marginals: m, cofiring: c } = r;
  const z = (value: number): string =>
    Number.isFinite(value) ? `${formatNumber(value, 3)} standard errors` : 'not by chance: as asked it cannot vary';
  const rows = [
    { figure: 'mean L0', realised: l0.mean, asked: l0.asked, deviation: z(l0.z) },
    { figure: 'standard deviation of L0', realised: l0.sd },
    { figure: 'share of samples with none', realised: l0.none },
    {
      figure: 'frequency farthest off',
      realised: r.realized[m.at[0] ?? 0],
      asked: r.asked[m.at[0] ?? 0],
      deviation: `${z(m.maxZ)} (feature ${m.at[0] ?? 0}; chance gives ${formatNumber(m.expectedMaxZ, 3)} over ${count(m.count)})`,
    },
    {
      figure: 'co-firing farthest off',
      deviation: c
        ? `${z(c.maxZ)} (pair ${c.at.join(', ')}; chance gives ${formatNumber(c.expectedMaxZ, 3)} over ${count(c.count)})`
        : 'no closed law to hold it against',
    },
    { figure: 'forbidden pairs that fired', realised: r.forbidden, asked: r.forbidden === undefined ? undefined : 0 },
    { figure: 'mean |phi| of pairs', realised: r.meanAbsPhi },
    { figure: 'magnitude, mean', realised: r.magnitudes.mean },
    { figure: 'length of directions, shortest', realised: g.shortest },
    { figure: 'length of directions, longest', realised: g.longest },
    {
      figure: 'largest |cos| of two directions',
      realised: g.maxCosine,
      deviation: `Welch bound ${formatNumber(g.welch)}`,
    },
    { figure: 'mean of the largest |cos|', realised: g.meanMaxCosine, deviation: `of ${count(g.cosinesOf)} features` },
    { figure: 'mean |cos|', realised: g.meanCosine },
    ...r.pairs.slice(0, 5).map((p) => ({
      figure: `phi of ${p.a} and ${p.b}`,
      realised: p.phi,
      asked: p.askedPhi,
      deviation: p.z === undefined ? undefined : z(p.z),
    })),
  ];
  const faults = r.faults.map((fault) => `Known fault: ${fault}`);
  return tableItems({
    ...tableOf(rows, r.description),
    note: [`${count(r.samples)} samples, seed ${r.seed}`, ...r.notes, ...faults].join('. '),
  });
}

type Spec = Record<string, unknown>;

/** Points on the diagonal are as asked for; both axes have the same range, so that it runs from corner to corner. */
function frequencyChart(r: WorldReport): Spec {
  const values = Array.from(r.asked, (asked, feature) => ({ feature, asked, realised: r.realized[feature] }))
    .filter((row) => row.asked > 0 && row.realised > 0)
    .filter((_, i, all) => i % Math.ceil(all.length / 2000) === 0);
  const all = values.flatMap(({ asked, realised }) => [asked, realised]);
  const [low, high] = all.reduce(([a, b], p) => [Math.min(a, p), Math.max(b, p)], [1, 1e-9]);
  const domain = [low / 1.5, Math.min(1, high * 1.5)];
  const never = r.asked.reduce((n, asked, f) => n + (asked > 0 && r.realized[f] === 0 ? 1 : 0), 0);
  const axis = (field: string): Spec => ({
    ...{ field, type: 'quantitative', title: `frequency ${field}` },
    scale: { type: 'log', domain, nice: false },
    axis: { tickCount: 4, labelOverlap: 'greedy', format: '~r' },
  });
  return {
    title: {
      text: 'Frequencies, asked and realised',
      subtitle: `dashes: as asked${never > 0 ? `; not drawn: ${count(never)} that never fired` : ''}`,
    },
    ...{ width: 300, height: 220 },
    layer: [
      {
        data: { values: domain.map((p) => ({ asked: p, realised: p })) },
        mark: { type: 'line', strokeWidth: 1, strokeDash: [4, 3], opacity: 0.7, color: '#888' },
        encoding: { x: axis('asked'), y: axis('realised') },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 18 },
        encoding: {
          ...{ x: axis('asked'), y: axis('realised') },
          tooltip: tooltipOf('feature', 'asked', 'realised'),
        },
      },
    ],
  };
}

/** One bar for every number of active features, whole numbers below. */
function l0Chart(r: WorldReport): Spec {
  const values = r.histogram.map((samples, active) => ({
    ...{ active, samples },
    ...{ from: active - 0.45, to: active + 0.45 },
  }));
  const first = Math.max(0, r.histogram.findIndex((samples) => samples > 0) - 2);
  return {
    title: 'Active features in a sample',
    data: { values: values.slice(first) },
    ...{ width: 300, height: 180, mark: 'bar' },
    encoding: {
      x: {
        ...{ field: 'from', type: 'quantitative', title: 'active features in a sample' },
        scale: { domain: [first - 0.5, r.histogram.length + 0.5], nice: false, zero: false },
        axis: { tickMinStep: 1, format: 'd' },
      },
      x2: { field: 'to' },
      y: { field: 'samples', type: 'quantitative', title: 'samples' },
      // With x and x2 alone Vega-Lite would draw horizontal bars.
      y2: { datum: 0 },
      tooltip: tooltipOf('active', 'samples'),
    },
  };
}

function pairChart(r: WorldReport): Spec {
  const values = r.pairs.flatMap(({ a, b, phi, askedPhi }) => [
    { pair: `${a}, ${b}`, what: 'realised', phi },
    ...(askedPhi === undefined ? [] : [{ pair: `${a}, ${b}`, what: 'asked', phi: askedPhi }]),
  ]);
  const law = r.pairs.some((p) => p.askedPhi !== undefined);
  const legend = law ? { orient: 'bottom' } : null;
  return {
    data: { values },
    ...{ width: 300, mark: { type: 'point', filled: true, size: 40 } },
    encoding: {
      x: {
        ...{ field: 'phi', type: 'quantitative', title: 'correlation of firings (phi)' },
        axis: { tickCount: 5 },
      },
      y: { field: 'pair', type: 'nominal', sort: null, title: 'features' },
      color: { field: 'what', type: 'nominal', title: null, legend },
      shape: { field: 'what', type: 'nominal', title: null, legend },
      tooltip: tooltipOf('pair', 'what', 'phi'),
    },
  };
}

/** Asked against realised frequencies, the spread of L0, and the pairs farthest off. */
export function reportCharts(r: WorldReport): OutputItem[][] {
  const pairs = r.pairs.some((p) => p.askedPhi !== undefined)
    ? 'Pairs farthest from the request'
    : 'Pairs of the largest correlation';
  return [
    chartItems(frequencyChart(r), 'Frequencies, asked and realised'),
    chartItems(l0Chart(r), 'Active features in a sample'),
    ...(r.pairs.length > 0 ? [chartItems({ title: pairs, ...pairChart(r) }, pairs)] : []),
  ];
}
