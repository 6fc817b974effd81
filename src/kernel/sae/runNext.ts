/** Programs of training on a device whose outputs take the place of inputs. */
import type { Feeds } from '../compute/graphs/feeds.js';
import type { DeviceTensor, GraphDevice, Program } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { feedNames } from './stepGraph.js';

/** Runs a program; its outputs that take the place of inputs stay, by the names of these. */
export async function runNext(
  device: GraphDevice,
  program: Program,
  feeds: Feeds,
  names: readonly string[],
): Promise<{ host: Record<string, HostTensor>; next: Record<string, DeviceTensor> }> {
  const { host, device: made } = await device.run(program, feeds, { stay: names.map(feedNames.next) });
  return { host, next: Object.fromEntries(names.map((name) => [name, made[feedNames.next(name)]])) };
}
