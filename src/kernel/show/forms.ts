/** How things are told apart that fg.show draws. */
import { DISPLAY } from '../present/items.js';

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

export const showsItself = (x: object): boolean => DISPLAY in x;
