/** fg.mapper: Mapper graphs of points such as decoder rows, kept as artifacts, shown and exported. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { asParameters } from '../artifacts/parameters.js';
import { describeRows } from '../compute/matrix.js';
import { writeFileAtomic } from '../io/files.js';
import { matrixId } from '../io/hash.js';
import { count, textItem } from '../present/items.js';
import { KEPT, seed, words, type Arg } from '../verb/common.js';
import { namespace } from '../verb/namespace.js';
import { only, value } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { extended, findings, nulls, overlap, persistence, stability, sweep } from './fgDoubt.js';
import { graphFile } from './exports.js';
import { mapperGraph } from './graph.js';
import { loadLens, saveLens } from './lensSaved.js';
import { readLens, PIPELINE, type LensSpec, type MapperOptions } from './options.js';
import { mapperLens } from './plan.js';
import { graphArg, points } from './points.js';
import { layoutVersion } from './layoutVersion.js';
import { loadGraph, saveGraph } from './saved.js';
import { graphItems } from './show.js';

const graph = verb({
  doc: `The Mapper graph of n × d points, such as an SAE's decoder: lens, cover, clusters of each cover element in the original space, and the nerve of these with simplices up to dimension 3. By default PCA(2), 10 × 10 cubes with overlap 0.1, DBSCAN cosine with eps 0.5 and 5 samples; nodes are KeplerMapper's. Noise, skipped cubes and rows with NaN are counted. As the last expression of a cell it is drawn. The same call again loads the result.`,
  args: [points],
  options: { ...PIPELINE, ...KEPT },
  errors: ['A lens that is nearly constant in every dimension is refused, unless `allowConstantLens`.'],
  kinds: ['graph'],
  run: ({ options, call }, x) => mapperGraph(x, { ...(only(PIPELINE, options) as MapperOptions), ...call }),
  keep: {
    kind: 'mapper',
    version: 2,
    what: 'Mapper graph',
    title: (x) => `Mapper graph of ${describeRows(x)}`,
    inputs: ({ distances, lens: seen }, x) => ({
      points: matrixId(x),
      distances: distances && matrixId(distances),
      layout: layoutVersion(seen),
    }),
    save: saveGraph,
    load: loadGraph,
  },
  show: (made, { env }) => env.call(undefined, (call) => graphItems(env, [made], {}, call)),
});

const lensArg: Arg<LensSpec> = {
  name: 'lens',
  doc: "A lens such as 'pca' or { kind: 'umap', metric: 'cosine' }, or a chain of these.",
  parse: readLens,
};

const lens = verb({
  doc: 'The values of a lens, n × dims, to look at or to give to several graphs. The same call again loads the result.',
  args: [points, lensArg],
  options: { seed: seed("Draws UMAP and Isomap's landmarks."), ...KEPT },
  run: ({ options, call }, x, given) => mapperLens(x, { lens: given, seed: options.seed, ...call }),
  keep: {
    kind: 'lens',
    version: 2,
    what: 'Lens',
    title: (x) => `lens of ${describeRows(x)}`,
    inputs: (_, x, given) => ({ points: matrixId(x), layout: layoutVersion(given) }),
    parameters: ({ parsed }, _, given) => asParameters({ lens: given, seed: parsed.seed }),
    save: saveLens,
    load: loadLens,
  },
  show: ({ description, dims, warnings }, _, x) => [
    textItem([`${description}: ${count(x.rows)} × ${dims}`, ...warnings.map((w) => `⚠ ${w}`)].join('\n')),
  ],
});

const exported = verb({
  doc: "Writes a graph to a file, by its ending: .graphml (Gephi, Cytoscape, networkx) or .json (KeplerMapper's format). Returns the absolute path.",
  args: [graphArg('graph'), words('file', "Path against the notebook's folder.")],
  options: {
    columns: value<Readonly<Record<string, ArrayLike<number>>>>(
      'an object such as { name: values }',
      { doc: 'GraphML: columns whose mean over the members each node gets, one value per point.' },
      (v) => typeof v === 'object' && v !== null,
    ),
  },
  errors: ['Another ending than .graphml and .json, and columns for .json, are refused.'],
  async run({ env, options }, given, file) {
    const target = env.resolve(file);
    const written = graphFile(given, target, options.columns);
    await fs.mkdir(path.dirname(target), { recursive: true });
    await writeFileAtomic(target, written);
    env.context.print(`${count(given.nodes)} nodes and ${count(given.weight.length)} edges written to ${target}`);
    return target;
  },
});

export const mapper = namespace({
  name: 'mapper',
  doc: 'Mapper: the shape of points as a graph of overlapping clusters, and how much of that shape chance would give.',
  example: `// A circle of 200 points: one component, one loop
const turn = (i) => (2 * Math.PI * i) / 200
const circle = { rows: 200, cols: 2, data: Float32Array.from({ length: 400 }, (_, e) => (e % 2 ? Math.sin : Math.cos)(turn(e >> 1))) }
const pipeline = {
  lens: { kind: 'dimensions', columns: [0] },
  cover: { cubes: 8, overlap: 0.35 },
  clusterer: { kind: 'dbscan', metric: 'euclidean', eps: 0.3 },
} as const
const graph = await fg.mapper.graph(circle, pipeline)
const nulls = await fg.mapper.nulls(circle, { ...pipeline, nulls: 9 })
fg.mapper.findings(graph, { beside: nulls })`,
  verbs: {
    graph,
    lens,
    export: exported,
    nulls,
    findings,
    stability,
    sweep,
    persistence,
    extended,
    overlap,
  },
});
