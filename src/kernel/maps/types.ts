/** A two-dimensional layout of n points. */
export interface Layout {
  readonly id: string;
  /** Identity of the rows that were laid out (io/hash matrixId): what a map checks against its SAE's decoder. */
  readonly rows?: string;
  /** n × 2, row-major. */
  readonly coordinates: Float32Array;
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
}
