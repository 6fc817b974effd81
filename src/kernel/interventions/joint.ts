/**
 * Tokens on one map, before and after: a single embedding of the rows before, the rows after, and the rows after a
 * direction of the same norm that means nothing, so that a point that moves has moved and not merely been laid out
 * anew.
 */
import { filled } from '../verb/filled.js';
import { breathe } from '../compute/call.js';
import { matrix, row, type Matrix } from '../compute/matrix.js';
import { requireMemory } from '../compute/memory.js';
import { Random } from '../compute/random.js';
import type { SparseRows } from '../compute/sparse.js';
import { pca } from '../maps/pca.js';
import type { UmapOptions } from '../maps/options.js';
import type { Layout } from '../maps/types.js';
import { umap } from '../maps/umap.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { nullName } from '../present/interventions.js';
import type { Sae } from '../sae/types.js';
import { renamed } from '../verb/nulls.js';
import { choice, group, only, real, text, value, whole, type Given } from '../verb/option.js';
import { saesAt } from './effects.js';
import {
  allowOtherModel,
  directionOptions,
  directions,
  samples,
  SEQUENCES,
  untouched,
  type RunOptions,
} from './options.js';
import type { Intervention } from './intervention.js';
import { besideNulls, nullDirections, type BesideNulls, type NullSet } from './nullDirections.js';
import { requireRowHook, sequencesOf, touchedRows, variantRuns } from './runs.js';

/** Raised when the same call gives another map. */
export const JOINT_MAP_VERSION = 3;

const UMAP = {
  nNeighbors: whole({ doc: 'Size of the neighbourhood.', min: 2, fallback: 'as in fg.maps.umap' }),
  minDist: real({ doc: 'Minimal distance of points in the picture.', min: 0, usual: 0.1 }),
  metric: choice(['euclidean', 'cosine'], { doc: 'Of the rows.', usual: 'euclidean' }),
};

export const JOINT = {
  hook: text({ doc: 'Hook whose rows are drawn. Needed without `sae`.', fallback: "the SAE's own" }),
  sae: value<Sae>('an SAE', { doc: 'Draw rows of its features.', fallback: 'the activations themselves' }),
  allowOtherModel,
  method: choice(['pca', 'umap'], { doc: 'How rows are laid out.', usual: 'pca' }),
  umap: group(UMAP, { doc: "Parameters of UMAP; refused with 'pca'." }),
  points: whole({
    doc: 'Tokens drawn at most, by the seed among those touched.',
    min: 2,
    usual: 1000,
  }),
  untouched,
  nulls: directions(1, '`seed`'),
  seed: whole({ doc: 'Draws the tokens, and UMAP.', usual: 0 }),
  samples: samples(),
};
/** The options of a call as jointMap() takes them. */
export const jointOptions = ({ nulls, umap, ...rest }: Given<typeof JOINT>) => ({
  ...renamed(rest, SEQUENCES),
  ...only(UMAP, umap ?? {}),
  ...renamed(directionOptions(nulls), { seed: 'nullSeed' }),
});
type JointMapOptions = ReturnType<typeof jointOptions> & RunOptions;

export interface JointMap {
  hook: string;
  /** SAE whose features were laid out; absent for activations. */
  sae?: string;
  /** How the map was made. */
  description: string;
  /** Drawn tokens: index in the token set, ascending. */
  token: Int32Array;
  /** [points × 2], all in the same embedding. */
  before: Float32Array;
  after: Float32Array;
  nullAfter: Float32Array;
  /** Δ norm of every token looked at, [sequences × context]; 0 where untouched. */
  delta: Float32Array;
  nullDelta: Float32Array;
  /** Tokens touched, and those that were not. */
  touched: number;
  untouched: number;
  /** Whether the untouched were drawn from as well. */
  withUntouched: boolean;
  /** Tokens that could have been drawn and were not. */
  notDrawn: number;
  /** Mean Δ norm over the touched tokens, beside the nulls. At the edited hook itself norms are equal. */
  shift: BesideNulls;
  /** ‖mean Δ‖ / mean ‖Δ‖: 1 when all tokens move the same way, beside the nulls. */
  coherence: BesideNulls;
}

/** Rows of activations, or of sparse features. */
type Rows = Matrix | SparseRows;

/** Writes row i of either kind into a dense float64 row. */
function fillRow(rows: Rows, i: number, out: Float64Array): void {
  out.fill(0);
  if ('indptr' in rows) for (let e = rows.indptr[i]; e < rows.indptr[i + 1]; e++) out[rows.indices[e]] = rows.values[e];
  else out.set(row(rows, i));
}

/** Sums of Δ over the touched rows of one variant. */
class Shift {
  private readonly sum: Float64Array;
  private norms = 0;
  n = 0;

  constructor(private readonly width: number) {
    this.sum = new Float64Array(width);
  }

  /** Adds the touched rows of a block and returns their Δ norms, 0 elsewhere. */
  add(before: Rows, after: Rows, touched: Uint8Array): Float32Array {
    const [a, b] = [new Float64Array(this.width), new Float64Array(this.width)];
    const norms = new Float32Array(touched.length);
    for (let i = 0; i < touched.length; i++) {
      if (touched[i] === 0) continue;
      fillRow(before, i, a);
      fillRow(after, i, b);
      let squares = 0;
      for (let j = 0; j < this.width; j++) {
        const d = b[j] - a[j];
        this.sum[j] += d;
        squares += d * d;
      }
      norms[i] = Math.sqrt(squares);
      this.norms += norms[i];
      this.n++;
    }
    return norms;
  }

  get mean(): number {
    return this.n > 0 ? this.norms / this.n : 0;
  }

  get coherence(): number {
    let squares = 0;
    for (const v of this.sum) squares += v * v;
    return this.norms > 0 ? Math.sqrt(squares) / this.norms : 0;
  }
}

interface Block {
  /** Index in the token set of its first row. */
  first: number;
  sides: [Rows, Rows, Rows];
  touched: Uint8Array;
}

/**
 * The rows drawn, as one matrix: all before, all after, all after the null. Features that fire nowhere are left out.
 */
function stack(blocks: readonly Block[], tokens: Int32Array, width: number): Matrix {
  const sparse = blocks.length > 0 && 'indptr' in blocks[0].sides[0];
  const places = tokens.length;
  const found = Array.from(tokens, (token) => {
    const block = blocks.findLast((b) => b.first <= token)!;
    return { block, i: token - block.first };
  });
  const columns = new Int32Array(width).fill(-1);
  let cols = 0;
  if (sparse)
    for (const { block, i } of found)
      for (const side of block.sides as SparseRows[])
        for (let e = side.indptr[i]; e < side.indptr[i + 1]; e++)
          if (columns[side.indices[e]] < 0) columns[side.indices[e]] = cols++;
  const dense = sparse ? Math.max(1, cols) : width;
  requireMemory(`a map of ${places} tokens with ${dense} columns`, 3 * places * dense * 4 * 2);
  const out = matrix(3 * places, dense);
  found.forEach(({ block, i }, p) =>
    block.sides.forEach((side, s) => {
      const to = row(out, s * places + p);
      if (!('indptr' in side)) to.set(row(side, i));
      else for (let e = side.indptr[i]; e < side.indptr[i + 1]; e++) to[columns[side.indices[e]]] = side.values[e];
    }),
  );
  return out;
}

/** A draw of at most `points` of the tokens, ascending. */
function drawn(tokens: readonly number[], points: number, seed: number): Int32Array {
  if (tokens.length <= points) return Int32Array.from(tokens);
  const order = new Random(seed).fork('tokens drawn').permutation(tokens.length);
  return Int32Array.from(order.subarray(0, points), (k) => tokens[k]).sort();
}

interface Collected {
  blocks: Block[];
  width: number;
  shifts: Shift[];
  delta: Float32Array;
  nullDelta: Float32Array;
  nulls: NullSet[];
}

const nullSeedOf = ({ seed = JOINT.seed.usual, nullSeed = seed }: JointMapOptions): number => nullSeed;

/** Runs all variants; keeps rows of the first three sides and the shift of every variant. */
async function collect(
  model: LanguageModel,
  interventions: readonly Intervention[],
  tokens: TokenSet,
  hook: string,
  options: JointMapOptions,
): Promise<Collected> {
  const { sae } = options;
  const { context } = tokens;
  const sequences = sequencesOf(tokens, options.sequences);
  const { own: changed, nulls } = await nullDirections(model, interventions, [tokens], {
    ...options,
    seed: nullSeedOf(options),
  });
  const variants = [changed, ...nulls.flatMap(({ runs }) => runs)];
  const out: Collected = {
    blocks: [],
    width: 0,
    shifts: [],
    delta: new Float32Array(sequences * context),
    nullDelta: new Float32Array(sequences * context),
    nulls,
  };
  for await (const block of variantRuns(model, variants, tokens, [hook], options)) {
    const [x] = block.before;
    if (block.first === 0) {
      out.width = sae ? sae.config.dSae : x.cols;
      requireMemory(`activations of ${sequences} sequences before and after`, 3 * sequences * context * x.cols * 4);
      out.shifts = variants.map(() => new Shift(out.width));
    }
    const rows = (m: Matrix): Rows => (sae ? sae.encode(m) : m);
    const before = rows(x);
    const sides: Rows[] = [before];
    let own: Uint8Array = new Uint8Array(0);
    for (const [k, variant] of block.variants.entries()) {
      const after = rows(variant.rows[0]);
      const touched = touchedRows(x, variant.rows[0], variant);
      const norms = out.shifts[k].add(before, after, touched);
      if (k === 0) own = touched;
      if (k === 0) out.delta.set(norms, block.first * context);
      if (k === 1) out.nullDelta.set(norms, block.first * context);
      if (k < 2) sides.push(after);
      await breathe();
    }
    out.blocks.push({ first: block.first * context, sides: sides as [Rows, Rows, Rows], touched: own });
  }
  return out;
}

async function layoutOf(x: Matrix, options: JointMapOptions): Promise<Layout> {
  const { method, seed } = filled(JOINT, options);
  const { nNeighbors, minDist, metric, signal, onProgress } = options;
  if (method === 'pca') return pca(x, { signal, onProgress });
  const chosen: UmapOptions = { nNeighbors, minDist, metric, seed, signal, onProgress };
  return umap(x, chosen);
}

function requireSettings(options: JointMapOptions): void {
  const { method } = filled(JOINT, options);
  const unused =
    method === 'pca' && (['nNeighbors', 'minDist', 'metric'] as const).find((name) => options[name] !== undefined);
  if (unused) throw new TypeError(`${unused} is UMAP's: give method: 'umap' with it, or leave it out`);
}

/**
 * One embedding of tokens before and after, and after the first null direction of the same norm. Tokens before the
 * first edited position and tokens whose row is equal to the last bit are left out and counted, unless { untouched:
 * true }.
 * @throws Error when no token is touched at the hook, or hook, SAE and model do not fit.
 */
export async function jointMap(
  model: LanguageModel,
  interventions: readonly Intervention[],
  tokens: TokenSet,
  options: JointMapOptions = {},
): Promise<JointMap> {
  requireSettings(options);
  const { sae, points, seed } = filled(JOINT, options);
  const hook = sae ? saesAt(model, sae, options)[0].hook : options.hook;
  if (!hook) throw new Error('a map of effects needs { hook }, or { sae } for a map of features');
  requireRowHook(model, hook);
  const { blocks, width, shifts, delta, nullDelta, nulls } = await collect(model, interventions, tokens, hook, options);
  const all: number[] = [];
  for (const { first, touched } of blocks)
    touched.forEach((is, i) => {
      if (is === 1 || options.untouched) all.push(first + i);
    });
  if (shifts[0].n === 0 || all.length < 2)
    throw new Error(
      `the interventions touch ${shifts[0].n} tokens at ${hook}: there is nothing to draw. Do they act before this hook?`,
    );
  const token = drawn(all, points, seed);
  const layout = await layoutOf(stack(blocks, token, width), options);
  const n = token.length;
  const part = (k: number): Float32Array => layout.coordinates.slice(2 * k * n, 2 * (k + 1) * n);
  const others = shifts.slice(1);
  return {
    hook,
    ...(sae ? { sae: sae.name } : {}),
    description: `one ${layout.description} of ${n} tokens before, after, and after ${nullName(nulls[0])}`,
    token,
    before: part(0),
    after: part(1),
    nullAfter: part(2),
    delta,
    nullDelta,
    touched: shifts[0].n,
    untouched: delta.length - shifts[0].n,
    withUntouched: options.untouched ?? false,
    notDrawn: all.length - n,
    shift: besideNulls(
      shifts[0].mean,
      others.map((s) => s.mean),
      nulls,
      nullSeedOf(options),
    ),
    coherence: besideNulls(
      shifts[0].coherence,
      others.map((s) => s.coherence),
      nulls,
      nullSeedOf(options),
    ),
  };
}
