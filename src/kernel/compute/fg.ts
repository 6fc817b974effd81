/** fg.device: the device in use. */
import type { OutputItem } from '../../protocol/notebook.js';
import { formatNumber, tableItems, tableOf } from '../present/items.js';
import { namespace } from '../verb/namespace.js';
import { syncVerb } from '../verb/verb.js';
import { currentDevice, type DeviceReport } from './device.js';

function reportItems({ description, reasons, gemm, work, notes }: DeviceReport): OutputItem[] {
  const speed = gemm.gflops === undefined ? '' : `, ${formatNumber(gemm.gflops, 3)} GFLOP/s`;
  const places = work.map((w) => `${w.work}: ${w.device}${w.why ? ` (${w.why})` : ''}`);
  return tableItems({
    ...tableOf(
      reasons.map(({ device, chosen, reason }) => ({ device, chosen: chosen ? 'yes' : 'no', reason })),
      description,
    ),
    note: [`Float32 products of the CPU: ${gemm.engine}${speed}`, ...places, ...notes].join('. '),
  });
}

const info = syncVerb({
  doc: 'What computes, what runs where, and why nothing better does. As the last expression of a cell it is a table of the devices that were looked at.',
  args: [],
  run: currentDevice,
  show: (report) => reportItems(report),
});

export const device = namespace({
  name: 'device',
  room: 'compute',
  doc: 'What computes: CUDA, WebGPU or the CPU, chosen once when the kernel starts.',
  example: `fg.device.info()`,
  verbs: { info },
});
