/** A layout of n points in two dimensions, or three. */
export interface Layout {
  readonly id: string;
  /** Identity of the rows that were laid out (io/hash matrixId): what a map checks against its SAE's decoder. */
  readonly rows?: string;
  /** n × axes, row-major. */
  readonly coordinates: Float32Array;
  /** Dimensions; absent: 2. */
  readonly axes?: 3;
  /** Layouts of the same plane lie in one: what is near is near across them. */
  readonly plane?: string;
  readonly points: number;
  readonly method: 'pca' | 'umap';
  /** As shown: "UMAP n_neighbors 15, min_dist 0.1, cosine, 200 epochs, seed 0". */
  readonly description: string;
  readonly parameters: Record<string, string | number | boolean>;
  /** Points left out because their row had NaN (their coordinates are NaN). */
  readonly excluded: number;
  /** PCA: variance ratio of each axis. UMAP: trustworthiness when asked for. */
  readonly explainedVarianceRatio?: Float64Array;
  readonly trustworthiness?: number;
  /** Layouts of the SAE's baselines by kind, where they were asked for. */
  readonly baselines?: Readonly<Record<string, Layout>>;
}

/** What may look at the points while they move. */
export interface Watched {
  /** Called with every progress: epochs done and in all; `positions` copies where the points are by now, n × axes. */
  onMoved?: (done: number, total: number, positions: () => [Float32Array, axes: 2 | 3]) => void;
}
