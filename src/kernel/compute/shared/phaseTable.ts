/** The phases that a worker can run, by name. */
import { epochs, type EpochParameters } from './layout.js';
import { chebyshev, type ChebyshevParameters } from './chebyshev.js';
import { candidates, refine } from './knn.js';
import type { KnnParameters } from './knnFields.js';
import { probe } from './knnProbe.js';
import { measure, quantise } from './knnRows.js';
import type { SharedMemory } from './memory.js';
import { takePieces, type Phase, type PhaseRequest } from './pieces.js';

const phases: Readonly<Record<string, (memory: SharedMemory, parameters: never) => Phase>> = {
  layoutEpochs: (memory, parameters: EpochParameters) => epochs(memory, parameters),
  chebyshev: (memory, parameters: ChebyshevParameters) => chebyshev(memory, parameters),
  knnMeasure: (memory, parameters: KnnParameters) => measure(memory, parameters),
  knnQuantise: (memory, parameters: KnnParameters) => quantise(memory, parameters),
  knnProbe: (memory, parameters: KnnParameters) => probe(memory, parameters),
  knnCandidates: (memory, parameters: KnnParameters) => candidates(memory, parameters),
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
