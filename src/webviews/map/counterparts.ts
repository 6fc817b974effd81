/** One to many: what a map lists of a point beside its partner. */
import type { MapModel, MapSet } from './model.js';

export interface Counterpart {
  /** Point of the other set. */
  point: number;
  r: number;
}

/** Counterparts of a point beside its partner, best first; those below the threshold are hidden. */
export function othersOf({ columns: { other, otherR } }: MapSet, point: number, minR: number): Counterpart[] {
  const listed = other.map((of, rank): Counterpart => ({ point: of[point], r: otherR[rank][point] }));
  return listed.filter(({ point: p, r }) => p >= 0 && (minR <= 0 || r >= minR));
}

/** A point of a map, its partner (-1 = none), and its further counterparts. */
export interface Linked {
  set: number;
  point: number;
  partner: number;
  others: number[];
}

/** A point with all that it is linked to under the threshold; `partner` as the caller looks it up. */
export const linked = ({ sets }: MapModel, set: number, point: number, partner: number, minR: number): Linked => ({
  ...{ set, point, partner },
  others: othersOf(sets[set], point, minR).map((of) => of.point),
});
