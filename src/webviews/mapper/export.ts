/** A graph in formats that other programs read. */
import type { GraphMeta } from '../../protocol/graph.js';
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
  const meta_data = {
    projection: set.meta.description,
    title: set.meta.title,
    nerve_min_intersection: minWeight,
    parameters: set.meta.parameters,
  };
  return JSON.stringify({ nodes, links, simplices, meta_data, meta_nodes: {} });
}

export function escapeXml(text: string): string {
  // Characters that XML 1.0 does not allow at all are shown as the replacement character.
  // eslint-disable-next-line no-control-regex
  const legal = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/gu, '\ufffd');
  return legal.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

type Field = { id: string; name: string; type: 'int' | 'double' | 'string'; value(node: number): string | null };

function fields(set: GraphSet): Field[] {
  const names = keplerNames(set);
  const float = (v: number) => (Number.isFinite(v) ? String(v) : null);
  const fixed: Array<Omit<Field, 'id'>> = [
    { name: 'kepler_name', type: 'string', value: (i) => names[i] },
    { name: 'members', type: 'int', value: (i) => String(set.size[i]) },
    { name: 'member_ids', type: 'string', value: (i) => [...membersOf(set, i)].join(' ') },
    { name: 'cube', type: 'int', value: (i) => String(set.columns.cube[i]) },
    { name: 'component', type: 'int', value: (i) => String(set.columns.component[i]) },
    { name: 'x', type: 'double', value: (i) => float(set.columns.x[i]) },
    { name: 'y', type: 'double', value: (i) => float(set.columns.y[i]) },
    {
      name: 'tokens',
      type: 'string',
      value: (i) =>
        topTokens(set, i)
          .map((t) => t.text)
          .join(' '),
    },
  ];
  const columns = set.meta.columns.flatMap((column, k) =>
    column.classes
      ? []
      : STATS.map((stat: Stat): Omit<Field, 'id'> => ({
          name: `${stat} ${column.name}`,
          type: 'double',
          value: (i) => float(aggregate(set.columns.columns[k], membersOf(set, i), stat)),
        })),
  );
  return [...fixed, ...columns].map((field, k) => ({ ...field, id: `n${k}` }));
}

/** GraphML 1.0 with members, positions, label tokens and every column's statistics per node; shared members per edge. */
export function graphMl(meta: GraphMeta, set: GraphSet, minWeight: number): string {
  const all = fields(set);
  const keys = all.map(
    (f) => `  <key id="${f.id}" for="node" attr.name="${escapeXml(f.name)}" attr.type="${f.type}"/>`,
  );
  const nodes = Array.from({ length: set.n }, (_, i) => {
    const data = all.flatMap((f) => {
      const value = f.value(i);
      return value === null ? [] : [`<data key="${f.id}">${escapeXml(value)}</data>`];
    });
    return `    <node id="${i}">${data.join('')}</node>`;
  });
  const edges = shownEdges(set, minWeight).map(
    ([a, b, shared], e) =>
      `    <edge id="e${e}" source="${a}" target="${b}"><data key="shared">${shared}</data></edge>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    `  <desc>${escapeXml(`${meta.title} · ${set.meta.title} · ${set.meta.description} · edges of at least ${minWeight} shared members`)}</desc>`,
    ...keys,
    '  <key id="shared" for="edge" attr.name="shared_members" attr.type="int"/>',
    '  <graph edgedefault="undirected">',
    ...nodes,
    ...edges,
    '  </graph>',
    '</graphml>',
    '',
  ].join('\n');
}
