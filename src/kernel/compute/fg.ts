/** fg.device: the device in use. */
import type { OutputItem } from '../../protocol/notebook.js';
import { formatNumber, tableItems, tableOf } from '../present/items.js';
import { namespace } from '../verb/namespace.js';
import { syncVerb } from '../verb/verb.js';
import { currentDevice, type DeviceReport } from './device.js';
import { deviceMemory, memoryWords, type DeviceMemory } from './deviceMemory.js';

/** The device in use, with the memory of its GPUs at this moment. */
export interface DeviceInfo extends DeviceReport {
  /** Where the device is a GPU. */
  memory?: DeviceMemory;
}

function describe(): DeviceInfo {
  const report = currentDevice();
  return report.device === 'cpu' ? report : { ...report, memory: deviceMemory() };
}

/** The devices that were looked at, and what runs where. */
function reportItems({ description, reasons, gemm, work, memory, notes }: DeviceInfo): OutputItem[][] {
  const speed = gemm.gflops === undefined ? '' : `, ${formatNumber(gemm.gflops, 3)} GFLOP/s`;
  const devices = reasons.map(({ device, chosen, reason }) => ({ device, chosen: chosen ? 'yes' : 'no', reason }));
  const places = work.map(({ work, device, why }) => ({ work, device, but: why }));
  const said = [
    `Float32 products of the CPU: ${gemm.engine}${speed}`,
    ...(memory ? [`Memory: ${memoryWords(memory)}`] : []),
    ...notes,
  ];
  return [
    tableItems(tableOf(devices, description)),
    tableItems({ ...tableOf(places, 'What runs where'), note: said.join('. ') }),
  ];
}

const info = syncVerb({
  doc: 'What computes, how fast its product is, what runs where, the memory held, used and free on its GPUs, and why nothing better does. As the last expression of a cell it is a table of the devices that were looked at, and one of what runs where.',
  args: [],
  run: describe,
  show: (report, { env }) => env.displayButLast(reportItems(report)),
});

export const device = namespace({
  name: 'device',
  room: 'compute',
  doc: 'What computes: CUDA, WebGPU or the CPU, chosen once when the kernel starts, for each kind of work the fastest that passes its check.',
  example: `fg.device.info()`,
  verbs: { info },
});
