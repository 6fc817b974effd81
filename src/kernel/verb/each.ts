/** fg.cluster.each: several calls of one verb as the pieces of one call that splits. */
import { maxOf } from '../../protocol/lists.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { anything, CALL, type Arg } from './common.js';
import { recipeOf, verbOf } from './recipe.js';
import { CLUSTER, memoryOfCall } from './split.js';
import { verb } from './verb.js';

/** A verb of fg. */
export type VerbCall = (...given: never[]) => unknown;

/** A verb as an argument. */
export const callArg: Arg<VerbCall> = {
  ...anything<VerbCall>('call', 'A verb, such as fg.activations.save; not a call of it.'),
  parse(value, at) {
    if (typeof value !== 'function' || !verbOf(value))
      throw new TypeError(`${at} is ${typeof value === 'function' ? 'no verb of fg' : `a ${typeof value}`}; give a verb itself, such as fg.activations.save, and its arguments behind it`); // prettier-ignore
    return value as VerbCall;
  },
};

/** A list as an argument. */
export const listOfArgs = (name: string, doc: string): Arg<readonly unknown[]> => ({
  ...anything<readonly unknown[]>(name, doc),
  parse(value, at) {
    if (!Array.isArray(value)) throw new TypeError(`${at} is a ${typeof value}; expected an array`);
    return value as readonly unknown[];
  },
});

export const each = verb({
  doc: 'The same verb with several lists of arguments: seeds, widths, layers, worlds. Each call is a piece; results are kept by the verb itself and come in the order of the lists.',
  args: [callArg, listOfArgs('list', 'Lists of arguments, one a call, options last.')],
  options: { ...CLUSTER, ...CALL },
  errors: [
    'A verb that keeps nothing is refused: what a task makes would be lost.',
    '{ fresh: true } in a list of arguments is refused.',
  ],
  kinds: ['calls'],
  check(_, call, all) {
    const { name, keeps } = verbOf(call)!;
    if (!keeps) throw new TypeError(`fg.cluster.each: ${name} keeps nothing; use a verb whose results are kept`);
    if (all.length === 0) throw new RangeError('fg.cluster.each: the list is empty');
    const odd = all.findIndex((args) => !Array.isArray(args));
    if (odd >= 0) throw new TypeError(`fg.cluster.each: list[${odd}] is no array of arguments`);
    const anew = all.findIndex((args) => (args as Array<{ fresh?: unknown } | null>).at?.(-1)?.fresh === true);
    if (anew >= 0)
      throw new TypeError(
        `fg.cluster.each: list[${anew}] says { fresh: true }, but results are loaded once they are made; delete the kept result (fg.artifacts.prune) and leave it out`,
      );
  },
  async run({ call: own, remember }, call, all): Promise<unknown[]> {
    const one = (args: unknown): Promise<unknown> =>
      Promise.resolve((call as (...given: unknown[]) => unknown)(...(args as unknown[])));
    const made = new Map<number, unknown>();
    for (const [i, args] of all.entries()) {
      own.onProgress({ label: `calls of ${verbOf(call)!.name}`, done: i, total: all.length, unit: 'calls' });
      // What is made here is not loaded, nor shown, once more.
      await remember(`call ${i}`, () => one(args).then((result) => (made.set(i, result), null)));
    }
    const results: unknown[] = [];
    for (const [i, args] of all.entries()) results.push(made.has(i) ? made.get(i) : await one(args));
    return results;
  },
  split: {
    unit: 'calls',
    version: 1,
    async pieces(_, call, all) {
      const memory = await Promise.all(all.map((args) => memoryOfCall(call, args as unknown[])));
      return {
        pieces: all.map((_args, i) => `call ${i}`),
        work: { amount: all.length, unit: `calls of ${verbOf(call)!.name}` },
        memory: maxOf(memory),
        disk: 4096 * all.length,
      };
    },
    key: (_, call, all) => ({
      kind: 'calls',
      parameters: { calls: sha256(all.map((args) => canonicalJson(recipeOf(verbOf(call)!.name, args as unknown[])))) },
      inputs: {},
      codeVersion: 1,
    }),
  },
});
