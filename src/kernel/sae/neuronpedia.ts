/**
 * Neuronpedia's JSON of features, as SAEDashboard writes it: batch-0.json, batch-1.json, … of 128 features each. What is
 * not measured (neurons, correlations) is an empty list, as there. Source: SAEDashboard's NeuronpediaDashboardBatch.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { topExamples } from '../activations/examples.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/identity.js';
import type { CallOptions } from '../compute/call.js';
import { row } from '../compute/matrix.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import { writeFileAtomic } from '../io/files.js';
import type { LanguageModel } from '../models/types.js';
import { logitLens, type PromotedToken } from './logitLens.js';
import type { Sae } from './types.js';

export interface NeuronpediaOptions extends CallOptions {
  /** Store of this SAE's activations. */
  activations: SparseActivations;
  /** For the tokens that a feature raises and lowers; left empty without. */
  model?: LanguageModel;
}

const BATCH = 128;
const BINS = 50;
const EXAMPLES = 10;
const WINDOW = { before: 32, after: 16 };

/** Writes the batches into `folder`, made if missing. @throws MismatchError for activations of another SAE */
export async function writeNeuronpedia(sae: Sae, folder: string, options: NeuronpediaOptions): Promise<void> {
  const { activations, model, ...call } = options;
  const { meta, statistics } = activations;
  requireSame(
    'these activations are of another SAE',
    { name: sae.name, id: sae.id },
    { name: meta.sae.name, id: meta.sae.id },
  );
  const examples = await topExamples(activations, { k: EXAMPLES, ...WINDOW, ...call });
  const bars = await histograms(activations);
  const raised = model && (await logitLens(model, sae, call));
  const lowered = model && (await logitLens(model, turned(sae), call));
  await mkdir(folder, { recursive: true });
  for (let first = 0; first < meta.features; first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, meta.features - first) }, (_, i) => first + i);
    const features = ids.map((f) => ({
      ...NOT_MEASURED,
      feature_index: f,
      ...tokensOf('pos', raised?.[f] ?? [], 1),
      ...tokensOf('neg', lowered?.[f] ?? [], -1),
      frac_nonzero: statistics.firings[f] / meta.tokens,
      freq_hist_data_bar_values: statistics.max[f] > 0 ? middles(statistics.max[f]) : [],
      freq_hist_data_bar_heights: statistics.max[f] > 0 ? [...bars.subarray(f * BINS, (f + 1) * BINS)] : [],
      n_prompts_total: meta.sequences,
      n_tokens_in_prompt: meta.context,
      dataset: '',
      activations: examples[f].map((example) => activationOf(example, examples[f])),
      vector: [...row(sae.W_dec, f)],
    }));
    const json = JSON.stringify({ ...batchOf(sae), features });
    await writeFileAtomic(join(folder, `batch-${first / BATCH}.json`), `${json}\n`);
  }
}

const NOT_MEASURED = {
  neuron_alignment_indices: [],
  neuron_alignment_values: [],
  neuron_alignment_l1: [],
  correlated_neurons_indices: [],
  correlated_neurons_l1: [],
  correlated_neurons_pearson: [],
  correlated_features_indices: [],
  correlated_features_l1: [],
  correlated_features_pearson: [],
  logits_hist_data_bar_heights: [],
  logits_hist_data_bar_values: [],
  decoder_weights_dist: [],
};

function batchOf({ config }: Sae): { model_id: string; layer: number; sae_set: string; sae_id_suffix: null } {
  const id = config.metadata.neuronpedia_id;
  const [model, set] = typeof id === 'string' && id.includes('/') ? id.split('/') : [config.modelName, ''];
  const layer = Number(/^blocks\.(\d+)\./.exec(config.hookName)?.[1] ?? 0);
  // "0-res-jb": the set's name follows the layer.
  return { model_id: model, layer, sae_set: set.replace(/^\d+-/, '') || config.architecture, sae_id_suffix: null };
}

/** The SAE with its directions the other way round, for the tokens that it lowers. */
const turned = (sae: Sae): Sae => ({ ...sae, W_dec: { ...sae.W_dec, data: sae.W_dec.data.map((v) => -v) } });

function tokensOf(side: 'pos' | 'neg', found: readonly PromotedToken[], sign: number): Record<string, unknown> {
  return {
    [`${side}_str`]: found.map(({ token }) => token),
    [`${side}_values`]: found.map(({ logit }) => sign * logit),
  };
}

/** An example with the range of values that is shown. */
function activationOf({ tokens, activations, peak }: FeatureExample, shown: readonly FeatureExample[]) {
  return {
    bin_min: shown.at(-1)?.value ?? 0,
    bin_max: shown[0]?.value ?? 0,
    bin_contains: shown.length,
    tokens,
    values: activations,
    qualifying_token_index: peak,
  };
}

/** Firings by value, [features, 50]: equal bins from 0 to the feature's maximum. */
async function histograms(activations: SparseActivations): Promise<Uint32Array> {
  const { max } = activations.statistics;
  const bars = new Uint32Array(activations.meta.features * BINS);
  for await (const { rows } of activations.shards())
    for (let e = 0; e < rows.indices.length; e++) {
      const f = rows.indices[e];
      bars[f * BINS + Math.min(BINS - 1, Math.floor((rows.values[e] / max[f]) * BINS))]++;
    }
  return bars;
}

const middles = (max: number): number[] => Array.from({ length: BINS }, (_, i) => ((i + 0.5) * max) / BINS);
