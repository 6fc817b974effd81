/** Einstein sums lowered to transpositions, sums and one batched matrix product per pair of operands. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tf } from './tf.js';

/** Splits "ij,jk->ik" into its terms. @throws Error on equations that are not supported */
export function parseEinsum(equation: string, operands: number): { inputs: string[]; output: string } {
  const [left, right, ...more] = equation.replace(/\s/g, '').split('->');
  const inputs = left.split(',');
  const wrong = (why: string): Error => new Error(`einsum "${equation}": ${why}`);
  if (right === undefined || more.length > 0) throw wrong('write the output too, as in "ij,jk->ik"');
  if (inputs.length !== operands) throw wrong(`names ${inputs.length} operands but got ${operands}`);
  for (const term of [...inputs, right]) {
    if (!/^[A-Za-z]*$/.test(term)) throw wrong(`"${term}" has something other than letters`);
    if (new Set(term).size !== term.length) throw wrong(`"${term}" repeats an index, which is not supported`);
  }
  for (const letter of right) if (!left.includes(letter)) throw wrong(`index ${letter} of the output is in no operand`);
  return { inputs, output: right };
}

interface Term {
  t: Tensor;
  indices: string;
}

/** Sums away the indices that are not kept and puts the rest in the order of `kept`. */
function reduceTo({ t, indices }: Term, kept: string): Term {
  const axes = [...indices].flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  const summed = axes.length > 0 ? tf.sum(t, axes) : t;
  const rest = [...indices].filter((letter) => kept.includes(letter)).join('');
  const order = [...kept].filter((letter) => rest.includes(letter));
  const permutation = order.map((letter) => rest.indexOf(letter));
  const ordered = permutation.every((p, i) => p === i) ? summed : tf.transpose(summed, permutation);
  return { t: ordered, indices: order.join('') };
}

/** Contracts two terms, keeping the indices that `needed` names. */
function contract(a: Term, b: Term, needed: string): Term {
  const sizes = new Map<string, number>();
  for (const { t, indices } of [a, b]) {
    for (const [axis, letter] of [...indices].entries()) {
      const size = sizes.get(letter) ?? t.shape[axis];
      if (size !== t.shape[axis]) throw new Error(`einsum: index ${letter} has sizes ${size} and ${t.shape[axis]}`);
      sizes.set(letter, size);
    }
  }
  const both = [...a.indices].filter((letter) => b.indices.includes(letter));
  const batch = both.filter((letter) => needed.includes(letter)).join('');
  const inner = both.filter((letter) => !needed.includes(letter)).join('');
  const only = (x: Term, y: Term): string =>
    [...x.indices].filter((letter) => !y.indices.includes(letter) && needed.includes(letter)).join('');
  const [rows, cols] = [only(a, b), only(b, a)];
  const size = (letters: string): number => [...letters].reduce((p, letter) => p * sizes.get(letter)!, 1);
  const left = reduceTo(a, batch + rows + inner).t.reshape([size(batch), size(rows), size(inner)]);
  const right = reduceTo(b, batch + inner + cols).t.reshape([size(batch), size(inner), size(cols)]);
  const indices = batch + rows + cols;
  const product = tf.matMul(left, right).reshape([...indices].map((letter) => sizes.get(letter)!));
  return { t: product, indices };
}

/** The sum that `equation` names; letters only, the output written out, no index twice in one term. */
export function einsum(equation: string, operands: readonly Tensor[]): Tensor {
  const { inputs, output } = parseEinsum(equation, operands.length);
  const terms = inputs.map((indices, i): Term => {
    const t = operands[i];
    if (t.shape.length !== indices.length) {
      throw new Error(`einsum "${equation}": operand ${i} has shape [${t.shape}], not ${indices.length} dimensions`);
    }
    return { t, indices };
  });
  let done = terms[0];
  for (let i = 1; i < terms.length; i++) {
    const later = terms.slice(i + 1).map((term) => term.indices);
    done = contract(done, terms[i], later.join('') + output);
  }
  const result = reduceTo(done, output).t;
  // A term that needed nothing is the operand itself; kernels must not return their input.
  return result === terms[0].t ? result.clone() : result;
}
