/** Generated bundles of Mapper graphs with known nodes, in the folder layout of src/protocol/graph.ts. */
import type { GraphMeta, GraphSetMeta } from '#protocol/graph.js';
import type { FeatureExample } from '#protocol/bundle.js';
import { encodeSafetensors, type NdArray } from '#protocol/safetensors.js';

export interface GraphSetInput {
  meta: Partial<GraphSetMeta> & Pick<GraphSetMeta, 'name' | 'role' | 'points'>;
  /** Members of every node, ascending. */
  nodes: number[][];
  x: number[];
  y: number[];
  cube?: number[];
  /** Values of meta.columns, each [points]. */
  columns?: number[][];
  /** Per point; absent: no labels file. */
  labels?: string[][];
  /** Per point; absent: no examples file. */
  examples?: FeatureExample[][];
  counterpart?: number[];
  r?: number[];
}

export interface GraphFixture {
  id: string;
  meta: GraphMeta;
  /** File name → bytes. */
  files: Record<string, Uint8Array>;
  sets: GraphSetInput[];
}

const f32 = (data: ArrayLike<number>): NdArray => ({
  dtype: 'F32',
  shape: [data.length],
  data: Float32Array.from(data),
});
const i32 = (data: ArrayLike<number>): NdArray => ({ dtype: 'I32', shape: [data.length], data: Int32Array.from(data) });

/** Edges by comparing all pairs of nodes: slow and plain. */
export function edgesOf(nodes: number[][]): Array<[number, number, number]> {
  const holders = new Map<number, number[]>();
  nodes.forEach((members, i) => members.forEach((p) => holders.set(p, [...(holders.get(p) ?? []), i])));
  const shared = new Map<string, number>();
  for (const list of holders.values())
    for (const a of list) for (const b of list) if (a < b) shared.set(`${a} ${b}`, (shared.get(`${a} ${b}`) ?? 0) + 1);
  return [...shared]
    .map(([key, w]): [number, number, number] => [Number(key.split(' ')[0]), Number(key.split(' ')[1]), w])
    .sort((p, q) => p[0] - q[0] || p[1] - q[1]);
}

/** Component of each node, by plain propagation of the least number. */
export function componentsOf(n: number, edges: Array<[number, number, number]>): Int32Array {
  const of = Int32Array.from({ length: n }, (_, i) => i);
  for (let changed = true; changed;) {
    changed = false;
    for (const [a, b] of edges) {
      const least = Math.min(of[a], of[b]);
      if (of[a] !== least || of[b] !== least) [of[a], of[b], changed] = [least, least, true];
    }
  }
  const sizes = new Map<number, number>();
  for (const c of of) sizes.set(c, (sizes.get(c) ?? 0) + 1);
  const order = [...sizes].sort((p, q) => q[1] - p[1] || p[0] - q[0]).map(([c]) => c);
  return of.map((c) => order.indexOf(c));
}

export function graphBundle(
  id: string,
  title: string,
  sets: GraphSetInput[],
  extra: Partial<GraphMeta> = {},
): GraphFixture {
  const tensors: Record<string, NdArray> = {};
  const files: Record<string, Uint8Array> = {};
  const metas = sets.map((set, s): GraphSetMeta => {
    const edges = edgesOf(set.nodes);
    const component = componentsOf(set.nodes.length, edges);
    const held = new Set(set.nodes.flat());
    const noise = Array.from({ length: set.meta.points }, (_, p) => p).filter((p) => !held.has(p));
    const at = [0];
    for (const members of set.nodes) at.push(at[at.length - 1] + members.length);
    Object.assign(tensors, {
      [`${s}.x`]: f32(set.x),
      [`${s}.y`]: f32(set.y),
      [`${s}.membersAt`]: i32(at),
      [`${s}.members`]: i32(set.nodes.flat()),
      [`${s}.edges`]: i32(edges.flatMap(([a, b]) => [a, b])),
      [`${s}.weight`]: i32(edges.map((e) => e[2])),
      [`${s}.component`]: i32(component),
      [`${s}.cube`]: i32(set.cube ?? set.nodes.map((_, i) => i)),
      [`${s}.noise`]: i32(noise),
      ...Object.fromEntries((set.columns ?? []).map((c, i) => [`${s}.column.${i}`, f32(c)])),
      ...(set.counterpart && { [`${s}.counterpart`]: i32(set.counterpart) }),
      ...(set.r && { [`${s}.r`]: f32(set.r) }),
    });
    if (set.labels) files[`${s}.labels.json`] = Buffer.from(JSON.stringify(set.labels));
    if (set.examples) {
      const lines = set.examples.map((e) => Buffer.from(`${JSON.stringify(e)}\n`));
      const offsets = new BigInt64Array(lines.length + 1);
      lines.forEach((line, i) => (offsets[i + 1] = offsets[i] + BigInt(line.length)));
      tensors[`${s}.examplesAt`] = { dtype: 'I64', shape: [offsets.length], data: offsets };
      files[`${s}.examples.jsonl`] = Buffer.concat(lines);
    }
    const components = new Set(component).size;
    const loops = edges.length - set.nodes.length + components;
    return {
      title: set.meta.name,
      nodes: set.nodes.length,
      edges: edges.length,
      components,
      loops,
      betti: [components, loops, 0],
      euler: set.nodes.length - edges.length,
      noise: noise.length,
      cubes: { total: set.nodes.length, skipped: 0, allNoise: 0 },
      description: 'PCA(2) · 10 × 10 cubes, overlap 0.1 · DBSCAN cosine eps 0.5, min samples 5',
      warnings: [],
      columns: [],
      findings: [],
      parameters: { cubes: 10, overlap: 0.1, seed: 0 },
      ...set.meta,
    };
  });
  files['columns.safetensors'] = encodeSafetensors(tensors);
  const meta: GraphMeta = { version: 1, title, sets: metas, ...extra };
  files['graph.json'] = Buffer.from(JSON.stringify(meta));
  return { id, meta, files, sets };
}

export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const WORDS = [
  ...'king queen princess knight dragon castle crown mother father sister brother baby family'.split(' '),
  ...'once upon time morning summer day night years happy sad angry scared proud rain snow wind'.split(' '),
  ...'sun storm river forest tree bird dog cat apple cake bread one two three four five she he it'.split(' '),
];
/** Would run if it were ever taken as HTML. */
export const HOSTILE = '<img src=x onerror="window.__hacked=1">';

function example(word: string, point: number, k: number): FeatureExample {
  const value = 9 - 1.5 * k + (point % 5) / 10;
  const tokens = ['Once', ' upon', ' a', ' time', ` ${word}`, ' went', ' to', ' the', ' old', ' garden'];
  return {
    ...{ sequence: point % 50, position: 4 + k, value, tokens, peak: 4 },
    activations: [0, 0.2, 0, 0.4, value, 0.5 * value, 0, 0, 0, 0.2],
  };
}

/** Points along walks whose neighbours overlap: a closed ring gives one loop, open ones give paths. */
function walks(o: {
  lengths: Array<{ nodes: number; closed: boolean; centre: [number, number]; radius: number }>;
  perNode: number;
  shared: number;
  random: () => number;
}): { nodes: number[][]; x: number[]; y: number[]; points: number } {
  const nodes: number[][] = [];
  const [x, y]: number[][] = [[], []];
  let next = 0;
  for (const walk of o.lengths) {
    const first = next;
    const steps = walk.nodes * (o.perNode - o.shared) + (walk.closed ? 0 : o.shared);
    for (let k = 0; k < walk.nodes; k++) {
      const start = k * (o.perNode - o.shared);
      const extra = Math.floor(o.random() * o.perNode * 0.8);
      const members = Array.from({ length: o.perNode - Math.min(extra, o.perNode - 2 * o.shared) }, (_, i) => i);
      // Every fourth node shares half as many with the next.
      const common = k % 4 === 0 ? o.shared / 2 : o.shared;
      const tail = Array.from({ length: common }, (_, i) => o.perNode - common + i);
      const chosen = [...new Set([...members.slice(0, Math.max(o.shared, members.length - o.shared)), ...tail])];
      nodes.push(
        [...new Set(chosen.map((i) => first + ((start + i) % (walk.closed ? steps : Infinity))))].sort((a, b) => a - b),
      );
      const angle = (2 * Math.PI * k) / (walk.closed ? walk.nodes : walk.nodes * 1.6);
      const wobble = walk.radius * (0.92 + 0.16 * o.random());
      x.push(walk.centre[0] + wobble * Math.cos(angle));
      y.push(walk.centre[1] + wobble * Math.sin(angle));
    }
    next += steps;
  }
  return { nodes, x, y, points: next };
}

const COLUMNS = [
  { name: 'firing rate', note: 'share of tokens on which the feature is non-zero' },
  { name: 'decoder norm' },
  { name: 'r to counterpart' },
  { name: 'group', classes: ['lexical', 'syntactic', 'other'] },
];

/** A set of points with labels, examples and columns over given nodes; `noise` points in no node follow the others. */
function dressed(
  shape: { nodes: number[][]; x: number[]; y: number[]; points: number },
  meta: Partial<GraphSetMeta> & Pick<GraphSetMeta, 'name' | 'role'>,
  noise: number,
  seed: number,
): GraphSetInput {
  const random = lcg(seed);
  const points = shape.points + noise;
  const word = (p: number) => WORDS[Math.floor((p / points) * WORDS.length) % WORDS.length];
  const labels = Array.from({ length: points }, (_, p) => [
    ` ${word(p)}`,
    ` ${WORDS[Math.floor(random() * WORDS.length)]}`,
    p === 1 ? HOSTILE : '.',
  ]);
  return {
    ...shape,
    meta: { ...meta, points, columns: COLUMNS },
    labels,
    examples: labels.map((_, p) => [0, 1, 2].map((k) => example(word(p), p, k))),
    columns: [
      Array.from({ length: points }, (_, p) => 10 ** (-4 + 2.4 * Math.abs(Math.sin(p / 60)) + 0.3 * random())),
      Array.from({ length: points }, () => 0.9 + 0.2 * random()),
      Array.from({ length: points }, (_, p) =>
        p % 17 === 0 ? NaN : Math.max(0, Math.cos(p / 90) * 0.8 + 0.2 * random()),
      ),
      Array.from({ length: points }, (_, p) => Math.floor((p / points) * 3)),
    ],
  };
}

export const GROUPS: GraphMeta['groups'] = [
  { name: 'royalty', words: ['king', 'queen', 'princess', 'knight', 'dragon'] },
  { name: 'family', words: ['mother', 'father', 'sister', 'brother', 'baby'] },
  { name: 'weather', words: ['rain', 'snow', 'wind', 'storm', 'sun'] },
];

/** A: a ring, a path and two small components; beside it either the null of scattered pairs, or a model B matched to A. */
export function graphFixture(beside: 'null' | 'twin' | 'none' = 'null'): GraphFixture {
  const random = lcg(3);
  const ring = { perNode: 46, shared: 8, random };
  const a = walks({
    lengths: [
      { nodes: 36, closed: true, centre: [0, 0], radius: 10 },
      { nodes: 18, closed: false, centre: [1, 0], radius: 4.4 },
      { nodes: 5, closed: false, centre: [12.5, 9], radius: 1.6 },
      { nodes: 1, closed: false, centre: [-12, 10], radius: 0 },
    ],
    ...ring,
  });
  const data = dressed(
    a,
    {
      ...{ name: 'A', title: 'tiny-1L · topk 2,048', role: 'data', sae: { id: 'sae-a', name: 'tiny-1L' } },
      findings: [
        {
          kind: 'loop',
          nodes: Array.from({ length: 36 }, (_, i) => i),
          persistence: 0.42,
          by: 'lens 1',
          p: 0.0099,
          null: 'rotated spectrum',
          runs: 100,
          seed: 0,
        },
        {
          kind: 'branch',
          nodes: [36, 37, 38, 39, 40],
          persistence: 0.11,
          by: 'lens 1',
          p: 0.27,
          null: 'rotated spectrum',
          runs: 100,
          seed: 0,
        },
      ],
      warnings: ['3 rows hold NaN and were left out: 12, 40, 511.'],
    },
    64,
    5,
  );
  const sets = [data];
  if (beside === 'null') {
    const b = walks({
      lengths: Array.from({ length: 22 }, (_, k) => ({
        nodes: 1 + (k % 3),
        closed: false,
        centre: [14 * (random() - 0.5) * 1.6, 14 * (random() - 0.5) * 1.6] as [number, number],
        radius: 1,
      })),
      ...ring,
    });
    sets.push({
      ...dressed(b, { name: 'null', title: 'null: rotated spectrum, seed 0', role: 'null' }, 620, 9),
      labels: undefined,
      examples: undefined,
    });
  }
  if (beside === 'twin') {
    const b = walks({ lengths: [{ nodes: 30, closed: true, centre: [0, 0], radius: 10 }], ...ring });
    const other = dressed(
      b,
      { name: 'B', title: 'tiny-2L · topk 2,048', role: 'other', sae: { id: 'sae-b', name: 'tiny-2L' } },
      30,
      11,
    );
    const [n, m] = [data.meta.points, other.meta.points];
    data.counterpart = Array.from({ length: n }, (_, p) => (p % 10 === 0 ? -1 : Math.floor((p / n) * m)));
    data.r = Array.from({ length: n }, (_, p) => (p % 10 === 0 ? NaN : 0.3 + (p % 7) / 10));
    other.counterpart = Array.from({ length: m }, (_, p) => Math.floor((p / m) * n));
    other.r = Array.from({ length: m }, () => 0.5);
    sets.push(other);
  }
  const pairing = { method: 'Pearson argmax', pairs: 1400, meanR: 0.62 };
  return graphBundle(`graph-${beside}`, 'Mapper of tiny-1L’s decoder', sets, {
    groups: GROUPS,
    ...(beside === 'twin' && { pairing }),
  });
}

/** Many nodes on a sheet, each joined to its neighbours. */
export function largeFixture(nodes = 5000): GraphFixture {
  const random = lcg(21);
  const side = Math.ceil(Math.sqrt(nodes));
  const [x, y]: number[][] = [[], []];
  const members = Array.from({ length: nodes }, (_, i) => {
    const [row, column] = [Math.floor(i / side), i % side];
    x.push(column + 0.4 * random() + 2 * Math.sin(row / 9));
    y.push(row + 0.4 * random() + 2 * Math.cos(column / 11));
    const base = 4 * i;
    const list = [base, base + 1, base + 2, base + 3];
    if (column + 1 < side && i + 1 < nodes) list.push(4 * (i + 1));
    if (i + side < nodes) list.push(4 * (i + side) + 1);
    return list;
  });
  const shape = { nodes: members, x, y, points: 4 * nodes };
  const set = dressed(
    shape,
    { name: 'A', title: `sheet of ${nodes} nodes`, role: 'data', sae: { id: 'sae-a', name: 'A' } },
    0,
    2,
  );
  return graphBundle(`graph-large-${nodes}`, `A graph of ${nodes} nodes`, [{ ...set, examples: undefined }]);
}

/** A set without nodes: every point is noise. */
export function emptyFixture(points = 40): GraphFixture {
  return graphBundle('graph-empty', 'Nothing but noise', [
    {
      meta: {
        name: 'A',
        title: 'tiny-1L',
        role: 'data',
        points,
        cubes: { total: 100, skipped: 90, allNoise: 10 },
        sae: { id: 'sae-a', name: 'tiny-1L' },
      },
      ...{ nodes: [], x: [], y: [], labels: Array.from({ length: points }, (_, p) => [` ${WORDS[p % WORDS.length]}`]) },
    },
  ]);
}
