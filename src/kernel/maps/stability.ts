/**
 * How much of a layout is its seed's: the same graph laid out by several seeds, each turned onto the first (Procrustes),
 * and how far every point then lies from where the first has it.
 */
import { Random } from '../compute/random.js';
import { svdThin } from '../compute/svd.js';

/** Coordinates n × axes without the points that have none. */
export interface Placed {
  points: number;
  axes: number;
  coordinates: Float32Array;
}

export interface SeedDisplacement {
  /** [points]: mean distance of a point's places from its first, in units of the spread of the first layout. */
  displacement: Float64Array;
  /** Its mean over points. */
  mean: number;
  /** The same where the points of every other layout are exchanged at random: as far as chance. */
  chance: number;
}

interface Centred {
  data: Float64Array;
  squares: number;
}

function centred({ points, axes, coordinates }: Placed): Centred {
  const data = Float64Array.from(coordinates);
  let squares = 0;
  for (let c = 0; c < axes; c++) {
    let mean = 0;
    for (let i = 0; i < points; i++) mean += data[i * axes + c] / points;
    for (let i = 0; i < points; i++) {
      data[i * axes + c] -= mean;
      squares += data[i * axes + c] ** 2;
    }
  }
  return { data, squares };
}

/** The rotation, mirrored where that fits better, and scale of `b` onto `a`, both centred: axes × axes, b · R. */
function turnOf(a: Centred, b: Centred, points: number, axes: number): Float64Array {
  const cross = new Float64Array(axes * axes);
  for (let i = 0; i < points; i++)
    for (let p = 0; p < axes; p++)
      for (let q = 0; q < axes; q++) cross[p * axes + q] += b.data[i * axes + p] * a.data[i * axes + q];
  const { U, S, V } = svdThin(cross, axes, axes);
  const scale = b.squares > 0 ? S.reduce((sum, v) => sum + v, 0) / b.squares : 1;
  const turn = new Float64Array(axes * axes);
  for (let p = 0; p < axes; p++)
    for (let q = 0; q < axes; q++)
      for (let r = 0; r < axes; r++) turn[p * axes + q] += scale * U[p * axes + r] * V[q * axes + r];
  return turn;
}

/** Distances of the points of `b`, turned onto `a`, from those of `a`. */
function distances(a: Centred, b: Centred, points: number, axes: number): Float64Array {
  const turn = turnOf(a, b, points, axes);
  return Float64Array.from({ length: points }, (_, i) => {
    let square = 0;
    for (let q = 0; q < axes; q++) {
      let at = -a.data[i * axes + q];
      for (let p = 0; p < axes; p++) at += b.data[i * axes + p] * turn[p * axes + q];
      square += at * at;
    }
    return Math.sqrt(square);
  });
}

const mean = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/**
 * Displacements of the points over two layouts or more of the same points, against the first.
 * @throws RangeError where sizes differ
 */
export function displacements(layouts: readonly Placed[], seed = 0): SeedDisplacement {
  const [{ points, axes }, ...others] = layouts;
  if (others.length === 0 || others.some((o) => o.points !== points || o.axes !== axes))
    throw new RangeError(`displacements need two layouts or more of the same ${points} points in ${axes} dimensions`);
  const first = centred(layouts[0]);
  const spread = Math.sqrt(first.squares / points) || 1;
  const displacement = new Float64Array(points);
  let chance = 0;
  const random = new Random(seed).fork('exchanged points');
  for (const other of others) {
    const b = centred(other);
    distances(first, b, points, axes).forEach((d, i) => (displacement[i] += d / spread / others.length));
    const order = random.permutation(points);
    const mixed = { ...b, data: b.data.map((_, e) => b.data[order[Math.floor(e / axes)] * axes + (e % axes)]) };
    chance += mean(distances(first, mixed, points, axes)) / spread / others.length;
  }
  return { displacement, mean: mean(displacement), chance };
}
