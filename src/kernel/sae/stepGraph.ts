/**
 * A training step (step.ts) as graphs. Weights, moments and gradients [F, d] stay on the device:
 *
 *   follow   the decoder of tied weights, from the encoder
 *   block    rows of the batch → gradients of the matrices, added to those of the blocks before; sums for the host
 *   finish   what is left when the sums are known: the decoder's norms, the input's − b_dec, tied weights, features that
 *            have no weights in a part; Σ g² of each row
 *   update   Adam (adam.ts) of one matrix, and what holds its rows near their start
 */
import type { AdamOptions } from '../compute/entries/optimiser.js';
import { Graph, type Value } from '../compute/graphs/graph.js';
import type { Program } from '../compute/graphs/host.js';
import type { Dead, DeviceTraining, StepBlock } from './architectures/trainingOnDevice.js';
import { heldNear } from './frozenOnDevice.js';

/** What a block's graph depends on besides its architecture. */
export interface BlockShape {
  dIn: number;
  applyBDecToInput: boolean;
  /** Whether y is to be predicted in the place of x. */
  target: boolean;
  /** Widths of the nested groups; one where there are none. */
  widths: readonly number[];
  dead: Dead;
  /** Whether gradients of earlier blocks are given. */
  more: boolean;
  /** Whether not all values that equal the bound of a selection over the batch fire. */
  ties: boolean;
}

export interface SelectionProgram extends Program {
  /** Vectors [F] that it takes, by their names. */
  readonly vectors: readonly string[];
}

export interface BlockProgram extends SelectionProgram {
  /** Numbers [1] that it takes. */
  readonly numbers: readonly string[];
  /** Outputs that the host sums: of each feature, and of each row. */
  readonly columns: readonly string[];
  readonly rows: readonly string[];
}

/** Inputs whose names say what they are: a vector or number of the architecture cannot bear the name of a weight. */
const vectorName = (name: string): string => `vector ${name}`;
const numberName = (name: string): string => `number ${name}`;
/** Outputs that take the place of an input of the same name. */
const nextName = (name: string): string => `next ${name}`;
export const feedNames = { vector: vectorName, number: numberName, next: nextName } as const;

const named =
  (g: Graph, names: Set<string>, nameOf: (name: string) => string) =>
  (name: string): Value => {
    names.add(name);
    return g.input(nameOf(name));
  };
const vectorsOf = (g: Graph, names: Set<string>) => named(g, names, vectorName);

/** Rows `from` to `to` − 1 of x [B, d], less b_dec where the encoder sees x − b_dec. */
export function inputOf(g: Graph, applyBDecToInput: boolean): { x: Value; input: Value } {
  const x = rowsOf(g, 'x');
  return { x, input: applyBDecToInput ? g.sub(x, g.input('b_dec')) : x };
}

const rowsOf = (g: Graph, name: string): Value =>
  g.op('Slice', [g.input(name), g.input('from', 'int64'), g.input('to', 'int64'), g.whole(0)]);

/** A group of features, its decoder rows, and what the reconstruction by it and those before it misses. */
interface Nested {
  f: Value;
  rows: Value;
  error: Value;
}

/** The reconstructions of nested groups (pass.ts), each upon that of the one before. @param out what is there before any feature */
function decode(g: Graph, f: Value, target: Value, out: Value, widths: readonly number[]): Nested[] {
  const W_dec = g.input('W_dec');
  return widths.map((last, l) => {
    const part = (of: Value, axis: number): Value =>
      widths.length === 1 ? of : g.slice(of, axis, l === 0 ? 0 : widths[l - 1], last);
    const own = { f: part(f, 1), rows: part(W_dec, 0) };
    out = g.gemm(own.f, own.rows, { c: out });
    return { ...own, error: g.sub(out, target) };
  });
}

/**
 * Gradients of the squared errors: a group gets those of all reconstructions that hold it. `toOut` is Σ dL/dx̂ of all;
 * `earlier` are gradients of the decoder that its own are added to.
 */
function decodeBack(
  g: Graph,
  groups: readonly Nested[],
  earlier: Value | undefined,
): { toOut: Value; toF: Value; toW_dec: Value } {
  const alone = groups.length === 1;
  const toF: Value[] = [];
  const toRows: Value[] = [];
  let toOut: Value | undefined;
  for (const { f, rows, error } of [...groups].reverse()) {
    const own = g.mul(error, g.input('2/B'));
    toOut = toOut ? g.add(toOut, own) : own;
    toF.unshift(g.gemm(toOut, rows, { transB: true }));
    toRows.unshift(g.gemm(f, toOut, { transA: true, ...(alone && earlier ? { c: earlier } : {}) }));
  }
  if (alone) return { toOut: toOut!, toF: toF[0], toW_dec: toRows[0] };
  const own = g.op('Concat', toRows, { axis: 0 });
  return { toOut: toOut!, toF: g.op('Concat', toF, { axis: 1 }), toW_dec: earlier ? g.add(own, earlier) : own };
}

const preActivations = (g: Graph, input: Value): Value =>
  g.gemm(input, g.input('W_encT'), { c: g.input('b_enc'), transB: true });

/** Pre-activations of rows, which stay on the device; of what a batch is selected by, the largest and how many are positive. */
export function preActivationProgram(training: DeviceTraining, applyBDecToInput: boolean): SelectionProgram {
  const vectors = new Set<string>();
  const build = () => {
    const g = new Graph();
    const z = preActivations(g, inputOf(g, applyBDecToInput).input);
    const order = training.ofBatch!.order({ g, z, vector: vectorsOf(g, vectors) });
    const positive = g.where(g.op('Greater', [order, g.number(0)]), g.number(1), g.number(0));
    return g.build({ z, largest: g.op('ReduceMax', [order, g.whole(-1)]), positive: g.sum(positive) });
  };
  build();
  return { key: `train z ${training.key} ${applyBDecToInput}`, build, vectors: [...vectors] };
}

/** 1 where `order` reaches the bound, with ties the first `room` [N, 1] of those of a row that equal it. */
function selection(g: Graph, order: Value, ties: boolean): Value {
  const bound = g.input(numberName('bound'));
  const [one, zero] = [g.number(1), g.number(0)];
  const reached = g.where(g.op('GreaterOrEqual', [order, bound]), one, zero);
  if (!ties) return reached;
  const above = g.where(g.op('Greater', [order, bound]), one, zero);
  const equal = g.sub(reached, above);
  const isIn = g.op('LessOrEqual', [g.op('CumSum', [equal, g.whole(1)]), g.input('room')]);
  return g.add(above, g.where(isIn, equal, zero));
}

/** How many of each row of pre-activations are selected by at least `bound`. */
export const countProgram = (training: DeviceTraining): Program => ({
  key: `train count ${training.key}`,
  build() {
    const g = new Graph();
    const order = training.ofBatch!.order({ g, z: g.input('z'), vector: vectorsOf(g, new Set()) });
    const isIn = g.op('GreaterOrEqual', [order, g.input(numberName('bound'))]);
    return g.build({ count: g.sum(g.where(isIn, g.number(1), g.number(0))) });
  },
});

/**
 * The gradients of a block. Inputs: x [B, d], y where it is predicted, from, to [1]; W_encT, W_dec [F, d], W_skip of a skip
 * connection; b_enc [F], b_dec [d]; 2/B; z [N, F] where it is known, with the bound and room [N, 1] of its selection; the
 * vectors and numbers of the architecture. Outputs: the gradients, with those of `more`; for the host `bias` [F]
 * (Σ dL/dz), `fired` [F] (how often), `toOut` [d] (Σ dL/dx̂), `squares` [N, 1] (‖x̂ − x‖²), of nested groups `inner` [N, 1]
 * (those of all but the last) and the sums of the architecture.
 */
export function blockProgram(training: DeviceTraining, shape: BlockShape): BlockProgram {
  const vectors = new Set<string>();
  const numbers = new Set<string>();
  const columns = ['bias', 'fired'];
  const rows = ['squares'];
  const note = (list: string[], of: Readonly<Record<string, Value>> = {}): Readonly<Record<string, Value>> => {
    for (const name of Object.keys(of)) if (!list.includes(name)) list.push(name);
    return of;
  };
  const build = () => {
    const g = new Graph();
    const { x, input } = inputOf(g, shape.applyBDecToInput);
    const z = training.ofBatch ? g.input('z') : preActivations(g, input);
    const block: StepBlock = {
      ...{ g, z, dead: shape.dead, dIn: shape.dIn },
      vector: vectorsOf(g, vectors),
      number: named(g, numbers, numberName),
      selected: (order) => selection(g, order, shape.ties),
    };
    const [W_dec, b_dec] = [g.input('W_dec'), g.input('b_dec')];
    const target = shape.target ? rowsOf(g, 'y') : x;
    const kept = (name: string): { c?: Value } => (shape.more ? { c: g.input(name) } : {});
    const fired = training.fire(block);
    const before = training.skip ? g.gemm(input, g.input('W_skip'), { c: b_dec, transB: true }) : b_dec;
    const groups = decode(g, fired.f, target, before, shape.widths);
    const { error } = groups.at(-1)!;
    const { toOut, toF, toW_dec } = decodeBack(g, groups, shape.more ? g.input('toW_dec') : undefined);
    const back = fired.back(toF);
    const again = fired.again?.({ error, target, W_dec, b_dec });
    const backAgain = again?.back(g.gemm(again.toOut, W_dec, { transB: true }));
    const toZ = backAgain ? g.add(back.toZ, backAgain.toZ) : back.toZ;
    const isFiring = g.op('Greater', [g.op('Abs', [fired.f]), g.number(0)]);
    const outOfAgain = again?.withBDec ? g.add(toOut, again.toOut) : toOut;
    const squares = groups.map((group) => g.sum(g.mul(group.error, group.error)));
    const inner = squares.slice(0, -1);
    return g.build({
      [nextName('toW_encT')]: g.gemm(toZ, input, { transA: true, ...kept('toW_encT') }),
      [nextName('toW_dec')]: again ? g.gemm(again.f, again.toOut, { transA: true, c: toW_dec }) : toW_dec,
      ...(training.skip ? { [nextName('toW_skip')]: g.gemm(toOut, input, { transA: true, ...kept('toW_skip') }) } : {}),
      bias: g.sum(toZ, 0, false),
      fired: g.sum(g.where(isFiring, g.number(1), g.number(0)), 0, false),
      toOut: g.sum(outOfAgain, 0, false),
      squares: squares.at(-1)!,
      ...note(rows, inner.length > 0 ? { inner: inner.reduce((a, b) => g.add(a, b)) } : {}),
      ...note(columns, back.columns),
      ...note(columns, backAgain?.columns),
      ...note(rows, back.rows),
      ...note(rows, backAgain?.rows),
    });
  };
  build(); // what it takes and gives
  const flags = JSON.stringify([shape, training.skip ?? false]);
  const lists = { vectors: [...vectors], numbers: [...numbers], columns, rows };
  return { key: `train block ${training.key} ${flags}`, build, ...lists };
}

/** 1 / ‖row‖ [F, 1], 0 of rows of norm 0. */
function inverseNorms(g: Graph, of: Value): Value {
  const norms = g.sqrt(g.sum(g.mul(of, of)));
  const isLong = g.op('Greater', [norms, g.number(0)]);
  return g.where(isLong, g.div(g.number(1), g.where(isLong, norms, g.number(1))), g.number(0));
}

/** Tied weights (architectures/tied.ts): the decoder, and ‖row‖² of it for the host. */
export const followProgram: Program = {
  key: 'train follow',
  build() {
    const g = new Graph();
    const W_encT = g.input('W_encT');
    const W_dec = g.mul(W_encT, inverseNorms(g, W_encT));
    return g.build({ [nextName('W_dec')]: W_dec, squares: g.sum(g.mul(W_dec, W_dec)) });
  },
};

/** What is left to do for the gradients of a batch. */
export interface FinishShape {
  /** `byPart` [F, parts] of W_dec is added to that of the decoder: its norms are in the loss. */
  norms: boolean;
  /** There are parts: `parts` [parts, d] is 1 in the columns of each. */
  parts: boolean;
  /** Only weights where `open` [F, parts] is 1 have a gradient. */
  open: boolean;
  /** The decoder's passes to the encoder, (G − (G·ŵ) ŵ) / ‖w‖. */
  tied: boolean;
  /** The encoder sees x − b_dec: `toInput` [1, d] is bias [1, F] · W_encT. */
  input: boolean;
  /** Those that have a gradient. */
  matrices: readonly string[];
}

/** The gradients complete; those that change stay. For the host Σ g² of each row of each, and toInput. */
export const finishProgram = ({ norms, parts, open, tied, input, matrices }: FinishShape): Program => ({
  key: `train finish ${norms} ${parts} ${open} ${tied} ${input} ${matrices.join()}`,
  build() {
    const g = new Graph();
    const to = Object.fromEntries(matrices.map((name) => [name, g.input(`to${name}`)]));
    // Each sum has one term that is not 0: it is exact.
    const overColumns = (name: string): Value => (parts ? g.matMul(g.input(name), g.input('parts')) : g.input(name));
    if (norms) to.W_dec = g.add(to.W_dec, g.mul(g.input('W_dec'), overColumns('byPart')));
    if (open) for (const name of ['W_encT', 'W_dec']) to[name] = g.mul(to[name], overColumns('open'));
    if (tied) {
      const [W_encT, W_dec] = [g.input('W_encT'), g.input('W_dec')];
      const across = g.sub(to.W_dec, g.mul(g.sum(g.mul(to.W_dec, W_dec)), W_dec));
      to.W_encT = g.add(to.W_encT, g.mul(across, inverseNorms(g, W_encT)));
    }
    return g.build({
      ...Object.fromEntries(matrices.map((name) => [`of${name}`, g.sum(g.mul(to[name], to[name]))])),
      ...(norms || open ? { [nextName('toW_dec')]: to.W_dec } : {}),
      ...(tied || open ? { [nextName('toW_encT')]: to.W_encT } : {}),
      ...(input ? { toInput: g.gemm(g.input('bias'), g.input('W_encT')) } : {}),
    });
  },
});

/** Σ p² of each part of each row [F, parts]. */
function squaresOf(g: Graph, p: Value, offsets: readonly number[] = []): Value {
  const squares = g.mul(p, p);
  if (offsets.length <= 2) return g.sum(squares);
  const parts = offsets.slice(1).map((end, m) => g.sum(g.slice(squares, 1, offsets[m], end)));
  return g.op('Concat', parts, { axis: 1 });
}

/** Σ p² of each part of each row [F, parts], with the bits that an update gives. */
export const squaresProgram = (offsets?: readonly number[]): Program => ({
  key: `train squares ${offsets?.join() ?? ''}`,
  build() {
    const g = new Graph();
    return g.build({ squares: squaresOf(g, g.input('p'), offsets) });
  },
});

/** What an update depends on besides Adam. */
export interface UpdateShape {
  /** Where the parts of rows begin whose squares are asked for. */
  offsets?: readonly number[];
  /** Rows are held near those of `near`, their start. */
  near?: boolean;
}

/** Adam of one matrix: p, m, v and the gradient; `rate`, `correction` and `clip` [1] as adamUpdate has them. */
export const updateProgram = ({ beta1, beta2, eps }: AdamOptions, { offsets, near }: UpdateShape): Program => ({
  key: `train update ${beta1} ${beta2} ${eps} ${offsets?.join() ?? ''} ${near ?? false}`,
  build() {
    const g = new Graph();
    const gradient = g.mul(g.input('gradient'), g.input('clip'));
    const keep = (beta: number, old: Value, value: Value): Value =>
      g.add(g.mul(old, g.number(beta)), g.mul(value, g.number(1 - beta)));
    const m = keep(beta1, g.input('m'), gradient);
    const v = keep(beta2, g.input('v'), g.mul(gradient, gradient));
    const root = g.add(g.mul(g.sqrt(v), g.input('correction')), g.number(eps));
    const moved = g.sub(g.input('p'), g.div(g.mul(m, g.input('rate')), root));
    const p = near ? heldNear(g, moved, g.input('near')) : moved;
    const next = { [nextName('p')]: p, [nextName('m')]: m, [nextName('v')]: v };
    return g.build({ ...next, squares: squaresOf(g, p, offsets) });
  },
});
