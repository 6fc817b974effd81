/** What every cell finds defined, for the kernel process and the command line alike. */
import type { DeviceChoice } from '../protocol/device.js';
import type { DeviceSummary } from '../protocol/kernel.js';
import type { SessionContext } from './verb/context.js';
import { protectedSection } from './compute/nativeCall.js';

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
