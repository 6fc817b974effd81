/** How SAEs side by side are shown. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { SaeComparison, SeedGroup } from '../sae/compare.js';
import { axisOf, orNull, sideBySide, tooltipOf, type ChartRow } from './charts.js';
import { chartItems, count, formatNumber, tableItems, tableOf } from './items.js';

const PANELS = [
  { figure: 'explainedVariance', title: 'explained variance' },
  { figure: 'ceLossRecovered', title: 'CE loss recovered' },
] as const;

const NAMES = {
  l0: 'L0',
  explainedVariance: 'explained variance',
  ceLossRecovered: 'CE recovered',
  ceLossRecoveredMean: 'CE recovered, of the mean',
  klScore: 'KL recovered',
  dead: 'dead',
} as const;

/** Mean with its deviation over seeds, as text where there are several. */
const besideStd = ({ mean, std }: { mean: number; std: number }): string =>
  Number.isNaN(std) ? formatNumber(mean) : `${formatNumber(mean)} ± ${formatNumber(std, 2)}`;

function groupTable({ groups, saes, tokens }: SaeComparison): OutputItem[] {
  const several = groups.some(({ seeds }) => seeds > 1);
  const rows = groups.map(({ group, seeds, figures }) => ({
    SAE: group,
    ...(several ? { seeds } : {}),
    ...Object.fromEntries(
      Object.entries(NAMES).map(([figure, name]) => {
        const of = figures[figure as keyof typeof NAMES];
        return [name, several ? besideStd(of) : orNull(of.mean)];
      }),
    ),
  }));
  const note = several ? 'mean ± standard deviation over seeds; ' : '';
  return tableItems({
    ...tableOf(rows, `${saes.length} SAEs side by side`),
    note: `${note}${count(tokens)} tokens`,
  });
}

/** Pixels that a panel takes with its axes, and of the legend beside them a letter. */
const [PANEL, LETTER] = [362, 6];

/** L0 against what is kept, a point for each group, bars of one standard deviation over seeds both ways. */
function paretoChart({ groups }: SaeComparison): OutputItem[] {
  const color = { field: 'SAE', type: 'nominal', sort: groups.map(({ group }) => group), legend: { columns: 1, labelLimit: 360 } }; // prettier-ignore
  const panel = ({ figure, title }: (typeof PANELS)[number]): object => {
    const rows = groups.map((group) => pointOf(group, figure));
    const [x, y] = [
      { ...axisOf({ field: 'l0', title: 'L0' }), scale: { zero: false, nice: false, padding: 12 } },
      { ...axisOf({ field: 'value', title }), scale: { zero: false } },
    ];
    const bar = { type: 'rule', strokeWidth: 1.5 };
    return {
      width: 300,
      height: 240,
      data: { values: rows.filter(({ value, l0 }) => value !== null && l0 !== null) },
      layer: [
        { mark: bar, encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color } },
        { mark: bar, encoding: { x: { ...x, field: 'l0Low' }, x2: { field: 'l0High' }, y, color } },
        {
          mark: { type: 'point', filled: true, size: 70 },
          encoding: { x, y, color, shape: { field: 'kind', type: 'nominal', title: null }, tooltip: tooltipOf('SAE', 'l0', 'value', 'seeds') }, // prettier-ignore
        },
      ],
    };
  };
  const legend = LETTER * groups.reduce((most, { group }) => Math.max(most, group.length), 0) + 40;
  const panels = sideBySide(PANELS.map(panel), PANEL + legend / PANELS.length);
  const spec = { ...panels, resolve: { scale: { color: 'shared', shape: 'shared' } } };
  return chartItems(spec, `L0 against what is kept, of ${groups.length} kinds of SAE`);
}

function pointOf(
  { group, seeds, baseline, figures }: SeedGroup,
  figure: (typeof PANELS)[number]['figure'],
): ChartRow & { value: number | null; l0: number | null } {
  const { mean, std } = figures[figure];
  const l0 = figures.l0;
  const by = (v: number): number => (Number.isNaN(v) ? 0 : v);
  return {
    ...{ SAE: group, seeds, kind: baseline === null ? 'SAE' : 'baseline' },
    ...{ value: orNull(mean), low: orNull(mean - by(std)), high: orNull(mean + by(std)) },
    ...{ l0: orNull(l0.mean), l0Low: orNull(l0.mean - by(l0.std)), l0High: orNull(l0.mean + by(l0.std)) },
  };
}

function differenceTable({ differences }: SaeComparison): OutputItem[] {
  const rows = differences.map(({ a, b, figure, difference, std, seeds, leastDetectable }) => ({
    SAE: a,
    less: b,
    figure: NAMES[figure],
    difference: orNull(difference),
    'std of differences': orNull(std),
    'least detectable': orNull(leastDetectable),
    found: difference !== 0 && Math.abs(difference) >= leastDetectable ? 'yes' : 'no',
    seeds,
  }));
  return tableItems({
    ...tableOf(rows, 'Differences, paired by seed'),
    note: 'least detectable: the true difference that so many seeds find with a power of .8 at a two-sided .05',
  });
}

/** The Pareto chart, the paired differences where seeds are several, and the table last. */
export const comparisonOutputs = (found: SaeComparison): OutputItem[][] => [
  paretoChart(found),
  ...(found.differences.length > 0 ? [differenceTable(found)] : []),
  groupTable(found),
];
