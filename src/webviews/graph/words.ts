/** Texts about a graph: when it is empty, what its warnings mean, how likely a finding is by chance. */
import type { GraphFinding, GraphSetMeta } from '../../protocol/graph.js';
import { count, number, plural } from '../ui/format.js';

/** Why there is nothing to draw, and what to try; null for a graph with nodes. */
export function whyEmpty(meta: GraphSetMeta): string | null {
  if (meta.nodes > 0) return null;
  const { cubes, points } = meta;
  if (points === 0) return 'No points were given, so there is no node.';
  if (cubes.total > 0 && cubes.skipped === cubes.total)
    return `No node: all ${plural(cubes.total, 'cover element')} hold fewer points than a cluster needs. Use fewer cubes, more overlap, or a smaller minSamples.`;
  if (meta.noise >= points || cubes.allNoise > 0)
    return `No node: all ${plural(points, 'point')} are noise for the clusterer in ${plural(cubes.total, 'cover element')}. Use a larger eps, a smaller minSamples, fewer cubes, or another metric.`;
  return `No node: no cover element of ${count(cubes.total)} gave a cluster.`;
}

/** Everything that a reader must know before trusting the picture. */
export function notes(meta: GraphSetMeta): string[] {
  const empty = whyEmpty(meta);
  const { cubes } = meta;
  const own: string[] = [];
  if (empty) own.push(empty);
  else if (cubes.total === 1)
    own.push('The cover has one element: this is a plain clustering, and no two nodes can share a member.');
  else if (meta.edges === 0)
    own.push('No two nodes share a member: the graph has no edges. More overlap, or fewer cubes, would join them.');
  return [...own, ...meta.warnings.filter((w) => !own.includes(w))];
}

/** "512 of 16,384 points in no node (3.1 %); 4 of 100 cover elements skipped, 2 all noise". */
export function noiseText(meta: GraphSetMeta): string {
  const share = meta.points > 0 ? ` (${number((100 * meta.noise) / meta.points, 3)} %)` : '';
  const { total, skipped, allNoise } = meta.cubes;
  return `${count(meta.noise)} of ${plural(meta.points, 'point')} in no node${share}; of ${plural(total, 'cover element')} ${count(skipped)} empty or too small, ${count(allNoise)} all noise`;
}

/** "p = 0.0099, 100 runs of rotated spectrum, seed 0", or that no null was run. */
export function evidence(finding: GraphFinding): string {
  if (finding.p === undefined) return 'no null was run: nothing says that chance would not do the same';
  const runs = finding.runs === undefined ? '' : `, ${plural(finding.runs, 'run')}`;
  const name = finding.null ? ` of ${finding.null}` : '';
  const seed = finding.seed === undefined ? '' : `, seed ${finding.seed}`;
  return `p = ${number(finding.p, 3)}${runs}${name}${seed}`;
}

/** "124 nodes · 310 edges · 3 components · 2 loops". */
export function counts(meta: GraphSetMeta): string {
  return [
    plural(meta.nodes, 'node'),
    plural(meta.edges, 'edge'),
    plural(meta.components, 'component'),
    plural(meta.loops, 'loop'),
  ].join(' · ');
}
