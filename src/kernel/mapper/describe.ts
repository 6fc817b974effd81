/** Warnings about a finished graph. */
import type { MapperGraph } from './types.js';

const count = (n: number): string => n.toLocaleString('en');

/** What a reader must know of a graph, besides the warnings of its lens and its cover. */
export function graphWarnings(g: Omit<MapperGraph, 'warnings'>, minPoints: number): string[] {
  const said: string[] = [];
  const { cubes, noise, excluded, points } = g;
  const left = points - excluded.length;
  if (excluded.length > 0)
    said.push(`${count(excluded.length)} of ${count(points)} points have no finite values and were left out`);
  if (left === 0) return [...said, 'no points are left: the graph is empty'];
  if (left < minPoints) said.push(`${count(left)} points are fewer than the ${minPoints} that a cluster needs`);
  const occupied = cubes.total - cubes.skipped;
  if (g.nodes === 0) {
    said.push(
      occupied === 0
        ? `the graph is empty: none of the ${count(cubes.total)} cover elements holds ${minPoints} points. Use fewer cubes or a larger overlap, or a smaller minimum`
        : `the graph is empty: all points of all ${count(occupied)} clustered elements are noise. Loosen the clusterer: a larger eps, a smaller minimum, or agglomerative`,
    );
    return said;
  }
  if (occupied === 1)
    said.push('one cover element holds every clustered point: the graph shows its clusters, no overlap');
  if (noise.length > left / 2)
    said.push(
      `${count(noise.length)} of ${count(left)} points (${((100 * noise.length) / left).toFixed(0)} %) are in no node: the graph speaks of the others alone`,
    );
  if (g.edges.length === 0) said.push('no two nodes share points: the graph has no edges. Use a larger overlap');
  return said;
}
