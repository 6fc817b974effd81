/** What fg.show draws of graphs: graphs with what is known of their points, as the bundle that panels read. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { pushAll } from '../../protocol/lists.js';
import type { GraphDescriptor, GraphFinding, GraphMeta } from '../../protocol/graph.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { keptLabels, shownExamples } from '../activations/kept.js';
import { firingRates } from '../activations/statistics.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import type { PairedMap } from '../correlation/types.js';
import { sha256 } from '../io/hash.js';
import { count, textItem } from '../present/items.js';
import { pointColumns, type BundleColumn, type PointColumns } from '../maps/pointColumns.js';
import { writeGraphBundle, type GraphBundleSet } from './bundle.js';
import { counterpartsOf, overlapMatrix } from './overlap.js';
import type { MapperGraph } from './types.js';
import type { Environment } from '../verb/environment.js';
import { text, value, whole, type Given } from '../verb/option.js';
import { isObject } from '../../protocol/objects.js';

/** A null graph, or what holds one (what fg.mapper.nulls returned). */
export type NullGraph = MapperGraph | { readonly graph: MapperGraph; readonly kind?: string; readonly name?: string };

/** Options of the picture of graphs. */
export const SHOW = {
  title: text({ doc: 'Over the picture.', fallback: 'the name of the SAE, else "Mapper graph"' }),
  activations: value<SparseActivations | readonly SparseActivations[]>(
    'what fg.activations.save returned, or an array of these',
    {
      doc: 'Where the points are features: their activation store, one for each graph; adds firing rates, labels and dataset examples.',
      fallback: 'the stores of `map`',
    },
    isObject,
  ),
  map: value<PairedMap>(
    'what fg.correlation.map returned',
    { doc: 'With two graphs: the correlation map that joins their features. With one: adds r to the counterpart.' },
    isObject,
  ),
  beside: value<readonly NullGraph[]>(
    'an array of graphs, or of what fg.mapper.nulls returned',
    { doc: 'Null graphs shown beside.' },
    Array.isArray,
  ),
  columns: value<PointColumns | readonly PointColumns[]>(
    'an object such as { name: values }, or an array of these',
    { doc: 'More columns to colour by, one value per point; an array of such where there are several graphs.' },
    isObject,
  ),
  groups: value<Readonly<Record<string, readonly string[]>>>(
    'an object such as { months: ["May", "June"] }',
    { doc: 'Keyword groups to colour by: name → whole words of the labels.' },
    isObject,
  ),
  findings: value<readonly GraphFinding[] | ReadonlyArray<readonly GraphFinding[]>>(
    'what fg.mapper.findings returned, or an array of these',
    { doc: 'Loops and branches to mark, of the first graph or of each.' },
    Array.isArray,
  ),
  seed: whole({ doc: 'Of the layout.', usual: 0 }),
} as const;

export type ShowGraphOptions = Given<typeof SHOW>;

/** Versions of pictures without labels and with labels, which are by activation mass since 4. */
const CODE_VERSION = { plain: 3, labelled: 4 };
const MAX_LENS_COLUMNS = 10;

const perGraph = <T>(given: T | readonly T[] | undefined, s: number, graphs: number): T | undefined =>
  Array.isArray(given) ? (given as readonly T[])[s] : graphs === 1 || s === 0 ? (given as T | undefined) : undefined;

/** Lens values and lengths: columns that every graph has. */
function ownColumns(graph: MapperGraph, features: boolean): BundleColumn[] {
  const { lens, points, norms } = graph;
  const columns: BundleColumn[] = [];
  for (let d = 0; d < Math.min(lens.dims, MAX_LENS_COLUMNS); d++)
    columns.push({
      name: `lens: ${lens.names[d] ?? d + 1}`,
      note: lens.description,
      values: Float32Array.from({ length: points }, (_, i) => lens.values[i * lens.dims + d]),
    });
  if (norms) columns.push({ name: features ? 'decoder norm' : 'row norm', note: 'l2 norm of the row', values: norms });
  return columns;
}

/** Which side of a map a graph's points are: by the decoder, else by the number of features. */
function sideOf(map: PairedMap, graph: MapperGraph): 'a' | 'b' {
  if (graph.rows !== undefined && map.a.meta.sae.decoder === graph.rows) return 'a';
  if (graph.rows !== undefined && map.b.meta.sae.decoder === graph.rows) return 'b';
  if (map.featuresA === graph.points) return 'a';
  if (map.featuresB === graph.points) return 'b';
  throw new Error(
    `the map joins ${map.featuresA} and ${map.featuresB} features but the graph has ${graph.points} points; make the graph of the decoder of one of its SAEs`,
  );
}

/** @throws Error when the points are not the features of the store's SAE. */
function requireFeatures(graph: MapperGraph, activations: SparseActivations, name: string): void {
  const { sae, features } = activations.meta;
  if (graph.points !== features)
    throw new Error(
      `graph ${name} has ${graph.points} points but ${sae.name} has ${features} features; make the graph of the decoder of that SAE`,
    );
  if (graph.rows && sae.decoder)
    requireSame(
      `graph ${name} is of other rows than the decoder of its SAE`,
      { name: 'points of the graph', id: graph.rows },
      { name: `decoder of ${sae.name}`, id: sae.decoder },
    );
}

async function dataSet(
  env: Environment,
  graph: MapperGraph,
  s: number,
  graphs: number,
  options: ShowGraphOptions,
): Promise<GraphBundleSet> {
  const { map, findings } = options;
  const name = 'ABCDEFGHIJ'[s] ?? `${s + 1}`;
  const side = map && (graphs === 2 ? (['a', 'b'] as const)[s] : graphs === 1 ? sideOf(map, graph) : undefined);
  const activations = perGraph(options.activations, s, graphs) ?? (map && side ? map[side] : undefined);
  if (activations) requireFeatures(graph, activations, name);
  const columns: BundleColumn[] = [];
  if (activations)
    columns.push({
      name: 'firing rate',
      note: 'share of tokens on which the feature fires',
      values: firingRates(activations),
    });
  const partners = map && side ? counterpartsOf(map)[side] : undefined;
  if (partners) columns.push({ name: 'r to counterpart', note: `Pearson r, ${map!.method}`, values: partners.r });
  pushAll(columns, ownColumns(graph, activations !== undefined));
  pushAll(columns, pointColumns(options.columns, { s, points: graph.points, where: 'the graph' }));
  const examples = activations && (await shownExamples(env, activations));
  const labels = activations && (await keptLabels(env, activations));
  const own = Array.isArray(findings?.[0])
    ? (findings as ReadonlyArray<readonly GraphFinding[]>)[s]
    : s === 0
      ? findings
      : undefined;
  const sae = activations?.meta.sae;
  return {
    name,
    title: sae?.name ?? `graph ${name}`,
    role: 'data',
    ...(sae && { sae: { id: sae.id, name: sae.name } }),
    graph,
    columns,
    ...(examples && { examples, labels }),
    ...(partners && graphs === 2 ? partners : {}),
    findings: (own ?? []) as readonly GraphFinding[],
  };
}

function nullSet(given: NullGraph, index: number): GraphBundleSet {
  const holder = 'graph' in given ? given : { graph: given, kind: undefined, name: undefined };
  const title = holder.name ?? holder.kind ?? String(index + 1);
  const { graph } = holder;
  return { name: 'null', title, role: 'null', graph, columns: ownColumns(graph, false) };
}

/** A graph in words. */
export function graphText(graph: MapperGraph): string {
  const { nodes, weight, components, betti, noise, points, cubes, warnings } = graph;
  const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
  const share = points > 0 ? ` (${((100 * noise.length) / points).toFixed(1)} %)` : '';
  return [
    graph.description,
    `${plural(nodes, 'node')}, ${plural(weight.length, 'edge')}, ${plural(components, 'component')}, ${plural(betti[1], 'loop')} (Betti ${betti.join(', ')}; Euler ${graph.euler})`,
    `${plural(points, 'point')}, ${count(noise.length)} in no node${share}; of ${plural(cubes.total, 'cover element')} ${count(cubes.skipped)} hold too few points, ${count(cubes.allNoise)} are all noise`,
    ...warnings.map((w) => `⚠ ${w}`),
  ].join('\n');
}

/** A plain identity of what is shown: equal calls find the bundle that is there. */
function keyOf(sets: readonly GraphBundleSet[], title: string, options: ShowGraphOptions) {
  const { activations, map, beside: _, columns: __, ...rest } = options;
  const inputs: Record<string, string> = {};
  sets.forEach((set, s) => (inputs[`graph${s}`] = set.graph.id));
  [activations ?? []].flat().forEach((a: SparseActivations, s) => (inputs[`activations${s}`] = a.id));
  if (map) inputs.map = map.id;
  const shown = sets.map(({ name, columns }) => ({
    name,
    columns: columns.map((c) => `${c.name} ${sha256([Float32Array.from(c.values), ...(c.classes ?? [])])}`),
  }));
  const parameters = asParameters({ ...rest, title, shown });
  const codeVersion = sets.some(({ labels }) => labels) ? CODE_VERSION.labelled : CODE_VERSION.plain;
  return { kind: 'graph', parameters, inputs, codeVersion };
}

/** Writes the bundle of graphs and gives the items that show them. */
export async function graphItems(
  env: Environment,
  graphs: readonly MapperGraph[],
  options: ShowGraphOptions,
  call: CallOptions,
): Promise<OutputItem[]> {
  const { map } = options;
  const data: GraphBundleSet[] = [];
  for (const [s, graph] of graphs.entries()) data.push(await dataSet(env, graph, s, graphs.length, options));
  const sets = [...data, ...(options.beside ?? []).map(nullSet)];
  const named = data.filter((set) => set.sae).map((set) => set.sae!.name);
  const title = options.title ?? (named.length > 0 ? `Mapper: ${named.join(' ↔ ')}` : 'Mapper graph');
  const groups = Object.entries(options.groups ?? {}).map(([name, words]) => ({ name, words: [...words] }));
  const paired = map && data.length === 2;
  const r = paired ? map.pairs.r : undefined;
  const computed = await env.outputStore.compute(keyOf(sets, title, options), {
    title,
    make: async (folder) =>
      void (await writeGraphBundle(
        folder,
        sets,
        {
          title,
          ...(groups.length > 0 ? { groups } : {}),
          ...(paired && {
            pairing: {
              method: map.method,
              pairs: map.pairs.r.length,
              meanR: r!.reduce((sum, v) => sum + v, 0) / Math.max(1, r!.length),
            },
            overlap: overlapMatrix(data[0].graph, data[1].graph, data[0].counterpart!).overlap,
          }),
          seed: options.seed ?? SHOW.seed.usual,
        },
        call,
      )),
    load: async (made) => JSON.parse(await fs.readFile(path.join(made, 'graph.json'), 'utf8')) as GraphMeta,
  });
  const descriptor: GraphDescriptor = {
    version: 1,
    id: computed.record.id,
    path: path.relative(env.context.outputFolder, computed.folder).split(path.sep).join('/'),
    meta: computed.value,
  };
  const words = sets.map((set) => (sets.length > 1 ? `${set.name}: ` : '') + graphText(set.graph));
  return [
    { mime: MIME.graph, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    textItem([title, ...words].join('\n')),
  ];
}
