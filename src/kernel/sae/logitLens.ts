/** What a feature writes, read through the unembedding: the tokens whose logits its decoder row raises and lowers most. */
import { breathe, checkAborted, type CallOptions } from '../compute/call.js';
import { tf, valuesOf } from '../compute/tf.js';
import { topKRows } from '../compute/topk.js';
import type { LanguageModel } from '../models/types.js';
import { flag, whole, type Given } from '../verb/option.js';
import type { Sae } from './types.js';

export const LENS = {
  top: whole({ doc: 'Tokens of each feature whose logits it raises most.', min: 1, usual: 10 }),
  bottom: whole({
    doc: 'Tokens of each feature whose logits it lowers most, listed behind the others, the most lowered last.',
    min: 0,
    usual: 0,
  }),
  foldNorm: flag({
    doc: 'Whether decoder rows first pass the linear part of the final norm: its weight, and the centring of a LayerNorm. What a feature does to the logits is read more truly so.',
    fallback: 'the weight of an RMSNorm, nothing of a LayerNorm',
  }),
} as const;

export type LogitLensOptions = Given<typeof LENS> & CallOptions;

export interface PromotedToken {
  token: string;
  /** Decoder row · unembedding column, without the division by the norm. */
  logit: number;
}

/** Logits held at once: 64 MB. */
const BLOCK = 1 << 24;

/**
 * Per feature the `top` tokens of W_dec · W_U, best first (nostalgebraist 2020, "logit lens"), then the `bottom` ones, the
 * most lowered last; ties go to the lower token id. The direct path alone: later layers and the scale of the final norm are
 * left out, so compare tokens of one feature, not features.
 * @throws RangeError when the SAE's width is not the model's residual width.
 */
export async function logitLens(
  model: Pick<LanguageModel, 'name' | 'config' | 'tokenizer' | 'unembed'>,
  sae: Sae,
  options: LogitLensOptions = {},
): Promise<PromotedToken[][]> {
  const { vocab } = model.config;
  const top = Math.min(options.top ?? LENS.top.usual, vocab);
  const bottom = Math.min(options.bottom ?? LENS.bottom.usual, vocab - top);
  const out: PromotedToken[][] = [];
  for await (const { count, logits } of logitBlocks(model, sae, options)) {
    const best = topKRows(logits, count, vocab, top);
    const worst =
      bottom > 0
        ? topKRows(
            logits.map((v) => -v),
            count,
            vocab,
            bottom,
          )
        : undefined;
    const read = (token: number, logit: number): PromotedToken => ({ token: model.tokenizer.piece(token), logit });
    for (let f = 0; f < count; f++)
      out.push([
        ...Array.from({ length: top }, (_, i) => read(best.indices[f * top + i], best.values[f * top + i])),
        ...Array.from({ length: worst ? bottom : 0 }, (_, i) => {
          const at = f * bottom + bottom - 1 - i;
          return read(worst!.indices[at], -worst!.values[at]);
        }),
      ]);
  }
  return out;
}

/**
 * Logits of all tokens, [count, vocab], of decoder rows `first` and after, a block of features at a time.
 * @throws RangeError when the SAE's width is not the model's residual width.
 */
export async function* logitBlocks(
  model: Pick<LanguageModel, 'name' | 'config' | 'unembed'>,
  sae: Sae,
  { foldNorm, signal, onProgress }: Pick<LogitLensOptions, 'foldNorm' | 'signal' | 'onProgress'> = {},
): AsyncGenerator<{ first: number; count: number; logits: Float32Array }> {
  const { dModel, vocab } = model.config;
  const { dSae } = sae.config;
  if (sae.W_dec.cols !== dModel)
    throw new RangeError(
      `the logit lens reads directions of the residual stream, width ${dModel} in ${model.name}, but ${sae.name} has width ${sae.W_dec.cols}`,
    );
  const rows = Math.max(1, Math.floor(BLOCK / vocab));
  for (let first = 0; first < dSae; first += rows) {
    checkAborted(signal, 'logit lens');
    const count = Math.min(rows, dSae - first);
    const directions = sae.W_dec.data.slice(first * dModel, (first + count) * dModel);
    const logits = valuesOf(() => model.unembed(tf.tensor3d(directions, [1, count, dModel]), foldNorm));
    yield { first, count, logits };
    onProgress?.({ label: 'logit lens', done: first + count, total: dSae, unit: 'features' });
    await breathe();
  }
}
