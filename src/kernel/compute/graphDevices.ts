/** Starting a device that graphs run on: its process, its check against float64, and the race with the CPU. */
import { checkDevice, type DeviceCheck } from './graphs/check.js';
import type { GraphWork } from './graphs/current.js';
import type { GraphDevice } from './graphs/host.js';
import { race, raceWords, won, type Race } from './graphs/race.js';

/** Thrown when a device cannot be used; the message is the reason shown to people. */
export class DeviceRefused extends Error {
  override name = 'DeviceRefused';
}

export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0];

export interface StartedGraphs {
  device: GraphDevice;
  check: DeviceCheck;
  /** Of the provider, as shown. */
  name: string;
  /** Names of Vulkan's driver files on Linux, the system's API elsewhere, or the version of CUDA's driver. */
  drivers: string;
  /** Work that runs there, and the measurements that say so; without a race, all that it can do. */
  kinds: readonly GraphWork[];
  races: readonly Race[];
}

export interface FasterThan {
  /** GFLOP/s of the CPU: the device is refused unless it does some kind of work faster. */
  fasterThan?: () => number;
}

/** What is said of a device, and what it can do at all. */
export interface GraphPlace {
  name: string;
  drivers: string;
  work: readonly GraphWork[];
  /** Makes a reason why it did not start more helpful. */
  advice?: (reason: string) => string;
}

/** What a device does faster than the CPU. @throws DeviceRefused where that is nothing: a software driver is right and slow */
async function chooseWork(device: GraphDevice, { name, work }: GraphPlace, gflops: number, cpu: number) {
  const races = await race(device, { device: gflops, cpu }, work);
  const kinds = won(races);
  if (kinds.length > 0) return { races, kinds };
  const measured = races.length > 0 ? `; ${raceWords(races)}` : '';
  const slower = gflops < cpu ? 'slower than' : 'beside';
  throw new DeviceRefused(
    `${name} multiplies at ${gflops.toPrecision(3)} GFLOP/s, ${slower} the CPU's ${cpu.toPrecision(3)}${measured}`,
  );
}

/** Starts a device in a process of its own and checks it. @throws DeviceRefused; its process has ended then */
export async function startGraphs(
  device: GraphDevice,
  place: GraphPlace,
  { fasterThan }: FasterThan = {},
): Promise<StartedGraphs> {
  const { name, drivers, work, advice = (reason) => reason } = place;
  try {
    await device.start().catch((error: unknown) => {
      throw new DeviceRefused(advice(firstLine(error)), { cause: error });
    });
    const check = await checkDevice(device).catch((error: unknown) => {
      throw new DeviceRefused(`${name} failed its check: ${firstLine(error)}`, { cause: error });
    });
    const chosen = fasterThan
      ? await chooseWork(device, place, check.gflops, fasterThan())
      : { kinds: work, races: [] };
    return { device, check, name, drivers, ...chosen };
  } catch (error) {
    await device.close();
    throw error;
  }
}
