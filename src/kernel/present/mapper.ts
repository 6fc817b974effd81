/** How persistence, nulls, sweeps, stability and overlap of Mapper graphs are shown. */
import { maxOf, minOf } from '../../protocol/lists.js';
import type { GraphFinding } from '../../protocol/graph.js';
import type { OutputItem } from '../../protocol/notebook.js';
import type { MapperNulls } from '../mapper/nulls.js';
import type { NodeOverlap } from '../mapper/overlap.js';
import type { ExtendedPersistence } from '../mapper/persistence.js';
import type { RipsPersistence } from '../mapper/ripsSample.js';
import type { MapperStability } from '../mapper/stability.js';
import type { MapperSweep, SweepCell } from '../mapper/sweep.js';
import { bars, heatmap, orNull, scatterWithDiagonal, tooltipOf } from './charts.js';
import { chartItems, count, formatNumber, tableItems, tableOf, textItem, type TableRow } from './items.js';

/** Bars drawn of each dimension. */
const DRAWN = 60;

const NAMES = ['H0 components', 'H1 loops', 'H2 hollows'];
const P_NOTE = 'p = (k + 1)/(R + 1)';

/** A chart, with a table's plain text for viewers without it. */
function chartWithText(spec: object, title: string, text: readonly OutputItem[]): OutputItem[] {
  return [chartItems(spec, title)[0], ...text.filter((item) => item.mime === textItem('').mime)];
}

interface Bar {
  dim: string;
  place: number;
  birth: number;
  end: number;
  death: string;
  length: string;
  p: number | null;
}

/** The longest bars; those that do not end are drawn a little beyond the threshold. */
function barsOf({ dims, threshold }: RipsPersistence): Bar[] {
  let place = 0;
  return dims.flatMap(({ dim, births, deaths, p }) =>
    Array.from(births.subarray(0, DRAWN), (birth, i) => {
      const open = deaths[i] === Infinity;
      return {
        dim: NAMES[dim],
        place: place++,
        birth,
        end: open ? threshold * 1.05 : deaths[i],
        death: open ? '∞' : formatNumber(deaths[i]),
        length: open ? '∞' : formatNumber(deaths[i] - birth),
        p: orNull(p[i]),
      };
    }),
  );
}

const SCALE = 'distance';
const TOOLTIP = tooltipOf('dim', 'birth', 'death', 'length', 'p');
const DIM_COLOR = { field: 'dim', type: 'nominal', title: null, sort: NAMES };

/** The bars by dimension, longest first, as a Vega-Lite spec. */
export function barcodeSpec(r: RipsPersistence): object {
  const from = { field: 'birth', title: SCALE };
  return bars(barsOf(r), { from, to: 'end', place: 'place', color: DIM_COLOR, tooltip: TOOLTIP });
}

/** Birth against death; lines: where bars of length 0 lie, and the 95th percentile of the null's longest bars. */
export function diagramSpec(r: RipsPersistence): object {
  const top = r.threshold * 1.05;
  const lines = r.dims
    .filter(({ nullLongest }) => nullLongest.length > 0)
    .flatMap(({ dim, nullLongest }) => {
      const sorted = Float64Array.from(nullLongest).sort();
      const length = sorted[Math.min(sorted.length - 1, Math.ceil(0.95 * sorted.length) - 1)];
      return [
        { dim: NAMES[dim], birth: 0, end: Math.min(top, length) },
        { dim: NAMES[dim], birth: Math.max(0, top - length), end: top },
      ];
    });
  return scatterWithDiagonal(barsOf(r), {
    x: { field: 'birth', title: `birth (${SCALE})` },
    y: { field: 'end', title: `death (${SCALE})` },
    top,
    color: DIM_COLOR,
    tooltip: TOOLTIP,
    lines,
  });
}

function persistenceTable(r: RipsPersistence, about: string): OutputItem[] {
  const rows = r.dims.flatMap(({ dim, births, deaths, p, nullLongest }): TableRow[] =>
    Array.from(births.subarray(0, 5), (birth, i) => ({
      dimension: NAMES[dim],
      birth,
      death: deaths[i] === Infinity ? '∞' : formatNumber(deaths[i]),
      length: deaths[i] === Infinity ? '∞' : formatNumber(deaths[i] - birth),
      'longest in null, mean':
        nullLongest.length > 0 ? nullLongest.reduce((s, v) => s + v, 0) / nullLongest.length : null,
      p: orNull(p[i]),
      bars: births.length,
    })),
  );
  return tableItems({
    ...tableOf(rows, 'Vietoris-Rips persistence: the longest bars'),
    note: `${about}; seed ${r.seed}; ${P_NOTE}, k = null runs whose longest bar is as long`,
  });
}

/** What the drawn bars leave out. */
function cutOff(r: RipsPersistence): string {
  const left = r.dims.reduce((sum, { births }) => sum + Math.max(0, births.length - DRAWN), 0);
  return left > 0 ? `; the ${DRAWN} longest of each dimension, ${count(left)} shorter ones not drawn` : '';
}

export type PersistenceView = 'both' | 'barcode' | 'diagram';

const VIEW_NAMES = { both: 'Barcode and diagram', barcode: 'Barcode', diagram: 'Persistence diagram' };

/** `about`: the sample in words. */
export function persistenceItems(
  r: RipsPersistence,
  view: PersistenceView,
  about: string,
  name = VIEW_NAMES[view],
): OutputItem[] {
  const dashed = view === 'barcode' || r.null.runs === 0 ? '' : '; dashed: 95 % of null runs have no longer bar';
  const spec =
    view === 'barcode'
      ? barcodeSpec(r)
      : view === 'diagram'
        ? diagramSpec(r)
        : { hconcat: [barcodeSpec(r), diagramSpec(r)] };
  return chartWithText(spec, `${name}: ${about}${cutOff(r)}${dashed}`, persistenceTable(r, about));
}

export function extendedItems(persistence: ExtendedPersistence, by: string): OutputItem[] {
  const { components, branches, loops, left } = persistence;
  const rows = [...components, ...loops, ...branches].map((pair) => ({
    kind: pair.direction ? `branch ${pair.direction}` : pair.kind,
    birth: pair.birth,
    death: pair.death,
    persistence: pair.persistence,
    nodes: pair.nodes.length,
    'first nodes': pair.nodes.slice(0, 8).join(' '),
  }));
  const about = `${components.length} components, ${loops.length} loops, ${branches.length} branches`;
  return tableItems({
    ...tableOf(rows, `Extended persistence by ${by}: ${about}`, 100),
    note: `births, deaths and persistence in shares of the range of ${by}${left.length > 0 ? `; ${left.length} nodes without a value left out` : ''}`,
  });
}

export function nullItems(nulls: MapperNulls): OutputItem[] {
  const rows = nulls.comparison.map((c) => ({
    statistic: c.statistic,
    graph: c.value,
    'null mean': c.null.mean,
    'null std': c.null.std,
    'null min': c.null.min,
    'null max': c.null.max,
    'p more': c.pMore,
    'p fewer': c.pFewer,
  }));
  return tableItems({
    ...tableOf(rows, `Mapper graph beside null graphs: ${nulls.name}`),
    note: `${nulls.runs.length} runs, seed ${nulls.seed}; ${P_NOTE}, k = null graphs at or above ("more"), at or below ("fewer") the graph; branches, loops and second component in shares of the range of ${nulls.by}`,
  });
}

export function findingItems(findings: readonly GraphFinding[], n: number): OutputItem[] {
  const rows = findings.map((f, i) => ({
    finding: i,
    kind: f.kind,
    persistence: f.persistence,
    p: f.p ?? null,
    nodes: f.nodes.length,
    'first nodes': f.nodes.slice(0, 8).join(' '),
  }));
  const [first] = findings;
  const nulls =
    first?.p === undefined
      ? 'no null was run: nothing here is known to be more than chance'
      : `null: ${first.null}, ${first.runs} runs, seed ${first.seed}; ${P_NOTE}, k = null graphs whose longest of the kind is as long`;
  return tableItems({
    ...tableOf(
      rows,
      findings.length > 0 ? 'Loops, branches and further components' : 'No loop, branch or further component',
      100,
    ),
    note: `${count(n)} points; persistence in shares of the range of ${first?.by ?? 'the node function'}; ${nulls}`,
  });
}

export function sweepItems(sweep: MapperSweep): OutputItem[] {
  const { cells, bootstraps, seed, compared } = sweep;
  const grid = (name: string, of: (cell: SweepCell) => number): object =>
    heatmap(
      name,
      cells.map((cell) => ({ cubes: cell.cubes, overlap: cell.overlap, value: orNull(of(cell)) })),
      'overlap',
      'cubes',
    );
  const maps = [
    grid('components', (c) => c.statistics.components),
    grid('loops (b1)', (c) => c.statistics.loops),
    grid('noise share', (c) => c.statistics.noiseShare),
    bootstraps > 0
      ? grid('stability (bootstrap Jaccard)', (c) => c.stability)
      : grid('stability (agreement with neighbours)', (c) => c.agreement),
    ...(bootstraps > 0 ? [grid('agreement with neighbours', (c) => c.agreement)] : []),
    ...(sweep.null.runs > 0 ? [grid('null: loops, mean', (c) => c.null!.loops)] : []),
  ];
  const rows = cells.map((c) => ({
    cubes: c.cubes,
    overlap: c.overlap,
    nodes: c.statistics.nodes,
    edges: c.statistics.edges,
    components: c.statistics.components,
    loops: c.statistics.loops,
    'noise share': c.statistics.noiseShare,
    agreement: orNull(c.agreement),
    ...(bootstraps > 0 ? { stability: orNull(c.stability) } : {}),
    ...(c.null ? { 'null components': c.null.components, 'null loops': c.null.loops, 'p loops': c.null.pLoops } : {}),
  }));
  const nulls = sweep.null.runs > 0 ? `null: ${sweep.null.name}, ${sweep.null.runs} runs; ${P_NOTE}` : 'no null';
  const title = `Mapper over cubes × overlap: ${sweep.description}`;
  const note = `agreement: adjusted Rand index of components with neighbouring cells, ${count(compared)} points; ${bootstraps} bootstrap draws; ${nulls}; seed ${seed}`;
  const text = tableItems({ ...tableOf(rows, title), note });
  return chartWithText({ columns: 2, concat: maps }, `${title}; ${note}`, text);
}

const spreadText = ({ mean, std }: { mean: number; std: number }): string =>
  `${formatNumber(mean, 3)} ± ${formatNumber(std, 2)}`;

export function stabilityItems(s: MapperStability): OutputItem[] {
  const of = (name: string, values: number[]): TableRow => ({
    figure: name,
    value: null,
    chance: null,
    p: null,
    note: `${formatNumber(minOf(values))} to ${formatNumber(maxOf(values))} over the draws`,
  });
  const pairs = (name: string, { together, apart }: MapperStability['node']): TableRow => ({
    figure: `pairs of points of one ${name} that are in one again`,
    value: orNull(together.share),
    chance: orNull(apart.share),
    p: null,
    note: `${count(together.pairs)} pairs; chance: ${count(apart.pairs)} pairs of different ones`,
  });
  const lowest = [...s.jaccard.keys()].sort((a, b) => s.jaccard[a] - s.jaccard[b]).slice(0, 5);
  const rows: TableRow[] = [
    {
      figure: 'Jaccard index of nodes',
      value: orNull(s.overall.mean),
      chance: orNull(s.chance.mean),
      p: s.chance.p,
      note: `${spreadText(s.overall)}; chance: points exchanged, ${spreadText(s.chance)}`,
    },
    pairs('node', s.node),
    pairs('component', s.component),
    { ...of('components', s.statistics.map((d) => d.components)), value: s.observed.components },
    { ...of('loops (b1)', s.statistics.map((d) => d.loops)), value: s.observed.loops },
    { ...of('nodes', s.statistics.map((d) => d.nodes)), value: s.observed.nodes },
    { ...of('noise share', s.statistics.map((d) => d.noiseShare)), value: s.observed.noiseShare },
  ]; // prettier-ignore
  const named = lowest.map((node) => `${node} (${formatNumber(s.jaccard[node], 2)})`).join(', ');
  return tableItems({
    ...tableOf(rows, 'Stability of the Mapper graph over resampled points'),
    note: `${s.runs} runs (${s.resample}), seed ${s.seed}; ${P_NOTE}${named ? `; least stable nodes: ${named}` : ''}; nodes that the cover alone makes come back too: compare with the stability of null data`,
  });
}

export function overlapItems(o: NodeOverlap): OutputItem[] {
  const best = [...o.best].sort((a, b) => a.p - b.p || b.overlap - a.overlap);
  const rows = best.map((m) => ({
    'node of A': m.a,
    'node of B': m.b < 0 ? null : m.b,
    members: m.members,
    'with counterpart': m.withCounterpart,
    'in node of B': m.hits,
    overlap: m.overlap,
    expected: orNull(m.expected),
    p: m.p,
  }));
  const { value, null: n, p, seed } = o.mean;
  return tableItems({
    ...tableOf(
      rows,
      `Nodes of A (${o.nodesA}) and of B (${o.nodesB}): mean best overlap ${formatNumber(value, 3)}, null ${spreadText(n)}, p ${formatNumber(p, 3)}`,
      50,
    ),
    note: `${count(o.matched)} of ${count(o.counterpart.length)} points of A have a counterpart, ${count(o.inNodes)} in a node of B. p of a row: hypergeometric, times the number of nodes of B. p of the mean: ${P_NOTE}, counterparts exchanged at random, ${n.runs} runs, seed ${seed}`,
  });
}
