/**
 * Chebyshev polynomials of a sparse symmetric matrix times a block of eight vectors, for workers: T_m of A, with the
 * interval [low, cut] taken to [−1, 1]. Parts that belong to eigenvalues of the interval stay bounded; parts above the
 * cut grow with the distance (Zhou, Saad, Tiago and Chelikowsky 2006). A step of the phase is one product with A; each
 * row writes only itself.
 */
import { kernelsOf, viewsOf, type Fields, type SharedMemory, type Views } from './memory.js';
import { CONTROL, type Phase } from './pieces.js';

export interface ChebyshevSizes {
  points: number;
  /** Entries of the matrix, by row. */
  entries: number;
}

export interface ChebyshevParameters extends ChebyshevSizes {
  degree: number;
  low: number;
  cut: number;
}

/** Vectors of a block. */
export const BLOCK = 8;
/** Rows that a worker takes at a time. */
const ROWS = 256;

export function chebyshevFields({ points, entries }: ChebyshevSizes) {
  return {
    control: ['i32', CONTROL],
    first: ['i32', points + 1],
    to: ['i32', entries],
    entries: ['f64', entries],
    x0: ['f64', BLOCK * points],
    x1: ['f64', BLOCK * points],
  } as const satisfies Fields;
}

export type ChebyshevViews = Views<ReturnType<typeof chebyshevFields>>;

/** The one of the two blocks that holds T_degree of the vectors that were in x0; x1 must hold zeros before. */
export const filtered = (views: ChebyshevViews, degree: number): Float64Array =>
  degree % 2 === 0 ? views.x0 : views.x1;

/** T_1 to T_degree: T_m+1 = 2 A' T_m − T_m−1, each in the place of the one before the last. */
export function chebyshev(memory: SharedMemory, parameters: ChebyshevParameters): Phase {
  const { points, degree, low, cut } = parameters;
  const m = viewsOf(memory, chebyshevFields(parameters));
  const kernels = kernelsOf(memory);
  const step = Math.ceil(points / ROWS);
  // A' = (2 A − (cut + low)) / (cut − low)
  const scale = 2 / (cut - low);
  const shift = (cut + low) / (cut - low);
  return {
    control: m.control,
    pieces: step * degree,
    step,
    work(piece) {
      const done = Math.floor(piece / step);
      const from = (piece % step) * ROWS;
      const factor = done === 0 ? 1 : 2;
      kernels.filter(
        from,
        Math.min(points, from + ROWS),
        m.first.byteOffset,
        m.to.byteOffset,
        m.entries.byteOffset,
        filtered(m, done).byteOffset,
        filtered(m, done + 1).byteOffset,
        factor * scale,
        factor * shift,
      );
    },
  };
}
