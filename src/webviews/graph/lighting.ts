/** Which nodes are lit and how strongly: search, what other views light, a selection, and the matches of a pinned node. */
import { queryTest } from '../plot/search.js';
import { listOf, membersOf, overlapWith, type GraphModel } from './model.js';
import type { NodeRef } from './state.js';

export interface Lights {
  query: string;
  substring: boolean;
  /** Nodes picked by lasso, component or finding. */
  selection: { set: number; nodes: number[]; label: string } | null;
  /** Points that other views light, per set; null = they light none of this graph's. */
  linked: Array<Set<number> | null> | null;
  /** The node whose matches in the other graph are shown: the newest pin. */
  pinned: NodeRef | null;
}

export interface Lighting {
  /** Per graph: whether anything is asked for; nodes that are not lit are then dimmed. */
  active: boolean[];
  /** Per graph and node: 0 = not lit, up to 1 = all members (or, for matches, the overlap). */
  share: Float32Array[];
  /** Graphs whose shares are overlaps with the pinned node. */
  matched: boolean[];
  /** Points that search and other views leave, per graph; null = no such filter. */
  points: Array<Uint8Array | null>;
  /** Lit points and nodes per graph. */
  hits: Array<{ points: number; nodes: number }>;
}

/** Points asked for by search and by other views, together; null where there are none of this graph. */
function pointMask(model: GraphModel, lights: Lights, s: number): Uint8Array | null {
  const set = model.sets[s];
  const test = queryTest(lights.query, lights.substring);
  const linked = lights.linked?.[s] ?? null;
  if (!test && !linked) return null;
  return Uint8Array.from({ length: set.meta.points }, (_, point) =>
    (!test || test(point, set.keys[point])) && (!linked || linked.has(point)) ? 1 : 0,
  );
}

/** What is lit, and how strongly, in every graph. */
export function computeLighting(model: GraphModel, lights: Lights): Lighting {
  const { pinned, selection } = lights;
  const out: Lighting = { active: [], share: [], matched: [], points: [], hits: [] };
  model.sets.forEach((set, s) => {
    const mask = pointMask(model, lights, s);
    const overlap = pinned && pinned.set !== s && s < 2 ? overlapWith(model, pinned.set, pinned.node) : null;
    const chosen = selection?.set === s ? new Set(selection.nodes) : null;
    const active = mask !== null || overlap !== null || chosen !== null;
    const share = new Float32Array(set.n);
    if (active)
      for (let i = 0; i < set.n; i++) {
        if (chosen && !chosen.has(i) && !overlap) continue;
        let value = overlap ? overlap[i] : 1;
        if (mask) {
          const members = membersOf(set, i);
          value *= members.reduce((sum, p) => sum + mask[p], 0) / Math.max(1, members.length);
        }
        share[i] = value;
      }
    out.active.push(active);
    out.share.push(share);
    out.matched.push(overlap !== null);
    out.points.push(mask);
    const nodes = share.reduce((sum, v) => sum + (v > 0 ? 1 : 0), 0);
    out.hits.push({ points: mask ? mask.reduce((a, b) => a + b, 0) : 0, nodes });
  });
  return out;
}

/** Distinct points of some nodes, ascending. */
export function pointsOf(model: GraphModel, s: number, nodes: Iterable<number>): number[] {
  const points = new Set<number>();
  for (const node of nodes) for (const point of membersOf(model.sets[s], node)) points.add(point);
  return [...points].sort((a, b) => a - b);
}

/** Nodes that hold a point. */
export function nodesWith(model: GraphModel, s: number, point: number): number[] {
  const { meta, nodesOf } = model.sets[s];
  return point >= 0 && point < meta.points ? [...listOf(nodesOf, point)] : [];
}

/** Nodes whose position lies in a polygon of world coordinates x0, y0, x1, y1, …: even-odd. */
export function nodesInside(
  set: { n: number; x: Float32Array; y: Float32Array },
  polygon: readonly number[],
  inside: (polygon: readonly number[], x: number, y: number) => boolean,
): number[] {
  if (polygon.length < 6) return [];
  const out: number[] = [];
  for (let i = 0; i < set.n; i++) if (inside(polygon, set.x[i], set.y[i])) out.push(i);
  return out;
}
