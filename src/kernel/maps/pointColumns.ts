/** Columns that a call of fg.show adds to the points of a map or graph, such as the stability of features. */
import type { PointColumn } from '../../protocol/bundle.js';

/** Values of the points by name: numbers (NaN = none), or texts, which are taken as classes ('' = none). */
export interface PointColumns {
  readonly [name: string]: ArrayLike<number> | readonly string[];
}

/** A column with its values, one per point; NaN = none. */
export interface BundleColumn extends PointColumn {
  values: ArrayLike<number>;
}

const MOST_CLASSES = 1000;

/**
 * @param where what the values are of, for messages
 * @throws TypeError for what is no array, RangeError for another number of values than `points` or too many classes
 */
function pointColumn(name: string, values: PointColumns[string], points: number, where: string): BundleColumn {
  if (typeof values?.length !== 'number' || typeof values === 'string')
    throw new TypeError(`column "${name}" must be an array with one value per point`);
  if (values.length !== points)
    throw new RangeError(`column "${name}" has ${values.length} values but ${where} has ${points} points`);
  if (!Array.from(values as ArrayLike<unknown>).some((v) => typeof v === 'string'))
    return { name, values: Float32Array.from(values as ArrayLike<number>) };
  const texts = Array.from(values as readonly string[], String);
  const classes = [...new Set(texts.filter((t) => t !== ''))].sort();
  if (classes.length > MOST_CLASSES)
    throw new RangeError(
      `column "${name}" has ${classes.length} different texts, more than the ${MOST_CLASSES} classes that can be told apart; give fewer, or numbers`,
    );
  const code = new Map(classes.map((c, i) => [c, i]));
  return { name, classes, values: Float32Array.from(texts, (t) => code.get(t) ?? NaN) };
}

/** The columns of set `s` of `sets`, given as one object (of the first set) or an array of these. */
export function pointColumns(
  given: PointColumns | readonly PointColumns[] | undefined,
  { s, points, where }: { s: number; points: number; where: string },
): BundleColumn[] {
  const own = Array.isArray(given)
    ? (given as readonly PointColumns[])[s]
    : s === 0
      ? (given as PointColumns)
      : undefined;
  return Object.entries(own ?? {}).map(([name, values]) => pointColumn(name, values, points, where));
}
