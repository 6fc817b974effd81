/** The device and memory of a kernel in words. */
import type { DeviceSummary, MemoryInfo } from '../../protocol/kernel.js';

/** Bytes as people read them. */
export function bytesText(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.round(bytes / 2 ** 10)} KB`;
  if (bytes < 2 ** 30) return `${Math.round(bytes / 2 ** 20)} MB`;
  return `${(bytes / 2 ** 30).toFixed(1)} GB`;
}

/** "cpu", or "webgpu 1.2 GB" with what the kernel holds there. */
export const deviceName = ({ device }: DeviceSummary, memory: MemoryInfo | undefined): string =>
  memory?.gpu ? `${device} ${bytesText(memory.gpu.heldBytes)}` : device;

/** What computes, what runs where, and the memory of its GPUs. */
export function deviceText({ description, work, notes }: DeviceSummary, memory: MemoryInfo | undefined): string {
  const devices = [...new Set(work.map((place) => place.device))];
  const places = devices.map(
    (name) => `On ${name}: ${work.filter((place) => place.device === name).map((place) => place.work).join('; ')}`, // prettier-ignore
  );
  const { heldBytes, cards } = memory?.gpu ?? { heldBytes: 0, cards: [] };
  const held = memory?.gpu ? [`GPU memory held by this kernel ${bytesText(heldBytes)}`] : [];
  const told = cards.map(
    ({ name, total, used }) =>
      `${name}: ${bytesText(used)} of ${bytesText(total)} used, ${bytesText(total - used)} free`,
  );
  return [description, ...held, ...told, ...places, ...notes].map((line) => `${line}\n`).join('');
}
