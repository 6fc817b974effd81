/** The activations of all sides over the same tokens, row by row. */
import type { CallOptions } from '../compute/call.js';
import type { Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { sha256 } from '../io/hash.js';
import { ignoringParameters, ignoringOf } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { modelSources, type ActivationSource } from '../sae/source.js';
import { worldSource } from '../synthetic/recovery/activations.js';
import type { Twins } from '../synthetic/twins/twins.js';
import { join } from './crosscoder.js';
import type { Side } from './types.js';

/** Sources of all sides: each gives as many rows a piece as the others, of the same tokens. */
export type Sources = readonly ActivationSource[];

/** What tells a side from another before it is measured. */
export type SideOf = Omit<Side, 'scale' | 'dedicated'>;

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Sides of sources, named A, B, … */
export const sidesOf = (sources: Sources): SideOf[] =>
  sources.map(({ width, hookName, modelName, modelId }, m) => ({
    name: LETTERS[m] ?? String(m + 1),
    modelName,
    ...(modelId === undefined ? {} : { modelId }),
    hook: hookName,
    width,
  }));

/** Hooks of one or several models over the same tokens: hooks[m] is that of models[m]. */
export function modelSides(
  models: readonly LanguageModel[],
  tokens: TokenSet,
  hooks: readonly string[],
  ignoreTokens?: readonly number[],
): Sources {
  // Hooks of one model are read in one pass.
  const found = new Map<LanguageModel, string[]>();
  models.forEach((model, m) => found.set(model, [...(found.get(model) ?? []), hooks[m]]));
  const sources = new Map([...found].map(([model, of]) => [model, modelSources(model, tokens, of, { ignoreTokens })]));
  return models.map((model, m) => sources.get(model)![found.get(model)!.indexOf(hooks[m])]);
}

/** Twins over the same events. */
export const twinSides = (twins: Twins, samples: number, seed?: number): Sources => [
  { ...worldSource(twins.a, samples, seed), modelName: 'twin A' },
  { ...worldSource(twins.b, samples, seed), modelName: 'twin B' },
];

/** Pieces of all sides in step. @throws Error when the sides are not of the same tokens */
export async function* inStep(sources: Sources, firstRow = 0, call: CallOptions = {}): AsyncGenerator<Matrix[]> {
  const readers = sources.map((source) => source.batches(firstRow, call)[Symbol.asyncIterator]());
  try {
    for (;;) {
      // At the same time: hooks of one model share its pass.
      const next = await Promise.all(readers.map((reader) => reader.next()));
      const pieces = next.flatMap((each) => (each.done ? [] : [each.value]));
      if (pieces.length === 0) return;
      if (pieces.length < sources.length || pieces.some(({ rows }) => rows !== pieces[0].rows))
        throw new Error('the sides give different numbers of rows for the same tokens; they cannot be paired');
      yield pieces;
    }
  } finally {
    await Promise.all(readers.map((reader) => reader.return?.()));
  }
}

/** Rows over which scales are measured. */
const SCALE_ROWS = 1 << 14;

/** √d_m / mean ‖x_m‖ of every side over the first rows. @throws RangeError where that is no positive number */
export async function scalesOf(sources: Sources, call: CallOptions): Promise<number[]> {
  const sums = sources.map(() => 0);
  let rows = 0;
  for await (const xs of inStep(sources, 0, call)) {
    const taken = Math.min(xs[0].rows, SCALE_ROWS - rows);
    xs.forEach((x, m) => {
      const norms = rowNorms(x);
      for (let i = 0; i < taken; i++) sums[m] += norms[i];
    });
    rows += taken;
    if (rows >= SCALE_ROWS) break;
  }
  return sums.map((sum, m) => {
    const scale = Math.sqrt(sources[m].width) / (sum / rows);
    if (Number.isFinite(scale) && scale > 0) return scale;
    throw new RangeError(
      `activations of ${sources[m].hookName} cannot be scaled: their mean norm over ${rows} rows is ${sum / rows}; check the hook`,
    );
  });
}

/** The joined, scaled activations as one source of training. */
export function joinedSource(sources: Sources, sides: readonly Side[]): ActivationSource {
  const [first] = sources;
  const tokensIds = sources.map(({ tokensId }) => tokensId ?? '');
  return {
    width: sources.reduce((sum, { width }) => sum + width, 0),
    rows: first.rows,
    hookName: [...new Set(sources.map(({ hookName }) => hookName))].join(' + '),
    modelName: [...new Set(sources.map(({ modelName }) => modelName))].join(' + '),
    tokensId: new Set(tokensIds).size === 1 ? tokensIds[0] : sha256(tokensIds),
    ...(first.contextSize === undefined ? {} : { contextSize: first.contextSize }),
    ignoring: first.ignoring,
    async *batches(firstRow, call) {
      for await (const xs of inStep(sources, firstRow, call)) yield join(xs, sides);
    },
  };
}

/** What of a model's tokens is left out, as parameters of a result. */
export const ignoringOfTokens = (tokens: TokenSet, ignoreTokens?: readonly number[]) =>
  ignoringParameters(ignoringOf(tokens, ignoreTokens));
