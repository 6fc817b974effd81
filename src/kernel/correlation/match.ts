/** From best partners to matched pairs. */
import { wouldTake, type Partners, type Taken } from './pearson.js';

export interface Pairs {
  a: Int32Array;
  b: Int32Array;
  r: Float32Array;
}

export type Match = 'argmax' | 'mutual' | 'one-to-one' | 'hungarian' | 'sinkhorn';

/** A list of pairs as arrays, in its order. */
export function pairsOf(list: ReadonlyArray<readonly [a: number, b: number, r: number]>): Pairs {
  return {
    a: Int32Array.from(list, (p) => p[0]),
    b: Int32Array.from(list, (p) => p[1]),
    r: Float32Array.from(list, (p) => p[2]),
  };
}

/** Some of the pairs, by their numbers. */
export function takePairs({ a, b, r }: Pairs, which: readonly number[]): Pairs {
  return {
    a: Int32Array.from(which, (i) => a[i]),
    b: Int32Array.from(which, (i) => b[i]),
    r: Float32Array.from(which, (i) => r[i]),
  };
}

/** For each B feature its best A feature; several B may share one A. In order of b. */
export function argmaxPairs(aOfB: Partners): Pairs {
  const list: Array<[number, number, number]> = [];
  for (let b = 0; b * aOfB.n < aOfB.index.length; b++) {
    if (aOfB.index[b * aOfB.n] >= 0) list.push([aOfB.index[b * aOfB.n], b, aOfB.r[b * aOfB.n]]);
  }
  return pairsOf(list);
}

/** Pairs that are each other's best. In order of b. */
export function mutualPairs(aOfB: Partners, bOfA: Partners): Pairs {
  const all = argmaxPairs(aOfB);
  const keep = Array.from(all.b.keys()).filter((i) => bOfA.index[all.a[i] * bOfA.n] === all.b[i]);
  return pairsOf(keep.map((i) => [all.a[i], all.b[i], all.r[i]]));
}

/** Partners that a list holds which a matcher asks for beside the first. */
export const MORE = 8;

/**
 * Greedy matching by r over all pairs with r > 0: the best pair of all is taken, both features leave, and so on; ties
 * to the lower b, then the lower a. (Not the assignment of largest total r, which can give up a pair of r = 1 for the
 * sake of others.) Since r is the same seen from both sides, this is the stable matching, found by deferred acceptance:
 * each b asks down its list, each a keeps the best that asked. What an a holds only ever gets better, so when a list
 * runs out, `more(bs, n, taken)` need only list partners that would still take b. In order of b.
 */
export async function oneToOnePairs(
  aOfB: Partners,
  featuresA: number,
  more: (features: Int32Array, n: number, taken: Taken) => Promise<Partners>,
): Promise<Pairs> {
  const featuresB = aOfB.index.length / aOfB.n;
  const taken: Taken = { holder: new Int32Array(featuresA).fill(-1), held: new Float64Array(featuresA) };
  const lists: List[] = Array.from({ length: featuresB }, (_, b) => ({ partners: aOfB, at: b * aOfB.n, next: 0 }));
  let free = Array.from(lists.keys()).reverse();
  while (free.length > 0) {
    const hungry: number[] = [];
    while (free.length > 0) {
      const b = free.pop()!;
      const loser = propose(b, lists[b], taken);
      if (loser >= 0) free.push(loser);
      if (loser === HUNGRY) hungry.push(b);
    }
    hungry.sort((x, y) => x - y);
    if (hungry.length > 0) {
      const partners = await more(Int32Array.from(hungry), MORE, taken);
      hungry.forEach((b, i) => (lists[b] = { partners, at: i * MORE, next: 0 }));
    }
    free = hungry.reverse();
  }
  const list: Array<[number, number, number]> = [];
  taken.holder.forEach((b, a) => void (b >= 0 && list.push([a, b, taken.held[a]])));
  return pairsOf(list.sort((x, y) => x[1] - y[1]));
}

/** The partners of one B feature, and how far it has asked down the list. */
interface List {
  partners: Partners;
  at: number;
  next: number;
}

const NOBODY = -1;
/** The list ran out, but the feature may have more partners. */
const HUNGRY = -2;

/** b asks down its list until an A takes it. Returns the B that lost its place, NOBODY or HUNGRY. */
function propose(b: number, list: List, taken: Taken): number {
  const { index, r, n } = list.partners;
  while (list.next < n) {
    const at = list.at + list.next++;
    const a = index[at];
    if (a < 0 || !(r[at] > 0)) return NOBODY;
    if (!wouldTake(taken, a, b, r[at])) continue;
    const rival = taken.holder[a];
    taken.holder[a] = b;
    taken.held[a] = r[at];
    return rival < 0 ? NOBODY : rival;
  }
  return HUNGRY;
}
