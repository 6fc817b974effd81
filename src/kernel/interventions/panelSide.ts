/** One model of the interventions panel: a prompt run once as it is, then once for each intervention. */
import type {
  InterventionsEffect,
  InterventionsFeatureDelta,
  InterventionSpec,
  InterventionsTokenDelta,
} from '../../protocol/interventions.js';
import { minOf } from '../../protocol/lists.js';
import type { FeatureLabel } from '../../protocol/tokens.js';
import { matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import { valuesOf } from '../compute/tf.js';
import { divergence, logSoftmax } from '../compute/logits.js';
import { LruMap } from '../compute/lru.js';
import type { ForwardOptions, LanguageModel } from '../models/types.js';
import { encodePrompt } from '../models/prompt.js';
import type { Sae } from '../sae/types.js';
import { ablate, clamp, scale } from './clamp.js';
import { saesAt, type SaeAt } from './effects.js';
import { editsOf, requireRunnable, type Intervention } from './intervention.js';
import type { AtHook } from './options.js';
import { steerFeature } from './steer.js';

/** Rows of the tables. */
const TOP = 12;
/** Prompts whose unchanged run is kept. */
const KEPT = 4;

interface Passed {
  /** Features on the prompt's tokens, by SAE. */
  features: SparseRows[];
  /** Log probabilities of the token after the prompt, [vocab]. */
  logProbabilities: Float64Array;
}

export interface Baseline extends Passed {
  prompt: string;
  ids: Int32Array;
  tokens: string[];
}

/** An SAE, and what its features are called where that is known. */
export interface LabelledSae {
  sae: Sae;
  labels?: readonly FeatureLabel[];
}

/** The intervention itself, as fg.interventions makes it. @throws as the functions of that name do. */
export function interventionOf(model: LanguageModel, { sae, hook }: SaeAt, asked: InterventionSpec): Intervention {
  const { feature, kind, value, positions } = asked;
  const place = { hook, positions, allowOtherModel: true };
  switch (kind) {
    case 'steer':
      return steerFeature(model, sae, feature, { ...place, scale: value });
    case 'clamp':
      return clamp(model, sae, feature, { ...place, value });
    case 'scale':
      return scale(model, sae, feature, { ...place, by: value });
    case 'ablate':
      return ablate(model, sae, feature, place);
  }
}

/** Activations of one feature on every row. */
function column(rows: SparseRows, feature: number): number[] {
  return Array.from({ length: rows.rows }, (_, t) => {
    for (let e = rows.indptr[t]; e < rows.indptr[t + 1]; e++) if (rows.indices[e] === feature) return rows.values[e];
    return 0;
  });
}

/** Sum of every feature over the rows from `first` on, [features]. */
function sums(rows: SparseRows, first: number): Float64Array {
  const out = new Float64Array(rows.cols);
  for (let e = rows.indptr[first]; e < rows.indptr[rows.rows]; e++) out[rows.indices[e]] += rows.values[e];
  return out;
}

/** Largest activation of every feature that fires on the rows. */
export function peaks(rows: SparseRows): Map<number, number> {
  const out = new Map<number, number>();
  rows.values.forEach((v, e) => out.set(rows.indices[e], Math.max(v, out.get(rows.indices[e]) ?? 0)));
  return out;
}

/** One model with the SAE that is changed and the SAEs downstream. */
export class InterventionsSide {
  /** The SAE whose features are changed, then those downstream. */
  readonly saes: SaeAt[];
  private readonly kept = new LruMap<string, Baseline>(KEPT);

  /** Labels of their features, in the same order. */
  private readonly labels: Array<LabelledSae['labels']>;

  /** @throws when an SAE does not fit the model. */
  constructor(
    readonly model: LanguageModel,
    first: LabelledSae,
    downstream: readonly LabelledSae[],
    options: AtHook,
  ) {
    this.labels = [first, ...downstream].map(({ labels }) => labels);
    const own = saesAt(model, first.sae, options);
    const { allowOtherModel } = options;
    const behind = downstream.map(({ sae }) => sae);
    const rest = behind.length > 0 ? saesAt(model, behind, { allowOtherModel }) : [];
    const at = (hook: string): number => model.hooks.indexOf(hook);
    for (const { sae: each, hook } of rest)
      if (at(hook) < at(own[0].hook))
        throw new Error(
          `${each.name} reads ${hook}, which runs before ${own[0].hook}: nothing can move there; give SAEs at or behind that hook as { downstream }`,
        );
    this.saes = [...own, ...rest];
  }

  /** The prompt without any change; the last few are kept. @throws Error on a prompt without tokens, or too long. */
  baseline(prompt: string): Baseline {
    const known = this.kept.get(prompt);
    if (known) return known;
    const { tokenizer, config, name } = this.model;
    const ids = encodePrompt(tokenizer, prompt);
    if (ids.length === 0) throw new Error('The prompt has no tokens: write at least one word.');
    if (ids.length > config.context)
      throw new Error(`The prompt has ${ids.length} tokens but ${name} reads ${config.context}: shorten it.`);
    const tokens = Array.from(ids, (id) => tokenizer.piece(id));
    const made = { prompt, ids, tokens, ...this.pass(ids) };
    this.kept.set(prompt, made);
    return made;
  }

  private pass(ids: Int32Array, edits?: ForwardOptions['edits']): Passed {
    const hooks = [...new Set(this.saes.map(({ hook }) => hook))];
    const { logits, captured } = this.model.forward(ids, 1, { capture: hooks, ...(edits && { edits }) });
    try {
      const last = valuesOf(() => logits!.slice([0, ids.length - 1, 0], [1, 1, -1]));
      if (!last.every(Number.isFinite))
        throw new Error(
          `${this.model.name} gives no finite probabilities: the change is too large. Take a smaller value.`,
        );
      const features = this.saes.map(({ sae, hook }) => {
        const x = captured.get(hook)!.dataSync<'float32'>();
        return sae.encode(matrix(ids.length, x.length / ids.length, x.slice()));
      });
      return { features, logProbabilities: logSoftmax(last) };
    } finally {
      logits?.dispose();
      for (const x of captured.values()) x.dispose();
    }
  }

  /** One forward pass with the change. @throws RangeError on what the intervention refuses, before anything runs. */
  effect(prompt: string, asked: InterventionSpec): InterventionsEffect {
    const before = this.baseline(prompt);
    const intervention = interventionOf(this.model, this.saes[0], asked);
    requireRunnable(this.model, [intervention], before.ids);
    const after = this.pass(before.ids, editsOf([intervention]));
    const length = before.ids.length;
    const { positions } = asked;
    const at = positions === 'all' ? [0] : positions === 'last' ? [-1] : positions;
    const first = minOf(at.map((p) => (p < 0 ? length + p : p)));
    return {
      feature: asked.feature,
      description: intervention.description,
      before: column(before.features[0], asked.feature),
      after: column(after.features[0], asked.feature),
      features: this.moved(before, after, first),
      n: length - first,
      next: this.nextTokens(before, after),
      kl: divergence(before.logProbabilities, 0, after.logProbabilities, 0),
    };
  }

  /** Features of all SAEs whose mean activation moved most; ties to the earlier SAE, the lower id. */
  private moved(before: Passed, after: Passed, first: number): InterventionsFeatureDelta[] {
    const all: InterventionsFeatureDelta[] = [];
    before.features.forEach((rows, sae) => {
      const [a, b] = [sums(rows, first), sums(after.features[sae], first)];
      const n = rows.rows - first;
      for (let feature = 0; feature < a.length; feature++)
        if (a[feature] !== b[feature])
          all.push({ sae, feature, label: [], before: a[feature] / n, after: b[feature] / n });
    });
    const size = (d: InterventionsFeatureDelta): number => Math.abs(d.after - d.before);
    const top = all.sort((a, b) => size(b) - size(a) || a.sae - b.sae || a.feature - b.feature).slice(0, TOP);
    return top.map((d) => ({ ...d, label: this.labels[d.sae]?.[d.feature] ?? [] }));
  }

  private nextTokens(before: Passed, after: Passed): InterventionsTokenDelta[] {
    const [p, q] = [before.logProbabilities, after.logProbabilities].map((l) => l.map(Math.exp));
    const ids = Array.from(p.keys()).filter((id) => p[id] !== q[id]);
    const size = (id: number): number => Math.abs(q[id] - p[id]);
    return ids
      .sort((a, b) => size(b) - size(a) || a - b)
      .slice(0, TOP)
      .map((id) => ({ id, token: this.model.tokenizer.piece(id), before: p[id], after: q[id] }));
  }
}
