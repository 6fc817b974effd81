/**
 * Do two SAEs have the same directions up to a rotation? One rotation is fitted on some matched pairs of decoder
 * rows and judged on pairs that it has not seen, and on activations: how much of B's activations, turned, A's SAE
 * explains.
 */
import { filled } from '../verb/filled.js';
import type { CallOptions } from '../compute/call.js';
import { unitRows } from '../compute/cosines.js';
import { gemm, initGemm } from '../compute/gemm.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { Random } from '../compute/random.js';
import { columnMeans, gatherRows } from '../compute/rows.js';
import { mean } from '../compute/statistics.js';
import { reconstruct, requireReconstructs } from '../sae/sae.js';
import type { Sae } from '../sae/types.js';
import { nulls } from '../verb/common.js';
import { nullsInline } from '../verb/nulls.js';
import { real, whole, type Given } from '../verb/option.js';
import { plainNumber, type Remember } from '../verb/remember.js';
import { bootstrap, bootstrapMean } from './bootstrap.js';
import { nullRunNames, nullRuns } from './nullRuns.js';
import { besideNull } from './nulls.js';
import { procrustes } from './procrustes.js';
import type { SimilarityScore } from './types.js';

/** Activations of a model, by the half of the sequences that they are of. */
export interface ActivationHalves {
  /** Activations that means and scale are taken from. */
  readonly train: Matrix;
  /** Activations that the rotation is judged on. */
  readonly held: Matrix;
  /** Rows of `held` that belong together, in order: tokens of one sequence. */
  readonly group: number;
}

export interface RotationInput {
  a: { sae: Sae; activations?: ActivationHalves };
  b: { sae: Sae; activations?: ActivationHalves };
  /** Matched features. */
  pairs: { a: ArrayLike<number>; b: ArrayLike<number> };
}

export const TRANSFER = {
  train: real({ doc: 'Share of the pairs that the rotation is fitted on; the others judge it.', above: 0, below: 1, usual: 0.5 }), // prettier-ignore
  sequences: whole({
    doc: 'Sequences of the stores that the models run: even ones for means and scale, odd ones to judge.',
    min: 2,
    default: 64,
  }),
  nulls: nulls({
    doc: 'Null runs: the rotation fitted on shuffled training pairs.',
    runs: 99,
    draws: 'Draws the shuffles, and which pairs train.',
  }),
} as const;
type Asked = Pick<Given<typeof TRANSFER>, 'train' | 'nulls'>;

/** The options of a call as rotationTransfer() takes them. */
export const transferSettings = ({ train, nulls }: Asked) => nullsInline<Asked>({ train, nulls });
type RotationSettings = Required<ReturnType<typeof transferSettings>>;

/** One rotation between two SAEs, judged on what it was not fitted to. */
export interface RotationTransfer {
  readonly pairs: { readonly train: number; readonly held: number };
  readonly tokens: { readonly train: number; readonly held: number };
  /** [width of B × width of A]: rows of B times this are in A's space. */
  readonly rotation: Matrix;
  /** Each beside its null, with an interval. */
  readonly scores: readonly SimilarityScore[];
  /** Explained variance of A's SAE on A's own activations, the same tokens; NaN without. */
  readonly own: number;
  readonly notes: readonly string[];
}

const SETTINGS = { train: TRANSFER.train, ...TRANSFER.nulls.members };

/** Cosines of paired unit rows. */
function cosinesOf(x: Matrix, y: Matrix): Float64Array {
  return Float64Array.from({ length: x.rows }, (_, i) => {
    let dot = 0;
    let norm = 0;
    for (let j = i * x.cols; j < (i + 1) * x.cols; j++) {
      dot += x.data[j] * y.data[j];
      norm += y.data[j] * y.data[j];
    }
    // A row that the rotation takes to 0 has no direction; its cosine counts as 0.
    return norm > 0 ? dot / Math.sqrt(norm) : 0;
  });
}

const times = (x: Matrix, r: Matrix): Matrix => matrix(x.rows, r.cols, gemm(x.data, r.data, x.rows, r.cols, x.cols));

/** Root mean squared distance of rows from a mean. */
function spread({ rows, cols, data }: Matrix, centre: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] - centre[i % cols]) ** 2;
  return Math.sqrt(sum / rows);
}

/** Takes B's held-out activations to A's mean and scale, turned by `rotation`, or as they lie where there is none. */
class Mover {
  private readonly meanA: Float64Array;
  /** B's held-out activations from B's mean, at A's scale: every rotation turns the same ones. */
  private readonly centred: Matrix;

  constructor(a: Matrix, b: Matrix, { rows, cols, data }: Matrix) {
    this.meanA = columnMeans(a);
    const meanB = columnMeans(b);
    const size = spread(b, meanB);
    const scale = size > 0 ? spread(a, this.meanA) / size : 1;
    this.centred = matrix(rows, cols);
    for (let i = 0, at = 0; i < rows; i++)
      for (let j = 0; j < cols; j++, at++) this.centred.data[at] = (data[at] - meanB[j]) * scale;
  }

  move(rotation?: Matrix): Matrix {
    const { rows, cols, data } = rotation ? times(this.centred, rotation) : this.centred;
    const moved = matrix(rows, cols);
    for (let i = 0, at = 0; i < rows; i++)
      for (let j = 0; j < cols; j++, at++) moved.data[at] = data[at] + this.meanA[j];
    return moved;
  }
}

/** ‖x̂ − x‖² and ‖x − mean‖² of groups of rows, summed. */
interface Explained {
  error: Float64Array;
  spread: Float64Array;
}

function explainedBy(sae: Sae, x: Matrix, group: number): Explained {
  const { reconstruction } = reconstruct(sae, x);
  const centre = columnMeans(x);
  const groups = Math.ceil(x.rows / group);
  const out = { error: new Float64Array(groups), spread: new Float64Array(groups) };
  for (let i = 0, at = 0; i < x.rows; i++) {
    const g = Math.floor(i / group);
    for (let j = 0; j < x.cols; j++, at++) {
      out.error[g] += (reconstruction.data[at] - x.data[at]) ** 2;
      out.spread[g] += (x.data[at] - centre[j]) ** 2;
    }
  }
  return out;
}

/** 1 − Σ error / Σ spread; NaN where nothing varies. */
function varianceOf({ error, spread: of }: Explained, weights?: Uint32Array): number {
  let [e, s] = [0, 0];
  for (let g = 0; g < error.length; g++) {
    const w = weights?.[g] ?? 1;
    e += w * error[g];
    s += w * of[g];
  }
  return s > 0 ? 1 - e / s : NaN;
}

interface Pairs {
  /** Unit decoder rows of both sides, fitted on and judged on. */
  train: { x: Matrix; y: Matrix };
  held: { x: Matrix; y: Matrix };
}

function splitPairs({ a, b, pairs }: RotationInput, s: RotationSettings, random: Random): Pairs {
  const n = pairs.a.length;
  const order = random.permutation(n);
  const count = Math.round(s.train * n);
  if (count < 2 || n - count < 2)
    throw new RangeError(
      `a rotation is fitted on pairs and judged on others, 2 of each at least, but there are ${n} pairs; give a map with more`,
    );
  const rows = (from: number, to: number) => {
    const ids = order.subarray(from, to);
    return {
      x: unitRows(
        gatherRows(
          a.sae.decoder,
          Array.from(ids, (i) => pairs.a[i]),
        ),
        'decoder of A',
      ),
      y: unitRows(
        gatherRows(
          b.sae.decoder,
          Array.from(ids, (i) => pairs.b[i]),
        ),
        'decoder of B',
      ),
    };
  };
  return { train: rows(0, count), held: rows(count, n) };
}

const SHUFFLED = 'rotation fitted on shuffled training pairs';

/** Scores of the held-out pairs: as they are, where the widths agree, and turned. */
function pairScores(
  { held }: Pairs,
  rotation: Matrix,
  nulls: Float64Array,
  seed: number,
  random: Random,
): SimilarityScore[] {
  // prettier-ignore
  const scored = (metric: string, variant: string, values: Float64Array, kind: string, of: Float64Array) => ({
    ...besideNull(mean(values), of, { metric, variant, n: values.length, seed, kind }),
    interval: bootstrapMean(values, random.fork(metric)),
  });
  const after = scored('pair cosine after', 'held-out pairs, B turned', cosinesOf(held.x, times(held.y, rotation)), SHUFFLED, nulls); // prettier-ignore
  if (held.x.cols !== held.y.cols) return [after];
  const plain = Float64Array.from({ length: nulls.length }, () => {
    const order = random.permutation(held.y.rows);
    return mean(cosinesOf(held.x, gatherRows(held.y, order)));
  });
  return [scored('pair cosine before', 'held-out pairs as they are', cosinesOf(held.x, held.y), 'shuffled pairs', plain), after]; // prettier-ignore
}

interface Judged {
  scores: SimilarityScore[];
  own: number;
}

/**
 * Explained variance of A's SAE on B's held-out activations: as they are, at A's mean and scale, and turned as well.
 */
function activationScores(
  { a, b }: RotationInput,
  mover: Mover,
  rotation: Matrix,
  nulls: Float64Array,
  seed: number,
  random: Random,
): Judged {
  // prettier-ignore
  const { held, group } = b.activations!;
  const score = (metric: string, variant: string, x: Matrix): SimilarityScore => {
    const explained = explainedBy(a.sae, x, group);
    return {
      ...besideNull(varianceOf(explained), nulls, { metric, variant, n: held.rows, seed, kind: SHUFFLED }),
      interval: bootstrap(explained.error.length, (weights) => varianceOf(explained, weights), random.fork(metric)),
    };
  };
  const sameWidth = a.sae.config.dIn === b.sae.config.dIn;
  return {
    scores: [
      ...(sameWidth
        ? [
            score('explained variance before', "A's SAE on B's held-out activations as they are", held),
            score('explained variance, moved', "the same at A's mean and scale", mover.move()),
          ]
        : []),
      score('explained variance after', "the same at A's mean and scale, and turned", mover.move(rotation)),
    ],
    own: varianceOf(explainedBy(a.sae, a.activations!.held, a.activations!.group)),
  };
}

/** Notes for the reader of the scores. */
function notesOf({ train }: Pairs, { a, b }: RotationInput): string[] {
  const directions = Math.min(train.x.cols, train.y.cols);
  return [
    ...(train.x.rows < directions
      ? [
          `${train.x.rows} training pairs do not fix a rotation of ${directions} directions: the rest is turned at random`,
        ]
      : []),
    ...(train.x.cols === train.y.cols ? [] : [`widths ${train.y.cols} of B and ${train.x.cols} of A differ: there is no "before"`]), // prettier-ignore
    ...(a.activations && b.activations ? [] : ['explained variance needs the activations of both models']),
  ];
}

/** A null run as it is remembered: mean cosine of the held-out pairs, and explained variance (0 without activations). */
type DrawnRun = readonly [cosine: number | string, variance: number | string];

/** Runs that rotationTransfer asks `remember` for. */
export const transferRunNames = ({ runs }: Partial<RotationSettings>): string[] =>
  nullRunNames(runs ?? SETTINGS.runs.usual);

/**
 * `remember` gives null runs that are made already; see transferRunNames.
 * @throws RangeError with too few pairs; Error for an SAE that reconstructs nothing
 */
export async function rotationTransfer(
  input: RotationInput,
  given: Partial<RotationSettings> = {},
  { remember = (_, make) => make(), ...call }: CallOptions & { remember?: Remember } = {},
): Promise<RotationTransfer> {
  const s = filled(SETTINGS, given);
  const { a, b } = input;
  const random = new Random(s.seed).fork('transfer');
  const pairs = splitPairs(input, s, random);
  await initGemm();
  const judged = a.activations && b.activations;
  if (judged) requireReconstructs(a.sae, 'transfer is judged by what the SAE of A explains');
  const mover = judged && new Mover(a.activations!.train, b.activations!.train, b.activations!.held);
  const draw = () => {
    const order = random.permutation(pairs.train.y.rows);
    return (): DrawnRun => {
      const turn = procrustes(gatherRows(pairs.train.y, order), pairs.train.x);
      const cosine = mean(cosinesOf(pairs.held.x, times(pairs.held.y, turn)));
      const variance = mover ? varianceOf(explainedBy(a.sae, mover.move(turn), b.activations!.group)) : 0; // prettier-ignore
      return [plainNumber(cosine), plainNumber(variance)];
    };
  };
  const drawn = await nullRuns(s.runs, draw, { what: 'transfer', remember, ...call });
  const rotation = procrustes(pairs.train.y, pairs.train.x);
  const nulls = { pairs: Float64Array.from(drawn, ([cosine]) => Number(cosine)), variance: Float64Array.from(drawn, ([, variance]) => Number(variance)) }; // prettier-ignore
  const ofPairs = pairScores(pairs, rotation, nulls.pairs, s.seed, random.fork('pairs'));
  const ofTokens = mover && activationScores(input, mover, rotation, nulls.variance, s.seed, random.fork('tokens'));
  return {
    pairs: { train: pairs.train.x.rows, held: pairs.held.x.rows },
    tokens: { train: b.activations?.train.rows ?? 0, held: b.activations?.held.rows ?? 0 },
    rotation,
    scores: [...ofPairs, ...(ofTokens?.scores ?? [])],
    own: ofTokens?.own ?? NaN,
    notes: notesOf(pairs, input),
  };
}
