/** Activations of the models behind a map: mean ones at words, and halves to fit on and to judge on. */
import type { Occurrences } from '../activations/occurrences.js';
import type { SparseActivations } from '../activations/types.js';
import type { CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { gatherRows } from '../compute/rows.js';
import type { WordVectors } from './relationScores.js';
import type { ActivationHalves } from './rotation.js';
import { activationsOf, type MapSide } from './sides.js';
import type { PairedMap } from './types.js';

/** Sequences that words occur in, the first `most` of each word in turn. */
function sequencesWith(words: readonly Occurrences[], context: number, most: number): number[] {
  const lists = words.map(({ at }) => {
    const found = new Set<number>();
    at.forEach((occurrence, t) => void (occurrence >= 0 && found.add(Math.floor(t / context))));
    return [...found];
  });
  const chosen = new Set<number>();
  for (let turn = 0; chosen.size < most && lists.some((list) => list.length > turn); turn++)
    for (const list of lists) if (turn < list.length && chosen.size < most) chosen.add(list[turn]);
  return [...chosen].sort((a, b) => a - b);
}

/** Mean activation on the occurrences of each word, one row a word; NaN for a word in none of the sequences. */
async function wordMeans(
  side: Required<MapSide>,
  store: SparseActivations,
  words: readonly Occurrences[],
  most: number,
  call: CallOptions,
): Promise<Matrix> {
  // prettier-ignore
  const { context } = store.meta;
  // One of each word at least.
  const sequences = sequencesWith(words, context, Math.max(most, words.length));
  const x = await activationsOf(side, store, sequences, call);
  const out = matrix(words.length, x.cols);
  words.forEach(({ at }, w) => {
    const sum = new Float64Array(x.cols);
    let tokens = 0;
    sequences.forEach((s, i) => {
      for (let p = 0; p < context; p++) {
        if (at[s * context + p] < 0) continue;
        tokens++;
        for (let j = 0, from = (i * context + p) * x.cols; j < x.cols; j++) sum[j] += x.data[from++];
      }
    });
    out.data.set(sum.map((v) => v / tokens), w * x.cols); // prettier-ignore
  });
  return out;
}

/** Mean activations of both models on words, for relations. */
export function residualVectors(
  a: MapSide,
  b: MapSide,
  map: PairedMap,
  sequences: number,
  call: CallOptions,
): (words: readonly Occurrences[], wordsB: readonly Occurrences[]) => Promise<WordVectors> {
  return async (inA, inB) => ({
    vectors: 'mean activations',
    a: await wordMeans(a as Required<MapSide>, map.a, inA, sequences, call),
    b: await wordMeans(b as Required<MapSide>, map.b, inB, sequences, call),
  });
}

/**
 * Activations on the first sequences of a store: even ones to fit on, odd ones to judge on. Ignored tokens are left
 * out.
 */
export async function halvesOfSide(
  side: MapSide,
  store: SparseActivations,
  most: number,
  call: CallOptions,
): Promise<ActivationHalves> {
  // prettier-ignore
  const { context, sequences } = store.meta;
  if (sequences < 2) throw new RangeError(`tokens are fitted and judged on different sequences, but the store has ${sequences}`); // prettier-ignore
  const taken = Array.from({ length: Math.min(most, sequences) }, (_, s) => s);
  const x = await activationsOf(side as Required<MapSide>, store, taken, call);
  const ignored = await store.ignored();
  const rows = (half: number): number[] => Array.from({ length: x.rows }, (_, t) => t).filter((t) => Math.floor(t / context) % 2 === half && ignored?.[t] !== 1); // prettier-ignore
  return { train: gatherRows(x, rows(0)), held: gatherRows(x, rows(1)), group: context };
}
