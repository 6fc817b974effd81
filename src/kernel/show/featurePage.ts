/**
 * The feature page: a bundle of what is known of an SAE's features, and the session behind it for those it leaves out.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { COLUMNS_FILE, encodeColumns, type FeatureExample } from '../../protocol/bundle.js';
import {
  FEATURE_BUNDLE,
  type AblatedLoss,
  type FeatureDescriptor,
  type FeatureMeta,
  type FeatureSetMeta,
} from '../../protocol/feature.js';
import { MIME } from '../../protocol/mime.js';
import { plainJson } from '../../protocol/objects.js';
import type { Json, OutputItem } from '../../protocol/notebook.js';
import { labelLine, labelTokens, type FeatureLabel } from '../../protocol/tokens.js';
import { keptLabels, shownExamples } from '../activations/kept.js';
import { countedTokens } from '../activations/statistics.js';
import { CoFirings } from '../activations/together.js';
import type { SparseActivations } from '../activations/types.js';
import { asParameters } from '../artifacts/parameters.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { once } from '../compute/work.js';
import type { PairedMap } from '../correlation/types.js';
import { ablate } from '../interventions/clamp.js';
import { logitEffects } from '../interventions/logitEffects.js';
import { tokensOfStore } from '../interventions/storeTokens.js';
import { sha256 } from '../io/hash.js';
import type { NdArray } from '../io/ndarray.js';
import { writeSafetensors } from '../io/safetensors.js';
import { axisOf, writeLines, writeTexts } from '../maps/bundle.js';
import type { Layout } from '../maps/types.js';
import { textItem } from '../present/items.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import type { Environment } from '../verb/environment.js';
import { text, value, whole, type Parsed } from '../verb/option.js';
import { FactsOf, isRead, type FeatureFacts, type Pairing } from './featureFacts.js';
import { isThing } from './forms.js';
import { PROMPT, promptOf } from './promptOption.js';

export const PAGE = {
  sae: value<Sae>(
    'what fg.sae.train or fg.sae.load returned',
    { doc: 'The SAE itself: gives the nearest features by decoder cosine.', fallback: 'no neighbours by decoder' },
    isThing,
  ),
  model: value<LanguageModel>(
    'what fg.models.load returned',
    {
      doc: 'With `sae`: the tokens whose logits the feature raises and lowers most, where the SAE writes to the residual stream.',
      fallback: 'no promoted tokens',
    },
    isThing,
  ),
  map: value<PairedMap | readonly PairedMap[]>(
    'what fg.correlation.map returned, or an array of these',
    { doc: 'Counterparts in other SAEs, with r and their own examples.', fallback: 'none' },
    isThing,
  ),
  layouts: value<Layout | readonly Layout[]>(
    'what fg.maps.umap or fg.maps.pca returned, or an array of these',
    { doc: 'Maps on which the feature is shown.', fallback: 'none' },
    isThing,
  ),
  notes: value<Readonly<Record<string, string>>>(
    'an object such as { 12: "names of months" }',
    { doc: 'Notes on features by id.', fallback: 'none' },
    (v) => isThing(v) && !Array.isArray(v) && Object.values(v as object).every((note) => typeof note === 'string'),
  ),
  carried: whole({
    doc: 'Features whose contexts lie in the page: the one asked for, those near it, and those that fire most. The others the page asks of the kernel, while it lives.',
    min: 1,
    default: 1000,
  }),
  title: text({ doc: 'Of the panel.', fallback: '"Features of" the SAE' }),
  ...PROMPT,
} as const;

/** One map or layout as several. */
export type FeaturePageOptions = Omit<Parsed<typeof PAGE>, 'map' | 'layouts'> & {
  readonly maps: readonly PairedMap[];
  readonly layouts: readonly Layout[];
};

const CODE_VERSION = 2;

/** The map as it is seen from a store. @throws MismatchError for a map of two other stores */
export function pairingOf(map: PairedMap, activations: SparseActivations): Pairing {
  const isB = map.a.id !== activations.id && map.b.id === activations.id;
  if (!isB)
    requireSame(
      'the map was not made from these activations',
      { name: map.a.meta.sae.name, id: map.a.id },
      { name: activations.meta.sae.name, id: activations.id },
    );
  const { tokens, method, counterparts: kept } = map;
  return isB
    ? { other: map.a, method, tokens, kept, best: map.bestAofB, r: map.rAofB }
    : { other: map.b, method, tokens, kept, best: map.bestBofA, r: map.rBofA };
}

/** The feature, those near it, and those that fire most, as many as are carried; ascending. */
async function chosenFeatures(feature: number, first: FeatureFacts, { statistics }: SparseActivations, most: number) {
  const { nearest = [], together } = first.about;
  const chosen = new Set([feature, ...nearest.map((n) => n.feature), ...together.map((t) => t.feature)].slice(0, most));
  const byFirings = Array.from(statistics.firings.keys())
    .filter((f) => statistics.firings[f] > 0)
    .sort((a, b) => statistics.firings[b] - statistics.firings[a] || a - b);
  for (const f of byFirings) if (chosen.size < most) chosen.add(f);
  return [...chosen].sort((a, b) => a - b);
}

interface PageSet {
  meta: FeatureSetMeta;
  activations: SparseActivations;
  labels: readonly FeatureLabel[];
  facts: ReadonlyMap<number, { examples: FeatureExample[]; about?: FeatureFacts['about'] }>;
}

function setMeta(activations: SparseActivations, carried: number): FeatureSetMeta {
  const { meta } = activations;
  return {
    points: meta.features,
    title: meta.sae.name,
    sae: { id: meta.sae.id, name: meta.sae.name },
    carried,
    tokens: countedTokens(meta),
    maps: [],
    pairings: [],
  };
}

/** The other SAE of a pairing: labels of all, examples of those that are counterparts. */
async function otherSet(env: Environment, { other }: Pairing, wanted: ReadonlySet<number>): Promise<PageSet> {
  const examples = await shownExamples(env, other);
  const facts = new Map([...wanted].map((f) => [f, { examples: examples[f] }]));
  return {
    meta: setMeta(other, wanted.size),
    activations: other,
    labels: await keptLabels(env, other),
    facts,
  };
}

/** Best counterparts by feature, from lists of `kept`. */
const bests = <T extends Int32Array | Float32Array>(of: T, kept: number): T => of.filter((_, i) => i % kept === 0) as T;

function columnsOf(set: PageSet, s: number, pairings: readonly Pairing[], layouts: readonly Layout[]) {
  const { firings, sum, max } = set.activations.statistics;
  const own = s === 0;
  return encodeColumns(FEATURE_BUNDLE, set.meta, s, {
    firings: Int32Array.from(firings),
    max,
    mean: Float32Array.from(firings, (n, f) => (n > 0 ? sum[f] / n : 0)),
    carried: Int32Array.from(firings, (_, f) => Number(set.facts.has(f))),
    x: own ? layouts.map((layout) => axisOf(layout.coordinates, 0, layout.axes)) : [],
    y: own ? layouts.map((layout) => axisOf(layout.coordinates, 1, layout.axes)) : [],
    partner: own ? pairings.map(({ best, kept }) => bests(best, kept)) : [],
    r: own ? pairings.map(({ r, kept }) => bests(r, kept)) : [],
  });
}

async function writePage(
  folder: string,
  meta: FeatureMeta,
  sets: readonly PageSet[],
  pairings: readonly Pairing[],
  layouts: readonly Layout[],
): Promise<void> {
  const columns: Record<string, NdArray> = {};
  for (const [s, set] of sets.entries()) {
    const each = <T>(of: (f: number) => T): T[] => Array.from({ length: set.meta.points }, (_, f) => of(f));
    Object.assign(
      columns,
      columnsOf(set, s, pairings, layouts),
      await writeTexts(
        folder,
        s,
        set.labels,
        each((f) => set.facts.get(f)?.examples ?? []),
      ),
      await writeLines(
        folder,
        s,
        'about',
        each((f) => set.facts.get(f)?.about ?? null),
      ),
    );
  }
  await writeSafetensors(path.join(folder, COLUMNS_FILE), columns, { format: 'fgnb-feature', version: '1' });
  await fs.writeFile(path.join(folder, FEATURE_BUNDLE.meta), `${JSON.stringify(meta, null, 1)}\n`);
}

/** What must fit before anything is computed. @throws Error in words */
function requireParts(activations: SparseActivations, feature: number, options: FeaturePageOptions): void {
  const { meta } = activations;
  const { sae, layouts = [] } = options;
  if (feature >= meta.features)
    throw new RangeError(`feature ${feature} does not exist: ${meta.sae.name} has features 0 to ${meta.features - 1}`);
  if (sae)
    requireSame(
      'these activations are of another SAE',
      { name: sae.name, id: sae.id },
      { name: meta.sae.name, id: meta.sae.id },
    );
  for (const layout of layouts)
    if (layout.points !== meta.features)
      throw new RangeError(
        `a layout has ${layout.points} points but ${meta.sae.name} has ${meta.features} features; give layouts of rows of this SAE`,
      );
}

/** The page in lines of text, for viewers without it. */
function pageText(
  feature: number,
  label: FeatureLabel,
  facts: FeatureFacts,
  { meta, statistics }: SparseActivations,
): string {
  const share = statistics.firings[feature] / Math.max(1, countedTokens(meta));
  const { promoted, suppressed } = facts.about;
  const words = (tokens: ReadonlyArray<{ token: string }>) => labelTokens(tokens.map(({ token }) => token)).join(', ');
  return [
    `${meta.sae.name} #${feature}: ${labelLine(label) || '(dead)'}`,
    `${meta.hook} · fires on ${(100 * share).toFixed(3)} % of tokens`,
    promoted && `raises ${words(promoted)}`,
    suppressed && `lowers ${words(suppressed)}`,
    ...facts.examples.map(
      (e) =>
        `${e.value.toFixed(2).padStart(7)}  ${e.tokens
          .slice(Math.max(0, e.peak - 8), e.peak + 6)
          .map((t, i) => (i === Math.min(8, e.peak) ? ` **${t.trim()}**` : t))
          .join('')
          .replace(/\n/g, '↵')}`,
    ),
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

/** Sequences on which a feature is ablated. */
const ABLATED_SEQUENCES = 32;

/** The loss with and without a feature, over the first sequences of the text. @throws Error where model or SAE is not given */
async function ablatedLoss(
  { activations, options: { sae, model } }: Pick<Page, 'activations' | 'options'>,
  feature: number,
  signal: AbortSignal,
): Promise<AblatedLoss> {
  if (!sae || !model) throw new Error('ablating a feature needs { sae, model }: run fg.show.feature with both');
  const tokens = await tokensOfStore(activations, model.tokenizer);
  if (!tokens) throw new Error(`these activations were saved with another tokenizer than that of ${model.name}`);
  const ablation = ablate(model, sae, feature, { hook: activations.meta.hook });
  const call = { sequences: ABLATED_SEQUENCES, untouched: true, nulls: 0, signal };
  const { loss, sequences } = await logitEffects(model, [ablation], tokens, call);
  const { before, after, n, pT } = loss;
  return { before, after, n, sequences, p: Number.isFinite(pT) ? pT : null };
}

/** Answers what the page asks: of features that it does not carry, and what ablating one does. */
function answers(page: Page) {
  const { features } = page.activations.meta;
  return async (method: string, params: Json, signal: AbortSignal): Promise<Json> => {
    const feature = Number((params as { feature?: unknown } | null)?.feature);
    if (!Number.isInteger(feature) || feature < 0 || feature >= features)
      throw new RangeError(`feature ${feature} does not exist: features are 0 to ${features - 1}`);
    if (method === 'ablate') return plainJson(await ablatedLoss(page, feature, signal));
    if (method !== 'about') throw new Error(`the feature page has no method ${JSON.stringify(method)}`);
    const [found] = await page.facts.of([feature], { signal });
    return JSON.parse(JSON.stringify(found)) as Json;
  };
}

/** What a page is written from. */
interface Page {
  env: Environment;
  activations: SparseActivations;
  feature: number;
  options: FeaturePageOptions;
  pairings: readonly Pairing[];
  facts: FactsOf;
  company: () => Promise<CoFirings>;
  first: FeatureFacts;
  title: string;
  /** Name under which the session answers. */
  live: string;
}

function keyOf({ activations, feature, options, title }: Page) {
  const { sae, model, maps = [], layouts = [], notes, carried } = options;
  return {
    kind: 'feature',
    parameters: asParameters({ feature, title, notes, carried, maps: maps.length, layouts: layouts.length }),
    inputs: {
      activations: activations.id,
      ...(sae && { sae: sae.id }),
      ...(model && { model: model.id }),
      ...Object.fromEntries(maps.map((map, i) => [`map${i}`, map.id])),
      ...Object.fromEntries(layouts.map((layout, i) => [`layout${i}`, layout.id])),
    },
    codeVersion: CODE_VERSION,
  };
}

/** The sets of a page: its own SAE, then those of the pairings. */
async function setsOf(page: Page, call: CallOptions): Promise<PageSet[]> {
  const { env, activations, feature, options, pairings, facts, first } = page;
  const ids = await chosenFeatures(feature, first, activations, options.carried);
  const known = await facts.of(ids, call);
  const own: PageSet = {
    meta: {
      ...setMeta(activations, ids.length),
      maps: (options.layouts ?? []).map(({ description }, i) => ({ title: `Map ${i + 1}`, layout: description })),
      pairings: pairings.map(({ method, tokens }, i) => ({ set: i + 1, method, tokens })),
    },
    activations,
    labels: await keptLabels(env, activations),
    facts: new Map(ids.map((f, i) => [f, known[i]])),
  };
  const others: PageSet[] = [];
  for (const [i, pairing] of pairings.entries()) {
    const wanted = known.flatMap(({ about }) => about.counterparts[i].map((each) => each.feature));
    others.push(await otherSet(env, pairing, new Set(wanted)));
  }
  return [own, ...others];
}

async function makePage(folder: string, page: Page, call: CallOptions): Promise<void> {
  const { activations, feature, options, pairings, title, live } = page;
  const { sae, model, notes, layouts = [] } = options;
  const sets = await setsOf(page, call);
  const together = await page.company();
  const meta: FeatureMeta = {
    ...{ version: 1, title, feature, model: activations.meta.model.name, hook: activations.meta.hook },
    sets: sets.map((set) => set.meta),
    ...(model && isRead(sae, model) && { lens: model.name }),
    ...(together.stride > 1 && { togetherTokens: together.tokens }),
    ...(notes && { notes }),
    ...(sae && model && { ablates: true as const }),
    live,
  };
  await writePage(folder, meta, sets, pairings, layouts);
}

/** Writes the bundle of the page and gives the items that show it. */
export async function featurePageItems(
  env: Environment,
  activations: SparseActivations,
  feature: number,
  options: FeaturePageOptions,
  call: CallOptions,
): Promise<OutputItem[]> {
  requireParts(activations, feature, options);
  const { sae, model, maps = [] } = options;
  const pairings = maps.map((map) => pairingOf(map, activations));
  const company = once(() => env.call(undefined, (own) => CoFirings.read(activations, own)));
  const facts = new FactsOf({ activations, sae, model, pairings }, company);
  const [first] = await facts.of([feature], call);
  const title = options.title ?? `Features of ${activations.meta.sae.name}`;
  const live = `feature-${sha256([activations.id, sae?.id ?? '', model?.id ?? '', ...maps.map(({ id }) => id)])}`;
  const page: Page = { env, activations, feature, options, pairings, facts, company, first, title, live };
  const {
    value: meta,
    folder,
    record,
  } = await env.outputStore.compute(keyOf(page), {
    title,
    make: (made) => makePage(made, page, call),
    load: async (made) => JSON.parse(await fs.readFile(path.join(made, FEATURE_BUNDLE.meta), 'utf8')) as FeatureMeta,
  });
  env.context.live(live, answers(page));
  const descriptor: FeatureDescriptor = {
    version: 1,
    id: record.id,
    path: path.relative(env.context.outputFolder, folder).split(path.sep).join('/'),
    meta,
    ...promptOf(options.prompt),
  };
  const [label] = (await keptLabels(env, activations)).slice(feature);
  return [
    { mime: MIME.feature, json: JSON.parse(JSON.stringify(descriptor)) as Json },
    textItem(pageText(feature, label, first, activations)),
  ];
}
