/**
 * Matching pursuit (pursuit.ts) and the way back through its steps (architectures/matchingPursuit.ts) as graphs, a step each.
 * What is left of the rows stays on the device; which feature each took and with what value comes to the host, which says
 * who goes on.
 */
import { Graph, type Value } from '../compute/graphs/graph.js';
import type { Program } from '../compute/graphs/host.js';
import { feedNames, inputOf } from './stepGraph.js';

/** Rows of W_dec by number. */
const rowsAt = (g: Graph, from: Value, at: Value): Value => g.op('Gather', [from, at], { axis: 0 });
const places = (g: Graph): Value => g.input('places', 'int32');
const isPositive = (g: Graph, of: Value): Value => g.op('Greater', [of, g.number(0)]);

/** x̃ of a block. */
export const beginProgram: Program = {
  key: 'pursuit begin',
  build() {
    const g = new Graph();
    return g.build({ [feedNames.next('left')]: inputOf(g, true).input });
  },
};

/** The next feature of each row, where `active` [N, 1] is 1: its number `at` [N], `value` [N, 1], ‖left‖² [N, 1]. */
export const takeProgram: Program = {
  key: 'pursuit take',
  build() {
    const g = new Graph();
    const [left, W_dec] = [g.input('left'), g.input('W_dec')];
    const scores = g.gemm(left, W_dec, { transB: true });
    const at = g.op('ArgMax', [scores], { axis: 1, keepdims: 0 });
    const best = g.op('Relu', [g.op('ReduceMax', [scores, g.whole(1)])]);
    const value = g.where(isPositive(g, g.input('active')), best, g.number(0));
    const rest = g.sub(left, g.mul(value, rowsAt(g, W_dec, at)));
    return g.build({ [feedNames.next('left')]: rest, at, value, square: g.sum(g.mul(rest, rest)) }, { at: 'int64' });
  },
};

/** What is left of the rows at `places` alone. */
export const goOnProgram: Program = {
  key: 'pursuit go on',
  build() {
    const g = new Graph();
    return g.build({ [feedNames.next('left')]: rowsAt(g, g.input('left'), places(g)) });
  },
};

/** A gradient of zeros in the form of W_dec. */
export const zeroProgram: Program = {
  key: 'pursuit zero',
  build() {
    const g = new Graph();
    const W_dec = g.input('W_dec');
    return g.build({ [feedNames.next('toW_dec')]: g.sub(W_dec, W_dec) });
  },
};

/**
 * Where the way back through some rows begins: e = dL/dx̂ and h. Of rows that went on (`on` [N, 1]) they are those of `e`
 * and `h` at `places`.
 */
export const turnProgram = (some: boolean): Program => ({
  key: `pursuit turn ${some}`,
  build() {
    const g = new Graph();
    const left = g.input('left');
    // What was left in the end is x − x̂.
    const own = g.mul(left, g.sub(g.number(0), g.input('2/B')));
    const none = g.sub(left, left);
    const after = (name: string, before: Value): Value =>
      some ? g.where(isPositive(g, g.input('on')), rowsAt(g, g.input(name), places(g)), before) : before;
    return g.build({ [feedNames.next('e')]: after('e', own), [feedNames.next('h')]: after('h', none) });
  },
});

/**
 * Back through one step: r and h before it, and what it adds to the gradient of W_dec. `places` [N] are the features that
 * were taken, `which` [N, 1] the same as numbers to compare with `all` [1, F], `value` [N, 1] is 0 where none was.
 */
export const backProgram: Program = {
  key: 'pursuit back',
  build() {
    const g = new Graph();
    const [h, value] = [g.input('h'), g.input('value')];
    const w = rowsAt(g, g.input('W_dec'), places(g));
    const before = g.add(g.input('left'), g.mul(value, w));
    const e = g.sub(g.input('e'), h);
    const toValue = g.where(isPositive(g, value), g.sum(g.mul(e, w)), g.number(0));
    const toRow = g.add(g.mul(value, e), g.mul(toValue, before));
    // A product sums the rows of a feature in one order, which atomic additions would not.
    const taken = g.where(g.op('Equal', [g.input('which'), g.input('all')]), g.number(1), g.number(0));
    return g.build({
      [feedNames.next('toW_dec')]: g.gemm(taken, toRow, { transA: true, c: g.input('toW_dec') }),
      [feedNames.next('h')]: g.add(h, g.mul(toValue, w)),
      [feedNames.next('left')]: before,
    });
  },
};

/** Σ e − h_0 over the rows: the gradient of b_dec. */
export const endProgram: Program = {
  key: 'pursuit end',
  build() {
    const g = new Graph();
    return g.build({ toOut: g.sum(g.sub(g.input('e'), g.input('h')), 0, false) });
  },
};
