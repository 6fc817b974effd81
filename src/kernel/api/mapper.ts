/** fg.mapper: Mapper graphs of points such as decoder rows, kept as artifacts, shown and exported. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { JsonObject, OutputItem } from '../../protocol/notebook.js';
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { asMatrix, type MatrixInput } from '../compute/matrixInput.js';
import { writeFileAtomic } from '../io/files.js';
import { matrixId } from '../io/hash.js';
import { ndarray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { BundleColumn } from '../mapper/bundle.js';
import { asParameters } from '../mapper/describe.js';
import { graphMl, keplerGraph } from '../mapper/exports.js';
import { mapperGraph } from '../mapper/graph.js';
import type { LensSpec, MapperOptions } from '../mapper/options.js';
import { mapperLens } from '../mapper/plan.js';
import { loadGraph, saveGraph } from '../mapper/saved.js';
import type { LensValues, MapperGraph } from '../mapper/types.js';
import type { Environment } from './environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import { graphItems, type ShowGraphOptions } from './mapperShow.js';
import { count, DISPLAY, withSummary } from './present.js';

export interface MapperGraphOptions extends MapperOptions, CallOptions {
  /** Compute again even when the graph is in the artifact folder. */
  fresh?: boolean;
}

export interface MapperLensOptions extends CallOptions {
  /** Draws UMAP and Isomap's landmarks; default 0. */
  seed?: number;
  /** Compute again even when the lens is in the artifact folder. */
  fresh?: boolean;
}

export interface ExportGraphOptions {
  /** GraphML: columns whose mean over the members each node gets, one value per point. */
  columns?: Readonly<Record<string, ArrayLike<number>>>;
}

/** Points: a matrix, an array of rows, a tensor, or an SAE, whose decoder rows are the points. */
export type MapperPoints = MatrixInput;

/** Mapper: the shape of points as a graph of overlapping clusters. */
export interface MapperApi {
  /**
   * The Mapper graph of n × d points, such as an SAE's decoder: lens, cover, clusters of each cover element in the
   * original space, and the nerve of these with simplices up to dimension 3. By default PCA(2), 10 × 10 cubes with overlap
   * 0.1, DBSCAN cosine with eps 0.5 and 5 samples; nodes are KeplerMapper's. Noise, skipped cubes and rows with NaN are
   * counted. As the last expression of a cell it is drawn. The same call again loads the result.
   */
  graph(points: MapperPoints, options?: MapperGraphOptions): Promise<MapperGraph>;
  /** The values of a lens, n × dims, to look at or to give to several graphs. The same call again loads the result. */
  lens(points: MapperPoints, lens: LensSpec, options?: MapperLensOptions): Promise<LensValues>;
  /**
   * Draws one graph or several side by side: nodes coloured by firing rate, norm, lens, r to the counterpart or columns of
   * yours, with the members' peak tokens and dataset examples where the points are features, and null graphs beside.
   */
  show(graphs: MapperGraph | readonly MapperGraph[], options?: ShowGraphOptions & CallOptions): Promise<void>;
  /**
   * Writes a graph to a file, by its ending: .graphml (Gephi, Cytoscape, networkx) or .json (KeplerMapper's format).
   * Returns the absolute path.
   */
  export(graph: MapperGraph, file: string, options?: ExportGraphOptions): Promise<string>;
}

const GRAPH_OPTIONS: OptionNames<MapperGraphOptions> = {
  lens: true,
  cover: true,
  clusterer: true,
  distances: true,
  minIntersection: true,
  seed: true,
  allowConstantLens: true,
  fresh: true,
  ...CALL,
};
const LENS_OPTIONS: OptionNames<MapperLensOptions> = { seed: true, fresh: true, ...CALL };
const SHOW_OPTIONS: OptionNames<ShowGraphOptions & CallOptions> = {
  title: true,
  activations: true,
  map: true,
  nulls: true,
  columns: true,
  groups: true,
  findings: true,
  seed: true,
  ...CALL,
};
const EXPORT_OPTIONS: OptionNames<ExportGraphOptions> = { columns: true };

const CODE_VERSION = 2;
const LENS = { meta: 'lens.json', arrays: 'lens.safetensors' };

/** Options with their distances as a matrix. */
export async function withDistances<T extends { distances?: MatrixInput }>(
  options: T,
): Promise<Omit<T, 'distances'> & { distances?: Matrix }> {
  const { distances, ...rest } = options;
  return distances === undefined ? rest : { ...rest, distances: await asMatrix(distances, 'distances') };
}

async function saveLens(folder: string, { values, ...about }: LensValues): Promise<void> {
  const rows = about.dims > 0 ? values.length / about.dims : 0;
  await writeSafetensors(path.join(folder, LENS.arrays), { values: ndarray('F64', [rows, about.dims], values) });
  await fs.writeFile(path.join(folder, LENS.meta), JSON.stringify(about));
}

async function loadLens(folder: string): Promise<LensValues> {
  const about = JSON.parse(await fs.readFile(path.join(folder, LENS.meta), 'utf8')) as Omit<LensValues, 'values'>;
  const file = await SafetensorsFile.open(path.join(folder, LENS.arrays));
  try {
    return { ...about, values: (await file.read('values')).data as Float64Array };
  } finally {
    await file.close();
  }
}

/** Gives a graph its way of being shown as the last expression of a cell: the graph and a summary. */
function drawn(env: Environment, graph: MapperGraph): MapperGraph {
  const items = (): Promise<OutputItem[]> => env.call(undefined, (call) => graphItems(env, [graph], {}, call));
  Object.defineProperty(graph, DISPLAY, { value: items, enumerable: false, configurable: true });
  return graph;
}

async function exportGraph(
  env: Environment,
  graph: MapperGraph,
  file: string,
  options: ExportGraphOptions,
): Promise<string> {
  requireGiven({ graph });
  requireOptions('fg.mapper.export', options, EXPORT_OPTIONS);
  const target = env.resolve(file);
  const ending = path.extname(target).toLowerCase();
  const columns = Object.entries(options.columns ?? {}).map(([name, values]): BundleColumn => {
    if (values.length !== graph.points)
      throw new RangeError(`column "${name}" has ${values.length} values but the graph has ${graph.points} points`);
    return { name, values };
  });
  if (ending === '.json' && columns.length > 0)
    throw new TypeError("KeplerMapper's format holds no columns; export to .graphml, or leave columns out");
  const text =
    ending === '.graphml'
      ? graphMl(graph, columns)
      : ending === '.json'
        ? `${JSON.stringify(keplerGraph(graph))}\n`
        : undefined;
  if (text === undefined)
    throw new RangeError(
      `fg.mapper.export writes .graphml and .json but got "${file}"; pages and pictures are saved from the graph's own menu`,
    );
  await fs.mkdir(path.dirname(target), { recursive: true });
  await writeFileAtomic(target, text);
  env.context.print(`${count(graph.nodes)} nodes and ${count(graph.weight.length)} edges written to ${target}`);
  return target;
}

export function mapperApi(env: Environment): MapperApi {
  return {
    async graph(points, options = {}) {
      const x = await asMatrix(points, 'points');
      requireOptions<MapperGraphOptions>('fg.mapper.graph', options, GRAPH_OPTIONS);
      const { fresh, signal: _, onProgress: __, distances, ...given } = await withDistances(options);
      const key = {
        kind: 'mapper',
        parameters: asParameters(given) as JsonObject,
        inputs: { points: matrixId(x), ...(distances ? { distances: matrixId(distances) } : {}) },
        codeVersion: CODE_VERSION,
      };
      const { value, cached, record } = await env.call(options, (call) =>
        env.store.compute(key, {
          fresh,
          title: `Mapper graph of ${x.rows} × ${x.cols}`,
          make: async (folder) =>
            saveGraph(folder, await mapperGraph(x, { ...given, ...(distances ? { distances } : {}), ...call })),
          load: loadGraph,
        }),
      );
      env.tellCached('Mapper graph', cached, record);
      return drawn(env, value);
    },
    async lens(points, lens, options = {}) {
      const x = await asMatrix(points, 'points');
      requireOptions('fg.mapper.lens', options, LENS_OPTIONS);
      const { seed = 0 } = options;
      const key = {
        kind: 'lens',
        parameters: asParameters({ lens, seed }) as JsonObject,
        inputs: { points: matrixId(x) },
        codeVersion: CODE_VERSION,
      };
      const { value, cached, record } = await env.call(options, (call) =>
        env.store.compute(key, {
          fresh: options.fresh,
          title: `lens of ${x.rows} × ${x.cols}`,
          make: async (folder) => saveLens(folder, await mapperLens(x, { lens, seed, ...call })),
          load: loadLens,
        }),
      );
      env.tellCached('Lens', cached, record);
      return withSummary(value, () =>
        [`${value.description}: ${count(x.rows)} × ${value.dims}`, ...value.warnings.map((w) => `⚠ ${w}`)].join('\n'),
      );
    },
    async show(graphs, options = {}) {
      requireGiven({ graphs });
      requireOptions<ShowGraphOptions & CallOptions>('fg.mapper.show', options, SHOW_OPTIONS);
      const list = Array.isArray(graphs) ? (graphs as readonly MapperGraph[]) : [graphs as MapperGraph];
      if (list.length === 0) throw new RangeError('fg.mapper.show: there is no graph to show');
      list.forEach((graph, i) => requireGiven({ [`graph ${i + 1}`]: graph }));
      const { signal: _, onProgress: __, ...shown } = options;
      env.context.display(await env.call(options, (call) => graphItems(env, list, shown, call)));
    },
    export: (graph, file, options = {}) => exportGraph(env, graph, file, options),
  };
}
