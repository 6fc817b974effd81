/**
 * The epochs of UMAP's layout, for workers. A vertex reads the positions of the last epoch and moves only itself: by all
 * its edges at once, each weighted by how often umap-learn would sample it, both ends' share, and damped by their sum (two
 * full steps towards each other overshoot: undamped, a tenth of the neighbours are lost); then by negative samples from a
 * generator keyed by seed, epoch and vertex.
 */
import { CONTROL, type Phase } from './pieces.js';
import { kernelsOf, viewsOf, type Fields, type SharedMemory, type Views } from './memory.js';

export interface EpochParameters {
  points: number;
  /** Places of the edge list: both directions of every edge, by vertex, filled up to fours. */
  edges: number;
  epochs: number;
  learningRate: number;
  /** 32-bit seed of the negative samples. */
  seed: number;
}

/** Coefficients by the top 16 bits of a squared distance in float32, whose sign is 0. */
export const TABLE = 32_768;
/** Vertices that a worker takes at a time. */
const VERTICES = 256;
/**
 * Weight of the sum of a vertex's pulls in the damping of their step. At 0.5 a connected sheet of 16,384 points folds more
 * (trustworthiness .985 over three seeds, .995 at 1); clusters do not tell them apart.
 */
const DAMPING = 1;

export function layoutFields({ points, edges }: { points: number; edges: number }) {
  return {
    control: ['i32', CONTROL],
    attract: ['f32', TABLE],
    repel: ['f32', TABLE],
    y0: ['f32', 2 * points],
    y1: ['f32', 2 * points],
    first: ['i32', points + 1],
    to: ['i32', edges],
    weight: ['f32', edges],
    increment: ['f32', points],
    credit: ['f32', points],
  } as const satisfies Fields;
}

export type LayoutViews = Views<ReturnType<typeof layoutFields>>;

/** Of the two arrays of positions, the one that holds those after so many epochs. */
export const positionsAfter = (views: LayoutViews, epochs: number): Float32Array =>
  epochs % 2 === 0 ? views.y0 : views.y1;

/** All epochs: a step of the phase is one epoch. */
export function epochs(memory: SharedMemory, parameters: EpochParameters): Phase {
  const { points, epochs: count, learningRate, seed } = parameters;
  const m = viewsOf(memory, layoutFields(parameters));
  const kernels = kernelsOf(memory);
  const step = Math.ceil(points / VERTICES);
  const { first, to, weight, increment, credit, attract, repel } = m;
  return {
    control: m.control,
    pieces: step * count,
    step,
    work(piece) {
      const epoch = Math.floor(piece / step);
      const low = (piece % step) * VERTICES;
      kernels.epoch(
        low,
        Math.min(points, low + VERTICES),
        learningRate * (1 - epoch / count),
        DAMPING,
        points,
        Math.imul(epoch + 1, 0x9e3779b1) ^ seed,
        positionsAfter(m, epoch).byteOffset,
        positionsAfter(m, epoch + 1).byteOffset,
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
