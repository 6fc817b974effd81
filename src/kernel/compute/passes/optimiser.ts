/** Adam, and the norm of gradients, of arrays that workers share. */
import { adamOver, squaresOf, SQUARES_PIECE, type AdamArrays, type AdamStep } from '../entries/optimiser.js';
import { shareMemory, viewsOf, type Fields, type SharedMemory } from '../shared/memory.js';
import { CONTROL, type Phase } from '../shared/pieces.js';

/** Values of one piece of Adam. */
const ADAM_PIECE = 2 ** 17;

const squaresFields = (pieces: number) =>
  ({ control: ['i32', CONTROL], sums: ['f64', pieces] }) as const satisfies Fields;
const piecesOf = ({ length }: Float32Array): number => Math.ceil(length / SQUARES_PIECE);

/** The memory of both phases for arrays of a length, and the sums of squares in it. */
export function optimiserMemory(of: Float32Array): { memory: SharedMemory; sums: Float64Array } {
  const fields = squaresFields(piecesOf(of));
  const memory = shareMemory(fields);
  return { memory, sums: viewsOf(memory, fields).sums };
}

export interface SquaresParameters {
  readonly of: Float32Array;
}

/** The squares of an array, summed piece by piece. */
export function squares(memory: SharedMemory, { of }: SquaresParameters): Phase {
  const { control, sums } = viewsOf(memory, squaresFields(piecesOf(of)));
  return {
    control,
    pieces: sums.length,
    work(piece) {
      sums[piece] = squaresOf(of, piece);
    },
  };
}

export interface AdamParameters {
  readonly arrays: AdamArrays;
  readonly step: AdamStep;
}

export function adam(memory: SharedMemory, { arrays, step }: AdamParameters): Phase {
  const { length } = arrays.parameters;
  const { control } = viewsOf(memory, squaresFields(piecesOf(arrays.parameters)));
  return {
    control,
    pieces: Math.ceil(length / ADAM_PIECE),
    work: (piece) => adamOver(arrays, step, piece * ADAM_PIECE, Math.min(length, (piece + 1) * ADAM_PIECE)),
  };
}
