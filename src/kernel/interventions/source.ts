/** Feature activations on many tokens, from which ablation takes means and draws. */
import { captureActivations } from '../models/capture.js';
import type { SparseActivations } from '../activations/types.js';
import { requireSame } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { Random } from '../compute/random.js';
import type { SparseRows } from '../compute/sparse.js';
import { sha256 } from '../io/hash.js';
import type { EditContext, LanguageModel, TokenSet } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { requireModelOfSae } from '../sae/ofModel.js';
import type { Renamed } from '../verb/nulls.js';
import type { Given } from '../verb/option.js';
import { allowOtherModel, hook, samples, type SEQUENCES } from './options.js';
import { sequencesOf } from './runs.js';
import { hookOf } from './steer.js';

/** Values for rows of a pass: [rows × |ids|]. */
export type Fill = (rows: Int32Array, context: EditContext) => Float32Array;

/** Activations of an SAE's features over tokens. */
export interface FeatureSource {
  /** Content hash: model, SAE, hook and tokens. */
  readonly id: string;
  /** Identity of the SAE. */
  readonly sae: string;
  /** Hook that was encoded. */
  readonly hook: string;
  /** Model that ran. */
  readonly model: { readonly name: string; readonly id: string };
  /** As shown: "8,192 tokens". */
  readonly description: string;
  /** Tokens that count: neither padding nor ignored. */
  readonly n: number;
  /** Means over all tokens that count, silent ones included, summed in float64. */
  means(ids: Int32Array): Fill;
  /** Activations on tokens drawn by the seed. */
  draws(ids: Int32Array, seed: number): Fill;
}

export const SOURCE = { hook: hook('Hook to encode.'), samples: samples(), allowOtherModel };
interface SourceOptions extends Renamed<Given<typeof SOURCE>, typeof SEQUENCES>, CallOptions {}

/**
 * Encodes the first sequences of a token set, without interventions, for ablate's 'mean' and 'resample'.
 * @throws Error on another tokenizer, an SAE of another model or width, and activations that are not finite.
 */
export async function featureSource(
  model: LanguageModel,
  sae: Sae,
  tokens: TokenSet,
  options: SourceOptions = {},
): Promise<FeatureSource> {
  requireModelOfSae(sae, model, options.allowOtherModel);
  const at = hookOf(sae, options.hook);
  const sequences = sequencesOf(tokens, options.sequences);
  if (sequences === 0) throw new RangeError('the token set is empty: there is nothing to take values from');
  const blocks: SparseRows[] = [];
  const { signal, onProgress } = options;
  for await (const { x } of captureActivations(model, tokens, at, { sequences, signal, onProgress }))
    blocks.push(sae.encode(x));
  const taken = sequences * tokens.context;
  const padding = tokens.padding?.subarray(0, taken);
  // 2: padding gives no values.
  const version = `feature source ${padding ? 2 : 1}`;
  const id = sha256([version, model.id, sae.id, at, tokens.id, String(sequences)]);
  const made = { id, sae: sae.id, hook: at, model: { name: model.name, id: model.id } };
  return sourceOf(made, sae, blocks, tokens.tokens.slice(0, taken), tokens.context, padding);
}

/**
 * The same from saved activations, all of their tokens.
 * @throws MismatchError when they are of another SAE.
 */
export async function savedSource(sae: Sae, activations: SparseActivations): Promise<FeatureSource> {
  requireSame(
    'values for features come from activations of the same SAE',
    { name: `SAE ${sae.name}`, id: sae.id },
    { name: `the activations of ${activations.meta.sae.name}`, id: activations.meta.sae.id },
  );
  const blocks: SparseRows[] = [];
  for await (const { rows } of activations.shards()) blocks.push(rows);
  const id = sha256(['feature source 1 of activations', activations.id]);
  const { hook, model } = activations.meta;
  return sourceOf(
    { id, sae: sae.id, hook, model },
    sae,
    blocks,
    await activations.tokenIds(),
    activations.meta.context,
    await activations.ignored(),
  );
}

function sourceOf(
  made: Pick<FeatureSource, 'id' | 'sae' | 'hook' | 'model'>,
  sae: Sae,
  blocks: readonly SparseRows[],
  tokens: Int32Array,
  context: number,
  ignored: Uint8Array | undefined,
): FeatureSource {
  const counted = ignored ? Int32Array.from(tokens.keys()).filter((t) => ignored[t] === 0) : undefined;
  const n = counted?.length ?? tokens.length;
  if (n === 0) throw new RangeError('every token is padding or ignored: there is nothing to take values from');
  return {
    ...made,
    n,
    description: `${n.toLocaleString('en')} tokens`,
    means(ids) {
      const sums = new Float64Array(sae.config.dSae);
      let token = 0;
      for (const { rows, indptr, indices, values } of blocks)
        for (let t = 0; t < rows; t++, token++)
          for (let e = indptr[t]; ignored?.[token] !== 1 && e < indptr[t + 1]; e++) sums[indices[e]] += values[e];
      const mean = Float32Array.from(ids, (f) => sums[f] / n);
      return (rows) => {
        const out = new Float32Array(rows.length * ids.length);
        for (let i = 0; i < rows.length; i++) out.set(mean, i * ids.length);
        return out;
      };
    },
    draws(ids, seed) {
      const column = new Int32Array(sae.config.dSae).fill(-1);
      ids.forEach((f, k) => (column[f] = k));
      const random = new Random(seed).fork('resample');
      return (rows, pass) => {
        const out = new Float32Array(rows.length * ids.length);
        rows.forEach((row, i) => {
          const donor = drawn(random, row, pass, { tokens, context, counted });
          copyRow(blocks, donor, column, out.subarray(i * ids.length, (i + 1) * ids.length));
        });
        return out;
      };
    },
  };
}

/** The token that gives its activations to a row: any that counts but the row's own token in the same text. */
function drawn(
  random: Random,
  row: number,
  pass: EditContext,
  { tokens, context, counted }: { tokens: Int32Array; context: number; counted: Int32Array | undefined },
): number {
  const n = counted?.length ?? tokens.length;
  const b = Math.floor(row / pass.time);
  const t = row % pass.time;
  const stream = random.fork(`${pass.sequence + b} ${pass.offset + t}`);
  for (let attempt = 0; ; attempt++) {
    const at = stream.int(n);
    const donor = counted ? counted[at] : at;
    // With a single token, or a text that repeats itself everywhere, there is no other to draw.
    if (attempt === 64 || n === 1 || !isSelf(donor, b, t, pass, tokens, context)) return donor;
  }
}

function isSelf(
  donor: number,
  b: number,
  t: number,
  { tokens: own, time, offset }: EditContext,
  tokens: Int32Array,
  context: number,
): boolean {
  const at = donor % context;
  if (at !== t + offset || offset > 0) return false;
  // Same position: the same token after the same text has the same activations.
  for (let j = 0; j <= t; j++) if (own[b * time + j] !== tokens[donor - at + j]) return false;
  return true;
}

function copyRow(blocks: readonly SparseRows[], token: number, column: Int32Array, out: Float32Array): void {
  let row = token;
  for (const { rows, indptr, indices, values } of blocks) {
    if (row >= rows) {
      row -= rows;
      continue;
    }
    for (let e = indptr[row]; e < indptr[row + 1]; e++) {
      const k = column[indices[e]];
      if (k >= 0) out[k] = values[e];
    }
    return;
  }
}
