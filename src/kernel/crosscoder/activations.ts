/** What a crosscoder's features do on text, as a store like any other: labels, examples, pages and maps take it. */
import type { JsonObject } from '../../protocol/notebook.js';
import { isShard, openActivations } from '../activations/store.js';
import type { SparseActivations } from '../activations/types.js';
import { writeActivations } from '../activations/write.js';
import type { CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import { matrixId } from '../io/hash.js';
import { ignoredPositions, ignoringOf } from '../models/ignored.js';
import type { TokenSet } from '../models/types.js';
import type { Environment } from '../verb/environment.js';
import { inStep, type Sources } from './source.js';
import type { Crosscoder } from './types.js';

/** Raised when the same inputs give other activations. */
const CODE_VERSION = 1;

export interface CrosscoderActivations {
  inputs: Record<string, string>;
  parameters: JsonObject;
  sources: () => Sources;
  tokens: TokenSet;
  ignoreTokens?: readonly number[];
  /** Place of the side whose decoder the store is of. */
  side: number;
  fresh: boolean;
}

/** The store, from the artifact folder where the same call wrote it before. */
export async function crosscoderActivations(
  env: Environment,
  crosscoder: Crosscoder,
  { inputs, parameters, sources, tokens, ignoreTokens, side, fresh }: CrosscoderActivations,
  call: CallOptions,
): Promise<SparseActivations> {
  const { name, hook, modelName, modelId = '' } = crosscoder.sides[side];
  const key = {
    kind: 'activations',
    parameters: { ...parameters, side },
    inputs: { ...inputs, crosscoder: crosscoder.id },
    codeVersion: CODE_VERSION,
  };
  const title = `${crosscoder.name}, as features of side ${name}`;
  const ignored = ignoredPositions(tokens, ignoringOf(tokens, ignoreTokens));
  const { value, cached, record } = await env.store.compute<SparseActivations>(key, {
    fresh,
    title,
    make: async (folder) =>
      void (await writeActivations(
        folder,
        everyPosition(encoded(crosscoder, sources(), call), tokens, crosscoder.features, ignored),
        {
          ...call,
          features: crosscoder.features,
          tokenIds: tokens.tokens,
          context: tokens.context,
          ignored,
          hook,
          model: { name: modelName, id: modelId },
          sae: { name: crosscoder.name, id: crosscoder.id, decoder: matrixId(crosscoder.decoders[side]) },
          tokenSet: { id: tokens.id, tokenizer: tokens.tokenizer.id },
          piece: (id) => tokens.tokenizer.piece(id),
          id: env.store.idOf(key),
        },
      )),
    lazy: isShard,
    load: (folder, { files }) => openActivations(folder, tokens.tokenizer, files),
  });
  env.tellCached(title, cached, record);
  return value;
}

async function* encoded(crosscoder: Crosscoder, sources: Sources, call: CallOptions): AsyncGenerator<SparseRows> {
  for await (const xs of inStep(sources, 0, { signal: call.signal })) yield crosscoder.encode(xs);
}

/** Rows of all positions: sources leave ignored ones out, a store has them as rows without entries. */
async function* everyPosition(
  blocks: AsyncIterable<SparseRows>,
  { tokens }: TokenSet,
  cols: number,
  ignored: Uint8Array | undefined,
): AsyncGenerator<SparseRows> {
  let position = 0;
  for await (const block of blocks) {
    const ends = [0];
    for (let row = 0; row < block.rows; position++) {
      if (ignored?.[position] !== 1) row++;
      ends.push(block.indptr[row]);
    }
    yield { ...block, rows: ends.length - 1, indptr: Uint32Array.from(ends) };
  }
  const rows = tokens.length - position;
  if (rows > 0)
    yield { rows, cols, indptr: new Uint32Array(rows + 1), indices: new Int32Array(0), values: new Float32Array(0) };
}
