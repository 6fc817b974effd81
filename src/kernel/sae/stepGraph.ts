/**
 * A training step (step.ts) as graphs. Weights, moments and gradients [F, d] stay on the device:
 *
 *   block    rows of the batch → gradients of both matrices, added to those of the blocks before; sums for the host
 *   finish   what is left when the sums are known: the decoder's norms, the input's − b_dec; Σ g² of each row
 *   update   Adam (adam.ts) of one matrix
 */
import { Graph, type Value } from '../compute/graphs/graph.js';
import type { Program } from '../compute/graphs/host.js';
import type { AdamOptions } from './adam.js';
import type { Dead, DeviceTraining, StepBlock } from './architectures/trainingOnDevice.js';

/** What a block's graph depends on besides its architecture. */
export interface BlockShape {
  dIn: number;
  applyBDecToInput: boolean;
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
function inputOf(g: Graph, applyBDecToInput: boolean): { x: Value; input: Value } {
  const x = g.op('Slice', [g.input('x'), g.input('from', 'int64'), g.input('to', 'int64'), g.whole(0)]);
  return { x, input: applyBDecToInput ? g.sub(x, g.input('b_dec')) : x };
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
 * The gradients of a block. Inputs: x [B, d], from, to [1]; W_encT, W_dec [F, d]; b_enc [F], b_dec [d]; 2/B; z [N, F]
 * where it is known, with the bound and room [N, 1] of
 * its selection; the vectors and numbers of the architecture. Outputs: the gradients, with those of `more`; for the
 * host `bias` [F] (Σ dL/dz), `fired` [F] (how often), `toOut` [d] (Σ dL/dx̂), `squares` [N, 1] (‖x̂ − x‖²) and the sums
 * of the architecture.
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
    const fired = training.fire(block);
    const error = g.sub(g.gemm(fired.f, W_dec, { c: b_dec }), x);
    const toOut = g.mul(error, g.input('2/B'));
    const back = fired.back(g.gemm(toOut, W_dec, { transB: true }));
    const again = fired.again?.({ error, W_dec, b_dec });
    const toZ = again ? g.add(back.toZ, again.back(g.gemm(again.toOut, W_dec, { transB: true }))) : back.toZ;
    const kept = (name: string): { c?: Value } => (shape.more ? { c: g.input(name) } : {});
    const toW_dec = g.gemm(fired.f, toOut, { transA: true, ...kept('toW_dec') });
    const isFiring = g.op('Greater', [g.op('Abs', [fired.f]), g.number(0)]);
    const outOfAgain = again?.withBDec ? g.add(toOut, again.toOut) : toOut;
    return g.build({
      [nextName('toW_encT')]: g.gemm(toZ, input, { transA: true, ...kept('toW_encT') }),
      [nextName('toW_dec')]: again ? g.gemm(again.f, again.toOut, { transA: true, c: toW_dec }) : toW_dec,
      bias: g.sum(toZ, 0, false),
      fired: g.sum(g.where(isFiring, g.number(1), g.number(0)), 0, false),
      toOut: g.sum(outOfAgain, 0, false),
      squares: g.sum(g.mul(error, error)),
      ...note(columns, back.columns),
      ...note(columns, again?.columns),
      ...note(rows, back.rows),
      ...note(rows, again?.rows),
    });
  };
  build(); // what it takes and gives
  const flags = [shape.dIn, shape.applyBDecToInput, shape.dead, shape.more, shape.ties].join(' ');
  const lists = { vectors: [...vectors], numbers: [...numbers], columns, rows };
  return { key: `train block ${training.key} ${flags}`, build, ...lists };
}

/**
 * The gradients complete: `byRow` [F, 1] · W_dec is added to that of the decoder where its norms are in the loss. For the
 * host Σ g² of each row [F, 1] of both, and `toInput` [1, d], bias [1, F] · W_encT, where the encoder sees x − b_dec.
 */
export const finishProgram = (withNorms: boolean, applyBDecToInput: boolean): Program => ({
  key: `train finish ${withNorms} ${applyBDecToInput}`,
  build() {
    const g = new Graph();
    const [toW_encT, given] = [g.input('toW_encT'), g.input('toW_dec')];
    const toW_dec = withNorms ? g.add(given, g.mul(g.input('W_dec'), g.input('byRow'))) : given;
    const squares = (of: Value): Value => g.sum(g.mul(of, of));
    return g.build({
      ofW_encT: squares(toW_encT),
      ofW_dec: squares(toW_dec),
      ...(withNorms ? { [nextName('toW_dec')]: toW_dec } : {}),
      ...(applyBDecToInput ? { toInput: g.gemm(g.input('bias'), g.input('W_encT')) } : {}),
    });
  },
});

/** Σ p² of each row [F, 1], with the bits that an update gives. */
export const squaresProgram: Program = {
  key: 'train squares',
  build() {
    const g = new Graph();
    const p = g.input('p');
    return g.build({ squares: g.sum(g.mul(p, p)) });
  },
};

/** Adam of one matrix: p, m, v and the gradient; `rate`, `correction` and `clip` [1] as adamUpdate has them. */
export const updateProgram = ({ beta1, beta2, eps }: AdamOptions): Program => ({
  key: `train update ${beta1} ${beta2} ${eps}`,
  build() {
    const g = new Graph();
    const gradient = g.mul(g.input('gradient'), g.input('clip'));
    const keep = (beta: number, old: Value, value: Value): Value =>
      g.add(g.mul(old, g.number(beta)), g.mul(value, g.number(1 - beta)));
    const m = keep(beta1, g.input('m'), gradient);
    const v = keep(beta2, g.input('v'), g.mul(gradient, gradient));
    const root = g.add(g.mul(g.sqrt(v), g.input('correction')), g.number(eps));
    const p = g.sub(g.input('p'), g.div(g.mul(m, g.input('rate')), root));
    const next = { [nextName('p')]: p, [nextName('m')]: m, [nextName('v')]: v };
    return g.build({ ...next, squares: g.sum(g.mul(p, p)) });
  },
});
