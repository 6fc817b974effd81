/**
 * How a value was made, so that another process can make it again: a tree of calls of `fg` with plain data at its
 * leaves. Where a result was kept, making it again loads it.
 */
import { types } from 'node:util';
import type { Json } from '../../protocol/notebook.js';
import { fromPlainJson, plainJson } from '../../protocol/objects.js';
import { canonicalJson } from '../io/hash.js';

/**
 * A call of `fg`. In its arguments { $made: Recipe } stands for a value that a call made, { $verb: name } for a verb
 * itself.
 */
export interface Recipe {
  readonly call: string;
  readonly args: readonly Json[];
}

/** A value cannot be made again in another process; the message names it and says why. */
export class NoRecipe extends Error {}

/** Arguments longer than this, as JSON, hold data that belongs into a file. */
const MOST_CHARACTERS = 1 << 20;
/** Options that concern only the caller and are left out. */
const CALLERS = new Set(['signal', 'onProgress', 'fresh', 'cluster']);

const made = new WeakMap<object, Recipe | NoRecipe>();
const verbs = new WeakMap<object, { name: string; keeps: boolean }>();

/** Remembers which call made a value. Plain data among its arguments is written down at once: it may change later. */
export function noteMade(value: unknown, call: string, given: readonly unknown[]): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    made.set(value, recipeOf(call, given));
  } catch (error) {
    if (!(error instanceof NoRecipe)) throw error;
    made.set(value, error);
  }
}

/** Remembers the name of a bound verb, and whether its results are kept, so that the same call loads them. */
export function noteVerb(bound: object, name: string, keeps: boolean): void {
  verbs.set(bound, { name, keeps });
}

/** The name of a bound verb; undefined for any other function. */
export const verbOf = (bound: object): { name: string; keeps: boolean } | undefined => verbs.get(bound);

/** The recipe of a call. @throws NoRecipe that names the argument */
export function recipeOf(call: string, given: readonly unknown[]): Recipe {
  const args = given.map((arg, i) => plain(arg, `argument ${i + 1} of ${call}`, true));
  while (args.length > 0 && args.at(-1) === null && given[args.length - 1] === undefined) args.pop();
  const recipe = { call, args };
  if (JSON.stringify(recipe).length > MOST_CHARACTERS)
    throw new NoRecipe(`${call} was given more data than a plan holds; keep it in a file that its cell loads`);
  return recipe;
}

function plain(value: unknown, at: string, outermost = false): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (value === undefined) return null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value === 'function') {
    const name = verbs.get(value)?.name;
    if (name === undefined) throw new NoRecipe(`${at} is a function, which another process does not have`);
    return { $verb: name };
  }
  if (typeof value !== 'object') throw new NoRecipe(`${at} is a ${typeof value}, which another process does not have`);
  const how = made.get(value);
  if (how instanceof NoRecipe) throw new NoRecipe(`${at} cannot be made again by another process: ${how.message}`);
  if (how) return { $made: plainJson(how) };
  if (Array.isArray(value)) return value.map((v, i) => plain(v, `${at}[${i}]`));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (types.isProxy(value) || (prototype !== null && prototype !== Object.prototype))
    throw new NoRecipe(`${at} is a ${value.constructor?.name ?? 'value'} that no call of fg made: another process does not have it`); // prettier-ignore
  const entries = Object.entries(value).filter(([key, v]) => v !== undefined && !(outermost && CALLERS.has(key)));
  return Object.fromEntries(entries.map(([key, v]) => [key, plain(v, `${at}.${key}`)]));
}

type Verbs = (name: string) => (...given: unknown[]) => unknown;

/**
 * Makes the arguments of a recipe's call again. Equal recipes are made once, so that one value stays one value.
 * @param bound a bound verb by its name, such as "fg.models.load"
 */
export async function argumentsOf(recipe: Recipe, bound: Verbs): Promise<unknown[]> {
  const known = new Map<string, Promise<unknown>>();
  const value = async (json: Json): Promise<unknown> => {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return inTurn(json, value);
    if (typeof json.$number === 'string') return Number(json.$number);
    if (typeof json.$verb === 'string') return bound(json.$verb);
    if (typeof json.$made === 'object') return madeAgain(fromPlainJson<Recipe>(json.$made));
    const values = await inTurn(Object.values(json), value);
    return Object.fromEntries(Object.keys(json).map((key, i) => [key, values[i]]));
  };
  const madeAgain = (of: Recipe): Promise<unknown> => {
    const name = canonicalJson(of);
    const again = known.get(name) ?? inTurn(of.args, value).then((args) => bound(of.call)(...args));
    known.set(name, again);
    return again;
  };
  return inTurn(recipe.args, value);
}

async function inTurn<S, T>(items: readonly S[], each: (item: S) => Promise<T>): Promise<T[]> {
  const out: T[] = [];
  for (const item of items) out.push(await each(item));
  return out;
}
