/**
 * Sparse probing, splitting and absorption against labels of tokens.
 *
 * Probing after Gurnee et al. (arXiv 2305.01610), as SAEBench has it: features are ranked by |mean on labelled tokens −
 * mean on others|, and a logistic regression (C = 1) reads the first k of them; beside it one that reads the whole
 * activation. Classes are of equal size; what is reported is of sequences that chose and fitted nothing.
 *
 * Splitting after SAEBench: features are taken, in the order of their rank, as long as each adds .03 or more to the F1 of
 * the probe on the training tokens; the label is split among those that were taken.
 *
 * Absorption after Chanin et al. (arXiv 2409.14507), with the probe of the whole activation as the direction: a labelled
 * token that this probe gets right is absorbed when all features of the split are silent on it, and the feature that
 * contributes most along the probe has a cosine of at least .025 with it and supplies at least .4 of the projection of
 * x − b_dec.
 */
import { checkAborted, type CallOptions } from '../compute/call.js';
import { gatherRows } from '../compute/rows.js';
import { row, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import type { SparseRows } from '../compute/sparse.js';
import { whole, type Parsed } from '../verb/option.js';
import { judged, logisticRegression, predicted, type Judged, type Logistic, type Rows } from './logistic.js';
import type { Sae } from './types.js';

/** Least that a further feature adds to F1, and features that are tried. */
const SPLIT_F1 = 0.03;
const MOST_SPLIT = 10;
const ABSORBER_COSINE = 0.025;
const PROJECTION_SHARE = 0.4;

/** Tokens of one label: positions in the token set. */
export interface LabelTokens {
  readonly label: string;
  readonly train: { readonly of: readonly number[]; readonly others: readonly number[] };
  readonly test: { readonly of: readonly number[]; readonly others: readonly number[] };
}

export interface LabelProbe {
  label: string;
  /** Labelled tokens to learn from and to judge by; as many others stand beside each. */
  trained: number;
  tested: number;
  /** The probe of the whole activation. */
  activation: Judged;
  /** Probes of k features, in the order of the k that were asked for. */
  sparse: Array<Judged & { k: number }>;
  /** Features by rank, as many as the largest k. */
  features: number[];
  /** Features that the label is split among; one where it is not split. */
  split: number[];
  absorption: Absorption;
}

export interface Absorption {
  /** Labelled tokens that the probe of the activation gets right. */
  tokens: number;
  /** Of those, tokens on which all features of the split are silent, and on which another feature takes their part. */
  silent: number;
  absorbed: number;
  /** absorbed / tokens; NaN without tokens. */
  rate: number;
  /** The feature that does so most often; −1 = none. */
  absorber: number;
}

/** How tokens of a label are drawn. */
export const DRAWN = {
  maxTokens: whole({ doc: 'Most labelled tokens of a label to learn from, and to judge by.', min: 10, default: 1000 }),
  minTokens: whole({ doc: 'Labels of fewer tokens in either are left out.', min: 2, default: 20 }),
  seed: whole({ doc: 'Of the draw of tokens.', default: 0 }),
} as const;

/** Every third sequence judges. */
const judges = (position: number, context: number): boolean => Math.floor(position / context) % 3 === 2;

/**
 * The tokens of each label and as many others, drawn by the seed; undefined for a label of too few.
 * @param of 1 where a token has the label
 * @param counted whether a token counts at all
 */
export function labelTokens(
  label: string,
  of: ArrayLike<number>,
  context: number,
  counted: (position: number) => boolean,
  { maxTokens, minTokens, seed }: Parsed<typeof DRAWN>,
): LabelTokens | undefined {
  const parts = { train: { of: [] as number[], others: [] as number[] }, test: { of: [] as number[], others: [] as number[] } }; // prettier-ignore
  for (let i = 0; i < of.length; i++)
    if (counted(i)) parts[judges(i, context) ? 'test' : 'train'][of[i] ? 'of' : 'others'].push(i);
  const random = new Random(seed).fork(`probe ${label}`);
  const draw = (from: readonly number[], n: number): number[] => {
    const order = random.permutation(from.length);
    return Array.from({ length: n }, (_, i) => from[order[i]]).sort((a, b) => a - b);
  };
  const drawn = (['train', 'test'] as const).map((part) => {
    const { of: labelled, others } = parts[part];
    const n = Math.min(maxTokens, labelled.length, others.length);
    return { of: draw(labelled, n), others: draw(others, n) };
  });
  if (drawn.some((part) => part.of.length < minTokens)) return undefined;
  return { label, train: drawn[0], test: drawn[1] };
}

/** Activations and features of the tokens that probes read. */
export interface Probed {
  readonly sae: Pick<Sae, 'decoder' | 'b_dec'>;
  /** Rows of activations, and the features of the same rows. */
  readonly x: Matrix;
  readonly features: SparseRows;
  /** Row of a position in the token set. */
  readonly rowOf: ReadonlyMap<number, number>;
}

interface Part {
  rows: number[];
  y: Uint8Array;
}

/** Probes of one label. @param k ascending, each at most the number of features */
export async function probeLabel(
  probed: Probed,
  tokens: LabelTokens,
  k: readonly number[],
  call: CallOptions = {},
): Promise<LabelProbe> {
  const part = ({ of, others }: LabelTokens['train']): Part => ({
    rows: [...of, ...others].map((position) => probed.rowOf.get(position)!),
    y: Uint8Array.from({ length: of.length + others.length }, (_, i) => (i < of.length ? 1 : 0)),
  });
  const [train, test] = [part(tokens.train), part(tokens.test)];
  const whole = await activationProbe(probed.x, train, call);
  const wholeTest = standardized(probed.x, test.rows, whole.scale);
  const most = Math.min(Math.max(k.at(-1)!, MOST_SPLIT), probed.features.cols);
  const ranked = byMeanDifference(probed.features, train).slice(0, most);
  const sparse: LabelProbe['sparse'] = [];
  for (const size of k) {
    checkAborted(call.signal, 'sparse probing');
    const chosen = ranked.slice(0, size);
    const model = await logisticRegression(columns(probed.features, train.rows, chosen), train.y, call);
    sparse.push({ k: size, ...judged(columns(probed.features, test.rows, chosen), test.y, model) });
  }
  const split = await splitOf(probed.features, train, ranked, call);
  const right = predicted(wholeTest, whole.model);
  const positives = test.rows.filter((_, i) => test.y[i] === 1 && right[i] === 1);
  return {
    label: tokens.label,
    trained: tokens.train.of.length,
    tested: tokens.test.of.length,
    activation: judged(wholeTest, test.y, whole.model),
    sparse,
    features: ranked.slice(0, k.at(-1)),
    split,
    absorption: absorptionOf(probed, positives, split, directionOf(whole)),
  };
}

interface Scale {
  mean: Float64Array;
  std: Float64Array;
}

/** The probe of the whole activation, on columns of mean 0 and standard deviation 1 over its training tokens. */
async function activationProbe(
  x: Matrix,
  { rows, y }: Part,
  call: CallOptions,
): Promise<{ model: Logistic; scale: Scale }> {
  const mean = new Float64Array(x.cols);
  const std = new Float64Array(x.cols);
  for (const i of rows) row(x, i).forEach((v, j) => (mean[j] += v / rows.length));
  for (const i of rows) row(x, i).forEach((v, j) => (std[j] += (v - mean[j]) ** 2 / rows.length));
  const scale = { mean, std: std.map(Math.sqrt) };
  return { model: await logisticRegression(standardized(x, rows, scale), y, call), scale };
}

/** The rows, scaled; a column without spread is 0. */
function standardized(x: Matrix, rows: readonly number[], { mean, std }: Scale): Rows {
  const part = gatherRows(x, rows);
  const data = Float64Array.from(part.data, (v, at) => {
    const j = at % x.cols;
    return std[j] > 0 ? (v - mean[j]) / std[j] : 0;
  });
  return { n: rows.length, d: x.cols, data };
}

/** The probe's direction in the space of activations, of norm 1. */
function directionOf({ model: { weights }, scale: { std } }: { model: Logistic; scale: Scale }): Float64Array {
  const w = weights.map((v, j) => (std[j] > 0 ? v / std[j] : 0));
  const norm = Math.hypot(...w);
  return norm > 0 ? w.map((v) => v / norm) : w;
}

/** Features by |mean on labelled rows − mean on others|, largest first; ties to the lower id. */
function byMeanDifference(features: SparseRows, { rows, y }: Part): number[] {
  const labelled = y.reduce((sum, one) => sum + one, 0);
  const difference = new Float64Array(features.cols);
  rows.forEach((i, n) => {
    const by = y[n] ? 1 / labelled : -1 / (rows.length - labelled);
    for (let p = features.indptr[i]; p < features.indptr[i + 1]; p++)
      difference[features.indices[p]] += by * features.values[p];
  });
  return Array.from(difference.keys()).sort((a, b) => Math.abs(difference[b]) - Math.abs(difference[a]) || a - b);
}

/** The values of chosen features on rows, dense. */
function columns(features: SparseRows, rows: readonly number[], chosen: readonly number[]): Rows {
  const d = chosen.length;
  const place = new Map(chosen.map((f, j) => [f, j]));
  const data = new Float64Array(rows.length * d);
  rows.forEach((i, n) => {
    for (let p = features.indptr[i]; p < features.indptr[i + 1]; p++) {
      const j = place.get(features.indices[p]);
      if (j !== undefined) data[n * d + j] = features.values[p];
    }
  });
  return { n: rows.length, d, data };
}

async function splitOf(
  features: SparseRows,
  train: Part,
  ranked: readonly number[],
  call: CallOptions,
): Promise<number[]> {
  let best = 0;
  for (let k = 1; k <= Math.min(MOST_SPLIT, ranked.length); k++) {
    const x = columns(features, train.rows, ranked.slice(0, k));
    const { f1 } = judged(x, train.y, await logisticRegression(x, train.y, call));
    if (k > 1 && f1 - best < SPLIT_F1) return ranked.slice(0, k - 1);
    best = f1;
  }
  return ranked.slice(0, MOST_SPLIT);
}

/** Counts absorption on rows that have the label. */
export function absorptionOf(
  { sae, x, features }: Omit<Probed, 'rowOf'>,
  rows: readonly number[],
  split: readonly number[],
  direction: Float64Array,
): Absorption {
  const main = new Set(split);
  const along = (f: number): number => row(sae.decoder, f).reduce((sum, v, j) => sum + v * direction[j], 0);
  const times = new Map<number, number>();
  let silent = 0;
  for (const i of rows) {
    const active = Array.from(
      { length: features.indptr[i + 1] - features.indptr[i] },
      (_, n) => features.indptr[i] + n,
    );
    if (active.some((p) => main.has(features.indices[p]) && features.values[p] > 0)) continue;
    silent++;
    let most = 0;
    let absorber = -1;
    for (const p of active) {
      const part = features.values[p] * along(features.indices[p]);
      if (part > most) [most, absorber] = [part, features.indices[p]];
    }
    if (absorber < 0) continue;
    const projection = row(x, i).reduce((sum, v, j) => sum + (v - sae.b_dec[j]) * direction[j], 0);
    const cosine = along(absorber) / Math.hypot(...row(sae.decoder, absorber));
    if (cosine >= ABSORBER_COSINE && projection > 0 && most >= PROJECTION_SHARE * projection)
      times.set(absorber, (times.get(absorber) ?? 0) + 1);
  }
  const absorbed = [...times.values()].reduce((sum, n) => sum + n, 0);
  const [absorber] = [...times].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [-1];
  return { tokens: rows.length, silent, absorbed, rate: absorbed / rows.length, absorber };
}
