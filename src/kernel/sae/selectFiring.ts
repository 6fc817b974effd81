/** Which features fire in a block of pre-activations. */
import { entriesBy, type RowEntries, type RowRule } from '../compute/entries/firing.js';
import type { Firing } from './architectures/training.js';
import { batchTopKEntries } from './batchTopK.js';
import type { Block } from './block.js';

/** The `count` largest of the whole batch; the least value that fires is told. */
export interface BatchRule {
  readonly kind: 'batch';
  readonly count: number;
  tell(least: number): void;
}

/** Which features fire of pre-activations times `scale`, where one rule says it. */
export type FiringRule = Exclude<RowRule, { kind: 'above' | 'touched' }> | BatchRule;

/** Which features of a block fire by a rule; values have `scale` divided out. */
export function firingBy(rule: FiringRule, block: Block, scale: Float64Array | undefined): Firing {
  switch (rule.kind) {
    case 'largest': {
      const entries = entriesBy(rule, block.memory, block.rows, scale, block.rows * rule.k);
      return { count: entries.indptr[block.rows], entries };
    }
    case 'positive':
      return { count: rectify(block) };
    case 'jump':
      return selectJump(block, rule.theta, rule.band);
    case 'batch': {
      const { entries, least } = batchTopKEntries(block, rule.count, scale);
      return { count: entries.values.length, entries, least };
    }
  }
}

/** ReLU of a block in place; returns how many entries are not 0. NaN stays, so that the loss shows it. */
export const rectify = ({ memory, z }: Block): number => memory.rectify(z.length);

/** Features over block.z: z where it is above θ, −0 where it is below by less than the band, else +0. */
function selectJump({ z }: Block, theta: Float64Array, band: number): Firing {
  let count = 0;
  for (let at = 0; at < z.length;) {
    for (let f = 0; f < theta.length; f++, at++) {
      const value = z[at];
      if (value > theta[f]) count++;
      else if (value > theta[f] - band) {
        z[at] = -0;
        count++;
      } else if (value <= theta[f]) z[at] = 0;
      else count++; // NaN stays, so that the loss shows it
    }
  }
  return { count };
}

/**
 * Whether gradients pass an entry: all but +0 do. −0 stands for a feature that does not fire and still has a gradient, as
 * one just below the threshold of a JumpReLU has; it decodes to nothing.
 */
export const touched = (value: number): boolean => !Object.is(value, 0);

/** The touched entries of a block of features. */
export const touchedEntries = ({ memory, rows }: Block, count: number): RowEntries =>
  entriesBy({ kind: 'touched' }, memory, rows, undefined, count);

/** Writes entries over block.z: features where they fire, zero elsewhere. */
export function scatterEntries(entries: RowEntries, z: Float32Array, dSae: number): void {
  z.fill(0);
  for (let i = 0; i < entries.rows; i++) {
    for (let e = entries.indptr[i]; e < entries.indptr[i + 1]; e++)
      z[i * dSae + entries.features[e]] = entries.values[e];
  }
}
