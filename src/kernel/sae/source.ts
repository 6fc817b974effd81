/** Where training data comes from: activations in pieces, as often as training wants to go over them. */
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { capturedWidth, captureHooks } from '../models/capture.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { ignoredPositions, ignoringOf, ignoringParameters } from '../models/ignored.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { sharedReading } from './sharedReading.js';

export interface ActivationSource {
  /** Width of every row: d_in, and behind it that of the target where there is one. */
  readonly width: number;
  /** Of a transcoder: what is predicted, the last columns of every row. */
  readonly target?: { readonly hookName: string; readonly width: number };
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

/** d_in: the columns that an SAE reads. */
export const inputWidth = ({ width, target }: ActivationSource): number => width - (target?.width ?? 0);

/** The columns that an SAE reads, or those that it predicts, which are the same but for transcoders. */
export function partOf(source: ActivationSource, part: 'input' | 'target'): ActivationSource {
  const { target, ...rest } = source;
  if (!target) return source;
  const begin = part === 'input' ? 0 : inputWidth(source);
  const width = part === 'input' ? inputWidth(source) : target.width;
  return {
    ...rest,
    width,
    async *batches(firstRow, options) {
      for await (const x of source.batches(firstRow, options)) yield columns(x, begin, width);
    },
  };
}

function columns(x: Matrix, begin: number, width: number): Matrix {
  const out = matrix(x.rows, width);
  for (let i = 0; i < x.rows; i++)
    out.data.set(x.data.subarray(i * x.cols + begin, i * x.cols + begin + width), i * width);
  return out;
}

/** Rows of x with those of y behind them. */
export function beside(x: Matrix, y: Matrix): Matrix {
  const out = matrix(x.rows, x.cols + y.cols);
  for (let i = 0; i < x.rows; i++) {
    out.data.set(x.data.subarray(i * x.cols, (i + 1) * x.cols), i * out.cols);
    out.data.set(y.data.subarray(i * y.cols, (i + 1) * y.cols), i * out.cols + x.cols);
  }
  return out;
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

interface ModelSourceOptions {
  /** Tokens of one forward pass, default 4,096. */
  batchTokens?: number;
  /** Where all activations fit in so many bytes, default 1 GiB, they are kept for later epochs. */
  cacheBytes?: number;
  /** Bytes of activations that are held for readers that are behind, where not all are kept; default 256 MiB. */
  windowBytes?: number;
  /** Tokens that are left out, as padding is; default the marks of begin and end (models/ignored). */
  ignoreTokens?: readonly number[];
}

/** What a source reads of a model: the activations at a hook, and of a transcoder those that it predicts. */
export interface Reading {
  readonly hook: string;
  readonly hookOut?: string;
}

/** The activations of a model at a hook, computed as training asks for them. */
export function modelSource(
  model: LanguageModel,
  tokens: TokenSet,
  reading: string | Reading,
  options: ModelSourceOptions = {},
): ActivationSource {
  // It has one reader, so no pieces are held for others.
  return modelSources(model, tokens, [reading], { windowBytes: 0, ...options })[0];
}

/**
 * The activations of a model at several hooks, each reading a source of its own: one forward pass feeds all that are
 * read at the same time, however many read each of them (sharedReading).
 */
export function modelSources(
  model: LanguageModel,
  tokens: TokenSet,
  given: ReadonlyArray<string | Reading>,
  options: ModelSourceOptions = {},
): ActivationSource[] {
  const readings = given.map((reading): Reading => (typeof reading === 'string' ? { hook: reading } : reading));
  const hooks = hooksOf(readings);
  const { batchTokens = 4096, cacheBytes = 2 ** 30 } = options;
  // A hook with heads is flattened, head-major: the width of all heads together.
  const widths = hooks.map((hook) => capturedWidth(model, hook));
  const ignoring = ignoringOf(tokens, options.ignoreTokens);
  const ignored = ignoredPositions(tokens, ignoring);
  const before = rowsBefore(tokens, ignored);
  const rows = before[tokens.sequences];
  if (rows === 0)
    throw new RangeError(
      'every token is left out (ignoreTokens, padding, marks of begin and end): there are no activations',
    );
  const perBlock = Math.max(1, Math.floor(batchTokens / tokens.context));
  const bytes = (of: number): number => 4 * of * widths.reduce((sum, width) => sum + width, 0);
  const read = sharedReading<Matrix[]>(
    async function* (firstRow = 0, call = {}) {
      // Where blocks of sequences begin; sequences without a row have the same row before and after them.
      const found = before.findIndex((row, s) => row === firstRow && s % perBlock === 0);
      const firstSequence = found < 0 ? tokens.sequences : found;
      const capture = { batchTokens, firstSequence, ...call };
      for await (const { firstToken, xs } of captureHooks(model, tokens, hooks, capture)) {
        const out = ignored?.subarray(firstToken, firstToken + xs[0].rows);
        const texts = xs.map((x) => withoutIgnored(x, out));
        if (texts[0].rows > 0) yield texts;
      }
    },
    {
      sizeOf: ([x]) => ({ rows: x.rows, bytes: bytes(x.rows) }),
      keepAll: bytes(rows) <= cacheBytes,
      windowBytes: options.windowBytes,
    },
  );
  return readings.map(({ hook, hookOut }) => {
    const at = hooks.indexOf(hook);
    const out = hookOut === undefined ? undefined : hooks.indexOf(hookOut);
    return {
      width: widths[at] + (out === undefined ? 0 : widths[out]),
      ...(out === undefined ? {} : { target: { hookName: hooks[out], width: widths[out] } }),
      rows,
      hookName: hook,
      modelName: model.name,
      modelId: model.id,
      tokensId: tokens.id,
      contextSize: tokens.context,
      ignoring: ignoringParameters(ignoring),
      async *batches(firstRow, call) {
        for await (const xs of read(firstRow, call)) yield out === undefined ? xs[at] : beside(xs[at], xs[out]);
      },
    };
  });
}

const hooksOf = (readings: readonly Reading[]): string[] => [
  ...new Set(readings.flatMap(({ hook, hookOut }) => (hookOut === undefined ? [hook] : [hook, hookOut]))),
];

/**
 * Sources of hooks, each with the tokens that it leaves out, that are read at the same time: one forward pass feeds all
 * of one choice of tokens. A hook that was not `wanted` has a pass of its own.
 */
export function sharedSources(
  model: LanguageModel,
  tokens: TokenSet,
  wanted: readonly WantedReading[],
  options: Pick<ModelSourceOptions, 'cacheBytes'> = {},
): (of: WantedReading) => ActivationSource {
  const groups = new Map<string, { readings: Reading[]; sources?: ActivationSource[] }>();
  const nameOf = (ignoreTokens: readonly number[] | undefined): string => ignoreTokens?.join() ?? 'default';
  const placeOf = (readings: readonly Reading[], { hook, hookOut }: Reading): number =>
    readings.findIndex((each) => each.hook === hook && each.hookOut === hookOut);
  for (const { hook, hookOut, ignoreTokens } of wanted) {
    const group = groups.get(nameOf(ignoreTokens)) ?? { readings: [] };
    if (placeOf(group.readings, { hook, hookOut }) < 0) group.readings.push({ hook, hookOut });
    groups.set(nameOf(ignoreTokens), group);
  }
  return ({ hook, hookOut, ignoreTokens }) => {
    const group = groups.get(nameOf(ignoreTokens));
    const at = group ? placeOf(group.readings, { hook, hookOut }) : -1;
    if (!group || at < 0) return modelSource(model, tokens, { hook, hookOut }, { ...options, ignoreTokens });
    group.sources ??= modelSources(model, tokens, group.readings, { ...options, ignoreTokens });
    return group.sources[at];
  };
}

/** A reading, with the tokens that it leaves out. */
export interface WantedReading extends Reading {
  readonly ignoreTokens?: readonly number[];
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

/** A source whose pieces are kept from the first whole epoch on. */
export function cachedSource(source: ActivationSource): ActivationSource {
  const sizeOf = ({ rows, cols }: Matrix): { rows: number; bytes: number } => ({ rows, bytes: 4 * rows * cols });
  const batches = sharedReading((firstRow, call) => source.batches(firstRow, call), { sizeOf, keepAll: true });
  return { ...source, batches };
}
