/** Which SAEs a device encodes with, and how. */
import type { GraphDevice } from '../compute/graphs/host.js';
import { architectureOf } from './architectures/index.js';
import { DeviceEncoder, type RowsEncoder } from './encodeOnDevice.js';
import { PursuitEncoder } from './encodePursuit.js';
import type { Sae } from './types.js';

const hasGraph = ({ config }: Sae): boolean => architectureOf(config.architecture).onDevice !== undefined;

/** Whether the device can encode with this SAE: decoders alone encode nothing. */
export const encodesOnDevice = (sae: Sae): boolean => hasGraph(sae) || sae.config.pursuit !== undefined;

/** @param bufferFloats of one buffer on the device; default 128 MiB */
export const deviceEncoder = (device: GraphDevice, sae: Sae, bufferFloats?: number): RowsEncoder =>
  hasGraph(sae) ? new DeviceEncoder(device, sae, bufferFloats) : new PursuitEncoder(device, sae, bufferFloats);
