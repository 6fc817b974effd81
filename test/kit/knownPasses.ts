/** Passes with an edit, whole and with what a clean pass knows, compared by their bits. */
import { expect } from 'vitest';
import { tf } from '#kernel/compute/tf.js';
import { knownHooks } from '#kernel/models/known.js';
import type { ForwardOptions, ForwardResult, LanguageModel } from '#kernel/models/types.js';

const CAPTURE = ['ln_final.hook_normalized'];

/** An edit that changes every row, each position otherwise. */
export const raised = (hook: string): ForwardOptions['edits'] =>
  new Map([
    [
      hook,
      [
        (x: tf.Tensor) => {
          const length = x.shape[1]!;
          const positions = [1, length, ...x.shape.slice(2).map(() => 1)];
          return x.mul(1.5).add(tf.range(0, length).reshape(positions));
        },
      ],
    ],
  ]);

/** Bits of the logits and of what was captured; the tensors are disposed. */
export function bitsOf({ logits, captured }: ForwardResult): Record<string, Int32Array> {
  const out: Record<string, Int32Array> = {};
  for (const [name, x] of [...captured, ...(logits ? [['logits', logits] as const] : [])]) {
    out[name] = new Int32Array((x.dataSync() as Float32Array).slice().buffer);
    x.dispose();
  }
  return out;
}

/**
 * Expects the bits of the whole pass, with logits and final activations, whichever hook with a row per token is changed:
 * those of the embedding, of the last block and of the final norm.
 */
export function expectKnownBits(model: LanguageModel, tokens: Int32Array, batch: number): void {
  const last = `blocks.${model.config.layers - 1}.`;
  const isTried = (name: string): boolean => !name.startsWith('blocks.') || name.startsWith(last);
  const hooks = model.hooks.filter((name) => isTried(name) && !/hook_(attn_scores|pattern)$/.test(name));
  for (const hook of hooks) {
    const options = { edits: raised(hook), capture: CAPTURE };
    const whole = bitsOf(model.forward(tokens, batch, options));
    const clean = model.forward(tokens, batch, { capture: knownHooks(model, [hook]) });
    expect(bitsOf(model.forward(tokens, batch, { ...options, known: clean.captured })), hook).toEqual(whole);
    bitsOf(clean);
  }
}
