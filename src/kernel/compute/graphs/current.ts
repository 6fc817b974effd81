/** The devices that graphs run on, by kind of work, where the device in use has any. */
import type { GraphDevice } from './host.js';

/** Kinds of work with a graph of their own: `auto` chooses for each of them. */
export const GRAPH_WORK = ['encoding', 'decoding', 'training', 'neighbours', 'scores'] as const;
export type GraphWork = (typeof GRAPH_WORK)[number];

const places = new Map<GraphWork, GraphDevice>();
let others = (): number => 0;

/**
 * The device for a kind of work: `encoding` is passes to a hook with SAE encoding behind them. Undefined where
 * typed-array code does the work.
 */
export const graphDevice = (work: GraphWork): GraphDevice | undefined => places.get(work);

/** Called when devices are chosen (../device.ts): these kinds of work run there. */
export function useGraphDevice(device: GraphDevice, work: readonly GraphWork[] = GRAPH_WORK): void {
  for (const kind of work) places.set(kind, device);
}

/** Bytes that this process holds on devices: tensors of graphs, and what countHeld() adds. */
export const heldOnDevice = (): number => [...new Set(places.values())].reduce((sum, { held }) => sum + held, others());

/** Counts what another library of this process holds on a GPU besides. */
export function countHeld(bytes: () => number): void {
  others = bytes;
}
