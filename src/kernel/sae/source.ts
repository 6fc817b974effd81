/** Where training data comes from: activations in pieces, as often as training wants to go over them. */
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { capturedWidth, captureActivations } from '../models/capture.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { ignoredPositions, ignoringOf, ignoringParameters } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';

export interface ActivationSource {
  /** Width of every row: d_in. */
  readonly width: number;
  /** Rows of one epoch, when known: the shuffle buffer needs no more room than that. */
  readonly rows?: number;
  readonly hookName: string;
  readonly modelName: string;
  readonly modelId?: string;
  /** Identity of the tokens, when the activations come from tokens. */
  readonly tokensId?: string;
  readonly contextSize?: number;
  /** What is left out besides padding (ignoringParameters); absent when nothing is. */
  readonly ignoring?: JsonObject;
  /**
   * One epoch, the same pieces in the same order each time, from the piece that starts at row `firstRow` (default 0;
   * always a row at which an earlier epoch started a piece). A piece is the receiver's to keep, not to change.
   */
  batches(firstRow?: number, options?: CallOptions): AsyncIterable<Matrix>;
}

/** The rows of a matrix, in pieces of `rowsPerBatch` (default 4,096). */
export function matrixSource(
  x: Matrix,
  options: { rowsPerBatch?: number; hookName?: string; modelName?: string; modelId?: string } = {},
): ActivationSource {
  const { rowsPerBatch = 4096, hookName = '', modelName = '', modelId } = options;
  return {
    width: x.cols,
    rows: x.rows,
    hookName,
    modelName,
    modelId,
    async *batches(firstRow = 0) {
      for (let first = firstRow; first < x.rows; first += rowsPerBatch) {
        const rows = Math.min(rowsPerBatch, x.rows - first);
        yield matrix(rows, x.cols, x.data.subarray(first * x.cols, (first + rows) * x.cols));
      }
    },
  };
}

/**
 * The activations of a model at a hook, computed as training asks for them. Where all of them fit in `cacheBytes`
 * (default 1 GiB) they are kept after the first epoch, so that later epochs cost no forward pass. Padding is left out, and
 * the activations of tokens in `ignoreTokens` (default the marks of begin and end, see models/ignored). `batchTokens`: tokens of one forward pass, default 4,096.
 */
export function modelSource(
  model: LanguageModel,
  tokens: TokenSet,
  hook: string,
  options: { batchTokens?: number; cacheBytes?: number; ignoreTokens?: readonly number[] } = {},
): ActivationSource {
  const { batchTokens = 4096, cacheBytes = 2 ** 30 } = options;
  // A hook with heads is flattened, head-major: the width of all heads together.
  const width = capturedWidth(model, hook);
  const ignoring = ignoringOf(tokens, options.ignoreTokens);
  const ignored = ignoredPositions(tokens, ignoring);
  const before = rowsBefore(tokens, ignored);
  const rows = before[tokens.sequences];
  if (rows === 0)
    throw new RangeError(
      'every token is left out (ignoreTokens, padding, marks of begin and end): there are no activations',
    );
  const perBlock = Math.max(1, Math.floor(batchTokens / tokens.context));
  const source: ActivationSource = {
    width,
    rows,
    hookName: hook,
    modelName: model.name,
    modelId: model.id,
    tokensId: tokens.id,
    contextSize: tokens.context,
    ignoring: ignoringParameters(ignoring),
    async *batches(firstRow = 0, call = {}) {
      // Where blocks of sequences begin; sequences without a row have the same row before and after them.
      const found = before.findIndex((row, s) => row === firstRow && s % perBlock === 0);
      const firstSequence = found < 0 ? tokens.sequences : found;
      const capture = { batchTokens, firstSequence, ...call };
      for await (const { firstToken, x } of captureActivations(model, tokens, hook, capture)) {
        const text = withoutIgnored(x, ignored?.subarray(firstToken, firstToken + x.rows));
        if (text.rows > 0) yield text;
      }
    },
  };
  return rows * width * 4 <= cacheBytes ? cachedSource(source) : source;
}

/** Entry s: tokens in sequences 0 … s − 1 that are not ignored; the last entry is those of all. */
function rowsBefore({ sequences, context }: TokenSet, ignored: Uint8Array | undefined): number[] {
  const before = [0];
  for (let s = 0; s < sequences; s++) {
    const out = ignored?.subarray(s * context, (s + 1) * context).reduce((sum, one) => sum + one, 0) ?? 0;
    before.push(before[s] + context - out);
  }
  return before;
}

function withoutIgnored(x: Matrix, ignored: Uint8Array | undefined): Matrix {
  if (!ignored?.includes(1)) return x;
  const kept = Array.from(ignored.keys()).filter((row) => ignored[row] === 0);
  const out = matrix(kept.length, x.cols);
  kept.forEach((row, i) => out.data.set(x.data.subarray(row * x.cols, (row + 1) * x.cols), i * x.cols));
  return out;
}

/** Keeps the pieces of the first whole epoch in memory and gives them out again afterwards. */
export function cachedSource(source: ActivationSource): ActivationSource {
  let kept: Matrix[] | undefined;
  return {
    ...source,
    async *batches(firstRow = 0, call = {}) {
      if (kept) {
        let row = 0;
        for (const piece of kept) {
          if (row >= firstRow) yield piece;
          row += piece.rows;
        }
        return;
      }
      const pieces: Matrix[] = [];
      for await (const piece of source.batches(firstRow, call)) {
        pieces.push(piece);
        yield piece;
      }
      if (firstRow === 0) kept = pieces;
    },
  };
}
