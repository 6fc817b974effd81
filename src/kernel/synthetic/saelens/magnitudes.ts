/** Magnitudes of features as a config of SAELens's SyntheticModel names them: numbers, or laws over the features. */
import { isRecord } from '../../../protocol/objects.js';
import { listed } from '../../../protocol/clip.js';
import { torchNormals } from './torchNormals.js';

/** Reads a law's own fields by name; what is not a finite number, or missing without `usual`, is refused. */
type Field = (name: string, usual?: number) => number;

const LAWS: Readonly<Record<string, { fields: readonly string[]; at: LawAt }>> = {
  constant: { fields: ['value'], at: (field) => () => field('value', 1) },
  linear: {
    fields: ['start', 'end'],
    at: (field) => (share) => field('start') + (field('end') - field('start')) * share,
  },
  exponential: {
    fields: ['start', 'end'],
    at: (field) => (share) => field('start') * (field('end') / field('start')) ** share,
  },
  folded_normal: {
    fields: ['mean', 'std', 'min_value', 'max_value', 'seed'],
    at: (field, { count, seed }) => {
      const normals = torchNormals(count, field('seed', seed));
      const [mean, std] = [Math.fround(field('mean', 0)), Math.fround(field('std', 0.1))];
      const [least, most] = [field('min_value', 0), field('max_value', Infinity)];
      return (_, i) => Math.min(most, Math.max(least, Math.abs(mean + normals[i] * std)));
    },
  },
};

/** Value of feature i, which stands at `share` (0 to 1) of the way from the first to the last. */
type LawAt = (field: Field, of: { count: number; seed: number }) => (share: number, i: number) => number;

/**
 * [count] values of `given`, the config's field `name`. `seed` draws those of a law that is random and names none itself.
 * @throws Error for laws and fields that are not known, and for values below 0
 */
export function magnitudesOfConfig(
  given: unknown,
  { name, path, count, seed }: { name: string; path: string; count: number; seed: number },
): Float64Array {
  const fail = (why: string): Error => new Error(`${path}: ${name} ${why}`);
  const checked = (values: Float64Array): Float64Array => {
    const bad = values.findIndex((v) => !(v >= 0) || v === Infinity);
    if (bad >= 0) throw fail(`gives ${values[bad]} for feature ${bad}; expected finite numbers of 0 or more`);
    return values;
  };
  if (typeof given === 'number') return checked(new Float64Array(count).fill(given));
  if (!isRecord(given)) throw fail(`is ${JSON.stringify(given)}; expected a number or a law with generator_name`);
  const { generator_name: kind, ...fields } = given;
  const law = typeof kind === 'string' && Object.hasOwn(LAWS, kind) ? LAWS[kind] : undefined;
  if (!law) throw fail(`has generator_name ${JSON.stringify(kind)}; known are ${listed(Object.keys(LAWS))}`);
  const other = Object.keys(fields).filter((field) => !law.fields.includes(field));
  if (other.length > 0) throw fail(`of ${String(kind)} has ${listed(other)}; known are ${listed(law.fields)}`);
  const field: Field = (key, usual) => {
    const value = fields[key] ?? usual;
    if (typeof value !== 'number' || Number.isNaN(value))
      throw fail(`of ${String(kind)} has ${key} ${JSON.stringify(value)}; expected a number`);
    return value;
  };
  const at = law.at(field, { count, seed });
  return checked(Float64Array.from({ length: count }, (_, i) => Math.fround(at(count > 1 ? i / (count - 1) : 0, i))));
}
