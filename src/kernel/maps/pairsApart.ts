/** How far apart the ends of matched pairs lie in one plane, beside the same of exchanged pairs. */
import { Random } from '../compute/random.js';
import type { Pairs } from './procrustes.js';
import type { Layout } from './types.js';

export interface PairsApart {
  /** How many. */
  readonly pairs: number;
  /** Mean distance between the ends, in spreads of A: root mean square of its points from their centre. */
  readonly apart: number;
  /** The same where the ends in B are exchanged at random: mean over the runs. */
  readonly chance: number;
  readonly runs: number;
  /** (k + 1) / (runs + 1), k = runs as near as the pairs, or nearer. */
  readonly p: number;
}

type Cloud = Pick<Layout, 'coordinates' | 'points'>;

const RUNS = 199;

/** Root mean square distance of the points from their centre. */
function spreadOf({ coordinates, points }: Cloud): number {
  let squares = 0;
  for (let c = 0; c < 2; c++) {
    let [sum, own] = [0, 0];
    for (let i = 0; i < points; i++) {
      sum += coordinates[2 * i + c];
      own += coordinates[2 * i + c] ** 2;
    }
    squares += own - sum ** 2 / points;
  }
  return Math.sqrt(Math.max(0, squares) / points);
}

/** Of two pairs or more. Where all points of A coincide, distances are in the unit of the layout. */
export function pairsApart(a: Cloud, b: Cloud, pairs: Pairs, seed: number): PairsApart {
  const n = pairs.a.length;
  const unit = spreadOf(a) || 1;
  const meanDistance = (other: (p: number) => number): number => {
    let sum = 0;
    for (let p = 0; p < n; p++) {
      const [i, j] = [2 * pairs.a[p], 2 * other(p)];
      const dx = a.coordinates[i] - b.coordinates[j];
      const dy = a.coordinates[i + 1] - b.coordinates[j + 1];
      sum += Math.hypot(dx, dy);
    }
    return sum / n / unit;
  };
  const apart = meanDistance((p) => pairs.b[p]);
  const random = new Random(seed).fork('exchanged pairs');
  let [chance, reached] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const order = random.permutation(n);
    const far = meanDistance((p) => pairs.b[order[p]]);
    chance += far / RUNS;
    if (far <= apart + 1e-6) reached++;
  }
  return { pairs: n, apart, chance, runs: RUNS, p: (reached + 1) / (RUNS + 1) };
}
