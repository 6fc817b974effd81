/** The device that graphs run on, where the device in use has one. */
import type { GraphDevice } from './host.js';

let current: GraphDevice | undefined;

/** Undefined where typed-array code does all work. */
export const graphDevice = (): GraphDevice | undefined => current;

/** Called when the device is chosen (../device.ts). */
export function useGraphDevice(device: GraphDevice): void {
  current = device;
}
