/** A model whose every number is known: the hook is the token's embedding, the logits are a product with it. */
import { tf } from '#kernel/compute/tf.js';
import type { ForwardOptions, ForwardResult, LanguageModel } from '#kernel/models/types.js';

export const HOOK = 'blocks.0.hook_mlp_out';

/** @param embedding [vocab × d] @param unembedding [d × vocab] */
export const embeddingModel = (
  vocab: number,
  d: number,
  embedding: Float32Array,
  unembedding: Float32Array,
): LanguageModel =>
  ({
    name: 'toy',
    id: 'toy',
    tokenizer: { id: 'toy' },
    config: { vocab, heads: 1 },
    hooks: [HOOK],
    hookWidth: () => d,
    forward(tokens: Int32Array, batch: number, o: ForwardOptions = {}): ForwardResult {
      const captured = new Map<string, tf.Tensor>();
      const logits = tf.tidy(() => {
        let x: tf.Tensor = tf
          .gather(tf.tensor2d(embedding, [vocab, d]), tf.tensor1d(tokens, 'int32'))
          .reshape([batch, tokens.length / batch, d]);
        for (const edit of o.edits?.get(HOOK) ?? [])
          x = edit(x, HOOK, { tokens, batch, time: tokens.length / batch, offset: 0, sequence: 0 });
        if (o.capture) captured.set(HOOK, tf.keep(x.clone()));
        return tf
          .matMul(x.reshape([tokens.length, d]), tf.tensor2d(unembedding, [d, vocab]))
          .reshape<tf.Tensor3D>([batch, tokens.length / batch, vocab]);
      });
      return { logits, captured };
    },
  }) as unknown as LanguageModel;
