/** The loss of each token of many sequences, in bounded memory. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { tf } from '../compute/tf.js';
import { askedSequences } from './datasets.js';
import { checkEdits } from './hooks.js';
import { crossEntropy } from './ops.js';
import { nextTokens, TransformerModel } from './transformer.js';
import type { ForwardOptions, LanguageModel, TokenSet } from './types.js';

export interface TokenLossOptions extends CallOptions {
  edits?: ForwardOptions['edits'];
  /** Tokens of one forward pass; default 4,096, at least one sequence. */
  batchTokens?: number;
  /** Default: all. */
  firstSequence?: number;
  sequences?: number;
}

/** Tokens that are enough to see that a text is not the model's. */
const PROBED = 300;

/** What to say of a mean loss (nats) above ln V, which a model reaches that knows nothing; undefined below it. */
export function lossWarning(
  loss: number,
  { name, config }: Pick<LanguageModel, 'name' | 'config'>,
): string | undefined {
  if (!(loss > Math.log(config.vocab))) return undefined;
  return (
    `the mean loss of ${name} on this text is ${loss.toFixed(2)} nats, above ln ${config.vocab} = ` +
    `${Math.log(config.vocab).toFixed(2)}, which guessing gives: is the text in a language and form that the model was trained on?`
  );
}

/** lossWarning of the first few hundred tokens; padding does not count. */
export async function unlikelyText(
  model: LanguageModel,
  tokens: TokenSet,
  options: Pick<CallOptions, 'signal'> = {},
): Promise<string | undefined> {
  const { context, padding } = tokens;
  if (context < 2) return undefined;
  const sequences = Math.min(tokens.sequences, Math.ceil(PROBED / context));
  const losses = await lossPerToken(model, tokens, { signal: options.signal, sequences });
  // Entry [s, t] is about the token at t + 1.
  const counted = losses.filter(
    (_, i) => padding?.[Math.floor(i / (context - 1)) * context + (i % (context - 1)) + 1] !== 1,
  );
  return lossWarning(counted.reduce((sum, loss) => sum + loss, 0) / counted.length, model);
}

/** Logits held at once: 64 MB. */
const LOGITS = 1 << 24;

/**
 * Next-token cross-entropy in nats, sequences × (context − 1): entry [s, t] is the loss of predicting token t + 1 of
 * sequence s from tokens 0 … t. Logits never exist for more than a block of rows.
 */
export async function lossPerToken(
  model: LanguageModel,
  tokens: TokenSet,
  options: TokenLossOptions = {},
): Promise<Float32Array> {
  const { context } = tokens;
  const { first, count } = askedSequences(tokens, options);
  if (context < 2) throw new Error('a loss needs sequences of at least 2 tokens: there is no next token to predict');
  const asked = tokens.tokens.subarray(first * context, (first + count) * context);
  checkEdits(options.edits, { model, tokens: asked, length: context });
  const losses = new Float32Array(count * (context - 1));
  const batch = Math.max(1, Math.floor((options.batchTokens ?? 4096) / context));
  for (let done = 0; done < count; done += batch) {
    checkAborted(options.signal, 'loss');
    const size = Math.min(batch, count - done);
    const start = (first + done) * context;
    const ids = tokens.tokens.subarray(start, start + size * context);
    losses.set(await batchLosses(model, ids, size, first + done, options), done * (context - 1));
    options.onProgress?.({ label: `loss of ${model.name}`, done: done + size, total: count, unit: 'sequences' });
  }
  return losses;
}

async function batchLosses(
  model: LanguageModel,
  ids: Int32Array,
  batch: number,
  sequence: number,
  options: TokenLossOptions,
): Promise<Float32Array> {
  const length = ids.length / batch;
  const targets = nextTokens(ids, batch, length);
  const rows = finalRows(model, ids, batch, { edits: options.edits, sequence });
  const losses = new Float32Array(targets.length);
  try {
    const block = Math.max(1, Math.floor(LOGITS / model.config.vocab));
    for (let at = 0; at < targets.length; at += block) {
      checkAborted(options.signal, 'loss');
      const part = targets.subarray(at, at + block);
      const loss = tf.tidy(() => {
        const x = rows.slice([at, 0], [part.length, -1]);
        const logits = model instanceof TransformerModel ? model.unembed(x.expandDims<tf.Tensor3D>(0)) : x;
        return crossEntropy(logits.reshape([part.length, model.config.vocab]), part);
      });
      losses.set(await loss.data<'float32'>(), at);
      loss.dispose();
      await breathe();
    }
  } finally {
    rows.dispose();
  }
  return losses;
}

/** What predicts the next token at all positions but the last: final rows [N, d], or logits [N, V] of another model. */
function finalRows(
  model: LanguageModel,
  ids: Int32Array,
  batch: number,
  edited: Pick<ForwardOptions, 'edits' | 'sequence'>,
): tf.Tensor2D {
  const length = ids.length / batch;
  return tf.tidy(() => {
    const last = 'ln_final.hook_normalized';
    const isOurs = model instanceof TransformerModel;
    const result = model.forward(ids, batch, isOurs ? { ...edited, capture: [last], stopAt: last } : edited);
    const x = (isOurs ? result.captured.get(last) : result.logits) as tf.Tensor3D;
    return x.slice([0, 0, 0], [-1, length - 1, -1]).reshape<tf.Tensor2D>([batch * (length - 1), x.shape[2]]);
  });
}
