/** fg.synthetic's generating half: worlds, presets, samples. */
import type { OutputItem } from '../../protocol/notebook.js';
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { joinRows } from '../compute/sampling/span.js';
import type { SparseRows } from '../compute/sparse.js';
import { createPreset } from '../synthetic/presets.js';
import { PRESETS, type PresetEntry, type PresetOptions } from '../synthetic/presetsList.js';
import type { World } from '../synthetic/types.js';
import { createWorld, WORLD_VERSION, type GeneratedWorld } from '../synthetic/world.js';
import { writeWorldActivations } from '../synthetic/worldActivations.js';
import type { WorldOptions } from '../synthetic/worldOptions.js';
import { worldReport, type WorldReport, type WorldReportOptions } from '../synthetic/worldReport.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { CALL, requireGiven, requireOptions, type OptionNames } from './given.js';
import {
  chartItems,
  count,
  formatNumber,
  tableItems,
  tableOf,
  withDisplay,
  withSummary,
  type Displayed,
} from '../present/items.js';

export interface WorldStoreOptions extends CallOptions {
  /** Default the world's own: the samples that world.sample gives. */
  seed?: number;
  /** Write again, even when the same activations are in the artifact folder. */
  fresh?: boolean;
}

export interface WorldSampleOptions extends CallOptions {
  /** Default the world's own. */
  seed?: number;
}

export interface WorldSamples {
  /** samples × dim. */
  x: Matrix;
  /** samples × features: the true activations. */
  codes: SparseRows;
}

/** A world in a notebook: shown by its description, with its report and its activations. */
export interface WorldHandle extends GeneratedWorld {
  /**
   * Draws samples and states realised L0, frequencies, co-firing and geometry, with their deviation from the request in
   * standard errors; shown as a table and three charts.
   */
  report(options?: WorldReportOptions): Promise<Displayed<WorldReport>>;
  /**
   * Writes the true activations of n samples as an artifact, which correlation, maps, the mapper and panels take like
   * those of an SAE; the same call again loads it. A sample is one token, named after its strongest feature.
   */
  activations(samples: number, options?: WorldStoreOptions): Promise<SparseActivations>;
}

/** Worlds with known features. */
export interface WorldsApi {
  /**
   * A world with known directions, frequencies, correlations and magnitudes, or a published generator by
   * { preset: 'marks-2024' }. Impossible requests are refused with the feasible range.
   */
  world(options: WorldOptions | PresetOptions): Promise<WorldHandle>;
  /** The published generators and their corrected forms: where they come from, and what is wrong with them. */
  presets(): Displayed<readonly PresetEntry[]>;
  /** The first n samples of a world, in memory: x and true codes. world.sample(n) streams them instead. */
  sample(world: World, n: number, options?: WorldSampleOptions): Promise<WorldSamples>;
}

const WORLD_OPTIONS: OptionNames<WorldOptions> = {
  features: true,
  dim: true,
  superposition: true,
  seed: true,
  geometry: true,
  frequencies: true,
  l0: true,
  maxFrequency: true,
  correlations: true,
  magnitudes: true,
  noise: true,
  mean: true,
  ...CALL,
};
const REPORT_OPTIONS: OptionNames<WorldReportOptions> = { samples: true, seed: true, pairFeatures: true, ...CALL };
const STORE_OPTIONS: OptionNames<WorldStoreOptions> = { seed: true, fresh: true, ...CALL };
const SAMPLE_OPTIONS: OptionNames<WorldSampleOptions> = { seed: true, ...CALL };

/** Figures of a report, one a row. */
function reportTable(r: WorldReport): OutputItem[] {
  const { l0, geometry: g, marginals: m, cofiring: c } = r;
  const z = (value: number): string =>
    Number.isFinite(value) ? `${formatNumber(value, 3)} standard errors` : 'not by chance: as asked it cannot vary';
  const rows = [
    { figure: 'mean L0', realised: l0.mean, asked: l0.asked, deviation: z(l0.z) },
    { figure: 'standard deviation of L0', realised: l0.sd },
    { figure: 'share of samples with none', realised: l0.none },
    {
      figure: 'frequency farthest off',
      realised: r.realised[m.at[0] ?? 0],
      asked: r.asked[m.at[0] ?? 0],
      deviation: `${z(m.maxZ)} (feature ${m.at[0] ?? 0}; chance gives ${formatNumber(m.expectedMaxZ, 3)} over ${count(m.count)})`,
    },
    {
      figure: 'co-firing farthest off',
      deviation: c
        ? `${z(c.maxZ)} (pair ${c.at.join(', ')}; chance gives ${formatNumber(c.expectedMaxZ, 3)} over ${count(c.count)})`
        : 'no closed law to hold it against',
    },
    { figure: 'forbidden pairs that fired', realised: r.forbidden, asked: r.forbidden === undefined ? undefined : 0 },
    { figure: 'mean |phi| of pairs', realised: r.meanAbsPhi },
    { figure: 'magnitude, mean', realised: r.magnitudes.mean },
    { figure: 'length of directions, shortest', realised: g.shortest },
    { figure: 'length of directions, longest', realised: g.longest },
    {
      figure: 'largest |cos| of two directions',
      realised: g.maxCosine,
      deviation: `Welch bound ${formatNumber(g.welch)}`,
    },
    { figure: 'mean of the largest |cos|', realised: g.meanMaxCosine, deviation: `of ${count(g.cosinesOf)} features` },
    { figure: 'mean |cos|', realised: g.meanCosine },
    ...r.pairs.slice(0, 5).map((p) => ({
      figure: `phi of ${p.a} and ${p.b}`,
      realised: p.phi,
      asked: p.askedPhi,
      deviation: p.z === undefined ? undefined : z(p.z),
    })),
  ];
  const faults = r.faults.map((fault) => `Known fault: ${fault}`);
  return tableItems({
    ...tableOf(rows, r.description),
    note: [`${count(r.samples)} samples, seed ${r.seed}`, ...r.notes, ...faults].join('. '),
  });
}

type Spec = Record<string, unknown>;

/** Points on the diagonal are as asked; both axes have one range, so that it is one. */
function frequencyChart(r: WorldReport): Spec {
  const values = Array.from(r.asked, (asked, feature) => ({ feature, asked, realised: r.realised[feature] }))
    .filter((row) => row.asked > 0 && row.realised > 0)
    .filter((_, i, all) => i % Math.ceil(all.length / 2000) === 0);
  const all = values.flatMap(({ asked, realised }) => [asked, realised]);
  const [low, high] = all.reduce(([a, b], p) => [Math.min(a, p), Math.max(b, p)], [1, 1e-9]);
  const domain = [low / 1.5, Math.min(1, high * 1.5)];
  const never = r.asked.reduce((n, asked, f) => n + (asked > 0 && r.realised[f] === 0 ? 1 : 0), 0);
  const axis = (field: string): Spec => ({
    ...{ field, type: 'quantitative', title: `frequency ${field}` },
    scale: { type: 'log', domain, nice: false },
    axis: { tickCount: 4, labelOverlap: 'greedy', format: '~r' },
  });
  return {
    title: {
      text: 'Frequencies, asked and realised',
      subtitle: `dashes: as asked${never > 0 ? `; not drawn: ${count(never)} that never fired` : ''}`,
    },
    ...{ width: 300, height: 220 },
    layer: [
      {
        data: { values: domain.map((p) => ({ asked: p, realised: p })) },
        mark: { type: 'line', strokeWidth: 1, strokeDash: [4, 3], opacity: 0.7, color: '#888' },
        encoding: { x: axis('asked'), y: axis('realised') },
      },
      {
        data: { values },
        mark: { type: 'point', filled: true, size: 18 },
        encoding: {
          ...{ x: axis('asked'), y: axis('realised') },
          tooltip: [{ field: 'feature' }, { field: 'asked' }, { field: 'realised' }],
        },
      },
    ],
  };
}

/** One bar for every number of active features, whole numbers below. */
function l0Chart(r: WorldReport): Spec {
  const values = r.histogram.map((samples, active) => ({
    ...{ active, samples },
    ...{ from: active - 0.45, to: active + 0.45 },
  }));
  const first = Math.max(0, r.histogram.findIndex((samples) => samples > 0) - 2);
  return {
    title: 'Active features in a sample',
    data: { values: values.slice(first) },
    ...{ width: 300, height: 180, mark: 'bar' },
    encoding: {
      x: {
        ...{ field: 'from', type: 'quantitative', title: 'active features in a sample' },
        scale: { domain: [first - 0.5, r.histogram.length + 0.5], nice: false, zero: false },
        axis: { tickMinStep: 1, format: 'd' },
      },
      x2: { field: 'to' },
      y: { field: 'samples', type: 'quantitative', title: 'samples' },
      // With x and x2 alone a bar would lie.
      y2: { datum: 0 },
      tooltip: [{ field: 'active' }, { field: 'samples' }],
    },
  };
}

function pairChart(r: WorldReport): Spec {
  const values = r.pairs.flatMap(({ a, b, phi, askedPhi }) => [
    { pair: `${a}, ${b}`, what: 'realised', phi },
    ...(askedPhi === undefined ? [] : [{ pair: `${a}, ${b}`, what: 'asked', phi: askedPhi }]),
  ]);
  const law = r.pairs.some((p) => p.askedPhi !== undefined);
  const legend = law ? { orient: 'bottom' } : null;
  return {
    data: { values },
    ...{ width: 300, mark: { type: 'point', filled: true, size: 40 } },
    encoding: {
      x: {
        ...{ field: 'phi', type: 'quantitative', title: 'correlation of firings (phi)' },
        axis: { tickCount: 5 },
      },
      y: { field: 'pair', type: 'nominal', sort: null, title: 'features' },
      color: { field: 'what', type: 'nominal', title: null, legend },
      shape: { field: 'what', type: 'nominal', title: null, legend },
      tooltip: [{ field: 'pair' }, { field: 'what' }, { field: 'phi' }],
    },
  };
}

/** Asked against realised frequencies, the spread of L0, and the pairs farthest off. */
function reportCharts(r: WorldReport): OutputItem[][] {
  const pairs = r.pairs.some((p) => p.askedPhi !== undefined)
    ? 'Pairs farthest from the request'
    : 'Pairs of the largest correlation';
  return [
    chartItems(frequencyChart(r), 'Frequencies, asked and realised'),
    chartItems(l0Chart(r), 'Active features in a sample'),
    ...(r.pairs.length > 0 ? [chartItems({ title: pairs, ...pairChart(r) }, pairs)] : []),
  ];
}

async function store(
  env: Environment,
  world: GeneratedWorld,
  n: number,
  o: WorldStoreOptions = {},
): Promise<SparseActivations> {
  requireOptions('world.activations', o, STORE_OPTIONS);
  const key = {
    kind: 'activations',
    parameters: { samples: n, ...parametersOf({ seed: o.seed }) },
    inputs: { world: world.id },
    codeVersion: WORLD_VERSION,
  };
  const result = await env.call(o, (call) =>
    env.store.compute<SparseActivations>(key, {
      fresh: o.fresh,
      title: `True activations of ${world.description}`,
      async make(folder) {
        await writeWorldActivations(folder, world, n, { seed: o.seed, ...call, id: env.store.idOf(key) });
      },
      lazy: isShard,
      load: (folder, record) => openActivations(folder, undefined, record.files),
    }),
  );
  env.tellCached('True activations', result.cached, result.record);
  const { meta } = result.value;
  return withSummary(
    result.value,
    () => `${world.description}: ${count(meta.tokens)} samples, ${count(meta.nonZeros)} non-zeros, true activations`,
  );
}

function handle(env: Environment, world: GeneratedWorld): WorldHandle {
  const made: WorldHandle = {
    ...world,
    async report(options) {
      requireOptions('world.report', options, REPORT_OPTIONS);
      const report = await env.call(options, (call) => worldReport(world, { ...options, ...call }));
      for (const items of reportCharts(report)) env.context.display(items);
      return withDisplay(report, () => reportTable(report));
    },
    activations: (samples, options) => store(env, world, samples, options),
  };
  return withSummary(made, () => [world.description, ...world.faults.map((f) => `  known fault: ${f}`)].join('\n'));
}

async function sample(world: World, n: number, options: CallOptions & WorldSampleOptions): Promise<WorldSamples> {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`n must be a whole number ≥ 1 but is ${n}`);
  requireMemory(`${count(n)} samples of width ${world.dim}`, 2 * n * world.dim * 4);
  const x = matrix(n, world.dim);
  const parts: SparseRows[] = [];
  for await (const batch of world.sample(n, options)) {
    x.data.set(batch.x.data, batch.first * world.dim);
    parts.push(batch.codes);
  }
  const { indptr, indices, values } = joinRows(parts);
  return { x, codes: { rows: n, cols: world.features, indptr, indices, values } };
}

export function worldsApi(env: Environment): WorldsApi {
  return {
    async world(options) {
      requireGiven({ options });
      if ('preset' in options)
        return handle(env, await env.call(options, (call) => createPreset({ ...options, ...call })));
      requireOptions('fg.synthetic.world', options, WORLD_OPTIONS);
      return handle(env, await env.call(options, (call) => createWorld({ ...options, ...call })));
    },
    presets: () =>
      withDisplay([...PRESETS], () =>
        tableItems(
          tableOf(
            // What is wrong comes before the rest, in view also where the table is wider than its place.
            PRESETS.map(({ name, source, draws, faults }) => ({
              name,
              'what is wrong': faults.join('; ') || 'nothing known',
              draws,
              source,
            })),
            'Presets of fg.synthetic.world({ preset })',
          ),
        ),
      ),
    async sample(world, n, options = {}) {
      requireGiven({ world });
      requireOptions('fg.synthetic.sample', options, SAMPLE_OPTIONS);
      return env.call(options, (call) => sample(world, n, { ...options, ...call }));
    },
  };
}
