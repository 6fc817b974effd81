/** Writes the bundle of Mapper graphs (src/protocol/graph.ts): what panels, outputs and reports read. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { COLUMNS_FILE, encodeColumns, matrixFile, type FeatureExample } from '../../protocol/bundle.js';
import { GRAPH_BUNDLE, type GraphFinding, type GraphMeta, type GraphSetMeta } from '../../protocol/graph.js';
import type { FeatureLabel } from '../../protocol/tokens.js';
import type { CallOptions } from '../compute/call.js';
import { ndarray, type NdArray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import { writeTexts } from '../maps/bundle.js';
import type { BundleColumn } from '../maps/pointColumns.js';
import { layoutGraph } from './layout.js';
import type { MapperGraph } from './types.js';
import type { ShowGraphOptions } from './show.js';

export interface GraphBundleSet {
  name: string;
  title: string;
  role: GraphSetMeta['role'];
  /** When the points are the features of an SAE. */
  sae?: { id: string; name: string };
  graph: MapperGraph;
  columns: readonly BundleColumn[];
  /** Per point its label. */
  labels?: readonly FeatureLabel[];
  examples?: readonly FeatureExample[][];
  /** Per point its best counterpart in the other graph (-1 = none) and the r of the two (NaN = none). */
  counterpart?: Int32Array;
  r?: Float32Array;
  findings?: readonly GraphFinding[];
}

export interface GraphBundleOptions extends Required<Pick<ShowGraphOptions, 'seed'>> {
  title: string;
  groups?: GraphMeta['groups'];
  /** Sets 0 and 1 are joined by a correlation map. */
  pairing?: GraphMeta['pairing'];
  /** Nodes of set 0 × nodes of set 1, with pairing. */
  overlap?: Float32Array;
}

function requireSizes(set: GraphBundleSet, other: GraphBundleSet | undefined): void {
  const n = set.graph.points;
  const sizes: Array<[string, number | undefined]> = [
    ['labels', set.labels?.length],
    ['examples', set.examples?.length],
    ['counterpart', set.counterpart?.length],
    ['r', set.r?.length],
    ...set.columns.map((c): [string, number] => [`column "${c.name}"`, c.values.length]),
  ];
  for (const [what, size] of sizes)
    if (size !== undefined && size !== n)
      throw new RangeError(`graph ${set.name} has ${n} points but ${what} has ${size} entries`);
  const points = other?.graph.points ?? 0;
  const outside = set.counterpart?.findIndex((p) => p < -1 || p >= points) ?? -1;
  if (outside >= 0)
    throw new RangeError(
      `graph ${set.name}: point ${outside} has counterpart ${set.counterpart![outside]}; expected -1 (none) or a point of the other graph, 0 to ${points - 1}`,
    );
  for (const { name, classes, values } of set.columns) {
    if (!classes) continue;
    const bad = Array.from(values).find(
      (v) => !Number.isNaN(v) && !(Number.isInteger(v) && v >= 0 && v < classes.length),
    );
    if (bad !== undefined)
      throw new RangeError(`graph ${set.name}: column "${name}" has the class ${bad} but there are ${classes.length}`);
  }
}

function setMeta({ name, title, role, sae, graph, columns, findings }: GraphBundleSet): GraphSetMeta {
  return {
    name,
    title,
    role,
    ...(sae && { sae: { id: sae.id, name: sae.name } }),
    points: graph.points,
    nodes: graph.nodes,
    edges: graph.weight.length,
    components: graph.components,
    loops: graph.betti[1],
    betti: [...graph.betti],
    euler: graph.euler,
    noise: graph.noise.length,
    cubes: { ...graph.cubes },
    description: graph.description,
    warnings: [...graph.warnings],
    columns: columns.map(({ name: n, note, classes }) => ({
      name: n,
      ...(note ? { note } : {}),
      ...(classes ? { classes: [...classes] } : {}),
    })),
    findings: [...(findings ?? [])],
    parameters: { ...graph.parameters },
  };
}

async function setArrays(
  folder: string,
  s: number,
  meta: GraphSetMeta,
  set: GraphBundleSet,
  o: { seed: number; call: CallOptions },
): Promise<Record<string, NdArray>> {
  const { graph, counterpart, r } = set;
  const layout = await layoutGraph(graph, o.seed, o.call);
  const { membersAt, members, edges, weight, component, cube, noise } = graph;
  const column = set.columns.map(({ values }) => Float32Array.from(values));
  const own = { membersAt, members, edges, weight, component, cube, noise, column, counterpart, r };
  const labels = set.labels ?? Array.from({ length: graph.points }, (): string[] => []);
  return {
    ...encodeColumns(GRAPH_BUNDLE, meta, s, { ...layout, ...own }),
    ...(await writeTexts(folder, s, labels, set.examples)),
  };
}

/**
 * Writes graph.json, columns.safetensors, overlap.safetensors, labels and examples of one or more graphs into an
 * existing folder. The layout is made here, by ForceAtlas2 from the seed.
 * @throws RangeError when sizes of a set disagree, a counterpart is outside the other graph, or there is no graph
 */
export async function writeGraphBundle(
  folder: string,
  sets: readonly GraphBundleSet[],
  options: GraphBundleOptions,
  call: CallOptions = {},
): Promise<GraphMeta> {
  if (sets.length === 0) throw new RangeError('a graph bundle needs at least one graph');
  const { pairing, overlap } = options;
  if (pairing && sets.length < 2) throw new RangeError('a pairing needs two graphs but there is one');
  sets.forEach((set, s) => requireSizes(set, s < 2 ? sets[1 - s] : undefined));
  const meta: GraphMeta = {
    version: 1,
    title: options.title,
    sets: sets.map(setMeta),
    ...(options.groups ? { groups: options.groups } : {}),
    ...(pairing ? { pairing } : {}),
  };
  const columns: Record<string, NdArray> = {};
  for (const [s, set] of sets.entries())
    Object.assign(columns, await setArrays(folder, s, meta.sets[s], set, { seed: options.seed, call }));
  await writeSafetensors(path.join(folder, COLUMNS_FILE), columns, { format: 'fgnb-graph', version: '1' });
  if (pairing && overlap) {
    const shape = GRAPH_BUNDLE.matrix.shape(meta.sets);
    await writeSafetensors(path.join(folder, matrixFile(GRAPH_BUNDLE.matrix.name)), {
      [GRAPH_BUNDLE.matrix.name]: ndarray('F32', shape, overlap),
    });
  }
  await fs.writeFile(path.join(folder, GRAPH_BUNDLE.meta), `${JSON.stringify(meta, null, 1)}\n`);
  return meta;
}
