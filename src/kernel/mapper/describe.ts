/** Options of a Mapper graph as JSON, and what must be said of a finished graph. */
import type { CallOptions } from '../compute/call.js';
import { sha256 } from '../io/hash.js';
import type { Json } from '../../protocol/notebook.js';
import type { MapperOptions } from './options.js';
import type { MapperGraph } from './types.js';

const KNOWN: Record<keyof Required<MapperOptions & CallOptions>, true> = {
  lens: true,
  cover: true,
  clusterer: true,
  distances: true,
  minIntersection: true,
  seed: true,
  allowConstantLens: true,
  signal: true,
  onProgress: true,
};

/** @throws TypeError naming an option that Mapper does not have. */
export function requireKnownOptions(options: MapperOptions & CallOptions): MapperOptions & CallOptions {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(KNOWN, name));
  if (unknown.length > 0)
    throw new TypeError(`Mapper has no option ${unknown.join(', ')}; it has ${Object.keys(KNOWN).join(', ')}`);
  return options;
}

/** Options as JSON: arrays of numbers and activation stores by their hash, so that equal options give equal text. */
export function asParameters(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (ArrayBuffer.isView(value)) return { numbers: (value as Float64Array).length, sha256: sha256([value]) };
  if (Array.isArray(value)) {
    const numbers = value.length > 16 && value.every((v) => typeof v === 'number');
    return numbers ? asParameters(Float64Array.from(value as number[])) : value.map(asParameters);
  }
  if (typeof value === 'object') {
    const o = value as Record<string, unknown>;
    if ('statistics' in o && 'meta' in o) {
      const { firings, sum, sumSquares, max } = o.statistics as Record<string, ArrayBufferView>;
      const { tokens } = o.meta as { tokens: number };
      return { tokens, sha256: sha256([firings, sum, sumSquares, max]) };
    }
    const entries = Object.entries(o).filter(([, v]) => v !== undefined);
    return Object.fromEntries(entries.map(([k, v]) => [k, asParameters(v)]));
  }
  throw new TypeError(`Mapper: an option is a ${typeof value}; expected numbers, text, arrays or objects of these`);
}

const count = (n: number): string => n.toLocaleString('en');

/** What a reader must know of a graph, besides what lens and cover have said. */
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
