/** Mapper: types that its parts share. Points are rows of an n × d matrix; all ids are row numbers. */
import type { Json } from '../../protocol/notebook.js';

/** A lens that was computed: n × dims values, scaled as the cover will see them. */
export interface LensValues {
  /** n × dims, row-major, float64 (the cover's comparisons decide membership). */
  readonly values: Float64Array;
  readonly dims: number;
  /** One per dimension, such as "PCA 1". */
  readonly names: readonly string[];
  /** As shown: "PCA(2), 81.2 % of variance", or the steps of a chain: "Isomap(100), 5 neighbours → MinMax". */
  readonly description: string;
  /** Such as a nearly constant dimension, with the figures. */
  readonly warnings: readonly string[];
}

/** A Mapper graph with its nerve. */
export interface MapperGraph {
  /** Content hash of points and parameters. */
  readonly id: string;
  /** Identity of the points (io/hash matrixId): what says whether they are the decoder of an SAE. */
  readonly rows?: string;
  /** [points] length of each row given. */
  readonly norms?: Float32Array;
  /** Rows given, those with NaN included. */
  readonly points: number;
  readonly nodes: number;
  /** [nodes + 1] and point ids, ascending within a node. */
  readonly membersAt: Int32Array;
  readonly members: Int32Array;
  /** [nodes] cover element (KeplerMapper's cube number), and the cluster's label within it. */
  readonly cube: Int32Array;
  readonly cluster: Int32Array;
  /** Pairs of nodes, first < second, lexicographic, and the members that they share. */
  readonly edges: Int32Array;
  readonly weight: Int32Array;
  /** Triples and quadruples of nodes with a common member count of at least the minimum intersection. */
  readonly triangles: Int32Array;
  readonly tetrahedra: Int32Array;
  /** [nodes] connected component, numbered by size, largest first. */
  readonly component: Int32Array;
  readonly components: number;
  /** Betti numbers over GF(2) of the nerve to dimension 3: b0, b1, b2. */
  readonly betti: readonly number[];
  /** Vertices − edges + triangles − tetrahedra. */
  readonly euler: number;
  /** Points in no node (noise of every cluster element that holds them, or only in skipped elements), ascending. */
  readonly noise: Int32Array;
  /** Points with NaN, left out before anything. */
  readonly excluded: Int32Array;
  readonly cubes: { total: number; skipped: number; allNoise: number };
  readonly lens: LensValues;
  /** As shown: lens · cover · clusterer. */
  readonly description: string;
  readonly warnings: readonly string[];
  readonly parameters: Readonly<Record<string, Json>>;
}
