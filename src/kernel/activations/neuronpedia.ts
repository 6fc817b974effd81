/**
 * Neuronpedia's JSON of features, as SAEDashboard writes it: batch-0.json, batch-1.json, … of 128 features each. What
 * is not measured (correlations) is an empty list, as there. Source: SAEDashboard's NeuronpediaDashboardBatch, its
 * converter and its sequence groups.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FeatureExample } from '../../protocol/bundle.js';
import { requireSame } from '../artifacts/identity.js';
import type { CallOptions } from '../compute/call.js';
import { row } from '../compute/matrix.js';
import { topKRows } from '../compute/topk.js';
import { writeFileAtomic } from '../io/files.js';
import type { LanguageModel } from '../models/types.js';
import { logitBlocks } from '../sae/logitLens.js';
import type { Sae } from '../sae/types.js';
import { value, type Given } from '../verb/option.js';
import { bandedExamples, type BandedExamples } from './examples.js';
import type { SparseActivations } from './types.js';

export const NEURONPEDIA = {
  activations: value<SparseActivations>(
    'what fg.activations.save returned',
    { doc: "Of the neuronpedia layout: this SAE's activations, for examples and frequencies.", fallback: 'none' },
    (v) => typeof v === 'object' && v !== null,
  ),
  model: value<LanguageModel>(
    'what fg.models.load returned',
    { doc: 'Of the neuronpedia layout: the model, for the tokens that features raise and lower.', fallback: 'none' },
    (v) => typeof v === 'object' && v !== null,
  ),
} as const;

/** Without a model, tokens that a feature raises and lowers, and the histogram of its logits, are left empty. */
export type NeuronpediaOptions = Given<typeof NEURONPEDIA> & {
  readonly activations: SparseActivations;
} & CallOptions;

const BATCH = 128;
const BINS = 50;
/** Tokens raised and lowered, neurons aligned, and examples: as SAEDashboard has them by default. */
const TOKENS = 10;
const NEURONS = 3;
const EXAMPLES = 20;
/** Intervals of a feature's activations, and examples of each. */
const INTERVALS = { count: 5, by: 'range', perBand: 5, seed: 0 } as const;
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
  const examples = await bandedExamples(activations, { top: EXAMPLES, ...INTERVALS, ...WINDOW, ...call });
  const bars = await histograms(activations);
  const written = model && (await writtenLogits(model, sae, call));
  // Padding and what was left out is no text.
  const counted = meta.tokens - (meta.ignored ?? 0);
  await mkdir(folder, { recursive: true });
  for (let first = 0; first < meta.features; first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, meta.features - first) }, (_, i) => first + i);
    const features = ids.map((f) => ({
      ...NOT_MEASURED,
      feature_index: f,
      ...alignedNeurons(row(sae.W_dec, f)),
      ...(written?.[f] ?? NO_LOGITS),
      frac_nonzero: counted === 0 ? 0 : statistics.firings[f] / counted,
      freq_hist_data_bar_values: statistics.max[f] > 0 ? middles(0, statistics.max[f]) : [],
      freq_hist_data_bar_heights: statistics.max[f] > 0 ? [...bars.subarray(f * BINS, (f + 1) * BINS)] : [],
      n_prompts_total: meta.sequences,
      n_tokens_in_prompt: meta.context,
      dataset: '',
      activations: groupsOf(examples[f], statistics.max[f], counted - statistics.firings[f], counted),
      vector: [...row(sae.W_dec, f)],
    }));
    const json = JSON.stringify({ ...batchOf(sae), features });
    await writeFileAtomic(join(folder, `batch-${first / BATCH}.json`), `${json}\n`);
  }
}

const NOT_MEASURED = {
  correlated_neurons_indices: [],
  correlated_neurons_l1: [],
  correlated_neurons_pearson: [],
  correlated_features_indices: [],
  correlated_features_l1: [],
  correlated_features_pearson: [],
  decoder_weights_dist: [],
};

function batchOf({ config }: Sae): { model_id: string; layer: number; sae_set: string; sae_id_suffix: null } {
  const id = config.metadata.neuronpedia_id;
  const [model, set] = typeof id === 'string' && id.includes('/') ? id.split('/') : [config.modelName, ''];
  const layer = Number(/^blocks\.(\d+)\./.exec(config.hookName)?.[1] ?? 0);
  // "0-res-jb": the set's name follows the layer.
  return { model_id: model, layer, sae_set: set.replace(/^\d+-/, '') || config.architecture, sae_id_suffix: null };
}

/** The dimensions in which a decoder row is largest, and their share of Σ |w|. */
function alignedNeurons(direction: Float32Array): Record<string, number[]> {
  const { indices, values } = topKRows(direction, 1, direction.length, Math.min(NEURONS, direction.length));
  const l1 = direction.reduce((sum, v) => sum + Math.abs(v), 0);
  return {
    neuron_alignment_indices: [...indices],
    neuron_alignment_values: [...values],
    neuron_alignment_l1: Array.from(values, (v) => (l1 === 0 ? 0 : Math.abs(v) / l1)),
  };
}

const NO_LOGITS = {
  ...{ pos_str: [], pos_values: [], neg_str: [], neg_values: [] },
  ...{ logits_hist_data_bar_heights: [], logits_hist_data_bar_values: [] },
};

/** By feature: the tokens whose logits its decoder row raises and lowers most, and how many tokens get which logit. */
async function writtenLogits(
  model: LanguageModel,
  sae: Sae,
  call: CallOptions,
): Promise<Array<Record<string, unknown>>> {
  const { vocab } = model.config;
  const found: Array<Record<string, unknown>> = [];
  const top = Math.min(TOKENS, vocab);
  const tokens = (ids: Int32Array): string[] => Array.from(ids, (id) => model.tokenizer.piece(id));
  for await (const { count, logits } of logitBlocks(model, sae, call))
    for (let f = 0; f < count; f++) {
      const own = logits.subarray(f * vocab, (f + 1) * vocab);
      const raised = topKRows(own, 1, vocab, top);
      const lowered = topKRows(
        own.map((v) => -v),
        1,
        vocab,
        top,
      );
      const [low, high] = [-lowered.values[0], raised.values[0]];
      const heights = new Array<number>(BINS).fill(0);
      for (const logit of own) heights[binOf(logit - low, high - low)]++;
      found.push({
        pos_str: tokens(raised.indices),
        pos_values: [...raised.values],
        neg_str: tokens(lowered.indices),
        neg_values: Array.from(lowered.values, (v) => -v),
        logits_hist_data_bar_heights: heights,
        logits_hist_data_bar_values: middles(low, high),
      });
    }
  return found;
}

/**
 * The groups of a feature's examples: the largest activations (bin_min and bin_contains −1, bin_max the maximum), then
 * intervals of its activation from bin_min to bin_max, the highest first; bin_contains is the share of all tokens that
 * lie in the interval. The lowest one holds the silent tokens too.
 */
function groupsOf({ top, bands }: BandedExamples, max: number, silent: number, counted: number) {
  const best = top.map((example) => activationOf(example, -1, max, -1));
  const others = bands.flatMap(({ from, to, firings, examples }) => {
    const share = (firings + (from === 0 ? silent : 0)) / counted;
    return examples.map((example) => activationOf(example, from, to, share));
  });
  return [...best, ...others];
}

const activationOf = ({ tokens, activations, peak }: FeatureExample, min: number, max: number, contains: number) => ({
  ...{ bin_min: min, bin_max: max, bin_contains: contains },
  ...{ tokens, values: activations, qualifying_token_index: peak },
});

/** Firings by value, [features, 50]: equal bins from 0 to the feature's maximum. */
async function histograms(activations: SparseActivations): Promise<Uint32Array> {
  const { max } = activations.statistics;
  const bars = new Uint32Array(activations.meta.features * BINS);
  for await (const { rows } of activations.shards())
    for (let e = 0; e < rows.indices.length; e++) {
      const f = rows.indices[e];
      bars[f * BINS + binOf(rows.values[e], max[f])]++;
    }
  return bars;
}

const binOf = (above: number, range: number): number =>
  range === 0 ? 0 : Math.min(BINS - 1, Math.floor((above / range) * BINS));

/** Middles of 50 equal bins. */
const middles = (low: number, high: number): number[] =>
  Array.from({ length: BINS }, (_, i) => low + ((i + 0.5) * (high - low)) / BINS);
