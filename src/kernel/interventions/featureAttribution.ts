/**
 * How much each SAE feature at a hook gives to a logit difference or the loss, without running each: activation ×
 * gradient along its decoder row, the SAE's error kept as it is, and the same integrated from all features at zero.
 * Gradients are exact, through the whole model. Beside them the truth for some features: what removing each one does.
 *
 * Sources: attribution patching (Nanda 2023) on SAE features (Marks et al. 2024, sparse feature circuits); integrated
 * gradients (Sundararajan et al. 2017), midpoint rule.
 */
import { filled } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import type { Sae } from '../sae/types.js';
import { requireTokenizer } from '../models/capture.js';
import { nulls } from '../verb/common.js';
import { nullsApart, renamed } from '../verb/nulls.js';
import { choice, whole, type Given } from '../verb/option.js';
import { saesAt } from './effects.js';
import { allowOtherModel, hook, samples, SEQUENCES, top } from './options.js';
import {
  probeGradients,
  probeValues,
  siteOf,
  targetProbe,
  withoutFeatures,
  written,
  type AttributionTarget,
  type Probe,
  type Site,
  type Written,
} from './probe.js';
import { sequencesOf } from './runs.js';
import { rankAgreement, type RankAgreement } from './statistics.js';

/** Raised when the same call gives other attributions. */
export const ATTRIBUTION_VERSION = 3;

export const ATTRIBUTION = {
  hook: hook('Hook of the features.'),
  allowOtherModel,
  method: choice(['gradient', 'integrated'], {
    doc: "'gradient': activation × gradient; 'integrated' gradients.",
    usual: 'gradient',
  }),
  steps: whole({ doc: "Points of the integral; refused with 'gradient', which has one.", min: 1, usual: 16 }),
  verify: whole({
    doc: 'Features ablated for the check: half those of largest attribution, half drawn from the rest; 0 = none.',
    min: 0,
    usual: 40,
  }),
  top: top('Features listed.'),
  samples: samples(8),
  nulls: nulls({ doc: "Shuffles behind the check's p.", runs: 999, min: 1, seed: '`seed`' }),
  seed: whole({ doc: 'Draws the features of the check.', usual: 0 }),
};
/** What members are called in this room. */
const NAMES = { ...SEQUENCES, nulls: 'permutations' } as const;

/** The options of a call as attribute() takes them. */
export const attributionOptions = (given: Given<typeof ATTRIBUTION>) => renamed(nullsApart(given, 'own seed'), NAMES);
interface AttributionOptions extends ReturnType<typeof attributionOptions>, CallOptions {}

export interface FeatureAttribution {
  feature: number;
  /** Estimate of: target now − target without the feature, at all its positions; mean over the sequences. */
  attribution: number;
  /** The truth: the feature removed at all its positions. Absent where it was not run. */
  ablation?: number;
  /** Positions at which it fires, and its mean activation there. */
  positions: number;
  activation: number;
  /** Token with the largest share of the attribution. */
  token: string;
  sequence: number;
  position: number;
}

export interface Attribution {
  /** 'logit of " she" − logit of " he" after token 4'. */
  target: string;
  hook: string;
  sae: string;
  method: 'gradient' | 'integrated';
  /** Points of the integral; 1 for 'gradient'. */
  steps: number;
  sequences: number;
  /** The target as it is, mean over sequences. */
  value: number;
  /** Sum of all attributions, and what removing all features at once does: equal for an exact integral. */
  total: number;
  allAblated: number;
  /** By |attribution|, ties to the lower id. */
  features: FeatureAttribution[];
  /** Every feature that fires: ids, attributions, and ablations (NaN where not run). */
  all: { feature: Int32Array; attribution: Float64Array; ablation: Float64Array };
  /** Spearman of attribution and ablation over the features that were ablated; absent with verify: 0. */
  agreement?: RankAgreement;
  /**
   * The same over those alone that were drawn at random: the features of largest attribution, which the other half are,
   * spread the ranks and flatter the correlation. Absent with fewer than 3 drawn.
   */
  agreementOfDrawn?: RankAgreement;
}

/** One sequence with its features and its probe. */
interface Case {
  site: Site;
  probe: Probe;
  parts: Written;
}

/** Attribution of one feature, over the sequences. */
interface Share {
  sum: number;
  best: number;
  positions: number;
  activation: number;
  sequence: number;
  position: number;
}

/** Sequences from prompts or a token set, each its own run. */
export function sequencesFrom(
  model: LanguageModel,
  data: string | readonly string[] | TokenSet,
  sequences: number | undefined,
): Int32Array[] {
  if (typeof data === 'object' && 'tokenizer' in data) {
    requireTokenizer(model, data);
    const { context } = data;
    return Array.from({ length: sequencesOf(data, sequences ?? ATTRIBUTION.samples.usual) }, (_, s) =>
      data.tokens.slice(s * context, (s + 1) * context),
    );
  }
  const prompts = typeof data === 'string' ? [data] : data;
  return prompts.map((prompt) => {
    const ids = encodePrompt(model.tokenizer, prompt);
    if (ids.length === 0)
      throw new Error(`the prompt ${JSON.stringify(prompt)} has no tokens; give it at least one word`);
    if (ids.length > model.config.context)
      throw new RangeError(
        `the prompt ${JSON.stringify(prompt.slice(0, 40))}… has ${ids.length} tokens; ${model.name} takes ${model.config.context}`,
      );
    return ids;
  });
}

function settings(options: AttributionOptions) {
  const { runs } = ATTRIBUTION.nulls.members;
  const { method, verify, top, permutations, seed, ...rest } = filled({ ...ATTRIBUTION, permutations: runs }, options);
  const steps = method === 'gradient' ? 1 : rest.steps;
  if (method === 'gradient' && options.steps !== undefined)
    throw new TypeError("steps are the points of the integral; give method: 'integrated' with them, or leave them out");
  return { method, steps, verify, top, permutations, seed, nullSeed: options.nullSeed ?? seed };
}

/** Mean gradient on the way from no features (share 1 removed) to the activation itself. */
async function meanGradient(
  sae: Sae,
  { site, probe, parts }: Case,
  method: 'gradient' | 'integrated',
  steps: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const mean = new Float64Array(site.x.data.length);
  const at = (step: number, out: Float32Array): void => {
    if (method === 'gradient') out.set(site.x.data);
    else withoutFeatures(sae, site.x, parts, out, () => true, 1 - (step + 0.5) / steps);
  };
  await probeGradients(site, probe, steps, at, (_, g) => g.forEach((v, i) => (mean[i] += v / steps)), signal);
  return mean;
}

/** Adds one sequence's attributions to the shares of its features. */
function addShares(sae: Sae, c: Case, gradient: Float64Array, sequence: number, shares: Map<number, Share>): void {
  const { features, coefficients } = c.parts;
  const d = c.site.x.cols;
  for (let i = 0; i < features.rows; i++)
    for (let e = features.indptr[i]; e < features.indptr[i + 1]; e++) {
      const f = features.indices[e];
      let dot = 0;
      for (let j = 0; j < d; j++) dot += gradient[i * d + j] * sae.W_dec.data[f * d + j];
      const value = coefficients[e] * dot;
      let share = shares.get(f);
      if (!share) shares.set(f, (share = { sum: 0, best: -1, positions: 0, activation: 0, sequence: 0, position: 0 }));
      share.sum += value;
      share.positions++;
      share.activation += features.values[e];
      if (Math.abs(value) > share.best) {
        share.best = Math.abs(value);
        [share.sequence, share.position] = [sequence, i];
      }
    }
}

/** How many of the ablated features are those of largest attribution; they come first. */
const firstHalf = (count: number): number => Math.ceil(count / 2);

/** Half the features by |attribution|, half drawn from the others. */
function chosen(ordered: readonly number[], count: number, seed: number): number[] {
  const first = ordered.slice(0, firstHalf(count));
  const rest = ordered.slice(first.length);
  new Random(seed).fork('features to ablate').shuffle(rest);
  return [...first, ...rest.slice(0, count - first.length)];
}

/** Target now − target without each feature, mean over the sequences; also without all of them (the last entry). */
async function ablations(sae: Sae, cases: readonly Case[], features: readonly number[], call: CallOptions) {
  const sums = new Float64Array(features.length + 1);
  let value = 0;
  for (const [s, { site, probe, parts }] of cases.entries()) {
    const fires = new Set(parts.features.indices);
    const here = [...features.keys()].filter((k) => fires.has(features[k]));
    // Copy 0 is the activation itself, copy 1 has no features, then one feature is gone at a time.
    const values = await probeValues(
      site,
      probe,
      here.length + 2,
      (copy, out) => {
        if (copy === 0) out.set(site.x.data);
        else withoutFeatures(sae, site.x, parts, out, (f) => copy === 1 || f === features[here[copy - 2]]);
      },
      call.signal,
    );
    value += values[0] / cases.length;
    sums[features.length] += (values[0] - values[1]) / cases.length;
    here.forEach((k, i) => (sums[k] += (values[0] - values[i + 2]) / cases.length));
    call.onProgress?.({ label: 'ablating features', done: s + 1, total: cases.length, unit: 'sequences' });
  }
  return { value, each: sums.subarray(0, features.length), all: sums[features.length] };
}

/**
 * Attributes a target to every feature that fires at the SAE's hook: positive = the feature raises it. Over several
 * prompts or sequences the figures are means.
 * @throws Error for what is not one token, a position outside, an SAE of another width or model, before anything runs.
 */
export async function attribute(
  model: LanguageModel,
  sae: Sae,
  data: string | readonly string[] | TokenSet,
  target: AttributionTarget,
  options: AttributionOptions = {},
): Promise<Attribution> {
  const { method, steps, verify, top, permutations, seed, nullSeed } = settings(options);
  const [{ hook }] = saesAt(model, sae, options);
  const sequences = sequencesFrom(model, data, options.sequences);
  const probes = sequences.map((ids) => targetProbe(model, ids, target));
  const cases: Case[] = [];
  const shares = new Map<number, Share>();
  for (const [s, ids] of sequences.entries()) {
    const site = await siteOf(model, ids, hook);
    const c = { site, probe: probes[s], parts: written(sae, site.x) };
    cases.push(c);
    addShares(sae, c, await meanGradient(sae, c, method, steps, options.signal), s, shares);
    options.onProgress?.({ label: 'attribution', done: s + 1, total: sequences.length, unit: 'sequences' });
  }
  const ordered = [...shares.keys()].sort(
    (f, g) => Math.abs(shares.get(g)!.sum) - Math.abs(shares.get(f)!.sum) || f - g,
  );
  const checked = chosen(ordered, Math.min(verify, ordered.length), seed);
  const truth = await ablations(sae, cases, checked, options);
  const about = { target: describe(probes), hook, sae: sae.name, method, steps, sequences: cases.length };
  return { ...about, ...ranked(model, cases, shares, ordered, checked, truth, { top, permutations, seed: nullSeed }) };
}

/** What was attributed, of one sequence or the mean over several. */
function describe(probes: readonly Probe[]): string {
  const [{ description }] = probes;
  return probes.length === 1
    ? description
    : `${description.replace(/ after token \d+$/, '')}, mean over ${probes.length} sequences`;
}

/** The figures, features by |attribution|. */
function ranked(
  model: LanguageModel,
  cases: readonly Case[],
  shares: ReadonlyMap<number, Share>,
  ordered: readonly number[],
  checked: readonly number[],
  truth: Awaited<ReturnType<typeof ablations>>,
  { top, permutations, seed }: { top: number; permutations: number; seed: number },
): Pick<Attribution, 'value' | 'total' | 'allAblated' | 'features' | 'all' | 'agreement' | 'agreementOfDrawn'> {
  const ablated = new Map(checked.map((f, k) => [f, truth.each[k]]));
  const attributionOf = (f: number): number => shares.get(f)!.sum / cases.length;
  return {
    value: truth.value,
    total: ordered.reduce((sum, f) => sum + attributionOf(f), 0),
    allAblated: truth.all,
    features: ordered.slice(0, top).map((feature) => {
      const share = shares.get(feature)!;
      const ablation = ablated.get(feature);
      return {
        feature,
        attribution: attributionOf(feature),
        ...(ablation === undefined ? {} : { ablation }),
        positions: share.positions,
        activation: share.activation / share.positions,
        token: model.tokenizer.piece(cases[share.sequence].site.ids[share.position]),
        sequence: share.sequence,
        position: share.position,
      };
    }),
    all: {
      feature: Int32Array.from(ordered),
      attribution: Float64Array.from(ordered, attributionOf),
      ablation: Float64Array.from(ordered, (f) => ablated.get(f) ?? NaN),
    },
    ...agreements(checked.map(attributionOf), truth.each, permutations, seed),
  };
}

/** Rank correlations of the ablated features, and of the second half, which was drawn. */
function agreements(
  attributions: readonly number[],
  ablations: Float64Array,
  permutations: number,
  seed: number,
): Pick<Attribution, 'agreement' | 'agreementOfDrawn'> {
  const n = attributions.length;
  if (n === 0) return {};
  const agreement = rankAgreement(attributions, ablations, permutations, seed);
  const first = firstHalf(n);
  if (n - first < 3) return { agreement };
  const drawn = rankAgreement(attributions.slice(first), ablations.subarray(first), permutations, seed);
  return { agreement, agreementOfDrawn: drawn };
}
