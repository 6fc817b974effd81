/** Activations of twins on disk: what correlation, maps, the mapper and panels take, with truth known behind them. */
import { writeActivations } from '../../activations/write.js';
import type { SparseActivations } from '../../activations/types.js';
import { checkAborted, type CallOptions } from '../../compute/call.js';
import type { SparseRows } from '../../compute/sparse.js';
import { matrixId, sha256 } from '../../io/hash.js';
import type { Sae } from '../../sae/types.js';
import type { Twins } from './twins.js';
import { dominantFeatures, samplePiece } from '../world/activations.js';

/** Bumped when the same call gives other activations. */
export const TWIN_ACTIVATIONS_VERSION = 1;

export interface TwinSamples {
  samples: number;
  seed: number;
}

/**
 * Writes one twin's samples into a store: its true codes or, with `sae`, what the SAE makes of its x. A sample is a
 * sequence of one token, named after the strongest event, the same for both twins, so that the two stores correlate.
 */
export async function writeTwinActivations(
  folder: string,
  twins: Twins,
  side: 'a' | 'b',
  sae: Sae | undefined,
  { samples, seed, id, signal, onProgress }: TwinSamples & CallOptions & { id?: string },
): Promise<SparseActivations> {
  const world = twins[side];
  if (sae && sae.config.dIn !== world.dim)
    throw new RangeError(`${sae.name} takes activations of width ${sae.config.dIn} but twin ${side} has ${world.dim}`);
  const tokenIds = new Int32Array(samples);
  for await (const { first, codes } of twins.events.sample(samples, { seed, signal })) {
    checkAborted(signal, 'twin activations');
    tokenIds.set(dominantFeatures(codes), first);
  }
  async function* rows(): AsyncGenerator<SparseRows> {
    for await (const { x, codes } of world.sample(samples, { seed, signal })) yield sae ? sae.encode(x) : codes;
  }
  return writeActivations(folder, rows(), {
    signal,
    onProgress,
    features: sae ? sae.config.dSae : world.features,
    tokenIds,
    context: 1,
    hook: 'world',
    model: { name: world.description, id: world.id },
    sae: sae
      ? { name: sae.name, id: sae.id, decoder: matrixId(sae.W_dec) }
      : { name: `true features of twin ${side.toUpperCase()}`, id: world.id, decoder: matrixId(world.dictionary) },
    tokenSet: { id: sha256(['twin events', twins.events.id, String(samples), String(seed)]), tokenizer: 'world' },
    piece: samplePiece(twins.events.features),
    id,
  });
}
