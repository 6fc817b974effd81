/** A Mapper pipeline without its cover: lens and neighbours are computed once and serve every cover that is run. */
import { filled } from '../verb/filled.js';
import { asParameters } from '../artifacts/parameters.js';
import { breathe, type CallOptions } from '../compute/call.js';
import { initGemm } from '../compute/gemm.js';
import type { Matrix } from '../compute/matrix.js';
import { gatherRows } from '../compute/rows.js';
import { matrixId, sha256, canonicalJson } from '../io/hash.js';
import { finiteRows } from '../maps/rows.js';
import type { Json } from '../../protocol/notebook.js';
import { openClusterer, type Clusterer } from './cluster.js';
import { coverOf, type Cover } from './cover.js';
import { graphWarnings } from './describe.js';
import { labelElements, type PlanCaches } from './elements.js';
import { nerveHomology } from './homology.js';
import { computeLens, type ComputedLens } from './lens.js';
import { connectedComponents, nerve } from './nerve.js';
import { OTHERS, PLAN, type CoverSpec, type PlanOptions } from './options.js';
import { KeptDistances } from './pairDistances.js';
import { NeighbourCache } from './pairs.js';
import { lengthOf, submatrix } from './space.js';
import type { LensValues, MapperGraph } from './types.js';

export interface MapperPlan {
  /** n × dims, NaN for points that were left out. */
  readonly lens: LensValues;
  /** Points that a cover sees. */
  readonly kept: Int32Array;
  readonly excluded: Int32Array;
  /** As shown: the clusterer. */
  readonly clusterer: string;
  /** The graph of one cover, equal to mapperGraph's with the same options. */
  run(cover?: CoverSpec, call?: CallOptions): Promise<MapperGraph>;
}

export interface PrepareOptions extends PlanOptions, CallOptions {
  /** Keep neighbours and distances from one cover to the next; default true. A single run is faster without. */
  reuse?: boolean;
}

interface Prepared {
  x: Matrix;
  index: Int32Array;
  values: Float64Array;
  lens: LensValues;
  computed: ComputedLens;
}

/** The lens of the finite rows; rows whose lens is not finite are left out as well. */
async function prepareLens(given: Matrix, options: PrepareOptions): Promise<Prepared> {
  const spec = options.lens ?? PLAN.lens.usual;
  let { matrix: x, index } = finiteRows(given);
  const empty: ComputedLens = {
    values: new Float64Array(0),
    dims: 0,
    names: [],
    description: 'no lens',
    warnings: [],
    constant: new Uint8Array(0),
  };
  const seed = options.seed ?? OTHERS.seed.usual;
  const { signal, onProgress } = options;
  const computed =
    x.rows === 0
      ? empty
      : x.rows === 1
        ? { ...empty, values: new Float64Array(1), dims: 1, names: ['one point'], description: 'one point' }
        : await computeLens(x, spec, { seed, given: given.rows, kept: index }, { signal, onProgress });
  const { dims } = computed;
  let values = computed.values;
  const finite = Int32Array.from(index.keys()).filter((i) =>
    values.subarray(i * dims, (i + 1) * dims).every(Number.isFinite),
  );
  if (finite.length < index.length) {
    const kept = new Float64Array(finite.length * dims);
    finite.forEach((i, to) => kept.set(values.subarray(i * dims, (i + 1) * dims), to * dims));
    values = kept;
    x = gatherRows(x, finite);
    index = finite.map((i) => index[i]);
  }
  const all = new Float64Array(given.rows * dims).fill(NaN);
  index.forEach((to, i) => all.set(values.subarray(i * dims, (i + 1) * dims), to * dims));
  const { names, description, warnings } = computed;
  return { x, index, values, computed, lens: { values: all, dims, names, description, warnings } };
}

/**
 * A lens of n × d points: n × dims values, NaN for rows that are not finite.
 * @throws RangeError for options out of range and arrays of another length
 */
export async function mapperLens(
  x: Matrix,
  options: Pick<PlanOptions, 'lens' | 'seed'> & CallOptions = {},
): Promise<LensValues> {
  await initGemm();
  return (await prepareLens(x, options)).lens;
}

/** @throws RangeError when no dimension of the lens tells points apart. */
function refuseConstant({ computed }: Prepared, allow: boolean | undefined): void {
  if (allow || computed.constant.length === 0 || computed.constant.includes(0) || computed.values.length < 2) return;
  throw new RangeError(`${computed.warnings.join('. ')}. Choose another lens, or pass allowConstantLens: true`);
}

interface Clusters {
  at: number[];
  members: number[];
  cube: number[];
  cluster: number[];
  skipped: number;
  allNoise: number;
}

/** Clusters of every element, members as rows of the kept points. */
async function clusterElements(
  cover: Cover,
  clusterer: Clusterer,
  caches: PlanCaches,
  call: CallOptions,
): Promise<Clusters> {
  const out: Clusters = {
    at: [0],
    members: [],
    cube: [],
    cluster: [],
    skipped: cover.total,
    allNoise: 0,
  };
  for await (const { element: e, ids, labels } of labelElements(cover, clusterer, caches, call)) {
    out.skipped--;
    const clusters = labels.reduce((m, l) => Math.max(m, l + 1), 0);
    if (clusters === 0) out.allNoise++;
    const lists = Array.from({ length: clusters }, (): number[] => []);
    labels.forEach((l, i) => l >= 0 && lists[l].push(ids[i]));
    lists.forEach((list, c) => {
      for (const p of list) out.members.push(p);
      out.at.push(out.members.length);
      out.cube.push(e);
      out.cluster.push(c);
    });
    call.onProgress?.({ label: 'Mapper', done: e + 1, total: cover.elements, unit: 'cover elements' });
    if (e % 16 === 15) await breathe();
  }
  return out;
}

/** Rows of the given matrix that no list names, of those in `from`. */
function without(from: Int32Array, members: Int32Array, rows: number): Int32Array {
  const inside = new Uint8Array(rows);
  for (const m of members) inside[m] = 1;
  return from.filter((i) => !inside[i]);
}

class Plan implements MapperPlan {
  readonly lens: LensValues;
  readonly kept: Int32Array;
  readonly excluded: Int32Array;
  readonly clusterer: string;
  readonly #caches: PlanCaches = {};
  readonly #minIntersection: number;
  readonly #norms: Float32Array;

  constructor(
    private readonly x: Matrix,
    private readonly prepared: Prepared,
    private readonly open: Clusterer,
    private readonly identity: { rows: string; distances: string },
    private readonly parameters: Record<string, Json>,
    options: PrepareOptions,
  ) {
    const points = x.rows;
    this.lens = prepared.lens;
    this.kept = prepared.index;
    this.excluded = without(
      Int32Array.from({ length: points }, (_, i) => i),
      prepared.index,
      points,
    );
    this.clusterer = open.description;
    this.#norms = Float32Array.from({ length: points }, (_, i) => lengthOf(x, i));
    this.#minIntersection = options.minIntersection ?? OTHERS.minIntersection.usual;
    if (options.reuse === false || open.space.metric === 'precomputed') return;
    const { space, rule } = open;
    if (rule.kind !== 'dbscan') this.#caches.distances = KeptDistances.of(space);
    else this.#caches.neighbours = new NeighbourCache(space, rule.eps, prepared.values, prepared.lens.dims);
  }

  async run(spec: CoverSpec = {}, call: CallOptions = {}): Promise<MapperGraph> {
    const { lens, kept, excluded, open } = this;
    const points = this.x.rows;
    const cover = coverOf(this.prepared.values, lens.dims, spec);
    const found = await clusterElements(cover, open, this.#caches, call);
    const membersAt = Int32Array.from(found.at);
    const members = Int32Array.from(found.members, (i) => kept[i]);
    const nodes = found.cube.length;
    const simplices = nerve(points, membersAt, members, this.#minIntersection);
    const { edges, triangles, tetrahedra } = simplices;
    const parameters = { ...this.parameters, cover: asParameters(spec) };
    const graph = {
      id: sha256(['mapper 1', this.identity.rows, this.identity.distances, canonicalJson(parameters)]),
      rows: this.identity.rows,
      norms: this.#norms,
      points,
      nodes,
      membersAt,
      members,
      cube: Int32Array.from(found.cube),
      cluster: Int32Array.from(found.cluster),
      ...simplices,
      ...connectedComponents(nodes, edges),
      ...nerveHomology(nodes, edges, triangles, tetrahedra),
      noise: without(kept, members, points),
      excluded,
      cubes: { total: cover.total, skipped: found.skipped, allNoise: found.allNoise },
      lens,
      description: `${lens.description} · ${cover.description} · ${open.description}${this.#minIntersection > 1 ? ` · edges share ${this.#minIntersection}` : ''}`,
      parameters,
    };
    return { ...graph, warnings: [...lens.warnings, ...cover.warnings, ...graphWarnings(graph, open.minPoints)] };
  }
}

/**
 * Computes the lens and gets ready to run covers over it. With DBSCAN, which points are neighbours is computed once for
 * any two regions of the lens, whatever cover asks; with the other clusterers, float64 distances are, where 4·n² bytes
 * fit a quarter of the memory budget.
 * @throws RangeError for a lens that is nearly constant in every dimension
 */
export async function prepareMapper(x: Matrix, options: PrepareOptions = {}): Promise<MapperPlan> {
  const { minIntersection, seed, distances } = filled(OTHERS, options);
  await initGemm();
  const prepared = await prepareLens(x, options);
  refuseConstant(prepared, options.allowConstantLens);
  const some =
    distances && distances.rows === x.rows && prepared.index.length < x.rows
      ? submatrix(distances, prepared.index)
      : distances;
  const clusterer = openClusterer(prepared.x, options.clusterer, some);
  const { lens, clusterer: spec } = filled(PLAN, options);
  const parameters = asParameters({ lens, clusterer: spec, minIntersection, seed });
  const identity = { rows: matrixId(x), distances: distances ? matrixId(distances) : '' };
  return new Plan(x, prepared, clusterer, identity, parameters, options);
}
