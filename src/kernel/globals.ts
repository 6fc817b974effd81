/** What every cell finds defined, for the kernel process and the command line alike. */
import type { DeviceSummary } from '../protocol/kernel.js';
import type { SessionContext } from './verb/context.js';
import { protectedSection } from './compute/nativeCall.js';

export type DeviceChoice = 'auto' | 'cuda' | 'webgpu' | 'cpu';
const CHOICES: readonly string[] = ['auto', 'cuda', 'webgpu', 'cpu'];

/** The --device option. @throws Error that names the choices. */
export function deviceChoice(name: string): DeviceChoice {
  if (!CHOICES.includes(name)) throw new Error(`--device is ${name}; it must be one of ${CHOICES.join(', ')}`);
  return name as DeviceChoice;
}

/** `fg` and `tf`, with the device ready. Loaded late: a kernel answers before its tensors are there. */
export async function cellGlobals(context: SessionContext, device: DeviceChoice): Promise<Record<string, unknown>> {
  const { createGlobals } = await import('./api/index.js');
  return createGlobals(context, { device });
}

/** Starts the device if nothing has, and describes it. */
export async function deviceSummary(device: DeviceChoice, notebookFolder: string): Promise<DeviceSummary> {
  const report = await protectedSection(async () => {
    const { initDevice } = await import('./compute/device.js');
    return initDevice({ device, notebookFolder });
  });
  const { backend, description, notes } = report;
  const work = report.work.map(({ work, device }) => ({ work, device }));
  return { device: report.device, backend, description, notes, work };
}
