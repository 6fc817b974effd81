/**
 * Samples of a world as an activation store on disk: correlation, maps, the mapper and panels take it like any other.
 */
import { writeActivations } from '../../activations/write.js';
import type { SparseActivations } from '../../activations/types.js';
import type { CallOptions } from '../../compute/call.js';
import type { SparseRows } from '../../compute/sparse.js';
import { matrixId, sha256 } from '../../io/hash.js';
import type { World } from '../types.js';

export interface WorldActivationsOptions extends CallOptions {
  /** Default the world's own. */
  seed?: number;
}

/** Column of the largest value of each row, `cols` where there is none. Ties go to the first. */
export function dominantFeatures({ rows, cols, indptr, indices, values }: SparseRows): Int32Array {
  return Int32Array.from({ length: rows }, (_, s) => {
    let best = -1;
    for (let e = indptr[s]; e < indptr[s + 1]; e++) if (best < 0 || values[e] > values[best]) best = e;
    return best < 0 ? cols : indices[best];
  });
}

/** Text of a sample's token: the feature that is strongest in it. */
export const samplePiece =
  (features: number) =>
  (token: number): string =>
    token === features ? '∅' : `#${token}`;

/**
 * Writes n samples' true codes into a store. There is no text: a sample is a sequence of one token, named after its
 * strongest feature ("#12", "∅" when nothing fires), so that labels and examples say which true feature they show.
 */
export async function writeWorldActivations(
  folder: string,
  world: World,
  n: number,
  options: WorldActivationsOptions & { id?: string } = {},
): Promise<SparseActivations> {
  const { seed, id, ...call } = options;
  // Filled as the rows come: the writer reads a row's token after it took the row.
  const tokenIds = new Int32Array(n);
  async function* rows(): AsyncGenerator<SparseRows> {
    for await (const { first, codes } of world.sample(n, { seed, signal: call.signal })) {
      tokenIds.set(dominantFeatures(codes), first);
      yield codes;
    }
  }
  return writeActivations(folder, rows(), {
    ...call,
    features: world.features,
    tokenIds,
    context: 1,
    hook: 'world',
    model: { name: world.description, id: world.id },
    sae: { name: 'true features', id: world.id, decoder: matrixId(world.dictionary) },
    tokenSet: { id: sha256(['world samples', world.id, String(n), String(seed ?? '')]), tokenizer: 'world' },
    piece: samplePiece(world.features),
    id,
  });
}
