/** Lenses: the values of the points that a cover cuts. In a chain each step takes the values of the one before. */
import { pushAll } from '../../protocol/lists.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { exactKnn } from '../compute/knn.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { principalAxes, project } from '../maps/pca.js';
import { umap } from '../maps/umap.js';
import { activationValues, rowStatistic } from './lensColumns.js';
import { density, eccentricity } from './lensPairs.js';
import { isomap } from './isomap.js';
import {
  LENSES,
  readLens,
  valuesGiven,
  type IsomapLens,
  type LensSpec,
  type LensStep,
  type PcaLens,
  type UmapLens,
  type ValuesLens,
} from './options.js';
import type { LensValues } from './types.js';
import { requireWhole } from '../compute/require.js';

/** Values on the way through a chain. */
interface Stage {
  /** n × dims, row-major. */
  values: Float64Array;
  dims: number;
  names: string[];
  description: string;
  warnings: string[];
  /** Ranges of dimensions that were nearly constant before they were scaled, which hides it. */
  constant?: Map<number, [number, number]>;
}

/** What every step may need besides the values before it. */
interface Context {
  seed: number;
  call: CallOptions;
  /** Rows given, and which of them the lens sees: arrays of the caller have a value for every row given. */
  given: number;
  kept: Int32Array;
}

/** A dimension whose values differ by less than this share of their size says nothing. */
export const NEARLY_CONSTANT = 1e-4;

const PRESETS: Record<string, readonly LensStep[]> = {
  'isomap-umap': [{ kind: 'isomap', components: 100 }, 'minmax', 'umap', 'minmax'],
};

type Step = Exclude<LensStep, 'isomap-umap'>;

/** A chain of steps with presets and given values written out. */
export function stepsOf(spec: LensSpec): readonly Step[] {
  const read = readLens(spec, 'lens');
  const list = Array.isArray(read) && typeof read[0] !== 'number' ? read : [read];
  return (list as readonly LensStep[]).flatMap(
    (s) => (PRESETS[typeof s === 'string' ? s : s?.kind] ?? [valuesGiven(s, 'lens') ?? s]) as readonly Step[],
  );
}

function minmax(stage: Stage): Stage {
  const { dims } = stage;
  const values = stage.values.slice();
  for (let d = 0; d < dims; d++) {
    const [low, high] = rangeOf(values, dims, d);
    // As scikit-learn's MinMaxScaler: a constant becomes 0.
    const span = high - low || 1;
    for (let i = d; i < values.length; i += dims) values[i] = (values[i] - low) / span;
  }
  const constant = new Map(constantDimensions(stage).map((d) => [d, rangeOf(stage.values, dims, d)] as const));
  return {
    ...stage,
    values,
    description: 'MinMax',
    warnings: [],
    constant: new Map([...constant, ...(stage.constant ?? [])]),
  };
}

function rangeOf(values: Float64Array, dims: number, d: number): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let i = d; i < values.length; i += dims) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}

/** Dimensions that hardly vary. */
function constantDimensions({ values, dims }: Stage): number[] {
  return Array.from({ length: values.length > 0 ? dims : 0 }, (_, d) => d).filter((d) => {
    const [low, high] = rangeOf(values, dims, d);
    return high - low <= NEARLY_CONSTANT * Math.max(Math.abs(low), Math.abs(high));
  });
}

/** Each dimension that hardly varies by name, with what it was before scaling. */
function constantText({ values, dims, names, constant }: Stage, found: readonly number[]): string {
  const said = found.slice(0, 3).map((d) => {
    const range = constant?.get(d) ?? rangeOf(values, dims, d);
    const [low, high] = range.map((v) => Number(v.toPrecision(7)));
    return `lens "${names[d]}" is nearly constant: from ${low} to ${high}`;
  });
  const more = found.length > 3 ? `; so are ${found.length - 3} more dimensions` : '';
  return `${said.join('; ')}${more}. Its cubes divide rounding errors, not shapes`;
}

const asMatrix = ({ values, dims }: Stage): Matrix => matrix(values.length / dims, dims, Float32Array.from(values));
const column = (values: Float64Array, name: string): Stage => ({
  values,
  dims: 1,
  names: [name],
  description: name,
  warnings: [],
});

async function pcaStage(x: Matrix, spec: PcaLens, call: CallOptions): Promise<Stage> {
  const components = spec.components ?? LENSES.table.pca.members.components.usual;
  const most = Math.min(x.cols, x.rows - 1);
  requireWhole('lens PCA: components', components, 1, most);
  const axes = await principalAxes(x, components, call);
  const share = axes.totalVariance > 0 ? axes.variances.reduce((s, v) => s + v, 0) / axes.totalVariance : 0;
  return {
    values: Float64Array.from(project(x, axes, components)),
    dims: components,
    names: Array.from({ length: components }, (_, d) => `PCA ${d + 1}`),
    description: `PCA(${components}), ${(100 * share).toFixed(1)} % of variance`,
    warnings: share < 1e-12 ? ['all points are the same: PCA has nothing to show'] : [],
  };
}

async function umapStage(x: Matrix, spec: UmapLens, context: Context): Promise<Stage> {
  const { kind: _, ...given } = spec;
  const options = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined));
  const layout = await umap(x, { seed: context.seed, ...options, ...context.call });
  return {
    values: Float64Array.from(layout.coordinates),
    dims: layout.axes ?? 2,
    names: Array.from({ length: layout.axes ?? 2 }, (_, d) => `UMAP ${d + 1}`),
    description: layout.description,
    warnings: [],
  };
}

async function isomapStage(x: Matrix, spec: IsomapLens, context: Context): Promise<Stage> {
  const { values, components, description, warnings } = await isomap(x, { seed: context.seed, ...spec }, context.call);
  const names = Array.from({ length: components }, (_, d) => `Isomap ${d + 1}`);
  return { values, dims: components, names, description, warnings };
}

/** A value per row given, of the rows that are kept. */
function userColumn(values: ArrayLike<number>, name: string, { given, kept }: Context): Stage {
  if (values.length !== given)
    throw new RangeError(`lens "${name}" has ${values.length} values but there are ${given} points`);
  return column(
    Float64Array.from(kept, (i) => values[i]),
    name,
  );
}

function userValues(o: ValuesLens, { given, kept }: Context): Stage {
  const { values, dims } = o;
  const description = o.description ?? LENSES.table.values.members.description.usual;
  if (values.length !== given * dims)
    throw new RangeError(
      `lens "${description}" has ${values.length} values of ${dims} dimensions but there are ${given} points`,
    );
  const out = new Float64Array(kept.length * dims);
  kept.forEach((from, to) => {
    for (let d = 0; d < dims; d++) out[to * dims + d] = values[from * dims + d];
  });
  const names = o.names ?? Array.from({ length: dims }, (_, d) => `lens ${d + 1}`);
  return { values: out, dims, names: [...names], description, warnings: [] };
}

async function knnDistance(x: Matrix, k: number, metric: 'euclidean' | 'cosine', call: CallOptions): Promise<Stage> {
  const { distances } = await exactKnn(x, k, { metric, ...call });
  const values = Float64Array.from({ length: x.rows }, (_, i) => distances[i * k + k - 1]);
  return column(values, `distance to neighbour ${k}${metric === 'cosine' ? ' (cosine)' : ''}`);
}

function dimensions(stage: Stage, columns: readonly number[]): Stage {
  const { values, dims } = stage;
  for (const c of columns)
    if (c >= dims) throw new RangeError(`lens: column ${c} does not exist; there are 0 to ${dims - 1}`);
  const n = values.length / dims;
  const out = new Float64Array(n * columns.length);
  for (let i = 0; i < n; i++) columns.forEach((c, d) => (out[i * columns.length + d] = values[i * dims + c]));
  const names = columns.map((c) => stage.names[c] ?? `column ${c}`);
  return { values: out, dims: columns.length, names, description: `columns ${columns.join(', ')}`, warnings: [] };
}

async function join(
  stage: Stage,
  x: Matrix | undefined,
  lenses: readonly LensSpec[],
  context: Context,
): Promise<Stage> {
  const parts: Stage[] = [];
  for (const lens of lenses) parts.push(await chain(stage, x, lens, context));
  const dims = parts.reduce((s, p) => s + p.dims, 0);
  const n = parts[0].values.length / parts[0].dims;
  const values = new Float64Array(n * dims);
  let at = 0;
  const constant = new Map<number, [number, number]>();
  for (const part of parts) {
    part.constant?.forEach((range, d) => constant.set(at + d, range));
    for (let i = 0; i < n; i++)
      for (let d = 0; d < part.dims; d++) values[i * dims + at + d] = part.values[i * part.dims + d];
    at += part.dims;
  }
  return {
    values,
    dims,
    names: parts.flatMap((p) => p.names),
    description: parts.map((p) => p.description).join(' + '),
    warnings: parts.flatMap((p) => p.warnings),
    constant,
  };
}

/** `x`: the stage as float32 where there is one already, so that the points are not copied twice. */
async function step(stage: Stage, x: Matrix | undefined, spec: LensStep, context: Context): Promise<Stage> {
  const { call } = context;
  const o = typeof spec === 'string' ? ({ kind: spec } as Exclude<LensStep, string>) : spec;
  const points = (): Matrix => x ?? asMatrix(stage);
  switch (o.kind) {
    case 'pca':
      return pcaStage(points(), o, call);
    case 'umap':
      return umapStage(points(), o, context);
    case 'isomap':
      return isomapStage(points(), o, context);
    case 'density':
      return density(points(), o, call);
    case 'eccentricity':
      return eccentricity(points(), o, call);
    case 'knnDistance':
      // A k above the number of other points is lowered to it; the name of the dimension says the k taken.
      return knnDistance(
        points(),
        Math.min(o.k ?? LENSES.table.knnDistance.members.k.usual, points().rows - 1),
        o.metric ?? LENSES.table.knnDistance.members.metric.usual,
        call,
      );
    case 'minmax':
      return minmax(stage);
    case 'column':
      return userColumn(o.values, o.name ?? LENSES.table.column.members.name.usual, context);
    case 'values':
      return userValues(o, context);
    case 'dimensions':
      return dimensions(x ? { ...stage, values: Float64Array.from(x.data), dims: x.cols } : stage, o.columns);
    case 'firingRate':
    case 'meanActivation':
    case 'maxActivation':
    case 'activationStd': {
      const { values, name } = activationValues(o.kind, o.activations);
      return userColumn(values, name, context);
    }
    case 'join':
      return join(stage, x, [...o.lenses], context);
    default: {
      const { values, name } = rowStatistic((o as { kind: string }).kind, points());
      return column(values, name);
    }
  }
}

async function chain(stage: Stage, x: Matrix | undefined, spec: LensSpec, context: Context): Promise<Stage> {
  const parts: string[] = [];
  const warnings: string[] = [];
  let current = stage;
  let rows = x;
  for (const s of stepsOf(spec)) {
    checkAborted(context.call.signal, 'lens');
    current = await step(current, rows, s, context);
    rows = undefined;
    parts.push(current.description);
    pushAll(warnings, current.warnings);
  }
  return { ...current, description: parts.join(' → '), warnings };
}

/** A lens of the kept rows, and how many of its dimensions hardly vary. */
export interface ComputedLens extends LensValues {
  /** [dims] 1 where the dimension is nearly constant. */
  readonly constant: Uint8Array;
}

/**
 * Computes a lens of finite rows. `kept` says which of the `given` rows these are: arrays in the specification have a
 * value for every row given.
 * @throws RangeError for options out of range and arrays of another length
 */
export async function computeLens(
  x: Matrix,
  spec: LensSpec,
  options: { seed: number; given: number; kept: Int32Array },
  call: CallOptions = {},
): Promise<ComputedLens> {
  const start: Stage = { values: new Float64Array(0), dims: x.cols, names: [], description: '', warnings: [] };
  const stage = await chain(start, x, spec, { ...options, call });
  const found = [...new Set([...constantDimensions(stage), ...(stage.constant?.keys() ?? [])])].sort((a, b) => a - b);
  const constant = new Uint8Array(stage.dims);
  for (const d of found) constant[d] = 1;
  const { values, dims, names, description } = stage;
  const said = found.length > 0 ? [constantText(stage, found)] : [];
  return { values, dims, names, description, warnings: [...new Set([...stage.warnings, ...said])], constant };
}
