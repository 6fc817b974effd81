/** Mapper graphs as files of other tools: KeplerMapper's JSON and GraphML. */
import { COVERS, OTHERS } from './options.js';
import path from 'node:path';
import { graphmlText } from '../../protocol/graphml.js';
import type { BundleColumn } from '../maps/pointColumns.js';
import type { MapperGraph } from './types.js';

const nodeName = ({ cube, cluster }: MapperGraph, i: number): string => `cube${cube[i]}_cluster${cluster[i]}`;

const membersOf = ({ membersAt, members }: MapperGraph, i: number): Int32Array =>
  members.subarray(membersAt[i], membersAt[i + 1]);

/** Names of the nodes, unique: KeplerMapper's "cubeI_clusterJ". */
export const nodeNames = (graph: MapperGraph): string[] =>
  Array.from({ length: graph.nodes }, (_, i) => nodeName(graph, i));

/** KeplerMapper's graph: what its visualize() and to_networkx adapters read. */
export interface KeplerGraph {
  /** Members of each node. */
  nodes: Record<string, number[]>;
  /** Each edge once, at its first node. */
  links: Record<string, string[]>;
  /** Nodes, then edges. */
  simplices: string[][];
  /** How it was made; `noise` and `warnings` are ours. */
  meta_data: Record<string, unknown>;
}

/** The graph in the layout of KeplerMapper 2's `map`. */
export function keplerGraph(graph: MapperGraph): KeplerGraph {
  const names = nodeNames(graph);
  const links: Record<string, string[]> = {};
  const pairs: string[][] = [];
  for (let e = 0; e < graph.edges.length; e += 2) {
    const [a, b] = [names[graph.edges[e]], names[graph.edges[e + 1]]];
    (links[a] ??= []).push(b);
    pairs.push([a, b]);
  }
  const { lens, cover, clusterer } = graph.parameters as Record<string, Record<string, unknown> | undefined>;
  const minIntersection = graph.parameters.minIntersection ?? OTHERS.minIntersection.usual;
  const { cubes, overlap } = COVERS.table.cubes.members;
  const isCubes = cover?.kind === undefined || cover.kind === 'cubes';
  return {
    nodes: Object.fromEntries(names.map((name, i) => [name, Array.from(membersOf(graph, i))])),
    links,
    simplices: [...names.map((name) => [name]), ...pairs],
    meta_data: {
      projection: graph.lens.description,
      n_cubes: cover?.cubes ?? (isCubes ? cubes.usual : null),
      perc_overlap: cover?.overlap ?? (isCubes ? overlap.usual : null),
      clusterer: clusterer ?? OTHERS.clusterer.usual,
      scaler: 'None',
      nerve_min_intersection: minIntersection,
      description: graph.description,
      lens: lens ?? null,
      points: graph.points,
      noise: Array.from(graph.noise),
      warnings: [...graph.warnings],
    },
  };
}

/**
 * GraphML for Gephi, Cytoscape, networkx and igraph: per node its cube, cluster, component, size, members, and the mean
 * of each column over the members that have a value; per edge the members shared.
 */
export function graphMl(graph: MapperGraph, columns: readonly BundleColumn[] = []): string {
  const meanOf = (values: ArrayLike<number>, members: Int32Array): number | null => {
    const known = Array.from(members, (m) => values[m]).filter((v) => !Number.isNaN(v));
    return known.length > 0 ? known.reduce((s, v) => s + v, 0) / known.length : null;
  };
  return graphmlText({
    description: graph.description,
    attributes: [
      { id: 'cube', name: 'cube', type: 'int' },
      { id: 'cluster', name: 'cluster', type: 'int' },
      { id: 'component', name: 'component', type: 'int' },
      { id: 'size', name: 'size', type: 'int' },
      { id: 'members', name: 'members', type: 'string' },
      ...columns.map((c, i) => ({ id: `c${i}`, name: `mean ${c.name}`, type: 'double' as const })),
    ],
    nodes: nodeNames(graph).map((name, i) => {
      const members = membersOf(graph, i);
      const means = columns.map(({ values }) => meanOf(values, members));
      const placed = [graph.cube[i], graph.cluster[i], graph.component[i]];
      return { name, values: [...placed, members.length, members.join(' '), ...means] };
    }),
    edges: Array.from(graph.weight, (shared, e) => [graph.edges[2 * e], graph.edges[2 * e + 1], shared] as const),
  });
}

/**
 * The text of a graph file, by the ending of its name: .graphml or .json (KeplerMapper's).
 * @throws RangeError for another ending or columns of another length, TypeError for columns of a .json
 */
export function graphFile(
  graph: MapperGraph,
  file: string,
  given: Readonly<Record<string, ArrayLike<number>>> = {},
): string {
  const ending = path.extname(file).toLowerCase();
  const columns = Object.entries(given).map(([name, values]): BundleColumn => {
    if (values.length !== graph.points)
      throw new RangeError(`column "${name}" has ${values.length} values but the graph has ${graph.points} points`);
    return { name, values };
  });
  if (ending === '.json' && columns.length > 0)
    throw new TypeError("KeplerMapper's format holds no columns; export to .graphml, or leave columns out");
  if (ending === '.graphml') return graphMl(graph, columns);
  if (ending === '.json') return `${JSON.stringify(keplerGraph(graph))}\n`;
  throw new RangeError(
    `fg.mapper.export writes .graphml and .json but got "${file}"; pages and pictures are saved from the graph's own menu`,
  );
}
