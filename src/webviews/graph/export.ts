/** A graph in formats that other programs read. */
import type { GraphMeta } from '../../protocol/graph.js';
import { graphmlText, type GraphmlAttribute } from '../../protocol/graphml.js';
import { aggregate, type Stat, STATS } from './colour.js';
import { membersOf, topTokens, type GraphSet } from './model.js';

/** Node names of KeplerMapper: "cube3_cluster0", clusters of a cube counted in the order of the nodes. */
export function keplerNames(set: GraphSet): string[] {
  const next = new Map<number, number>();
  return Array.from(set.columns.cube, (cube) => {
    const cluster = next.get(cube) ?? 0;
    next.set(cube, cluster + 1);
    return `cube${cube}_cluster${cluster}`;
  });
}

/** Members that every exported edge shares at least: by the slider, or by how the graph was made. */
const leastShared = (set: GraphSet, minWeight: number): number =>
  Math.max(minWeight, Number(set.meta.parameters.minIntersection) || 1);

/** Edges that share at least `minWeight` members, as [first, second, shared]. */
function shownEdges(set: GraphSet, minWeight: number): Array<[number, number, number]> {
  const { edges, weight } = set.columns;
  const out: Array<[number, number, number]> = [];
  for (let e = 0; e < weight.length; e++)
    if (weight[e] >= minWeight) out.push([edges[2 * e], edges[2 * e + 1], weight[e]]);
  return out;
}

/** The dictionary that KeplerMapper's map() returns: nodes, links, simplices, meta_data. */
export function keplerJson(set: GraphSet, minWeight: number): string {
  const names = keplerNames(set);
  const nodes = Object.fromEntries(names.map((name, i) => [name, [...membersOf(set, i)]]));
  const links: Record<string, string[]> = {};
  const simplices: string[][] = names.map((name) => [name]);
  for (const [a, b] of shownEdges(set, minWeight)) {
    (links[names[a]] ??= []).push(names[b]);
    simplices.push([names[a], names[b]]);
  }
  const { description, title, parameters, points, warnings } = set.meta;
  const meta_data = {
    projection: description,
    nerve_min_intersection: leastShared(set, minWeight),
    ...{ title, description, parameters, points, noise: [...set.columns.noise], warnings },
  };
  return JSON.stringify({ nodes, links, simplices, meta_data });
}

type Field = GraphmlAttribute & { value(node: number): string | null };

function fields(set: GraphSet, names: readonly string[]): Field[] {
  const float = (v: number) => (Number.isFinite(v) ? String(v) : null);
  const tokens = (i: number) =>
    topTokens(set, i)
      .map((t) => t.text)
      .join(' ');
  const fixed: Field[] = [
    { id: 'cube', name: 'cube', type: 'int', value: (i) => String(set.columns.cube[i]) },
    { id: 'cluster', name: 'cluster', type: 'int', value: (i) => names[i].split('_cluster')[1] },
    { id: 'component', name: 'component', type: 'int', value: (i) => String(set.columns.component[i]) },
    { id: 'size', name: 'size', type: 'int', value: (i) => String(set.size[i]) },
    { id: 'members', name: 'members', type: 'string', value: (i) => [...membersOf(set, i)].join(' ') },
    { id: 'tokens', name: 'tokens', type: 'string', value: tokens },
    { id: 'x', name: 'x', type: 'double', value: (i) => float(set.columns.x[i]) },
    { id: 'y', name: 'y', type: 'double', value: (i) => float(set.columns.y[i]) },
  ];
  const columns = set.meta.columns.flatMap((column, k) =>
    column.classes
      ? []
      : STATS.map((stat: Stat): Field => ({
          id: `${stat}${k}`,
          name: `${stat} ${column.name}`,
          type: 'double',
          value: (i) => float(aggregate(set.columns.column[k], membersOf(set, i), stat)),
        })),
  );
  return [...fixed, ...columns];
}

/**
 * GraphML with the kernel's names of nodes and attributes, and positions, label tokens and every statistic of each column
 * besides; edges that share fewer than `minWeight` members are left out.
 */
export function graphMl(meta: GraphMeta, set: GraphSet, minWeight: number): string {
  const names = keplerNames(set);
  const all = fields(set, names);
  return graphmlText({
    description: `${meta.title} · ${set.meta.title} · ${set.meta.description} · edges of at least ${leastShared(set, minWeight)} shared members`,
    attributes: all,
    nodes: names.map((name, i) => ({ name, values: all.map(({ value }) => value(i)) })),
    edges: shownEdges(set, minWeight),
  });
}
