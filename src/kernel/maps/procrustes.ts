/**
 * One layout turned onto another over pairs of their points: the rotation, with or without reflection and scale, and
 * the shift of least squared distance between the pairs (Procrustes; Gower 1975). In the plane it is in closed form.
 */
import { sha256 } from '../io/hash.js';
import { flag, type Given } from '../verb/option.js';
import type { Layout } from './types.js';

export interface Turn {
  /** Radians, after the reflection. */
  angle: number;
  /** Whether the second axis is mirrored first. */
  mirrored: boolean;
  scale: number;
  /**
   * Root mean square distance between the pairs after the turn, divided by that of the fixed points from their centre:
   * 0 = the pairs coincide, 1 = the turn brings them no nearer than putting all points on the centre would.
   */
  rest: number;
  /** Pairs that both layouts place. */
  pairs: number;
}

export const TURN = {
  scale: flag({ doc: 'Scale too.', default: true }),
  reflection: flag({ doc: 'Mirror where that brings pairs nearer.', default: true }),
} as const;

export type TurnOptions = Given<typeof TURN>;

export interface Pairs {
  a: Int32Array;
  b: Int32Array;
}

/** What is turned of a layout. */
type Placed = Pick<Layout, 'coordinates' | 'points' | 'axes'>;

const placed = ({ coordinates }: Placed, i: number): boolean =>
  Number.isFinite(coordinates[2 * i]) && Number.isFinite(coordinates[2 * i + 1]);

function centre({ coordinates }: Placed, points: readonly number[]): [number, number] {
  let [x, y] = [0, 0];
  for (const i of points) [x, y] = [x + coordinates[2 * i], y + coordinates[2 * i + 1]];
  return [x / points.length, y / points.length];
}

/** @throws RangeError for pairs outside the layouts, or fewer than 2 that both place. */
function commonPairs(fixed: Placed, moving: Placed, { a, b }: Pairs): Array<[number, number]> {
  const out: Array<[number, number]> = [];
  for (let p = 0; p < a.length; p++) {
    if (!(a[p] >= 0 && a[p] < fixed.points && b[p] >= 0 && b[p] < moving.points))
      throw new RangeError(
        `alignment of layouts of ${fixed.points} and ${moving.points} points: pair ${p} is ${a[p]} and ${b[p]}; give the map of the SAEs whose rows were laid out`,
      );
    if (placed(fixed, a[p]) && placed(moving, b[p])) out.push([a[p], b[p]]);
  }
  if (out.length < 2)
    throw new RangeError(
      `alignment needs 2 pairs that both layouts place but got ${out.length} of ${a.length}; give a map with more pairs`,
    );
  return out;
}

/** The turn of `moving` onto `fixed`, and the coordinates of all its points after it. */
export function turnOnto(
  fixed: Placed,
  moving: Placed,
  given: Pairs,
  { scale = TURN.scale.usual, reflection = TURN.reflection.usual }: TurnOptions = {},
): { turn: Turn; coordinates: Float32Array } {
  if (fixed.axes === 3 || moving.axes === 3)
    throw new RangeError('alignment of layouts is of the plane; expected two layouts without nComponents: 3');
  const pairs = commonPairs(fixed, moving, given);
  const [ax, ay] = centre(fixed, pairs.map(([i]) => i)); // prettier-ignore
  const [bx, by] = centre(moving, pairs.map(([, j]) => j)); // prettier-ignore
  // With points as complex numbers, the best rotation turns by the angle of Σ a·conj(b), and the size of this sum says
  // how well it fits; for the best rotation after mirroring b the sum is Σ a·b.
  let [plainRe, plainIm, mirrorRe, mirrorIm, spreadA, spreadB] = [0, 0, 0, 0, 0, 0];
  for (const [i, j] of pairs) {
    const [u, v] = [fixed.coordinates[2 * i] - ax, fixed.coordinates[2 * i + 1] - ay];
    const [p, q] = [moving.coordinates[2 * j] - bx, moving.coordinates[2 * j + 1] - by];
    plainRe += u * p + v * q;
    plainIm += v * p - u * q;
    mirrorRe += u * p - v * q;
    mirrorIm += v * p + u * q;
    spreadA += u * u + v * v;
    spreadB += p * p + q * q;
  }
  const mirrored = reflection && Math.hypot(mirrorRe, mirrorIm) > Math.hypot(plainRe, plainIm);
  const [re, im] = mirrored ? [mirrorRe, mirrorIm] : [plainRe, plainIm];
  const gain = Math.hypot(re, im);
  const angle = Math.atan2(im, re);
  // Points that all coincide have no size to scale.
  const size = scale && spreadB > 0 && gain > 0 ? gain / spreadB : 1;
  const [c, s] = [size * Math.cos(angle), size * Math.sin(angle)];
  const coordinates = new Float32Array(moving.coordinates.length);
  for (let i = 0; i < moving.points; i++) {
    const p = moving.coordinates[2 * i] - bx;
    const q = (moving.coordinates[2 * i + 1] - by) * (mirrored ? -1 : 1);
    coordinates[2 * i] = ax + c * p - s * q;
    coordinates[2 * i + 1] = ay + s * p + c * q;
  }
  const left = Math.max(0, spreadA - 2 * size * gain + size * size * spreadB);
  const rest = spreadA > 0 ? Math.sqrt(left / spreadA) : left > 0 ? Infinity : 0;
  return { turn: { angle, mirrored, scale: size, rest, pairs: pairs.length }, coordinates };
}

/** The layout after its turn: its description says what its axes are now. */
export function turned(fixed: Layout, moving: Layout, given: Pairs, options: TurnOptions = {}): Layout {
  const { turn, coordinates } = turnOnto(fixed, moving, given, options);
  const degrees = (turn.angle * 180) / Math.PI;
  const how = `${turn.mirrored ? 'mirrored, ' : ''}turned by ${degrees.toFixed(1)}°, scaled by ${turn.scale.toFixed(3)}`;
  // A layout that shared a plane leaves it.
  const { plane: _, ...alone } = moving;
  return {
    ...alone,
    id: sha256(['turned', fixed.id, moving.id, JSON.stringify(turn)]),
    coordinates,
    description: `${moving.description}; ${how} onto the other layout over ${turn.pairs} pairs (they lie ${turn.rest.toFixed(2)} of its spread apart)`,
    // Of a layout that was turned before, the scale since it was made.
    parameters: { ...moving.parameters, ...turn, scale: turn.scale * (Number(moving.parameters.scale) || 1) },
  };
}
