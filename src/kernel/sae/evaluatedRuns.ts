/** The forward passes of an evaluation: as the model is, and with another activation at the hook. On tensors of the kernel. */
import { divergence, logSumExp } from '../compute/logits.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { tf } from '../compute/tf.js';
import { captureActivations, type CaptureOptions, type CapturedBlock } from '../models/capture.js';
import { editsOf, type Intervention } from '../models/edits.js';
import { knownHooks } from '../models/known.js';
import type { HookEdit, LanguageModel, TokenSet } from '../models/types.js';
import type { PositionScores } from './nextToken.js';

/** What is run. */
export interface EvaluatedModel {
  readonly model: LanguageModel;
  readonly hook: string;
  readonly interventions: readonly Intervention[];
}

/** Sequences of one pass. */
export interface EvaluatedBatch {
  /** [B·T] */
  readonly ids: Int32Array;
  readonly batch: number;
  /** Number of the first of them in the token set. */
  readonly sequence: number;
}

export interface EvaluatedRuns {
  /** The clean run of a batch: the activation at the hook, [B·T, width], heads flattened. Others compare with it until the next one. */
  clean(batch: EvaluatedBatch): Promise<{ x: Matrix; scores: PositionScores }>;
  /** The batch of the last clean run with `x` at the hook. */
  replaced(x: Float32Array): Promise<PositionScores>;
  /** Activations at the hook, as captureActivations gives them. */
  activations(tokens: TokenSet, options: CaptureOptions): AsyncIterable<CapturedBlock>;
  /** Gives back what the last batch holds. */
  end(): void;
}

export class TensorRuns implements EvaluatedRuns {
  #batch: (EvaluatedBatch & { logits: Float32Array; known: Map<string, tf.Tensor> }) | undefined;

  constructor(private readonly at: EvaluatedModel) {}

  clean(batch: EvaluatedBatch): Promise<{ x: Matrix; scores: PositionScores }> {
    const { model, hook, interventions } = this.at;
    const { ids, sequence } = batch;
    const edits = editsOf(interventions);
    // Interventions of a later pass would act once more on what they changed in this one.
    const shared = interventions.length > 0 ? [] : knownHooks(model, [hook]);
    const capture = [...new Set([hook, ...shared])];
    this.end();
    const { logits, captured } = model.forward(ids, batch.batch, { capture, edits, sequence });
    const known = new Map(shared.map((name) => [name, captured.get(name)!]));
    const activation = captured.get(hook)!;
    const cols = activation.size / ids.length;
    const x = matrix(ids.length, cols, activation.dataSync<'float32'>().slice());
    this.#batch = { ...batch, logits: logits!.dataSync<'float32'>(), known };
    logits?.dispose();
    if (!known.has(hook)) activation.dispose();
    return Promise.resolve({ x, scores: this.#scores(this.#batch.logits) });
  }

  replaced(x: Float32Array): Promise<PositionScores> {
    const { model, hook, interventions } = this.at;
    const { ids, batch, sequence, known } = this.#batch!;
    const edits = new Map<string, readonly HookEdit[]>(editsOf(interventions));
    edits.set(hook, [(activation: tf.Tensor) => tf.tensor(x, activation.shape)]);
    const { logits } = model.forward(ids, batch, { edits, known, sequence });
    try {
      return Promise.resolve(this.#scores(logits!.dataSync<'float32'>()));
    } finally {
      logits?.dispose();
    }
  }

  activations(tokens: TokenSet, options: CaptureOptions): AsyncIterable<CapturedBlock> {
    const { model, hook, interventions } = this.at;
    return captureActivations(model, tokens, hook, { ...options, edits: editsOf(interventions) });
  }

  /** By the logits of a run, [B·T, V]. */
  #scores(changed: Float32Array): PositionScores {
    const { ids, logits: clean } = this.#batch!;
    const { vocab } = this.at.model.config;
    return (position) => {
      const q = changed.subarray(position * vocab, (position + 1) * vocab);
      const logTotal = logSumExp(q);
      const crossEntropy = logTotal - q[ids[position + 1]];
      if (clean === changed) return { crossEntropy, divergence: 0 };
      const p = clean.subarray(position * vocab, (position + 1) * vocab);
      return { crossEntropy, divergence: divergence(p, logSumExp(p), q, logTotal) };
    };
  }

  end(): void {
    for (const x of this.#batch?.known.values() ?? []) x.dispose();
    this.#batch = undefined;
  }
}
