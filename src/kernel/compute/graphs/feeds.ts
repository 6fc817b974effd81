/** Numbers and vectors as graphs take them, and sums of what they give. */
import type { DeviceTensor } from './host.js';
import type { HostTensor } from './messages.js';

/** Inputs of a graph by name. */
export type Feeds = Record<string, HostTensor | DeviceTensor>;

/** float32 [1] */
export const one = (value: number): HostTensor => ({ data: Float32Array.of(value), shape: [1] });
/** int64 [1] */
export const whole = (value: number): HostTensor => ({ data: BigInt64Array.of(BigInt(value)), shape: [1] });
/** float32 [n] */
export const vector = (data: ArrayLike<number>): HostTensor => ({
  data: Float32Array.from(data),
  shape: [data.length],
});

/** Σ of a float32 tensor, in float64. */
export function total({ data }: HostTensor): number {
  let sum = 0;
  for (const value of data as Float32Array) sum += value;
  return sum;
}
