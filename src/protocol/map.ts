/**
 * Feature maps. A map is a sidecar folder next to the notebook's artifacts; an output carries only MapDescriptor.
 *
 * Folder layout (written by the kernel's maps/bundle, read by the extension host, the report and tests):
 *   map.json             MapMeta
 *   columns.safetensors  per set s: `s.x` F32[n], `s.y` F32[n], `s.feature` I32[n] (feature id of point i),
 *                        `s.firingRate` F32[n], `s.firings` I32[n]; with a partner set also
 *                        `s.partner` I32[n] (POINT index in the other set, -1 = none), `s.r` F32[n] (NaN = none);
 *                        `s.examplesAt` I64[n+1] byte offsets into s.examples.jsonl. s = "0" or "1". Maps of before and
 *                        after also have `s.x2`, `s.y2` F32[n] (where point i went) and `s.delta` F32[n] (how far, in
 *                        the space that was laid out)
 *   0.labels.json, 1.labels.json       string[][]: per point up to 5 peak tokens, best first, [] = dead feature
 *   0.examples.jsonl, 1.examples.jsonl one line per point: FeatureExample[]
 */
export interface MapSetMeta {
  /** "A" or "B", or the set's own short name. */
  name: string;
  /** Such as "tiny-1L · blocks.0.hook_mlp_out · topk 512". */
  title: string;
  points: number;
  dead: number;
  /** Identity of the SAE whose features the points are: selections are exchanged with other views by it. */
  sae?: { id: string; name: string };
  /** How x and y were made, such as "UMAP n_neighbors 15, min_dist 0.1, cosine, seed 0". */
  layout: string;
}

export interface MapMeta {
  version: 1;
  title: string;
  sets: MapSetMeta[];
  /** Present on twin maps: how partners were found. */
  pairing?: { method: string; pairs: number; tokens: number; meanR: number };
  /** Keyword groups offered in the panel: name and whole words. */
  groups?: Array<{ name: string; words: string[] }>;
  /**
   * Present on maps of before and after: x and y are before, x2 and y2 after. All sets lie in one embedding; the second, if
   * any, is the null beside the first, point by point.
   */
  shift?: MapShift;
}

export interface MapShift {
  /** What a point is: "token". */
  unit: string;
  /** Names of the two states, such as "before" and "after". */
  before: string;
  after: string;
  /** What `delta` is, such as "Δ norm". */
  delta: string;
  /** What is over what, and the figures beside their null. */
  note: string;
}

/** The output item of mime MIME.map. */
export interface MapDescriptor {
  version: 1;
  /** Content hash of the bundle: the artifact id. */
  id: string;
  /** Folder of the bundle, relative to the notebook's folder, "/"-separated, never leaving it. */
  path: string;
  meta: MapMeta;
}

/** One dataset example: a window of tokens around a peak. */
export interface FeatureExample {
  sequence: number;
  position: number;
  /** Activation at the peak. */
  value: number;
  /** Decoded tokens of the window, in order. */
  tokens: string[];
  /** Index of the peak in `tokens`. */
  peak: number;
  /** Activation of each token of the window; same length as tokens. */
  activations: number[];
}

export interface MapColumns {
  x: Float32Array;
  y: Float32Array;
  feature: Int32Array;
  firingRate: Float32Array;
  firings: Int32Array;
  partner?: Int32Array;
  r?: Float32Array;
  x2?: Float32Array;
  y2?: Float32Array;
  delta?: Float32Array;
  labels: string[][];
}

/** Where a map view gets its data: over RPC in VS Code, from the page itself in an exported report. */
export interface MapSource {
  meta(): Promise<MapMeta>;
  columns(set: number): Promise<MapColumns>;
  examples(set: number, point: number): Promise<FeatureExample[]>;
}
