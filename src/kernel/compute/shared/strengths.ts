/**
 * Membership strengths of neighbours in UMAP's fuzzy graph, for workers: umap-learn's definition to the letter (umap_.py
 * smooth_knn_dist, compute_membership_strengths). A row depends on its own distances and the mean of all alone.
 */
import { viewsOf, type Fields, type SharedMemory } from './memory.js';
import { CONTROL, type Phase } from './pieces.js';

export interface StrengthParameters {
  points: number;
  /** Neighbours of a point, itself excluded. */
  k: number;
  localConnectivity: number;
  meanDistance: number;
}

/** Rows that a worker takes at a time. */
const ROWS = 256;

export function strengthFields({ points, k }: Pick<StrengthParameters, 'points' | 'k'>) {
  return {
    control: ['i32', CONTROL],
    distances: ['f32', points * k],
    strengths: ['f32', points * k],
  } as const satisfies Fields;
}

const TOLERANCE = 1e-5;
const MIN_K_DISTANCE_SCALE = 1e-3;

/** Distance to the local_connectivity-th distinct neighbour, interpolated; 0 when every neighbour is a duplicate. */
function localRadius(distances: Float32Array, localConnectivity: number): number {
  let first = 0;
  while (first < distances.length && distances[first] <= 0) first++;
  const nonZero = distances.length - first;
  if (nonZero === 0) return 0;
  if (nonZero < localConnectivity) return distances[distances.length - 1];
  const index = Math.floor(localConnectivity);
  const fraction = localConnectivity - index;
  if (index === 0) return fraction * distances[first];
  const at = distances[first + index - 1];
  return fraction > TOLERANCE ? at + fraction * (distances[first + index] - at) : at;
}

/** σ with Σ exp(−max(0, d − ρ)/σ) = log2(n_neighbors), by bisection. */
function bandwidth(distances: Float32Array, rho: number, target: number): number {
  let low = 0;
  let high = Infinity;
  let middle = 1;
  for (let i = 0; i < 64; i++) {
    let sum = 0;
    for (const distance of distances) sum += distance > rho ? Math.exp(-(distance - rho) / middle) : 1;
    if (Math.abs(sum - target) < TOLERANCE) break;
    if (sum > target) {
      high = middle;
      middle = (low + high) / 2;
    } else {
      low = middle;
      middle = high === Infinity ? middle * 2 : (low + high) / 2;
    }
  }
  return middle;
}

/** Strengths of the neighbours of one point, by their distances, the nearest first. */
export function strengthsOf(
  own: Float32Array,
  { k, localConnectivity, meanDistance }: Omit<StrengthParameters, 'points'>,
  out: Float32Array,
): void {
  const rho = localRadius(own, localConnectivity);
  let sum = 0;
  for (const distance of own) sum += distance;
  const floor = MIN_K_DISTANCE_SCALE * (rho > 0 ? sum / (k + 1) : meanDistance);
  const sigma = Math.max(bandwidth(own, rho, Math.log2(k + 1)), floor);
  for (let p = 0; p < k; p++) out[p] = own[p] <= rho || sigma === 0 ? 1 : Math.exp(-(own[p] - rho) / sigma);
}

export function strengths(memory: SharedMemory, parameters: StrengthParameters): Phase {
  const { points, k } = parameters;
  const m = viewsOf(memory, strengthFields(parameters));
  return {
    control: m.control,
    pieces: Math.ceil(points / ROWS),
    work(piece) {
      for (let i = piece * ROWS; i < Math.min(points, (piece + 1) * ROWS); i++)
        strengthsOf(m.distances.subarray(i * k, (i + 1) * k), parameters, m.strengths.subarray(i * k, (i + 1) * k));
    },
  };
}
