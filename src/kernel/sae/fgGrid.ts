/** fg.sae.grid: options of a sweep. */
import { anything } from '../verb/common.js';
import { written } from '../verb/option.js';
import { syncVerb } from '../verb/verb.js';

/** Options of fg.sae.train, each with one value, or with an array of values to sweep over. */
export type SweepOptions = Readonly<Record<string, unknown>>;

/** Options that are arrays themselves, so that they cannot be swept over. */
const LISTS = new Set(['ignoreTokens']);
/** A larger grid is a mistake more often than a plan. */
const MOST = 1000;

export const grid = syncVerb({
  doc: 'The list of options of a sweep, for fg.sae.train: one object for every combination of the values that are given as arrays, the last of them changing fastest. `fg.sae.train(model, text, fg.sae.grid({ hook, k: [8, 16, 32], seed: [0, 1, 2] }))` trains nine SAEs on one pass.',
  args: [anything<SweepOptions>('options', 'Options of fg.sae.train; an array of values is swept over.')],
  errors: ['Empty arrays, and more than 1,000 combinations, are refused.'],
  run(_, options): Array<Record<string, unknown> & { hook: string }> {
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      throw new TypeError(`fg.sae.grid: options is ${written(options)}; expected an object of options`);
    let found: Array<Record<string, unknown>> = [{}];
    for (const [name, of] of Object.entries(options)) {
      const values: unknown[] = Array.isArray(of) && !LISTS.has(name) ? of : [of];
      if (values.length === 0) throw new RangeError(`fg.sae.grid: ${name} has no values; leave it out, or give one`);
      if (found.length * values.length > MOST)
        throw new RangeError(`fg.sae.grid: ${found.length * values.length} combinations; expected at most ${MOST}`);
      found = found.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
    }
    // The hook is checked, as all options are, by fg.sae.train.
    return found as Array<Record<string, unknown> & { hook: string }>;
  },
});
