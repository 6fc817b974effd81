/** Nodes of one graph beside nodes of another whose points are joined by a map. */
import type { MapperGraph } from './types.js';

type Nodes = Pick<MapperGraph, 'nodes' | 'membersAt' | 'members' | 'points'>;

/**
 * Share of each A node's members whose counterpart is a member of each B node: [nodes of A × nodes of B], row-major. A
 * member without a counterpart counts in the whole. `counterpart` [points of A]: a point of B, or -1.
 */
export function nodeOverlap(a: Nodes, b: Nodes, counterpart: Int32Array): Float32Array {
  const of = new Int32Array(b.points + 1);
  for (const m of b.members) of[m + 1]++;
  for (let i = 0; i < b.points; i++) of[i + 1] += of[i];
  const next = of.slice(0, b.points);
  const list = new Int32Array(b.members.length);
  for (let n = 0; n < b.nodes; n++)
    for (let k = b.membersAt[n]; k < b.membersAt[n + 1]; k++) list[next[b.members[k]]++] = n;
  const out = new Float32Array(a.nodes * b.nodes);
  for (let n = 0; n < a.nodes; n++) {
    const [from, to] = [a.membersAt[n], a.membersAt[n + 1]];
    for (let k = from; k < to; k++) {
      const partner = counterpart[a.members[k]];
      if (partner < 0) continue;
      for (let e = of[partner]; e < of[partner + 1]; e++) out[n * b.nodes + list[e]]++;
    }
    for (let m = 0; m < b.nodes; m++) out[n * b.nodes + m] /= Math.max(1, to - from);
  }
  return out;
}
