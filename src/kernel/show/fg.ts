/** fg.show: the one way to look at what fg returned, in the running cell. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { SparseActivations } from '../activations/types.js';
import type { PairedMap } from '../correlation/types.js';
import { graphItems, SHOW } from '../mapper/show.js';
import { describeSample, type RipsPersistence } from '../mapper/ripsSample.js';
import type { MapperGraph } from '../mapper/types.js';
import { ALIGNED_KIND } from '../maps/alignedKept.js';
import { LiveLayout } from '../maps/liveLayout.js';
import type { Layout } from '../maps/types.js';
import type { Sae } from '../sae/types.js';
import { chartItems, DISPLAY, featureItems, tableItems, tableOf, type TableRow } from '../present/items.js';
import { persistenceItems } from '../present/mapper.js';
import { calledNamespace, form } from '../verb/called.js';
import { CALL, thing } from '../verb/common.js';
import { choice, only, required, text, value, whole, written } from '../verb/option.js';
import { syncVerb, verb } from '../verb/verb.js';
import { FEATURES, featureCards, pairCards, PAIRS } from './cards.js';
import { FEATURE_MAP, featureMapItems, twinMapItems } from './featureMap.js';
import { feature } from './fgFeature.js';
import { LAYOUT_BASELINES, mapsBeside, SAE_BASELINES } from './baselineMaps.js';
import { map } from './fgMap.js';
import { prompt } from './fgPrompt.js';
import { selection } from './fgSelection.js';
import { INTERVENTION_FORMS } from './fgInterventions.js';
import { SYNTHETIC_FORMS } from './fgSynthetic.js';
import { LAYOUT_MAP, layoutItems, SAE_MAP, saeMapItems, SAES_MAP, saesItems } from './saeMap.js';
import { each, has, isLayout, isSae, showsItself } from './forms.js';

const isGraph = has('nodes', 'weight', 'betti', 'lens');
const isPersistence = (x: object): boolean => has('dims', 'threshold', 'null')(x) && 'landmarks' in x;

const graph = verb({
  doc: "Mapper graphs, one or several side by side: nodes coloured by firing rate, norm, lens, r to the counterpart or columns of yours, with the members' labels and dataset examples where the points are features, and null graphs beside.",
  args: [
    thing<MapperGraph | readonly MapperGraph[], readonly MapperGraph[]>(
      'x',
      'A graph that fg.mapper.graph returned, or an array of these.',
      (given) => (Array.isArray(given) ? (given as readonly MapperGraph[]) : [given as MapperGraph]),
    ),
  ],
  options: { ...SHOW, ...CALL },
  kinds: ['graph'],
  run: async ({ env, options, call }, graphs) =>
    env.context.display(await graphItems(env, graphs, only(SHOW, options), call)),
});

const twoMaps = (given: readonly Layout[], at: string): readonly [Layout, Layout] => {
  if (given.length !== 2) throw new RangeError(`${at} is ${written(given)} layouts; expected one, or two: [a, b]`);
  return [given[0], given[1]];
};

const twinMaps = verb({
  doc: 'Two feature maps side by side: hovering a feature lights the partner of its best pair in the correlation map and shows the dataset examples of both. The pairs of the map are linked, and nothing else is.',
  args: [
    thing<readonly Layout[], readonly [Layout, Layout]>(
      'x',
      'Two layouts, [a, b], of the decoders whose activations the map was made from.',
      twoMaps,
    ),
  ],
  options: {
    map: required(
      value<PairedMap>(
        'what fg.correlation.map returned',
        { doc: 'The map that joins the features of both.' },
        (v) => typeof v === 'object' && v !== null,
      ),
    ),
    ...FEATURE_MAP,
    ...LAYOUT_BASELINES,
    ...CALL,
  },
  beside: ({ env, options }, layouts) => mapsBeside(env, layouts, options),
  errors: ["A layout of other rows than the decoder of the map's SAE is refused."],
  kinds: ['map'],
  run: async ({ env, options }, layouts) =>
    env.context.display(await twinMapItems(env, layouts, options.map, only(FEATURE_MAP, options))),
});

const featureMap = verb({
  doc: "A map of the points of a layout: with `activations`, the features of a store placed by a layout of its SAE's rows; without, points named by the logit lens of `sae` and `model`, or by their numbers.",
  args: [thing<Layout>('x', 'What fg.maps.umap or fg.maps.pca returned.')],
  options: {
    activations: value<SparseActivations>(
      'what fg.activations.save returned',
      { doc: 'Whose features the points are.', fallback: 'points without firing rates and examples' },
      (v) => typeof v === 'object' && v !== null,
    ),
    ...LAYOUT_MAP,
    ...LAYOUT_BASELINES,
    ...CALL,
  },
  beside: ({ env, options }, layout) => mapsBeside(env, layout, options),
  errors: [
    "A layout of other rows than the decoder of the store's SAE, and an SAE of another number of features, are refused.",
  ],
  kinds: ['map'],
  run: async ({ env, options, call }, layout) =>
    env.context.display(
      options.activations
        ? await featureMapItems(env, layout, options.activations, only(FEATURE_MAP, options))
        : await layoutItems(env, layout, only(LAYOUT_MAP, options), call),
    ),
});

const saeMap = verb({
  doc: "A map of an SAE's features by UMAP of its decoder or encoder rows, named by the activations of a store, else by the logit lens of a model, else by their numbers. Axes of UMAP have no meaning of their own: nearness has, distance between far clusters has little.",
  args: [thing<Sae>('x', 'What fg.sae.train or fg.sae.load returned.')],
  options: {
    activations: value<SparseActivations>(
      'what fg.activations.save returned',
      { doc: 'Names the features and gives their examples.', fallback: 'a map of the rows alone' },
      (v) => typeof v === 'object' && v !== null,
    ),
    ...SAE_MAP,
    ...SAE_BASELINES,
    ...CALL,
  },
  beside: ({ env, options }, sae) => mapsBeside(env, sae, options),
  errors: ['A store of another SAE is refused.'],
  kinds: ['map', 'layout'],
  run: async ({ env, options, call }, sae) => {
    const live = new LiveLayout(env);
    live.end(await live.during(() => saeMapItems(env, sae, options, { ...call, onMoved: live.onMoved })));
  },
});

const jointMap = verb({
  doc: 'Several widths of one hook in one map: UMAP of the rows of all, narrow to wide, with a line from every feature to the row of the narrower SAE that it lies nearest to by cosine. What became of a feature is seen around it; whether it split is what fg.correlation.splitting tests. With `map`, two models: two linked maps in one plane, regularised towards the matched pairs; the description says how near these lie, beside exchanged ones.',
  args: [
    thing<readonly Sae[], readonly Sae[]>('x', 'Two or more SAEs whose rows lie in one space.', (given, at) => {
      if (given.length < 2) throw new RangeError(`${at} is one SAE; expected two or more, or the SAE itself`);
      return given;
    }),
  ],
  options: { ...SAES_MAP, ...CALL },
  errors: [
    'SAEs of other widths of the residual stream, and more than 8, are refused; with `map`, other than two.',
    '`regularisation` and `heldOut` without `map` are refused.',
  ],
  kinds: ['map', 'layout', ALIGNED_KIND],
  run: async ({ env, options, call }, saes) => {
    const live = new LiveLayout(env);
    live.end(await live.during(() => saesItems(env, saes, options, { ...call, onMoved: live.onMoved })));
  },
});

const pairs = verb({
  doc: 'Matched pairs with the dataset examples of both sides, those of highest r first.',
  args: [thing<PairedMap>('x', 'What fg.correlation.map or fg.correlation.filter returned.')],
  options: { ...PAIRS, ...CALL },
  run: async ({ env, options }, map) =>
    env.context.display(featureItems(await pairCards(env, map, only(PAIRS, options)))),
});

const features = verb({
  doc: 'Features with their dataset examples.',
  args: [thing<SparseActivations>('x', 'What fg.activations.save returned.')],
  options: { ...FEATURES, ...CALL },
  errors: ['A feature that there is not is refused.'],
  run: async ({ env, options }, activations) =>
    env.context.display(featureItems(await featureCards(env, activations, options))),
});

const persistence = syncVerb({
  doc: 'The barcode and the diagram, birth against death, of persistence.',
  args: [thing<RipsPersistence>('x', 'What fg.mapper.persistence returned.')],
  options: {
    as: choice(['both', 'barcode', 'diagram'], { doc: 'Which of the two.', default: 'both' }),
    title: text({ doc: 'Begins the line over the chart.', fallback: 'what is drawn' }),
  },
  run: ({ env, options }, found) =>
    env.context.display(persistenceItems(found, options.as, describeSample(found), options.title)),
});

/** Any other result, shown as a cell shows it as its last expression. */
const result = verb({
  doc: 'Any other result of fg as the cell shows it as its last expression: scores, findings, comparisons, nulls.',
  args: [thing<object>('x', 'What fg returned.')],
  options: CALL,
  async run({ env }, shown) {
    env.context.display(await (shown as { [DISPLAY](): OutputItem[] | Promise<OutputItem[]> })[DISPLAY]());
  },
});

/** Rows of a table. @throws TypeError that names the first entry that is no row */
function rowsGiven(given: readonly TableRow[], at: string): readonly TableRow[] {
  const odd = given.findIndex((row) => typeof row !== 'object' || row === null || Array.isArray(row));
  if (odd >= 0)
    throw new TypeError(`${at}[${odd}] is ${written(given[odd])}; expected an object such as { name: value }`);
  return given;
}

const table = syncVerb({
  doc: 'Rows of plain objects as a sortable table; columns in the order in which their keys first appear.',
  args: [
    thing<readonly TableRow[], readonly TableRow[]>('x', 'An array of objects such as { name: value }.', rowsGiven),
  ],
  options: {
    title: text({ doc: 'Over the table.', fallback: 'none' }),
    top: whole({ doc: 'Rows kept in the output; what was left out is said.', min: 1, default: 1000 }),
  },
  run: ({ env, options }, rows) => env.context.display(tableItems(tableOf(rows, options.title, options.top))),
});

/** A Vega-Lite spec, recognised by `mark` or by what composes views (`layer`, `concat`, `facet`, `repeat` …). */
export interface ChartSpec {
  readonly mark?: unknown;
  readonly layer?: unknown;
  readonly concat?: unknown;
  readonly hconcat?: unknown;
  readonly vconcat?: unknown;
  /** Needs `spec`: what is drawn for each facet. */
  readonly facet?: unknown;
  readonly repeat?: unknown;
  readonly spec?: unknown;
  readonly data?: unknown;
  readonly datasets?: unknown;
  readonly transform?: unknown;
  readonly params?: unknown;
  readonly encoding?: unknown;
  readonly projection?: unknown;
  readonly resolve?: unknown;
  readonly columns?: unknown;
  readonly title?: unknown;
  readonly width?: unknown;
  readonly height?: unknown;
  readonly view?: unknown;
  readonly config?: unknown;
  readonly $schema?: unknown;
}

const isSpec = (x: object): boolean =>
  ['mark', 'layer', 'concat', 'hconcat', 'vconcat', 'facet', 'repeat'].some((name) => Object.hasOwn(x, name));

const chart = syncVerb({
  doc: 'A chart: a Vega-Lite spec with inline data, { values: [...] }.',
  args: [thing<ChartSpec>('x', 'A Vega-Lite spec, such as one of the `charts` of a result.')],
  options: { title: text({ doc: 'Over the chart.', fallback: 'none' }) },
  errors: ['A spec that names a URL is refused: nothing is loaded.'],
  run: ({ env, options }, spec) => env.context.display(chartItems(spec, options.title)),
});

export const show = calledNamespace({
  name: 'show',
  doc: 'The one way to look: `fg.show(x, options)` draws what fg returned, rows and charts in the running cell. What `x` is says how it is drawn and which options there are. As the last expression of a cell a result shows itself, and nothing has to be called.',
  example: `// A circle of 60 points as a table, and its one loop as a barcode
const turn = (i) => (2 * Math.PI * i) / 60
const rows = Array.from({ length: 60 }, (_, i) => ({ x: Math.cos(turn(i)), y: Math.sin(turn(i)) }))
fg.show(rows, { title: 'Points on a circle', top: 5 })
const bars = await fg.mapper.persistence(rows.map(({ x, y }) => [x, y]), { nulls: 3 })
fg.show(bars, { as: 'barcode' })`,
  expected:
    'what fg returned, an array of rows such as { name: value }, or a Vega-Lite spec ({ mark, encoding, data: { values } })',
  forms: [
    form('graph', (x) => isGraph(x) || each(isGraph)(x), graph),
    form('layout', isLayout, featureMap),
    form('layouts', each(isLayout), twinMaps),
    form('sae', isSae, saeMap),
    form('saes', each(isSae), jointMap),
    form('pairs', has('pairs', 'bestAofB', 'bestBofA'), pairs),
    form('activations', has('statistics', 'meta', 'shards'), features),
    form('persistence', isPersistence, persistence),
    ...INTERVENTION_FORMS,
    ...SYNTHETIC_FORMS,
    form('rows', (x) => Array.isArray(x) && !showsItself(x), table),
    form('chart', isSpec, chart),
    // Last: it takes any object, so that types of the others are looked at first.
    form('result', showsItself, result),
  ],
  members: { feature, map, prompt, selection },
});
