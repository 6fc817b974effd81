/** The phases that a worker can run, by name. */
import { initGemmOfWorker } from '../gemm.js';
import { backward, type BackwardParameters } from '../passes/backward.js';
import { decode, type DecodeParameters } from '../passes/decode.js';
import { largestRows, type LargestParameters } from '../passes/largest.js';
import { adam, squares, type AdamParameters, type SquaresParameters } from '../passes/optimiser.js';
import { rows, type RowsParameters } from '../passes/rows.js';
import { wholes, type WholesParameters } from '../passes/wholes.js';
import { epochs, type EpochParameters } from './layout.js';
import { chebyshev, type ChebyshevParameters } from './chebyshev.js';
import { candidates, refine } from './knn.js';
import type { KnnParameters } from './knnFields.js';
import { probe } from './knnProbe.js';
import { measure, quantise } from './knnRows.js';
import type { SharedMemory } from './memory.js';
import { strengths, type StrengthParameters } from './strengths.js';
import { takePieces, type Phase, type PhaseRequest } from './pieces.js';

const phases: Readonly<Record<string, (memory: SharedMemory, parameters: never) => Phase>> = {
  layoutEpochs: (memory, parameters: EpochParameters) => epochs(memory, parameters),
  chebyshev: (memory, parameters: ChebyshevParameters) => chebyshev(memory, parameters),
  knnMeasure: (memory, parameters: KnnParameters) => measure(memory, parameters),
  knnQuantise: (memory, parameters: KnnParameters) => quantise(memory, parameters),
  knnProbe: (memory, parameters: KnnParameters) => probe(memory, parameters),
  knnCandidates: (memory, parameters: KnnParameters) => candidates(memory, parameters),
  strengths: (memory, parameters: StrengthParameters) => strengths(memory, parameters),
  passRows: (memory, parameters: RowsParameters) => {
    // Opened at once: what it promises has happened.
    void initGemmOfWorker();
    return rows(memory, parameters);
  },
  passWholes: (memory, parameters: WholesParameters) => wholes(memory, parameters),
  passLargest: (memory, parameters: LargestParameters) => largestRows(memory, parameters),
  passDecode: (memory, parameters: DecodeParameters) => decode(memory, parameters),
  passBackward: (memory, parameters: BackwardParameters) => backward(memory, parameters),
  squares: (memory, parameters: SquaresParameters) => squares(memory, parameters),
  adam: (memory, parameters: AdamParameters) => adam(memory, parameters),
  knnRefine: (memory, parameters: KnnParameters) => refine(memory, parameters),
};

/** Takes pieces of the requested phase until none is left. */
export function takePart({ phase: name, memory, parameters }: PhaseRequest): void {
  const phase = phases[name](memory, parameters as never);
  try {
    takePieces(phase);
  } finally {
    phase.close?.();
  }
}
