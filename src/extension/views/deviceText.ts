/** The device and memory of a kernel in words. */
import { formatBytes } from '../../protocol/bytes.js';
import type { DeviceSummary, MemoryInfo } from '../../protocol/kernel.js';

/** "1.2 GB", and "256 MB": short of room. */
export const briefBytes = (bytes: number): string =>
  formatBytes(bytes).replace(/\d{3,}\.\d/, (value) => Number(value).toFixed(0));

/** "cpu", or "webgpu 1.2 GB" with what the kernel holds there. */
export const deviceName = ({ device }: DeviceSummary, memory: MemoryInfo | undefined): string =>
  memory?.gpu ? `${device} ${briefBytes(memory.gpu.heldBytes)}` : device;

/** What computes, what runs where, and the memory of its GPUs, line by line. */
export function deviceText({ description, work, notes }: DeviceSummary, memory: MemoryInfo | undefined): string[] {
  const devices = [...new Set(work.map((place) => place.device))];
  const places = devices.map(
    (name) => `On ${name}: ${work.filter((place) => place.device === name).map((place) => place.work).join('; ')}`, // prettier-ignore
  );
  const { heldBytes, cards } = memory?.gpu ?? { heldBytes: 0, cards: [] };
  const held = memory?.gpu ? [`GPU memory held by this kernel ${formatBytes(heldBytes)}`] : [];
  const told = cards.map(
    ({ name, total, used }) =>
      `${name}: ${formatBytes(used)} of ${formatBytes(total)} used, ${formatBytes(total - used)} free`,
  );
  return [description, ...held, ...told, ...places, ...notes];
}
