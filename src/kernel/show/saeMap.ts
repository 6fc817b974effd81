/**
 * Maps of SAEs themselves: their decoder or encoder rows, with or without activations; several widths of one model as
 * one map.
 */
import { asParameters } from '../artifacts/parameters.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { transposed } from '../compute/gemm.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { matrixId } from '../io/hash.js';
import type { BundleSet } from '../maps/bundle.js';
import { familyOf, stacked } from '../maps/joint.js';
import { UMAP, UMAP_VERSION } from '../maps/options.js';
import { loadLayout, saveLayout } from '../maps/saved.js';
import type { Layout, Watched } from '../maps/types.js';
import { ALIGNED, ALIGNED_UMAP } from '../maps/aligned.js';
import { keptAligned } from '../maps/alignedKept.js';
import type { PairedMap } from '../correlation/types.js';
import { isActivations, type LaidOutSource } from '../maps/laidOut.js';
import { umap, umapOfActivations } from '../maps/umap.js';
import type { LanguageModel } from '../models/types.js';
import { logitLens } from '../sae/logitLens.js';
import type { Sae } from '../sae/types.js';
import type { JsonObject, OutputItem } from '../../protocol/notebook.js';
import type { Environment } from '../verb/environment.js';
import { choice, only, value, type Given } from '../verb/option.js';
import { bundleItems, FEATURE_MAP, featureMapItems, twinMapItems } from './featureMap.js';

/** Where labels come from when no activations name the features. */
const LABELLED = {
  model: value<LanguageModel>(
    'what fg.models.load returned',
    {
      doc: 'Names every feature by the tokens whose logits its decoder row raises most (logit lens), where no activations do.',
      fallback: 'features are named by their numbers',
    },
    (v) => typeof v === 'object' && v !== null,
  ),
} as const;

export const SAE_MAP = {
  rows: choice(['decoder', 'encoder'], { doc: 'Which directions of the features.', default: 'decoder' }),
  ...LABELLED,
  ...UMAP,
  metric: choice(['cosine', 'euclidean'], { doc: 'Of the rows.', default: 'cosine' }),
  ...FEATURE_MAP,
} as const;

/** Of several SAEs: two models in one plane, or the widths of one model. */
export const SAES_MAP = {
  ...SAE_MAP,
  map: value<PairedMap>(
    'what fg.correlation.map returned',
    {
      doc: 'Of two SAEs, A and B of the map: two linked maps in one plane, regularised towards its pairs (fg.maps.alignedUmap).',
      fallback: 'several widths of one model as one map',
    },
    (v) => typeof v === 'object' && v !== null,
  ),
  ...ALIGNED,
} as const;

/** Options of a picture of a layout without activations. */
export const LAYOUT_MAP = {
  sae: value<Sae>(
    'what fg.sae.train or fg.sae.load returned',
    { doc: 'Whose features the points are, where no activations say so.', fallback: 'points have numbers' },
    (v) => typeof v === 'object' && v !== null,
  ),
  ...LABELLED,
  ...FEATURE_MAP,
} as const;

type SaeMapOptions = Given<typeof SAE_MAP>;

/** Tokens that name a feature by the logit lens. */
const NAMING_TOKENS = 5;
const MOST_PARTS = 8;

/** A row per feature: what it writes, or what it reads. */
function rowsOf(sae: Sae, which: 'decoder' | 'encoder'): Matrix {
  if (which === 'decoder') return sae.W_dec;
  const { rows, cols, data } = sae.W_enc;
  return matrix(cols, rows, transposed(data, rows, cols));
}

/** How a call is watched while it works. */
type MapCall = CallOptions & Watched;

/** The layout of rows, or of the features of a store, kept beside other layouts. */
async function keptLayout(env: Environment, x: LaidOutSource, options: SaeMapOptions, call: MapCall): Promise<Layout> {
  const given = { metric: options.metric ?? SAE_MAP.metric.usual, ...only(UMAP, options) };
  const key = {
    kind: 'layout',
    parameters: asParameters({ method: 'umap', ...given }) as JsonObject,
    inputs: { ...(isActivations(x) ? { activations: x.id } : { rows: matrixId(x) }), layout: UMAP_VERSION },
    codeVersion: 2,
  };
  const { value: layout } = await env.store.compute(key, {
    title: `UMAP of ${isActivations(x) ? `the activations of ${x.meta.sae.name}` : `${x.rows} × ${x.cols}`}`,
    make: async (folder) => {
      const chosen = { ...given, ...call };
      await saveLayout(folder, await (isActivations(x) ? umapOfActivations(x, chosen) : umap(x, chosen)));
    },
    load: loadLayout,
  });
  return isActivations(x) ? layout : { ...layout, rows: matrixId(x) };
}

/** Labels without activations: tokens by the logit lens, or numbers. */
async function plainLabels(
  features: number,
  sae: Sae | undefined,
  model: LanguageModel | undefined,
  call: CallOptions,
): Promise<string[][]> {
  if (!model || !sae) return Array.from({ length: features }, (_, i) => [`#${i}`]);
  const promoted = await logitLens(model, sae, { top: NAMING_TOKENS, ...call });
  return promoted.map((tokens) => tokens.map(({ token }) => token));
}

/** Firings, tokens and examples of a map without activations. */
const unmeasured = (points: number): Pick<BundleSet, 'firings' | 'tokens' | 'examples'> => ({
  firings: new Int32Array(points).fill(-1),
  tokens: 0,
  examples: Array.from({ length: points }, () => []),
});

/** Rows of any kind: points with numbers. */
export async function matrixItems(
  env: Environment,
  x: Matrix,
  options: SaeMapOptions,
  call: MapCall,
): Promise<OutputItem[]> {
  return layoutItems(env, await keptLayout(env, x, options, call), only(FEATURE_MAP, options), call);
}

/** The features of a store by the cosine of their activations. */
export async function activationItems(
  env: Environment,
  activations: SparseActivations,
  options: SaeMapOptions,
  call: MapCall,
): Promise<OutputItem[]> {
  const layout = await keptLayout(env, activations, options, call);
  return featureMapItems(env, layout, activations, only(FEATURE_MAP, options));
}

/** One SAE. With activations the features are named by them, and have their examples. */
export async function saeMapItems(
  env: Environment,
  sae: Sae,
  options: SaeMapOptions & { activations?: SparseActivations },
  call: MapCall,
): Promise<OutputItem[]> {
  const rows = rowsOf(sae, options.rows ?? SAE_MAP.rows.usual);
  const layout = await keptLayout(env, rows, options, call);
  if (options.activations) {
    // The store knows its SAE by its decoder: a layout of the encoder is of the same features.
    const placed = options.rows === 'encoder' ? { ...layout, rows: undefined } : layout;
    return featureMapItems(env, placed, options.activations, only(FEATURE_MAP, options));
  }
  const labels = await plainLabels(rows.rows, sae, options.model, call);
  const set: BundleSet = {
    ...{ name: 'A', title: sae.name, sae: { id: sae.id, name: sae.name }, layout, labels },
    ...unmeasured(rows.rows),
  };
  return bundleItems(
    env,
    [set],
    { layout: layout.id, sae: sae.id, ...named(options.model) },
    only(FEATURE_MAP, options),
  );
}

const named = (model: LanguageModel | undefined): Record<string, string> => (model ? { model: model.id } : {});

/** Names that tell the SAEs apart: their widths, numbered where two are as wide. */
function partNames(saes: readonly Sae[]): string[] {
  const widths = saes.map((sae) => String(sae.W_dec.rows));
  return widths.map((width, i) => {
    const alike = widths.flatMap((w, j) => (w === width ? j : []));
    return alike.length === 1 ? width : `${width} (${alike.indexOf(i) + 1})`;
  });
}

/** A layout of any rows, without activations. */
export async function layoutItems(
  env: Environment,
  layout: Layout,
  { sae, ...options }: Given<typeof LAYOUT_MAP>,
  call: CallOptions,
): Promise<OutputItem[]> {
  if (options.model && !sae) throw new TypeError('fg.show: model names features through their SAE; give sae too');
  if (sae && sae.W_dec.rows !== layout.points)
    throw new RangeError(`the layout has ${layout.points} points but ${sae.name} has ${sae.W_dec.rows} features`);
  const { points, description } = layout;
  const set: BundleSet = {
    ...{ name: 'A', title: sae?.name ?? description, layout, ...unmeasured(points) },
    ...(sae && { sae: { id: sae.id, name: sae.name } }),
    labels: await plainLabels(points, sae, options.model, call),
  };
  const inputs = { layout: layout.id, ...(sae && { sae: sae.id }), ...named(options.model) };
  return bundleItems(env, [set], inputs, only(FEATURE_MAP, options));
}

/** Several SAEs: with a map two models in one plane, else the widths of one model in one embedding. */
export async function saesItems(
  env: Environment,
  saes: readonly Sae[],
  { map, ...options }: Given<typeof SAES_MAP>,
  call: MapCall,
): Promise<OutputItem[]> {
  if (map) return alignedMapItems(env, saes, map, options, call);
  // What has its default was not asked for.
  const idle = (Object.keys(ALIGNED) as Array<keyof typeof ALIGNED>).filter(
    (name) => options[name] !== undefined && options[name] !== ALIGNED[name].parse(undefined, name),
  );
  if (idle.length > 0)
    throw new TypeError(`fg.show: ${idle.join(' and ')} say how two models are aligned over their map; give map too`);
  return jointMapItems(env, saes, only(SAE_MAP, options), call);
}

/** The SAEs of both sides of a map in one plane. */
async function alignedMapItems(
  env: Environment,
  saes: readonly Sae[],
  map: PairedMap,
  options: Omit<Given<typeof SAES_MAP>, 'map'>,
  call: MapCall,
): Promise<OutputItem[]> {
  if (saes.length !== 2)
    throw new RangeError(`fg.show: map is of two SAEs but ${saes.length} were given; expected [a, b], or no map`);
  if (options.nComponents === 3)
    throw new RangeError('fg.show: nComponents is 3; two models are aligned in the plane, so expected 2');
  const which = options.rows ?? SAE_MAP.rows.usual;
  const rows = [rowsOf(saes[0], which), rowsOf(saes[1], which)] as const;
  const given = { metric: 'cosine' as const, ...only(ALIGNED_UMAP, options) };
  const { layouts } = await keptAligned(env, rows, map.pairs, given, call);
  // The stores know their SAEs by the decoder: layouts of the encoders are of the same features.
  const placed = which === 'encoder' ? layouts.map((layout) => ({ ...layout, rows: undefined })) : layouts;
  return twinMapItems(env, [placed[0], placed[1]], map, only(FEATURE_MAP, options));
}

/** Several SAEs of one hook in one embedding, narrow to wide, with a line from each feature to its parent. */
async function jointMapItems(
  env: Environment,
  given: readonly Sae[],
  options: SaeMapOptions,
  call: MapCall,
): Promise<OutputItem[]> {
  if (given.length > MOST_PARTS)
    throw new RangeError(`a joint map has up to ${MOST_PARTS} SAEs but ${given.length} were given; leave some out`);
  const saes = [...given].sort((a, b) => a.W_dec.rows - b.W_dec.rows);
  const parts = saes.map((sae) => rowsOf(sae, options.rows ?? SAE_MAP.rows.usual));
  const x = stacked(parts);
  const layout = await keptLayout(env, x, options, call);
  const names = partNames(saes);
  const labels: string[][] = [];
  for (const [p, sae] of saes.entries())
    for (const label of await plainLabels(parts[p].rows, sae, options.model, call)) labels.push(label);
  const title = options.title ?? `${names.join(' → ')} features: ${saes[0].name}`;
  const set: BundleSet = {
    ...{ name: 'joint', title, layout, labels, ...unmeasured(x.rows) },
    parts: saes.map((sae, p) => ({ name: names[p], title: sae.name, points: parts[p].rows })),
    columns: await familyOf(parts, call),
  };
  const inputs = Object.fromEntries(saes.map((sae, p) => [`sae${p}`, sae.id]));
  const words = { ...only(FEATURE_MAP, options), title };
  return bundleItems(env, [set], { layout: layout.id, ...inputs, ...named(options.model) }, words);
}
