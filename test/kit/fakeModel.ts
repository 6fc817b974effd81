/** A model whose activation at a hook is a known function of the token and its position. */
import type { LanguageModel, Tokenizer, TokenSet } from '#kernel/models/types.js';

export const tokenizer: Tokenizer = {
  id: 'tokenizer-A',
  vocabSize: 100,
  eosId: 0,
  bosId: 0,
  encode: () => new Int32Array(0),
  decode: (ids) => Array.from(ids, (id) => ` t${id}`).join(''),
  piece: (id) => ` t${id}`,
};

export function fakeTokens(sequences: number, context: number, of = (i: number) => i % 97, id = 'tokens-A'): TokenSet {
  const tokens = Int32Array.from({ length: sequences * context }, (_, i) => of(i));
  return { id, tokens, sequences, context, tokenizer, source: {} };
}

export interface FakeModel extends LanguageModel {
  live: number;
  batches: number[];
  stops: Array<string | undefined>;
}

/** shape: axes after [B, T]. value(token, position, axis index) fills the activation. */
export function fakeModel(
  shape: number[] = [4],
  value: (token: number, position: number, j: number) => number = (t, p, j) => t + p / 10 + j / 100,
): FakeModel {
  const width = shape.reduce((a, b) => a * b, 1);
  const model = {
    name: 'fake',
    id: 'model-A',
    tokenizer,
    hooks: ['blocks.0.hook_mlp_out'],
    config: { context: 1024, heads: shape.length > 1 ? shape[0] : 1 },
    live: 0,
    batches: [] as number[],
    stops: [] as Array<string | undefined>,
    hookWidth: () => shape[shape.length - 1],
    forward(tokens: Int32Array, batch: number, options: { capture?: string[]; stopAt?: string } = {}) {
      model.batches.push(batch);
      model.stops.push(options.stopAt);
      const context = tokens.length / batch;
      const data = new Float32Array(tokens.length * width);
      tokens.forEach((token, i) => {
        for (let j = 0; j < width; j++) data[i * width + j] = value(token, i % context, j);
      });
      model.live++;
      const tensor = {
        shape: [batch, context, ...shape],
        size: data.length,
        data: () => Promise.resolve(data),
        dispose: () => void model.live--,
      };
      return { captured: new Map([[options.capture?.[0] ?? '', tensor]]) };
    },
    generate: () => Promise.resolve(''),
    dispose: () => undefined,
  };
  return model as unknown as FakeModel;
}
