/** Names for the contents of a pickle: nested dicts and lists, with tensors or arrays as leaves. */
import { clip } from '../../protocol/clip.js';
import { scalarText } from './torchPickle.js';

/** Values in a pickle besides tensors, under the same dotted names. */
export type PickledScalar = string | number | bigint | boolean | null;

const MAX_VALUES = 1_000_000;
/** Limit for all names together. */
const MAX_NAME_CHARACTERS = 64 << 20;
const MAX_DEPTH = 32;

/** Names every leaf and scalar of nested dicts and lists: keys and indices joined by "."; a bare leaf is "tensor". */
export function nameValues<T>(
  path: string,
  root: unknown,
  isLeaf: (value: unknown) => value is T,
  leaves: Map<string, T>,
  scalars: Map<string, PickledScalar>,
): void {
  let visited = 0;
  let characters = 0;
  const visit = (value: unknown, name: string, depth: number): void => {
    // Pickles may share a container or nest it in itself: a small file could then have endlessly many names.
    if (++visited > MAX_VALUES || depth > MAX_DEPTH)
      throw new Error(`${path}: the checkpoint is nested too deeply or has over ${MAX_VALUES} values`);
    characters += name.length;
    if (characters > MAX_NAME_CHARACTERS) throw new Error(`${path}: the names in the checkpoint are too long`);
    const below = (key: unknown): string => {
      const own = typeof key === 'boolean' || key === null ? String(key) : scalarText(key, 'the name of a value', path);
      return name === '' ? own : `${name}.${own}`;
    };
    if (isLeaf(value)) {
      const known = name === '' ? 'tensor' : name;
      if (leaves.has(known)) throw new Error(`${path}: the checkpoint has "${clip(known)}" twice`);
      leaves.set(known, value);
    } else if (value instanceof Map) {
      for (const [key, item] of value) visit(item, below(key), depth + 1);
    } else if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) visit(value[i], below(i), depth + 1);
    } else if (value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)) {
      scalars.set(name, value as PickledScalar);
    }
  };
  visit(root, '', 0);
}
