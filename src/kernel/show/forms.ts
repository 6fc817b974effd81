/** Tests by which fg.show recognises what it was given. */
import { DISPLAY } from '../present/items.js';

/** Is an object, as results of fg are. */
export const isThing = (v: unknown): boolean => typeof v === 'object' && v !== null;

/** Has these members. */
export const has =
  (...names: readonly string[]) =>
  (x: object): boolean =>
    names.every((name) => name in x);

/** Is an array of at least one, and of these alone. */
export const each =
  (is: (x: object) => boolean) =>
  (x: unknown): boolean =>
    Array.isArray(x) && x.length > 0 && x.every((one) => typeof one === 'object' && one !== null && is(one as object));

/** Has a display method of its own, as results of fg have. */
export const showsItself = (x: object): boolean => DISPLAY in x;

export const isLayout = has('coordinates', 'points', 'method');
export const isSae = has('W_enc', 'W_dec', 'config', 'encode');
