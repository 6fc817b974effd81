/** Selection over a whole batch on a device: pre-activations stay there, and the host looks for the bound by counting. */
import { one, total, whole, type Feeds } from '../compute/graphs/feeds.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { DeviceTraining } from './architectures/trainingOnDevice.js';
import { countProgram, feedNames, preActivationProgram } from './stepGraph.js';

/** Above every pre-activation. */
const LARGE = 3e38;
/** The rows of a batch on the device, and their pre-activations where the batch is looked at as a whole. */
export interface BlockOfRows {
  first: number;
  rows: number;
  z?: DeviceTensor;
  /** How many of each row's values that equal the least one selected are taken, where not all are. */
  room?: Float32Array;
}

const sumOf = (counts: readonly Float32Array[]): number =>
  counts.reduce((sum, rows) => sum + rows.reduce((a, b) => a + b, 0), 0);

/** Shares the places that are left among the rows, the first ones first. */
function giveRoom(
  blocks: readonly BlockOfRows[],
  reached: readonly Float32Array[],
  above: readonly Float32Array[],
  wanted: number,
): void {
  let left = wanted - sumOf(above);
  blocks.forEach((block, i) => {
    block.room = reached[i].map((count, row) => {
      const taken = Math.min(left, count - above[i][row]);
      left -= taken;
      return taken;
    });
  });
}

/** Pre-activations of the whole batch, which the blocks get, and the least of them that fires. */
export async function selectOfBatch(
  device: GraphDevice,
  { training, applyBDecToInput }: { training: DeviceTraining; applyBDecToInput: boolean },
  blocks: BlockOfRows[],
  given: Feeds,
  rows: number,
  breakAt?: () => void,
): Promise<{ bound: number; least?: number }> {
  const program = preActivationProgram(training, applyBDecToInput);
  const vectors = program.vectors.map(feedNames.vector);
  const uses = Object.fromEntries(vectors.map((name) => [name, given[name]]));
  const input = ['x', 'W_encT', 'b_enc', ...(applyBDecToInput ? ['b_dec'] : [])];
  const weights = Object.fromEntries(input.map((name) => [name, given[name]]));
  let [largest, positive] = [0, 0];
  for (const block of blocks) {
    breakAt?.();
    const feeds = { ...weights, ...uses, from: whole(block.first), to: whole(block.first + block.rows) };
    const { host, device: made } = await device.run(program, feeds, { stay: ['z'] });
    block.z = made.z;
    for (const value of host.largest.data as Float32Array) if (!(value <= largest)) largest = value;
    positive += total(host.positive);
  }
  const wanted = Math.min(training.ofBatch!.count(rows), positive);
  // Nothing fires; or what is not finite shows in the loss.
  if (wanted === 0 || !Number.isFinite(largest)) return { bound: LARGE };
  const least = await search(device, training, blocks, uses, wanted, largest, breakAt);
  return { bound: least, least };
}

/**
 * The largest float32 that at least `wanted` values reach: positive numbers order as their bits do. Where more reach it,
 * the rows of the blocks get room for the first of those that equal it.
 */
async function search(
  device: GraphDevice,
  training: DeviceTraining,
  blocks: readonly BlockOfRows[],
  uses: Feeds,
  wanted: number,
  largest: number,
  breakAt?: () => void,
): Promise<number> {
  const program = countProgram(training);
  const floats = new Float32Array(1);
  const bits = new Uint32Array(floats.buffer);
  const counts = async (of: number): Promise<Float32Array[]> => {
    breakAt?.();
    bits[0] = of;
    const found: Float32Array[] = [];
    for (const { z } of blocks) {
      const feeds = { ...uses, z: z!, [feedNames.number('bound')]: one(floats[0]) };
      found.push((await device.run(program, feeds)).host.count.data as Float32Array);
    }
    return found;
  };
  floats[0] = largest;
  let [low, high] = [1, bits[0] + 1];
  let reached: Float32Array[] | undefined;
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    const found = await counts(middle);
    if (sumOf(found) >= wanted) [low, reached] = [middle, found];
    else high = middle;
  }
  reached ??= await counts(low);
  if (sumOf(reached) > wanted) giveRoom(blocks, reached, await counts(low + 1), wanted);
  bits[0] = low;
  return floats[0];
}
