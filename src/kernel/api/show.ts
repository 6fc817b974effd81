/** fg.show: maps, tables, charts, dataset examples and comparisons in the running cell. */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { ComparisonDescriptor, FeatureCard, FeatureCards } from '../../protocol/display.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import type { MapDescriptor, MapMeta } from '../../protocol/map.js';
import { MIME } from '../../protocol/mime.js';
import type { Json, JsonObject } from '../../protocol/notebook.js';
import { requireSame } from '../artifacts/store.js';
import { featureLabels } from '../activations/labels.js';
import type { SparseActivations } from '../activations/types.js';
import { writeMapBundle, type BundleSet } from '../maps/bundle.js';
import type { Layout } from '../maps/types.js';
import { defaultExamples } from '../activations/kept.js';
import type { PairedMap } from '../correlation/types.js';
import { parametersOf, type Environment } from '../verb/environment.js';
import { requireGiven } from './given.js';
import {
  chartItems,
  comparisonItems,
  featureItems,
  tableItems,
  tableOf,
  textItem,
  type TableRow,
} from '../present/items.js';
import { thumbnail } from './thumbnail.js';

export interface ShowMapOptions {
  /** Default: the names of the SAEs. */
  title?: string;
  /** Keyword groups offered in the map: name → whole words. Default: the groups of the TinyStories experiments. */
  groups?: Record<string, readonly string[]>;
}

export interface ShowPairsOptions {
  /** Pairs shown, those of highest r first; default 10. */
  top?: number;
  /** Only pairs of these features of B; all of them are shown. */
  b?: ArrayLike<number>;
  /** Default "Matched features". */
  title?: string;
}

export interface ShowTableOptions {
  /** Rows kept in the output; default 1,000. What was left out is said. */
  rows?: number;
}

/** Outputs of the running cell. */
export interface ShowApi {
  /** One map: the features of a store, placed by a layout of its SAE's decoder. */
  map(layout: Layout, activations: SparseActivations, options?: ShowMapOptions): Promise<void>;
  /**
   * Two maps side by side; hovering a feature lights its first counterpart in the correlation map and shows the dataset
   * examples of both. `a` and `b` are layouts of the decoders whose activations the map was made from.
   */
  twinMaps(a: Layout, b: Layout, map: PairedMap, options?: ShowMapOptions): Promise<void>;
  /** Rows of plain objects as a sortable table; columns in the order in which their keys first appear. */
  table(rows: readonly TableRow[], title?: string, options?: ShowTableOptions): void;
  /** A Vega-Lite spec with inline data ({ values: [...] }); URLs are refused. */
  chart(spec: object, title?: string): void;
  /** Features with their dataset examples: one feature id or several. */
  features(activations: SparseActivations, features: number | ArrayLike<number>, title?: string): Promise<void>;
  /** Matched pairs with the dataset examples of both sides, those of highest r first. */
  pairs(map: PairedMap, options?: ShowPairsOptions): Promise<void>;
  /** Texts before and after an intervention (what fg.interventions.compare returns). */
  comparison(comparison: ComparisonDescriptor): void;
}

/** Keyword groups of the TinyStories experiments (docs/experiments: feature relations). */
const DEFAULT_GROUPS: Record<string, readonly string[]> = {
  royalty: ['king', 'queen', 'princess', 'prince', 'knight', 'dragon'],
  family: ['mother', 'father', 'daughter', 'son', 'mom', 'dad', 'sister', 'brother'],
  'she / he / it': ['she', 'he', 'it', 'her', 'his', 'him'],
  time: ['years', 'time', 'summer', 'morning', 'day', 'once', 'night'],
  numbers: ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'],
  emotions: ['happy', 'sad', 'angry', 'scared', 'proud', 'glad', 'afraid'],
  weather: ['rain', 'snow', 'wind', 'storm', 'sun', 'sunny', 'rainy', 'windy'],
};
const CODE_VERSION = 2;

const sideTitle = ({ meta }: SparseActivations): string => meta.sae.name;

async function bundleSet(
  env: Environment,
  name: string,
  layout: Layout,
  activations: SparseActivations,
): Promise<BundleSet> {
  const { features, tokens } = activations.meta;
  if (layout.points !== features)
    throw new Error(
      `map ${name}: the layout has ${layout.points} points but ${sideTitle(activations)} has ${features} features; lay out the decoder of that SAE`,
    );
  const { sae } = activations.meta;
  if (layout.rows && sae.decoder)
    requireSame(
      `map ${name} is a layout of other rows than the decoder of its SAE; are the two layouts swapped?`,
      { name: 'layout', id: layout.rows },
      { name: `decoder of ${sae.name}`, id: sae.decoder },
    );
  const examples = await defaultExamples(env, activations);
  return {
    name,
    title: sideTitle(activations),
    sae: { id: sae.id, name: sae.name },
    layout,
    firings: activations.statistics.firings,
    tokens,
    labels: featureLabels(examples),
    examples,
  };
}

/** For each of `points` features, its first counterpart and r. */
function partners(
  points: number,
  n: number,
  best: Int32Array,
  r: Float32Array,
): { partner: Int32Array; r: Float32Array } {
  return {
    partner: Int32Array.from({ length: points }, (_, i) => best[i * n]),
    r: Float32Array.from({ length: points }, (_, i) => r[i * n]),
  };
}

async function showBundle(
  env: Environment,
  sets: BundleSet[],
  inputs: Record<string, string>,
  options: ShowMapOptions & { pairing?: MapMeta['pairing'] },
): Promise<void> {
  const groups = Object.entries(options.groups ?? DEFAULT_GROUPS).map(([name, words]) => ({ name, words: [...words] }));
  const title = options.title ?? sets.map((set) => set.title).join(' ↔ ');
  const key = {
    kind: 'map',
    parameters: JSON.parse(JSON.stringify({ ...parametersOf(options), groups, title })) as JsonObject,
    inputs,
    codeVersion: CODE_VERSION,
  };
  const {
    value: meta,
    folder,
    record,
  } = await env.outputStore.compute(key, {
    title,
    make: async (temporary) =>
      void (await writeMapBundle(temporary, sets, { title, groups, pairing: options.pairing })),
    load: async (made) => JSON.parse(await fs.readFile(path.join(made, 'map.json'), 'utf8')) as MapMeta,
  });
  const descriptor: MapDescriptor = {
    version: 1,
    id: record.id,
    path: path.relative(env.context.outputFolder, folder).split(path.sep).join('/'),
    meta,
  };
  const summary = meta.sets
    .map((s) => `${s.name}: ${s.title}, ${s.points} features (${s.dead} dead), ${s.layout}`)
    .join('\n');
  env.context.display([
    { mime: MIME.map, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    { mime: MIME.png, base64: thumbnail(sets).toString('base64') },
    textItem(`${title}\n${summary}`),
  ]);
}

function card(
  activations: SparseActivations,
  side: string,
  feature: number,
  examples: readonly FeatureExample[][],
): FeatureCard {
  const { firings } = activations.statistics;
  return {
    side,
    feature,
    label: featureLabels([examples[feature]])[0],
    firingRate: firings[feature] / activations.meta.tokens,
    firings: firings[feature],
    examples: [...examples[feature]],
  };
}

const words = (label: readonly string[]): Set<string> =>
  new Set(label.map((t) => t.trim().toLowerCase()).filter(Boolean));

async function pairCards(env: Environment, map: PairedMap, options: ShowPairsOptions): Promise<FeatureCards> {
  const { a, b, r } = map.pairs;
  const asked = options.b && new Set(Array.from(options.b));
  const matched = new Set(b);
  const without = [...(asked ?? [])].filter((feature) => !matched.has(feature));
  if (without.length > 0)
    env.context.print(`No pair in this map: ${without.map((f) => `B #${f}`).join(', ')} (dead, rare, or filtered out)`);
  const chosen = [...b.keys()]
    .filter((i) => !asked || asked.has(b[i]))
    .sort((i, j) => r[j] - r[i] || b[i] - b[j])
    .slice(0, asked ? undefined : (options.top ?? 10));
  const [examplesA, examplesB] = [await defaultExamples(env, map.a), await defaultExamples(env, map.b)];
  return {
    version: 1,
    title: options.title ?? 'Matched features',
    groups: chosen.map((i) => {
      const cards = [
        card(map.a, `A: ${sideTitle(map.a)}`, a[i], examplesA),
        card(map.b, `B: ${sideTitle(map.b)}`, b[i], examplesB),
      ];
      const inA = words(cards[0].label);
      return {
        heading: `A #${a[i]} ↔ B #${b[i]}`,
        r: r[i],
        sharedTokens: [...words(cards[1].label)].filter((t) => inA.has(t)),
        cards,
      };
    }),
  };
}

export function showApi(env: Environment): ShowApi {
  return {
    async map(layout, activations, options = {}) {
      requireGiven({ layout, activations });
      const set = await bundleSet(env, 'A', layout, activations);
      await showBundle(env, [set], { layout: layout.id, activations: activations.id }, options);
    },
    async twinMaps(layoutA, layoutB, map, options = {}) {
      requireGiven({ a: layoutA, b: layoutB, map });
      const a = await bundleSet(env, 'A', layoutA, map.a);
      const b = await bundleSet(env, 'B', layoutB, map.b);
      Object.assign(a, partners(map.featuresA, map.counterparts, map.bestBofA, map.rBofA));
      Object.assign(b, partners(map.featuresB, map.counterparts, map.bestAofB, map.rAofB));
      const meanR = map.pairs.r.reduce((s, r) => s + r, 0) / Math.max(1, map.pairs.r.length);
      const pairing = { method: map.method, pairs: map.pairs.r.length, tokens: map.tokens, meanR };
      await showBundle(env, [a, b], { layoutA: layoutA.id, layoutB: layoutB.id, map: map.id }, { ...options, pairing });
    },
    table(rows, title, { rows: limit = 1000 } = {}) {
      requireGiven({ rows });
      env.context.display(tableItems(tableOf(rows, title, limit)));
    },
    chart: (spec, title) => env.context.display(chartItems(spec, title)),
    async features(activations, features, title) {
      const examples = await defaultExamples(env, activations);
      const ids = typeof features === 'number' ? [features] : Array.from(features);
      const groups = ids.map((f) => {
        if (!examples[f])
          throw new RangeError(
            `feature ${f} does not exist: ${sideTitle(activations)} has features 0 to ${examples.length - 1}`,
          );
        return { cards: [card(activations, sideTitle(activations), f, examples)] };
      });
      env.context.display(featureItems({ version: 1, ...(title ? { title } : {}), groups }));
    },
    async pairs(map, options = {}) {
      requireGiven({ map });
      env.context.display(featureItems(await pairCards(env, map, options)));
    },
    comparison: (comparison) => env.context.display(comparisonItems(comparison)),
  };
}
