/** Vietoris-Rips persistence of a point sample, through landmarks where it is large, beside its null. */
import { filled } from '../verb/filled.js';
import { type CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { finiteRows } from '../maps/rows.js';
import { landmarks, PointDistances, type Landmarks, type SampleMetric } from './landmarks.js';
import { NullData, NULL_NAMES, type NullKind } from './nullData.js';
import { ripsBarcodes, type Barcode } from './rips.js';
import type { Distances } from './ripsSimplices.js';
import { RIPS, type RipsPersistenceOptions } from './ripsOptions.js';

/** Bars of one dimension beside the null. */
export interface PersistenceDimension extends Barcode {
  /** [bars] p = (k + 1)/(R + 1), k = null runs whose longest bar is as long; NaN without nulls and in dimension 0. */
  p: Float64Array;
  /** Length of the longest bar in each null run; dimension 0 has none, its longest bar being infinite. */
  nullLongest: Float64Array;
}

export interface RipsPersistence {
  dims: PersistenceDimension[];
  /** Points given; those with NaN or infinity, left out; those that the complex is built on. */
  points: number;
  excluded: number;
  landmarks: Int32Array;
  sampling: 'all' | 'maxmin' | 'random';
  metric: SampleMetric | 'precomputed';
  threshold: number;
  /** The largest distance of a point from its nearest landmark, in the metric. */
  coveringRadius: number;
  /**
   * Ends of bars differ from those of all points by at most this: 2 × covering radius (Chazal, de Silva and Oudot 2014,
   * theorem 5.2). For euclidean distances; the others need not obey the triangle inequality: NaN, or 0 when no point is
   * left out.
   */
  errorBound: number;
  null: { kind: NullKind; runs: number };
  seed: number;
}

interface Sample {
  barcodes: Barcode[];
  threshold: number;
  chosen: Landmarks;
}

type Settled = Required<
  Pick<
    RipsPersistenceOptions,
    'maxDim' | 'metric' | 'precomputed' | 'landmarks' | 'sampling' | 'nulls' | 'null' | 'seed'
  >
> &
  Pick<RipsPersistenceOptions, 'threshold' | 'nullSeed'>;

/** Every option with its default. @throws RangeError for a metric or nulls of precomputed distances */
export function ripsSettings(options: RipsPersistenceOptions): Settled {
  const { maxDim, metric, precomputed, sampling, threshold, seed } = filled(RIPS, options);
  const settled = {
    maxDim,
    metric,
    precomputed,
    landmarks: options.landmarks ?? (maxDim === 2 ? 250 : 1000),
    sampling,
    ...(threshold === undefined ? {} : { threshold }),
    nulls: options.nulls ?? (precomputed ? 0 : 20),
    null: options.null ?? RIPS.nulls.members.kind.usual,
    seed,
    ...(options.nullSeed === undefined || options.nullSeed === seed + 1 ? {} : { nullSeed: options.nullSeed }),
  };
  if (precomputed && (options.metric !== undefined || settled.nulls > 0))
    throw new RangeError(
      `precomputed distances have no ${options.metric === undefined ? 'null data: pass the points, or nulls: 0' : 'metric: leave one of the two out'}`,
    );
  return settled;
}

/** Precomputed distances as points. */
function givenDistances(x: Matrix): { n: number; between(i: number, j: number): number } {
  if (x.rows !== x.cols) throw new RangeError(`precomputed distances are square but got ${x.rows} × ${x.cols}`);
  const n = x.rows;
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const v = x.data[i * n + j];
      if (!(v >= 0) || v === Infinity || v !== x.data[j * n + i] || (i === j && v !== 0))
        throw new RangeError(
          `distances [${i}, ${j}] and [${j}, ${i}] are ${v} and ${x.data[j * n + i]}; expected equal finite numbers ≥ 0, and 0 on the diagonal`,
        );
    }
  return { n, between: (i, j) => x.data[i * n + j] };
}

async function sampleBarcodes(x: Matrix, o: Settled, call: CallOptions): Promise<Sample> {
  const points = o.precomputed ? givenDistances(x) : new PointDistances(x, o.metric);
  const chosen = await landmarks(points, o.landmarks, o.sampling, o.seed, call);
  const n = chosen.ids.length;
  // An upper bound: pairs that cancel at once are never stored; in our trials at most a fifth of the columns was.
  const columns = o.maxDim === 2 ? (n * (n - 1) * (n - 2)) / 6 : (n * (n - 1)) / 2;
  requireMemory(`persistence of ${n} points to dimension ${o.maxDim}`, 8 * n * n + 64 * columns);
  let distances: Distances;
  if (points instanceof PointDistances) distances = await points.among(chosen.ids, call);
  else
    distances = {
      n,
      d: Float64Array.from({ length: n * n }, (_, e) =>
        points.between(chosen.ids[Math.floor(e / n)], chosen.ids[e % n]),
      ),
    };
  return { ...(await ripsBarcodes(distances, { maxDim: o.maxDim, threshold: o.threshold, ...call })), chosen };
}

const longest = ({ births, deaths }: Barcode): number =>
  births.reduce((most, birth, i) => Math.max(most, deaths[i] - birth), 0);

/**
 * Barcodes H0 to H2 over GF(2) of n × d points, or of n × n distances. Rows with NaN or infinity are left out and
 * counted. Null data goes through the same steps with the same settings; p of a bar counts the null runs whose longest
 * bar in its dimension is as long, which holds the chance of any false bar at p (maximum statistic).
 */
export async function ripsPersistence(x: Matrix, options: RipsPersistenceOptions = {}): Promise<RipsPersistence> {
  const o = ripsSettings(options);
  const kept = o.precomputed ? { matrix: x, index: undefined } : finiteRows(x);
  const data = kept.matrix;
  const { signal, onProgress } = options;
  const own = await sampleBarcodes(data, o, { signal, onProgress });
  const runs = data.rows < 2 ? 0 : o.nulls;
  const nullLongest = own.barcodes.map(() => new Float64Array(runs));
  const source = runs > 0 ? new NullData(data, o.null) : undefined;
  for (let run = 0; run < runs; run++) {
    onProgress?.({ label: 'Persistence of null data', done: run, total: runs });
    const { barcodes } = await sampleBarcodes(await source!.draw((o.nullSeed ?? o.seed + 1) + run, { signal }), o, {
      signal,
    });
    barcodes.forEach((b, dim) => (nullLongest[dim][run] = longest(b)));
  }
  const dims = own.barcodes.map((bars, dim): PersistenceDimension => {
    const held = dim > 0 && runs > 0;
    const p = Float64Array.from(bars.births, (birth, i) =>
      held ? (nullLongest[dim].filter((v) => v >= bars.deaths[i] - birth).length + 1) / (runs + 1) : NaN,
    );
    return { ...bars, p, nullLongest: held ? nullLongest[dim] : new Float64Array(0) };
  });
  const { ids, coveringRadius } = own.chosen;
  return {
    dims,
    points: x.rows,
    excluded: x.rows - data.rows,
    landmarks: kept.index ? ids.map((i) => kept.index[i]) : ids,
    sampling: ids.length === data.rows ? 'all' : o.sampling,
    metric: o.precomputed ? 'precomputed' : o.metric,
    threshold: own.threshold,
    coveringRadius,
    errorBound: coveringRadius === 0 ? 0 : o.precomputed || o.metric === 'cosine' ? NaN : 2 * coveringRadius,
    null: { kind: o.null, runs },
    seed: o.seed,
  };
}

/**
 * "1,000 landmarks of 24,576 points (maxmin, seed 0); covering radius 0.41: ends of bars within 0.82 of those of all
 * points; euclidean distances to 3.2; null: rotated singular vectors, same spectrum, 20 runs".
 */
export function describeSample(r: RipsPersistence): string {
  const number = (v: number): string => v.toLocaleString('en', { maximumSignificantDigits: 4 });
  const kept = r.points - r.excluded;
  const taken =
    r.sampling === 'all'
      ? `all ${number(kept)} points`
      : `${number(r.landmarks.length)} landmarks of ${number(kept)} points (${r.sampling}, seed ${r.seed})`;
  const within = Number.isNaN(r.errorBound)
    ? 'no bound without the triangle inequality'
    : `ends of bars within ${number(r.errorBound)} of those of all points`;
  return [
    taken,
    r.coveringRadius > 0 ? `covering radius ${number(r.coveringRadius)}: ${within}` : undefined,
    r.excluded > 0 ? `${number(r.excluded)} with NaN left out` : undefined,
    `${r.metric} distances to ${number(r.threshold)}`,
    r.null.runs > 0 ? `null: ${NULL_NAMES[r.null.kind]}, ${r.null.runs} runs` : 'no null',
  ]
    .filter((s) => s !== undefined)
    .join('; ');
}
