/**
 * A world as a source of training data, and its samples as activations that correlate, map and store like any other.
 */
import { memoryActivations } from '../../activations/store.js';
import type { SparseActivations } from '../../activations/types.js';
import { checkAborted, type CallOptions } from '../../compute/call.js';
import { requireMemory } from '../../compute/memory.js';
import type { SparseRows } from '../../compute/sparse.js';
import { matrixId, sha256 } from '../../io/hash.js';
import { cachedSource, type ActivationSource } from '../../sae/source.js';
import type { Sae } from '../../sae/types.js';
import type { World } from '../types.js';

/** Samples that are kept for later epochs: as much as activations of models. */
const CACHE_BYTES = 2 ** 30;

/**
 * The first `rows` samples of a world's stream as one epoch of training data; where they fit in 1 GiB they are kept
 * after the first.
 */
export function worldSource(world: World, rows: number, seed?: number): ActivationSource {
  const source: ActivationSource = {
    width: world.dim,
    rows,
    hookName: 'world',
    modelName: world.description,
    modelId: world.id,
    tokensId: sha256(['world samples', world.id, String(rows), String(seed ?? '')]),
    async *batches(firstRow = 0, call = {}) {
      for await (const { first, x } of world.sample(rows, { seed, signal: call.signal }))
        // A piece starts where an earlier epoch started one: earlier pieces are made again and left out.
        if (first >= firstRow) yield x;
    },
  };
  return 4 * rows * world.dim <= CACHE_BYTES ? cachedSource(source) : source;
}

export interface SampleActivations extends CallOptions {
  samples: number;
  seed: number;
  /**
   * Identity of the sampled world; default the world's own. Twins give that of their events, since both see the same
   * samples and may be correlated.
   */
  events?: string;
}

/**
 * Samples of a world as an activation store in memory: its true codes or, with `sae`, what the SAE makes of its x. A
 * sample is a token of its own. Throws when they do not fit the memory budget.
 */
export async function sampleActivations(
  world: World,
  sae: Sae | undefined,
  { samples, seed, events = world.id, signal, onProgress }: SampleActivations,
): Promise<SparseActivations> {
  const blocks: SparseRows[] = [];
  let done = 0;
  for await (const { x, codes } of world.sample(samples, { seed, signal })) {
    checkAborted(signal, 'samples of a world');
    const rows = sae ? sae.encode(x) : codes;
    if (done === 0) requireMemory('samples of a world', (12 * samples * rows.values.length) / Math.max(1, rows.rows));
    blocks.push(rows);
    done += x.rows;
    onProgress?.({ label: 'samples', done, total: samples, unit: 'samples' });
  }
  return memoryActivations(blocks, {
    meta: {
      hook: 'world',
      model: { name: world.description, id: world.id },
      sae: sae
        ? { name: sae.name, id: sae.id, decoder: matrixId(sae.W_dec) }
        : { name: 'true features', id: world.id, decoder: matrixId(world.dictionary) },
      tokenSet: { id: sha256(['world samples', events, String(samples), String(seed ?? '')]), tokenizer: 'world' },
    },
  });
}
