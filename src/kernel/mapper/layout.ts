/**
 * Where nodes are drawn: ForceAtlas2 for each component, started from graph distances in the plane; then overlapping
 * nodes are pushed apart and components are packed.
 */
import Graph from 'graphology';
import forceAtlas2 from 'graphology-layout-forceatlas2';
import { maxOf } from '../../protocol/lists.js';
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import { pivotLayout } from './layoutStart.js';
import type { MapperGraph } from './types.js';

type Drawn = Pick<MapperGraph, 'nodes' | 'membersAt' | 'edges' | 'weight' | 'component' | 'components'>;

interface Placed {
  ids: number[];
  /** Two for each id, around the middle of the component. */
  at: Float64Array;
  width: number;
  height: number;
}

const ITERATIONS = 300;
/** Mean length of an edge, in units of the smallest radius. */
const EDGE = 15;
/** Free space around a node, in units of the smallest radius. */
const GAP = 1;

/** Radii: area follows members, from 1 to 5. */
function radii({ nodes, membersAt }: Drawn): Float64Array {
  let most = 1;
  for (let i = 0; i < nodes; i++) most = Math.max(most, membersAt[i + 1] - membersAt[i]);
  return Float64Array.from({ length: nodes }, (_, i) => 1 + 4 * Math.sqrt((membersAt[i + 1] - membersAt[i]) / most));
}

/** Pushes nodes apart until none overlap (or 200 rounds): a grid finds near ones. */
function separate(ids: readonly number[], at: Float64Array, radius: Float64Array): void {
  const cell = 2 * maxOf(ids.map((i) => radius[i])) + GAP;
  for (let round = 0; round < 200; round++) {
    const grid = new Map<string, number[]>();
    ids.forEach((_, k) => {
      const key = `${Math.floor(at[2 * k] / cell)} ${Math.floor(at[2 * k + 1] / cell)}`;
      const list = grid.get(key);
      if (list) list.push(k);
      else grid.set(key, [k]);
    });
    let moved = false;
    ids.forEach((id, k) => {
      const [cx, cy] = [Math.floor(at[2 * k] / cell), Math.floor(at[2 * k + 1] / cell)];
      for (let gx = cx - 1; gx <= cx + 1; gx++)
        for (let gy = cy - 1; gy <= cy + 1; gy++)
          for (const l of grid.get(`${gx} ${gy}`) ?? []) {
            if (l <= k) continue;
            const need = radius[id] + radius[ids[l]] + GAP;
            let dx = at[2 * l] - at[2 * k];
            let dy = at[2 * l + 1] - at[2 * k + 1];
            const far = Math.hypot(dx, dy);
            if (far >= need - 1e-6) continue;
            // Two on one spot part along a direction that depends on their numbers alone.
            if (far < 1e-9) [dx, dy] = [Math.cos(k + 7 * l), Math.sin(k + 7 * l)];
            const push = (need - far) / 2 / Math.hypot(dx, dy);
            at[2 * k] -= dx * push;
            at[2 * k + 1] -= dy * push;
            at[2 * l] += dx * push;
            at[2 * l + 1] += dy * push;
            moved = true;
          }
    });
    if (!moved) return;
  }
}

/** Turns the longest extent level and moves the middle to 0. */
function level(at: Float64Array): void {
  const n = at.length / 2;
  let [mx, my, xx, xy, yy] = [0, 0, 0, 0, 0];
  for (let k = 0; k < n; k++) {
    mx += at[2 * k] / n;
    my += at[2 * k + 1] / n;
  }
  for (let k = 0; k < n; k++) {
    const [x, y] = [at[2 * k] - mx, at[2 * k + 1] - my];
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  for (let k = 0; k < n; k++) {
    const [x, y] = [at[2 * k] - mx, at[2 * k + 1] - my];
    at[2 * k] = c * x + s * y;
    at[2 * k + 1] = c * y - s * x;
  }
}

/** ForceAtlas2, some iterations at a time. Node sizes come after it: with them it does not settle. */
async function forces(
  ids: readonly number[],
  edges: ReadonlyArray<readonly [number, number, number]>,
  radius: Float64Array,
  random: Random,
  call: CallOptions,
): Promise<Float64Array> {
  const graph = new Graph({ type: 'undirected' });
  const place = new Map(ids.map((id, k) => [id, k]));
  const pairs = edges.map(([a, b]) => [place.get(a)!, place.get(b)!] as const);
  const start = pivotLayout(ids.length, pairs, EDGE, random);
  ids.forEach((id, k) => graph.addNode(id, { x: start[2 * k], y: start[2 * k + 1], size: radius[id] }));
  for (const [a, b, weight] of edges) graph.addEdge(a, b, { weight });
  const settings = {
    gravity: 0.05,
    scalingRatio: 40,
    slowDown: 5,
    edgeWeightInfluence: 0,
    barnesHutOptimize: ids.length > 1000,
  };
  const step = Math.max(1, Math.min(ITERATIONS, Math.floor(2e7 / ids.length ** (ids.length > 1000 ? 1.3 : 2))));
  for (let done = 0; done < ITERATIONS; done += step) {
    checkAborted(call.signal, 'graph layout');
    forceAtlas2.assign(graph, { iterations: Math.min(step, ITERATIONS - done), settings });
    await breathe();
  }
  const at = new Float64Array(2 * ids.length);
  ids.forEach((id, k) => {
    at[2 * k] = graph.getNodeAttribute(id, 'x') as number;
    at[2 * k + 1] = graph.getNodeAttribute(id, 'y') as number;
  });
  // The forces ignore the size of nodes: how large they look is decided by the length of the edges.
  let length = 0;
  for (const [a, b] of pairs) length += Math.hypot(at[2 * a] - at[2 * b], at[2 * a + 1] - at[2 * b + 1]);
  const scale = length > 0 ? (EDGE * pairs.length) / length : 1;
  for (let k = 0; k < at.length; k++) at[k] *= scale;
  return at;
}

function box(ids: number[], at: Float64Array, radius: Float64Array): Placed {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  ids.forEach((id, k) => {
    for (const c of [0, 1]) {
      low[c] = Math.min(low[c], at[2 * k + c] - radius[id]);
      high[c] = Math.max(high[c], at[2 * k + c] + radius[id]);
    }
  });
  for (let k = 0; k < at.length; k++) at[k] -= (low[k % 2] + high[k % 2]) / 2;
  return { ids, at, width: high[0] - low[0], height: high[1] - low[1] };
}

/** Boxes on shelves, largest first, over a page of three by two. */
function pack(boxes: readonly Placed[], x: Float32Array, y: Float32Array): void {
  const margin = 4;
  const area = boxes.reduce((s, b) => s + (b.width + margin) * (b.height + margin), 0);
  const page = maxOf(
    [Math.sqrt(1.5 * area)],
    boxes.map((b) => b.width + margin),
  );
  const order = [...boxes.keys()].sort((p, q) => boxes[q].height - boxes[p].height || p - q);
  let [left, top, shelf] = [0, 0, 0];
  for (const b of order.map((k) => boxes[k])) {
    if (left > 0 && left + b.width > page) {
      top += shelf + margin;
      left = shelf = 0;
    }
    b.ids.forEach((id, k) => {
      x[id] = left + b.width / 2 + b.at[2 * k];
      // Larger y is further up on the page: shelves fill downwards.
      y[id] = -(top + b.height / 2 + b.at[2 * k + 1]);
    });
    left += b.width + margin;
    shelf = Math.max(shelf, b.height);
  }
}

/** Coordinates of the nodes; the same graph and seed give the same layout. */
export async function layoutGraph(
  graph: Drawn,
  seed: number,
  call: CallOptions = {},
): Promise<{ x: Float32Array; y: Float32Array }> {
  const { nodes, edges, weight, component, components } = graph;
  const x = new Float32Array(nodes);
  const y = new Float32Array(nodes);
  const radius = radii(graph);
  const members = Array.from({ length: components }, (): number[] => []);
  for (let i = 0; i < nodes; i++) members[component[i]].push(i);
  const links = Array.from({ length: components }, (): Array<readonly [number, number, number]> => []);
  for (let e = 0; e < weight.length; e++)
    links[component[edges[2 * e]]].push([edges[2 * e], edges[2 * e + 1], weight[e]]);
  const boxes: Placed[] = [];
  for (const [c, ids] of members.entries()) {
    const random = new Random(seed).fork(`component ${ids[0]}`);
    const at = ids.length === 1 ? new Float64Array(2) : await forces(ids, links[c], radius, random, call);
    if (ids.length > 1) {
      level(at);
      separate(ids, at, radius);
    }
    boxes.push(box(ids, at, radius));
    call.onProgress?.({ label: 'graph layout', done: c + 1, total: components, unit: 'components' });
    if (c % 64 === 63) await breathe();
  }
  if (nodes > 0) pack(boxes, x, y);
  return { x, y };
}
