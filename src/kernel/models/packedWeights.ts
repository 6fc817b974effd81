/** Packed copies of the linear layers of a model that is not trained, made when first used on many rows. */
import { memoryBudget } from '../compute/memory.js';
import type { tf } from '../compute/tf.js';
import { hasFusedOps, valuesOf } from './fusedOps.js';
import { checkedLinear, type NativeLinear } from './nativeOps.js';

/**
 * Rows of a pass from which layers are packed. Packing takes as long as it saves on some 4,000 rows, which a few batches
 * have; it depends on this pass alone, so that a pass gives the same digits whatever ran before.
 */
export const PACK_FROM_ROWS = 512;
/**
 * Copies take at most this share of the memory that a call may plan with; layers beyond it are packed anew for each pass,
 * which takes longer and gives the same digits (plain products sum in another order).
 */
const MEMORY_SHARE = 0.25;

/** A layer that is packed when it runs and given back after. */
function packedForEachPass(first: NativeLinear, open: () => NativeLinear | undefined, name: string): NativeLinear {
  first.close();
  return {
    run(x, y) {
      const layer = open();
      if (!layer) throw new Error(`the weight ${name} could not be packed for its product: restart the kernel`);
      try {
        layer.run(x, y);
      } finally {
        layer.close();
      }
    },
    close: () => undefined,
  };
}

export class PackedWeights {
  private readonly layers = new Map<string, NativeLinear | undefined>();
  private bytes = 0;

  /** The packed layer of this weight for a pass over `rows` rows; undefined where the plain product serves. */
  layer(
    name: string,
    weight: tf.Tensor2D,
    bias: tf.Tensor1D | undefined,
    outIn: boolean,
    rows: number,
  ): NativeLinear | undefined {
    if (rows < PACK_FROM_ROWS || !hasFusedOps()) return undefined;
    if (!this.layers.has(name)) {
      const [output, input] = outIn ? weight.shape : [weight.shape[1], weight.shape[0]];
      const open = (): NativeLinear | undefined =>
        checkedLinear(valuesOf(weight), bias && valuesOf(bias), { input, output, outIn });
      const fits = this.bytes + 4 * weight.size <= MEMORY_SHARE * memoryBudget();
      let layer = open();
      if (layer && fits) this.bytes += 4 * weight.size;
      else if (layer) layer = packedForEachPass(layer, open, name);
      this.layers.set(name, layer);
    }
    return this.layers.get(name);
  }

  dispose(): void {
    for (const layer of this.layers.values()) layer?.close();
    this.layers.clear();
    this.bytes = 0;
  }
}
