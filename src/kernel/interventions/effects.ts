/** What an intervention does to the features of an SAE, over many tokens. */
import { captureActivations } from '../activations/capture.js';
import type { CallOptions } from '../compute/call.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { editsOf, requireModelOfSae, type Intervention } from './intervention.js';

export interface FeatureEffect {
  feature: number;
  /** Mean activation over all n tokens, silent ones included. */
  before: number;
  after: number;
  /** after − before. */
  delta: number;
  /** Share of the n tokens on which it fires. */
  firingBefore: number;
  firingAfter: number;
  /** Tokens looked at. */
  n: number;
}

export interface FeatureEffectOptions extends CallOptions {
  /** Hook to encode, default the SAE's own. */
  hook?: string;
  /** Sequences looked at, from the first; default 64, fewer where there are fewer. */
  sequences?: number;
  /** Features listed, default 20. */
  top?: number;
  /** Encode with an SAE that was trained on another model (a fine-tuned sibling, say). Default: refused. */
  allowOtherModel?: boolean;
}

interface Totals {
  sum: Float64Array;
  firings: Float64Array;
  tokens: number;
}

async function totals(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  hook: string,
  o: FeatureEffectOptions,
  edits?: ReturnType<typeof editsOf>,
): Promise<Totals> {
  const out = { sum: new Float64Array(sae.config.dSae), firings: new Float64Array(sae.config.dSae), tokens: 0 };
  const asked = o.sequences ?? 64;
  if (!Number.isInteger(asked) || asked < 1)
    throw new RangeError(`sequences must be a positive integer but is ${asked}`);
  const sequences = Math.min(tokens.sequences, asked);
  for await (const { x } of captureActivations(model, tokens, hook, {
    sequences,
    edits,
    signal: o.signal,
    onProgress: o.onProgress,
  })) {
    const { indices, values } = sae.encode(x);
    for (let e = 0; e < values.length; e++) {
      out.sum[indices[e]] += values[e];
      out.firings[indices[e]]++;
    }
    out.tokens += x.rows;
  }
  return out;
}

/**
 * Features by |Δ mean activation|, ties to the lower id; features that did not move are left out. Sums are float64.
 * @throws Error when the SAE does not fit the hook, is another model's, or an activation is not finite.
 */
export async function featureEffects(
  model: LanguageModel,
  interventions: readonly Intervention[],
  sae: Sae,
  tokens: TokenSet,
  options: FeatureEffectOptions = {},
): Promise<FeatureEffect[]> {
  const hook = options.hook ?? sae.config.hookName;
  if (!hook) throw new Error(`SAE ${sae.name} does not say its hook; give { hook }`);
  requireModelOfSae(sae, model, options.allowOtherModel);
  const before = await totals(model, sae, tokens, hook, options);
  const after = await totals(model, sae, tokens, hook, options, editsOf(interventions));
  const n = before.tokens;
  return Array.from(before.sum, (sum, feature) => ({
    feature,
    before: sum / n,
    after: after.sum[feature] / n,
    delta: (after.sum[feature] - sum) / n,
    firingBefore: before.firings[feature] / n,
    firingAfter: after.firings[feature] / n,
    n,
  }))
    .filter((effect) => effect.delta !== 0)
    .sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta) || a.feature - b.feature)
    .slice(0, options.top ?? 20);
}
