/** The data of a graph view: columns checked, positions normalised, memberships turned round, labels ready to search. */
import type { BundleSource } from '../ui/bundle.js';
import type { GraphColumns, GraphMeta, GraphSetMeta } from '../../protocol/graph.js';
import { normalised } from '../plot/place.js';
import { normalToken, searchKey } from '../plot/search.js';

/** Lists of numbers, one after the other: list i is ids[at[i]] … ids[at[i + 1] − 1]. */
export type GraphSource = BundleSource<GraphMeta, GraphColumns>;

export interface Lists {
  at: Int32Array;
  ids: Int32Array;
}

export interface TopToken {
  /** As the label has it, trimmed. */
  text: string;
  /** Members whose label has it. */
  members: number;
  /** Sum over those labels of 1/place in the label. */
  weight: number;
}

export interface GraphSet {
  meta: GraphSetMeta;
  index: number;
  /** "A", "B", "null: rotated spectrum". */
  name: string;
  columns: GraphColumns;
  /** Nodes. */
  n: number;
  /** Positions scaled alike on both axes into [-1, 1]. */
  x: Float32Array;
  y: Float32Array;
  /** Members of each node. */
  size: Int32Array;
  /** Neighbouring nodes of each node. */
  near: Lists;
  /** Nodes that hold each point. */
  nodesOf: Lists;
  /** Per point, label tokens ready to search. */
  keys: string[];
  /** Whether any point has a label. */
  labelled: boolean;
}

export interface GraphModel {
  meta: GraphMeta;
  sets: GraphSet[];
  /** Sets 0 and 1 are joined by counterparts. */
  twin: boolean;
  /**
   * Row-major [nodes of 0, nodes of 1]: share of the row's members whose counterpart is in the column's node. Null where
   * the bundle has none or it is too large to carry: overlapWith() then counts.
   */
  overlap: Float32Array | null;
}

/** The overlap matrix is read up to this many numbers; beyond, overlapWith() counts. */
const MAX_OVERLAP = 4_000_000;

/** Reads and checks all columns. @throws Error when there is no graph, or columns do not fit each other */
export async function loadGraph(source: Omit<GraphSource, 'examples'>): Promise<GraphModel> {
  const meta = await source.meta();
  if (meta.sets.length === 0) throw new Error(`the output "${meta.title}" holds no graph`);
  const columns = await Promise.all(meta.sets.map((_, s) => source.columns(s)));
  const sets = columns.map((c, s) => makeSet(meta.sets[s], c, s));
  const twin = sets.length >= 2 && sets[0].columns.counterpart !== undefined;
  const overlap = twin && sets[0].n * sets[1].n <= MAX_OVERLAP ? await source.matrix() : null;
  return { meta, sets, twin, overlap };
}

/** Members of a node. */
export function membersOf(set: GraphSet, node: number): Int32Array {
  return set.columns.members.subarray(set.columns.membersAt[node], set.columns.membersAt[node + 1]);
}

/** List i. */
export function listOf(lists: Lists, i: number): Int32Array {
  return lists.ids.subarray(lists.at[i], lists.at[i + 1]);
}

function makeSet(meta: GraphSetMeta, columns: GraphColumns, index: number): GraphSet {
  const n = columns.x.length;
  check(meta, columns, n, index);
  const { membersAt, members, edges } = columns;
  const size = Int32Array.from({ length: n }, (_, i) => membersAt[i + 1] - membersAt[i]);
  const ends = new Int32Array(edges.length);
  for (let e = 0; e < edges.length; e += 2) {
    ends[e] = edges[e + 1];
    ends[e + 1] = edges[e];
  }
  const owner = new Int32Array(members.length);
  for (let i = 0; i < n; i++) owner.fill(i, membersAt[i], membersAt[i + 1]);
  return {
    meta,
    index,
    name: meta.name,
    columns,
    n,
    ...normalised(columns.x, columns.y, new Uint8Array(n)),
    size,
    near: group(edges, ends, n),
    nodesOf: group(members, owner, meta.points),
    keys: columns.labels.map(searchKey),
    labelled: columns.labels.some((label) => label.length > 0),
  };
}

/** Checks what the manifest cannot say: how columns refer to each other. */
function check(meta: GraphSetMeta, c: GraphColumns, n: number, index: number): void {
  if (c.members.length !== (c.membersAt[n] ?? 0))
    throw new Error(
      `graph column ${index}.members has ${c.members.length} values, expected ${c.membersAt[n]}; run the cell again to write the graph anew`,
    );
  if (c.members.some((p) => p < 0 || p >= meta.points) || c.edges.some((v) => v < 0 || v >= n))
    throw new Error(`graph ${index} names points or nodes that it does not have; run the cell again`);
}

/** values[k] gathered under keys[k], in order. */
function group(keys: Int32Array, values: Int32Array, n: number): Lists {
  const at = new Int32Array(n + 1);
  for (const key of keys) at[key + 1]++;
  for (let i = 0; i < n; i++) at[i + 1] += at[i];
  const next = at.slice(0, n);
  const ids = new Int32Array(keys.length);
  for (let k = 0; k < keys.length; k++) ids[next[keys[k]]++] = values[k];
  return { at, ids };
}

/** Overlap of a node with every node of the other graph: always the share of A's members, whichever side is asked. */
export function overlapWith(model: GraphModel, set: number, node: number): Float32Array | null {
  const { overlap, sets, twin } = model;
  if (!twin || set > 1) return null;
  const [a, b] = sets;
  if (overlap && set === 0) return overlap.slice(node * b.n, (node + 1) * b.n);
  if (overlap) return Float32Array.from({ length: a.n }, (_, i) => overlap[i * b.n + node]);
  const counterpart = a.columns.counterpart ?? new Int32Array(a.meta.points).fill(-1);
  const known = (point: number) => counterpart[point] >= 0 && counterpart[point] < b.meta.points;
  if (set === 0) {
    const row = new Float32Array(b.n);
    for (const point of membersOf(a, node))
      if (known(point)) for (const j of listOf(b.nodesOf, counterpart[point])) row[j]++;
    return row.map((n) => n / Math.max(1, a.size[node]));
  }
  const held = new Uint8Array(b.meta.points);
  for (const point of membersOf(b, node)) held[point] = 1;
  return Float32Array.from({ length: a.n }, (_, i) => {
    const members = membersOf(a, i);
    return (
      members.reduce((sum, point) => sum + (known(point) ? held[counterpart[point]] : 0), 0) /
      Math.max(1, members.length)
    );
  });
}

/**
 * Label tokens that stand for a node. A member's k-th label token counts 1/k, so that what leads labels leads and a
 * comma that follows everywhere does not; ties in order of appearance. `members` says how many labels have the token.
 */
export function topTokens(set: GraphSet, node: number, limit = 6): TopToken[] {
  const found = new Map<string, TopToken>();
  for (const point of membersOf(set, node)) {
    const seen = new Set<string>();
    for (const token of set.columns.labels[point]) {
      const key = normalToken(token);
      if (key === '' || seen.has(key)) continue;
      seen.add(key);
      const known = found.get(key) ?? { text: token.trim(), members: 0, weight: 0 };
      known.members++;
      known.weight += 1 / seen.size;
      found.set(key, known);
    }
  }
  return [...found.values()].sort((a, b) => b.weight - a.weight).slice(0, limit);
}

/** A node's label in the picture: its top token, and the second where that weighs nearly as much. */
export function nodeLabel(set: GraphSet, node: number): string {
  const [first, second] = topTokens(set, node, 2);
  if (!first) return '';
  return second && second.weight >= 0.5 * first.weight ? `${first.text} · ${second.text}` : first.text;
}

export interface Component {
  set: number;
  nodes: number[];
  /** Distinct points. */
  members: number;
  edges: number;
}

/** Connected components over the edges that share at least `minWeight` members: most nodes first, then most members. */
export function componentsOf(set: GraphSet, minWeight: number): Component[] {
  const parent = Int32Array.from({ length: set.n }, (_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const { edges, weight } = set.columns;
  for (let e = 0; e < weight.length; e++)
    if (weight[e] >= minWeight) parent[root(edges[2 * e])] = root(edges[2 * e + 1]);
  const byRoot = new Map<number, Component & { points: Set<number> }>();
  for (let i = 0; i < set.n; i++) {
    const r = root(i);
    let component = byRoot.get(r);
    if (!component) byRoot.set(r, (component = { set: set.index, nodes: [], members: 0, edges: 0, points: new Set() }));
    component.nodes.push(i);
    for (const point of membersOf(set, i)) component.points.add(point);
  }
  for (let e = 0; e < weight.length; e++)
    if (weight[e] >= minWeight) (byRoot.get(root(edges[2 * e])) as Component).edges++;
  return [...byRoot.values()]
    .map(({ points, ...rest }) => ({ ...rest, members: points.size }))
    .sort((a, b) => b.nodes.length - a.nodes.length || b.members - a.members || a.nodes[0] - b.nodes[0]);
}
