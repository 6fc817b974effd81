/**
 * The epochs of UMAP's layout, for workers. A vertex moves only itself, first by all its edges at once, each weighted
 * by how often umap-learn would sample it, both ends' share; then by negative samples from a generator keyed by seed,
 * epoch and vertex. Its step is damped by the sum of its pulls, as an implicit step is (two full steps towards each
 * other overshoot). The vertices are in random order and move in groups, one after the other: a group reads where the
 * groups before it are by now. All at once, from the positions of the last epoch, unfold a folded start less than
 * umap-learn's moves do.
 */
import { CONTROL, type Phase } from './pieces.js';
import { spaceEpoch } from './layoutSpace.js';
import { kernelsOf, viewsOf, type Fields, type SharedMemory, type Views } from './memory.js';

export interface EpochParameters {
  points: number;
  /** Dimensions: 2, by the kernel of WebAssembly where nothing is tied, or 3. */
  axes: 2 | 3;
  /** Places of the edge list: both directions of every edge, by vertex, filled up to fours. */
  edges: number;
  /** Ties of vertices to those of another layout, both directions; 0: one layout. */
  ties: number;
  epochs: number;
  learningRate: number;
  /** 32-bit seed of the negative samples. */
  seed: number;
}

/** Entries of the table of coefficients, by the top 16 bits of a squared distance in float32, whose sign bit is 0. */
export const TABLE = 32_768;
/** Vertices that a worker takes at a time. */
const VERTICES = 64;
/**
 * Groups of an epoch, and weight of the sum of a vertex's pulls in the damping of its step. Neighbour recall of a sheet
 * of 4,096 points from its spectrum and from random positions, and of 16,384 points from their spectrum and from a
 * folded start: .780, .757, .800, .773. By umap-learn's order of moves: .764, .742, .796, .735. With 1 group and a
 * weight of 1 of the pulls alone: .755, .677, .795, .674. Clusters do not tell them apart.
 */
export const GROUPS = 16;
const DAMPING = 0.75;

type Sizes = Pick<EpochParameters, 'points' | 'axes' | 'edges' | 'ties'>;

export function layoutFields({ points, axes, edges, ties }: Sizes) {
  return {
    control: ['i32', CONTROL],
    attract: ['f32', TABLE],
    repel: ['f32', TABLE],
    y0: ['f32', axes * points],
    y1: ['f32', axes * points],
    first: ['i32', points + 1],
    to: ['i32', edges],
    weight: ['f32', edges],
    increment: ['f32', points],
    credit: ['f32', points],
    side: ['u8', ties > 0 ? points : 0],
    tieFirst: ['i32', ties > 0 ? points + 1 : 0],
    tieTo: ['i32', ties],
    tieWeight: ['f32', ties],
  } as const satisfies Fields;
}

export type LayoutViews = Views<ReturnType<typeof layoutFields>>;

/** The one of the two arrays that holds the positions after so many epochs. */
export const positionsAfter = (views: LayoutViews, epochs: number): Float32Array =>
  epochs % 2 === 0 ? views.y0 : views.y1;

/** All epochs: a step of the phase is one group of an epoch. */
export function epochs(memory: SharedMemory, parameters: EpochParameters): Phase {
  const { points, axes, ties, epochs: count, learningRate, seed } = parameters;
  const tied = ties > 0;
  const m = viewsOf(memory, layoutFields(parameters));
  const kernels = kernelsOf(memory);
  const group = Math.ceil(points / GROUPS);
  const step = Math.ceil(group / VERTICES);
  const { first, to, weight, increment, credit, attract, repel } = m;
  return {
    control: m.control,
    pieces: step * GROUPS * count,
    step,
    work(piece) {
      const turn = Math.floor(piece / step);
      const epoch = Math.floor(turn / GROUPS);
      const fresh = Math.min(points, (turn % GROUPS) * group);
      const low = fresh + (piece % step) * VERTICES;
      const high = Math.min(points, fresh + group, low + VERTICES);
      const alpha = learningRate * (1 - epoch / count);
      const key = Math.imul(epoch + 1, 0x9e3779b1) ^ seed;
      const [from, into] = [positionsAfter(m, epoch), positionsAfter(m, epoch + 1)];
      if (axes === 3 || tied)
        return spaceEpoch(m, { axes, tied, low, high, alpha, damping: DAMPING, points, fresh, key, from, into });
      kernels.epoch(
        low,
        high,
        alpha,
        DAMPING,
        points,
        fresh,
        key,
        from.byteOffset,
        into.byteOffset,
        first.byteOffset,
        to.byteOffset,
        weight.byteOffset,
        increment.byteOffset,
        credit.byteOffset,
        attract.byteOffset,
        repel.byteOffset,
      );
    },
  };
}
