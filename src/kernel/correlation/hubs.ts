/** Hubs: features that many pairs share. */
import type { Pairs } from './match.js';

export interface Hub {
  readonly side: 'A' | 'B';
  readonly feature: number;
  readonly pairs: number;
  /** Its share of all pairs, 0 to 1. */
  readonly share: number;
  readonly meanR: number;
  readonly bestR: number;
  /** Features of the other side, highest r first, ties to the lower id. */
  readonly partners: readonly number[];
}

/** Features with at least `least` pairs: those of most pairs first, A before B, then by id. */
export function hubs({ a, b, r }: Pairs, least = 2): Hub[] {
  const of = (side: 'A' | 'B', own: Int32Array, other: Int32Array): Hub[] => {
    const lists = new Map<number, number[]>();
    own.forEach((f, i) => {
      const list = lists.get(f);
      if (list) list.push(i);
      else lists.set(f, [i]);
    });
    return [...lists]
      .filter(([, list]) => list.length >= least)
      .map(([feature, list]) => {
        list.sort((i, j) => r[j] - r[i] || other[i] - other[j]);
        return {
          ...{ side, feature, pairs: list.length, share: list.length / r.length },
          meanR: list.reduce((sum, i) => sum + r[i], 0) / list.length,
          bestR: r[list[0]],
          partners: list.map((i) => other[i]),
        };
      });
  };
  return [...of('A', a, b), ...of('B', b, a)].sort(
    (x, y) => y.pairs - x.pairs || x.side.localeCompare(y.side) || x.feature - y.feature,
  );
}
