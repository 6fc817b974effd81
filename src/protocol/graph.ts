/**
 * Mapper graphs: an output carries only a GraphDescriptor, the data lies in a bundle (bundle.ts). Its meta is graph.json;
 * every set is one graph over points of its own.
 */
import {
  pointColumnCount,
  type BundleDescriptor,
  type BundleManifest,
  type ColumnSpec,
  type ColumnsOf,
  type PointColumn,
} from './bundle.js';
import type { Json } from './notebook.js';

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
  /** How it was made, as shown: "PCA(2) · 10 × 10 cubes, overlap 0.1 · DBSCAN cosine eps 0.5, min samples 5". */
  description: string;
  /** What a reader must know: empty graph, all noise, one cube, constant lens, NaN rows left out. */
  warnings: string[];
  /** What nodes may be coloured by: the members' values of a column, drawn together by mean, median, std or max. */
  columns: PointColumn[];
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

/** The output of Mapper graphs. */
export type GraphDescriptor = BundleDescriptor<GraphMeta>;

const perNode = ({ nodes }: GraphSetMeta): number => nodes;
const perPoint = ({ points }: GraphSetMeta): number => points;

/** Columns and files of Mapper graphs. */
export const GRAPH_BUNDLE = {
  what: 'a Mapper graph',
  meta: 'graph.json',
  texts: 'optional',
  columns: {
    /** Layout. */
    x: { dtype: 'F32', length: perNode },
    y: { dtype: 'F32', length: perNode },
    /** Point ids of node i, ascending: members[membersAt[i]] … members[membersAt[i + 1] − 1]. */
    membersAt: { dtype: 'I32', length: ({ nodes }: GraphSetMeta): number => nodes + 1 },
    members: { dtype: 'I32', length: (): number => -1 },
    /** Node pairs, first < second, and the members that the two share. */
    edges: { dtype: 'I32', length: ({ edges }: GraphSetMeta): number => 2 * edges },
    weight: { dtype: 'I32', length: ({ edges }: GraphSetMeta): number => edges },
    component: { dtype: 'I32', length: perNode },
    /** Cover element. */
    cube: { dtype: 'I32', length: perNode },
    /** Points that no node holds. */
    noise: { dtype: 'I32', length: ({ noise }: GraphSetMeta): number => noise },
    /** Values of GraphSetMeta.columns, in its order; NaN = no value. */
    column: { dtype: 'F32', length: perPoint, list: pointColumnCount },
    /** With a correlation map: best counterpart in the other graph, -1 = none, and the r of the two. */
    counterpart: { dtype: 'I32', length: perPoint, optional: true },
    r: { dtype: 'F32', length: perPoint, optional: true },
  },
  /** With a correlation map: share of the members of A's node whose counterpart is in B's node. */
  matrix: { name: 'overlap', shape: ([a, b]: readonly GraphSetMeta[]): [number, number] => [a.nodes, b?.nodes ?? 0] },
} as const satisfies BundleManifest<GraphSetMeta, Record<string, ColumnSpec<GraphSetMeta>>>;

export type GraphColumns = ColumnsOf<typeof GRAPH_BUNDLE>;
