/**
 * Mapper graphs. A graph is a sidecar folder next to the notebook's artifacts; an output carries only GraphDescriptor.
 *
 * Folder layout (written by the kernel's mapper/bundle, read by the extension host, the report and tests), s = graph
 * number from 0:
 *   graph.json           GraphMeta
 *   columns.safetensors  `s.x`, `s.y` F32[nodes] layout; `s.membersAt` I32[nodes+1] and `s.members` I32[members]: point ids
 *                        of each node, ascending; `s.edges` I32[edges*2] node pairs (first < second); `s.weight` I32[edges]
 *                        members that the two share; `s.component` I32[nodes]; `s.cube` I32[nodes] cover element;
 *                        `s.noise` I32[noise] points that no node holds; `s.column.<i>` F32[points], i = index in
 *                        GraphSetMeta.columns (NaN = no value); `s.examplesAt` I64[points+1] byte offsets into s.examples.jsonl
 *                        when the points are features; `s.counterpart` I32[points] best counterpart in the other graph
 *                        that is compared (-1 = none) and `s.r` F32[points] with a correlation map
 *   overlap.safetensors  with a correlation map: `overlap` F32[nodes of A, nodes of B], share of A's members whose
 *                        counterpart is in B's node
 *   s.labels.json        string[][]: per point up to 5 peak tokens, best first; [] = dead feature or no labels
 *   s.examples.jsonl     one line per point: FeatureExample[]
 */
import type { FeatureExample } from './map.js';
import type { Json } from './notebook.js';

/** What nodes may be coloured by: the members' values of a column, drawn together by mean, median, std or max. */
export interface GraphColumn {
  /** Such as "firing rate", "decoder norm", "r to counterpart", "lens 1". */
  name: string;
  /** Unit or meaning in a few words, for the legend's tooltip. */
  note?: string;
  /** Values are codes of these classes ("group"): nodes are coloured by the commonest. */
  classes?: string[];
}

/** A loop or branch with its evidence. */
export interface GraphFinding {
  kind: 'loop' | 'branch' | 'component';
  /** Node ids along the loop or in the branch. */
  nodes: number[];
  /** Birth − death of the feature under `by`. */
  persistence: number;
  by: string;
  /** p = (k + 1)/(R + 1) against the null named in `null`; absent when no null was run. */
  p?: number;
  null?: string;
  runs?: number;
  seed?: number;
}

export interface GraphSetMeta {
  /** "A", "B", or "null: rotated spectrum". */
  name: string;
  title: string;
  role: 'data' | 'null' | 'other';
  /** Identity of the SAE whose features the points are, when they are: selections are exchanged by it. */
  sae?: { id: string; name: string };
  points: number;
  nodes: number;
  edges: number;
  components: number;
  /** First Betti number of the nerve, with simplices to dimension 3 filled. */
  loops: number;
  betti: number[];
  euler: number;
  noise: number;
  /** Cover elements: all, empty or too small to cluster, all noise. */
  cubes: { total: number; skipped: number; allNoise: number };
  /** How it was made, for people: "PCA(2) · 10 × 10 cubes, overlap 0.1 · DBSCAN cosine eps 0.5, min samples 5". */
  description: string;
  /** What a reader must know: empty graph, all noise, one cube, constant lens, NaN rows left out. */
  warnings: string[];
  columns: GraphColumn[];
  findings: GraphFinding[];
  /** The options as given, for reproduction. */
  parameters: Record<string, Json>;
}

export interface GraphMeta {
  version: 1;
  title: string;
  sets: GraphSetMeta[];
  /** Keyword groups offered for colouring: name and whole words. */
  groups?: Array<{ name: string; words: string[] }>;
  /** Present when sets 0 and 1 are two models joined by a correlation map. */
  pairing?: { method: string; pairs: number; meanR: number };
}

/** The output item of mime MIME.graph. */
export interface GraphDescriptor {
  version: 1;
  /** Content hash of the bundle: the artifact id. */
  id: string;
  /** Folder of the bundle, relative to the notebook's folder, "/"-separated, never leaving it. */
  path: string;
  meta: GraphMeta;
}

export interface GraphColumns {
  x: Float32Array;
  y: Float32Array;
  membersAt: Int32Array;
  members: Int32Array;
  edges: Int32Array;
  weight: Int32Array;
  component: Int32Array;
  cube: Int32Array;
  noise: Int32Array;
  /** In the order of GraphSetMeta.columns, each [points]. */
  columns: Float32Array[];
  counterpart?: Int32Array;
  r?: Float32Array;
  labels: string[][];
}

/** Where a graph view gets its data: over RPC in VS Code, from the page itself in an exported report. */
export interface GraphSource {
  meta(): Promise<GraphMeta>;
  columns(set: number): Promise<GraphColumns>;
  examples(set: number, point: number): Promise<FeatureExample[]>;
  /** Row-major [nodes of set 0, nodes of set 1]; null without a correlation map. */
  overlap(): Promise<Float32Array | null>;
}

/** Files of a bundle with `sets` graphs; overlap, labels and examples may be missing. */
export function graphFiles(sets: number): string[] {
  const perSet = Array.from({ length: sets }, (_, s) => [`${s}.labels.json`, `${s}.examples.jsonl`]);
  return ['graph.json', 'columns.safetensors', 'overlap.safetensors', ...perSet.flat()];
}
