/** Mapper over a grid of cubes × overlap: lens and neighbours are computed once. */
import { filled } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { finiteRows } from '../maps/rows.js';
import { exceedance, graphStatistics, type GraphStatistics } from './findings.js';
import { NULL_KINDS, NullData, NULL_NAMES, type NullKind } from './nullData.js';
import { inPlace, type Remember } from './nulls.js';
import type { PlanOptions } from './options.js';
import { prepareMapper, type MapperPlan } from './plan.js';
import {
  adjustedRand,
  bestJaccard,
  componentOfPoints,
  drawRows,
  nodesOfPoints,
  optionsOf,
  rowsOf,
  weightedByMembers,
} from './resample.js';
import type { MapperGraph } from './types.js';
import { nullsOf } from '../verb/common.js';
import { choice, group, membersGiven, numbers, whole, type Given } from '../verb/option.js';

export const SWEEP = {
  cubes: numbers({ doc: 'Cubes per dimension.', min: 1, whole: true, usual: [5, 8, 10, 15, 20] }),
  overlaps: numbers({
    doc: 'Share of a cube in common with the next.',
    min: 0,
    below: 1,
    usual: [0.1, 0.2, 0.3, 0.4, 0.5],
  }),
  cover: choice(['cubes', 'balanced'], { doc: 'Cover whose cubes and overlap are varied.', usual: 'cubes' }),
  draws: group(
    {
      runs: whole({ doc: 'Bootstrap draws of every cell.', min: 0, usual: 0 }),
      seed: whole({ doc: 'Of draws, and of the points compared between cells.', usual: 0 }),
    },
    { doc: 'Bootstrap draws of every cell, each of which costs about as much as the sweep itself.', short: 'runs' },
  ),
  nulls: nullsOf(NULL_KINDS, {
    doc: 'Null data sets that are swept too, each of which costs as much again, lens included.',
    runs: 0,
    seed: 'the seed of the draws',
  }),
};
/** The options that a cell gave, as mapperSweep() takes them; a seed of draws or null data alone serves both. */
export function sweepSettings({ draws, nulls, ...rest }: Given<typeof SWEEP>) {
  const drawn = membersGiven(draws, 'runs');
  const chance = membersGiven(nulls, 'runs');
  const seedOf = drawn.seed ?? chance.seed;
  return {
    ...rest,
    bootstraps: drawn.runs,
    nulls: chance.runs,
    null: chance.kind,
    seed: seedOf,
    nullSeed: chance.seed === seedOf ? undefined : chance.seed,
  };
}
type MapperSweepOptions = Partial<ReturnType<typeof sweepSettings>>;

export interface SweepCell {
  cubes: number;
  overlap: number;
  statistics: GraphStatistics;
  /**
   * Agreement with the neighbouring cells: mean adjusted Rand index of the components that points are in, those in none
   * a class of their own. NaN in a sweep of one cell.
   */
  agreement: number;
  /** Mean best Jaccard index of nodes over the bootstrap draws, weighted by members; NaN without draws. */
  stability: number;
  /** Means over the null sweeps and p = (k + 1)/(R + 1), k = null runs at or above the cell; absent without nulls. */
  null?: { components: number; loops: number; noiseShare: number; pComponents: number; pLoops: number };
}

export interface MapperSweep {
  /** Row by row: cubes, then overlaps. */
  cells: SweepCell[];
  cubes: readonly number[];
  overlaps: readonly number[];
  /** Points whose components are compared between cells. */
  compared: number;
  bootstraps: number;
  null: { name: string; runs: number };
  seed: number;
  /** As shown: lens and clusterer. */
  description: string;
}

/** Points whose components are compared between cells: the index of 4,096 is within about 0.01 of that of all. */
const COMPARED = 4096;

/** What is kept of the graph of a cell. */
interface Kept {
  statistics: GraphStatistics;
  components: number[];
  description: string;
}

interface Grid {
  cubes: readonly number[];
  overlaps: readonly number[];
  covers: Array<{ kind: 'cubes' | 'balanced'; cubes: number; overlap: number }>;
}

function gridOf(options: MapperSweepOptions): Grid {
  const { cubes, overlaps, cover: kind } = filled(SWEEP, options);
  return { cubes, overlaps, covers: cubes.flatMap((c) => overlaps.map((overlap) => ({ kind, cubes: c, overlap }))) };
}

/** A plan that is made when a graph is first asked for, and its graphs, each once. */
class Graphs {
  #plan?: MapperPlan;
  readonly #graphs: Array<MapperGraph | undefined> = [];

  constructor(
    private readonly x: Matrix,
    private readonly options: PlanOptions,
    private readonly grid: Grid,
    private readonly call: CallOptions,
  ) {}

  async #planned(): Promise<MapperPlan> {
    return (this.#plan ??= await prepareMapper(this.x, { ...this.options, signal: this.call.signal }));
  }

  async of(cell: number): Promise<MapperGraph> {
    const plan = await this.#planned();
    return (this.#graphs[cell] ??= await plan.run(this.grid.covers[cell], { signal: this.call.signal }));
  }

  /** Lens and clusterer. */
  async description(): Promise<string> {
    const { lens, clusterer } = await this.#planned();
    return `${lens.description} · ${clusterer}`;
  }
}

/** Means over the cells beside, above and below. */
function agreements(grid: Grid, cells: readonly Kept[]): number[] {
  const width = grid.overlaps.length;
  const known = new Map<string, number>();
  const between = (a: number, b: number): number => {
    const key = `${Math.min(a, b)} ${Math.max(a, b)}`;
    const value = known.get(key) ?? adjustedRand(cells[a].components, cells[b].components);
    known.set(key, value);
    return value;
  };
  return cells.map((_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    const beside = [
      ...(column > 0 ? [at - 1] : []),
      ...(column < width - 1 ? [at + 1] : []),
      ...(row > 0 ? [at - width] : []),
      ...(row < grid.cubes.length - 1 ? [at + width] : []),
    ];
    return beside.reduce((sum, other) => sum + between(at, other), 0) / beside.length;
  });
}

/** The bootstrap stability of every cell: [cells] per draw, null where there is none. */
async function bootstrapDraw(
  x: Matrix,
  options: PlanOptions,
  grid: Grid,
  graphs: Graphs,
  random: Random,
  call: CallOptions,
): Promise<Array<number | null>> {
  const rows = drawRows(x.rows, 'bootstrap', 1, random);
  const present = new Uint8Array(x.rows);
  for (const i of rows) present[i] = 1;
  const drawn = new Graphs(rowsOf(x, rows), optionsOf(options, rows), grid, call);
  const out: Array<number | null> = [];
  for (let cell = 0; cell < grid.covers.length; cell++) {
    const graph = await graphs.of(cell);
    const of = nodesOfPoints(await drawn.of(cell), x.rows, rows);
    const value = weightedByMembers(graph, bestJaccard(graph, of, present));
    out.push(Number.isNaN(value) ? null : value);
  }
  return out;
}

function withNull(cell: GraphStatistics, runs: readonly GraphStatistics[]): SweepCell['null'] {
  if (runs.length === 0) return undefined;
  const mean = (of: (s: GraphStatistics) => number): number => runs.reduce((sum, s) => sum + of(s), 0) / runs.length;
  return {
    components: mean((s) => s.components),
    loops: mean((s) => s.loops),
    noiseShare: mean((s) => s.noiseShare),
    pComponents: exceedance(
      cell.components,
      runs.map((s) => s.components),
    ),
    pLoops: exceedance(
      cell.loops,
      runs.map((s) => s.loops),
    ),
  };
}

const withDefaults = (settings: MapperSweepOptions) => {
  const { draws, nulls } = SWEEP;
  const { runs: bootstraps, seed } = draws.members;
  return filled({ bootstraps, seed, nulls: nulls.members.runs, null: nulls.members.kind }, settings);
};

const cellName = (cover: Grid['covers'][number], seed: number): string => `cell ${JSON.stringify(cover)} ${seed}`;
const drawName = ({ covers }: Grid, draw: number, seed: number): string =>
  `draw ${draw} ${seed} ${JSON.stringify(covers)}`;
const nullName = ({ covers }: Grid, kind: NullKind, seed: number): string =>
  `null ${kind} ${seed} ${JSON.stringify(covers)}`;

/** Runs that mapperSweep asks `remember` for, and the graphs that all of them make. */
export function sweepRunNames(settings: MapperSweepOptions): { names: string[]; graphs: number } {
  const { bootstraps, nulls, null: kind, seed, nullSeed = seed } = withDefaults(settings);
  const grid = gridOf(settings);
  const names = grid.covers.map((cover) => cellName(cover, seed));
  for (let draw = 0; draw < bootstraps; draw++) names.push(drawName(grid, draw, seed));
  for (let run = 0; run < nulls; run++) names.push(nullName(grid, kind, nullSeed + run));
  return { names, graphs: grid.covers.length * (1 + bootstraps + nulls) };
}

/** The inputs of a sweep. */
interface Sweep {
  x: Matrix;
  options: PlanOptions;
  grid: Grid;
  graphs: Graphs;
  /** Points whose components are kept. */
  compared: Uint32Array;
  call: CallOptions;
  remember: Remember;
  progress: (graphs: number) => void;
  seed: number;
}

function sweepCells({ x, grid, graphs, compared, remember, progress, seed }: Sweep): Promise<Kept[]> {
  return inTurn(grid.covers, async (cover, cell) => {
    progress(1);
    return remember(cellName(cover, seed), async () => {
      const graph = await graphs.of(cell);
      const component = componentOfPoints(graph, nodesOfPoints(graph, x.rows));
      const components = Array.from(compared, (i) => component[i]);
      return { statistics: graphStatistics(graph), components, description: await graphs.description() };
    });
  });
}

function sweepDraws(sweep: Sweep, draws: number): Promise<Array<Array<number | null>>> {
  const { x, options, grid, graphs, call, remember, progress, seed } = sweep;
  return inTurn(Array.from({ length: draws }), async (_, draw) => {
    progress(grid.covers.length);
    const random = new Random(seed).fork(`sweep draw ${draw}`);
    return remember(drawName(grid, draw, seed), () => bootstrapDraw(x, options, grid, graphs, random, call));
  });
}

function sweepNulls(sweep: Sweep, kind: NullKind, runs: number, seed: number): Promise<GraphStatistics[][]> {
  const { x, options, grid, call, remember, progress } = sweep;
  const kept = finiteRows(x);
  const source = runs > 0 ? new NullData(kept.matrix, kind) : undefined;
  return inTurn(Array.from({ length: runs }), async (_, run) => {
    progress(grid.covers.length);
    return remember(nullName(grid, kind, seed + run), async () => {
      const drawn = inPlace(x, kept.index, await source!.draw(seed + run, { signal: call.signal }));
      const graphs = new Graphs(drawn, options, grid, call);
      return inTurn(grid.covers, async (_cover, cell) => graphStatistics(await graphs.of(cell)));
    });
  });
}

/** One after the other. */
async function inTurn<S, T>(items: readonly S[], work: (item: S, index: number) => Promise<T>): Promise<T[]> {
  const out: T[] = [];
  for (const [index, item] of items.entries()) out.push(await work(item, index));
  return out;
}

/**
 * Runs every cell of cubes × overlaps over one lens. Finished cells, bootstrap draws and null sweeps go through
 * `remember`, so that a call that was stopped goes on where it was.
 */
export async function mapperSweep(
  x: Matrix,
  options: PlanOptions,
  settings: MapperSweepOptions = {},
  call: CallOptions = {},
  remember: Remember = (_, run) => run(),
): Promise<MapperSweep> {
  const { bootstraps, nulls, null: kind, seed, nullSeed = seed } = withDefaults(settings);
  const grid = gridOf(settings);
  const compared = new Random(seed).fork('sweep points').permutation(x.rows).subarray(0, COMPARED).sort();
  const total = grid.covers.length * (1 + bootstraps + nulls);
  let done = 0;
  const progress = (graphs: number): void => {
    call.onProgress?.({ label: 'Mapper sweep', done, total, unit: 'graphs' });
    done += graphs;
  };
  const graphs = new Graphs(x, options, grid, call);
  const sweep: Sweep = { x, options, grid, graphs, compared, call, remember, progress, seed };
  const cells = await sweepCells(sweep);
  const draws = await sweepDraws(sweep, bootstraps);
  const nullRuns = await sweepNulls(sweep, kind, nulls, nullSeed);
  const agreement = agreements(grid, cells);
  return {
    cells: cells.map(({ statistics }, cell): SweepCell => {
      const { cubes, overlap } = grid.covers[cell];
      const values = draws.map((draw) => draw[cell]).filter((v) => v !== null);
      const stability = values.reduce((sum, v) => sum + v, 0) / values.length;
      const beside = withNull(
        statistics,
        nullRuns.map((run) => run[cell]),
      );
      return { cubes, overlap, statistics, agreement: agreement[cell], stability, ...(beside && { null: beside }) };
    }),
    cubes: grid.cubes,
    overlaps: grid.overlaps,
    compared: compared.length,
    bootstraps,
    null: { name: NULL_NAMES[kind], runs: nulls },
    seed,
    description: cells[0].description,
  };
}
