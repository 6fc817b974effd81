/** What an intervention does to the features of an SAE, over many tokens. */
import { captureActivations } from '../activations/capture.js';
import type { CallOptions } from '../compute/call.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { editsOf, type Intervention } from './intervention.js';

export interface FeatureEffect {
  feature: number;
  /** Mean activation per token. */
  before: number;
  after: number;
  delta: number;
  /** Share of tokens on which it fires. */
  firingBefore: number;
  firingAfter: number;
  /** Tokens. */
  n: number;
}

export interface FeatureEffectOptions extends CallOptions {
  /** Hook to encode, default the SAE's own. */
  hook?: string;
  /** Sequences, default at most 64. */
  sequences?: number;
  /** Features listed, default 20. */
  top?: number;
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
  const sequences = Math.min(tokens.sequences, o.sequences ?? 64);
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

/** Features by |Δ mean activation|, ties to the lower id; features that did not move are left out. */
export async function featureEffects(
  model: LanguageModel,
  interventions: readonly Intervention[],
  sae: Sae,
  tokens: TokenSet,
  options: FeatureEffectOptions = {},
): Promise<FeatureEffect[]> {
  const hook = options.hook ?? sae.config.hookName;
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
