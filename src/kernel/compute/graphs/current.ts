/** The device that graphs run on, where the device in use has one, and for which kinds of work. */
import type { GraphDevice } from './host.js';

/** Kinds of work with a graph of their own: `auto` chooses for each of them. */
export const GRAPH_WORK = ['encoding', 'decoding', 'training', 'neighbours', 'scores'] as const;
export type GraphWork = (typeof GRAPH_WORK)[number];

let current: GraphDevice | undefined;
let kinds: ReadonlySet<GraphWork> = new Set();
let held = (): number => current?.held ?? 0;

/**
 * The device for a kind of work: `encoding` is passes to a hook with SAE encoding behind them. Undefined where
 * typed-array code does the work.
 */
export const graphDevice = (work: GraphWork): GraphDevice | undefined => (kinds.has(work) ? current : undefined);

/** Called when the device is chosen (../device.ts). */
export function useGraphDevice(device: GraphDevice, work: readonly GraphWork[] = GRAPH_WORK): void {
  current = device;
  kinds = new Set(work);
}

/** Bytes that this process holds on devices: tensors of graphs, and what countHeld() adds. */
export const heldOnDevice = (): number => held();

/** Counts what another library of this process holds on a GPU besides. */
export function countHeld(bytes: () => number): void {
  held = () => (current?.held ?? 0) + bytes();
}
