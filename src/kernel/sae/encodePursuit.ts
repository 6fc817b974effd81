/** Encoding by matching pursuit with its products on a device (pursuitOnDevice.ts): what sae.encode gives, to the bit. */
import { checkAborted, type CallOptions } from '../compute/call.js';
import type { GraphDevice } from '../compute/graphs/host.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { SparseRows } from '../compute/sparse.js';
import { indexArray } from './architectures/select.js';
import { encoderInput } from './encode.js';
import type { DeviceRows, RowsEncoder } from './encodeOnDevice.js';
import { normalizeInput, type InputNorm } from './normalize.js';
import { entriesOf } from './pursuit.js';
import { pursuedOnDevice } from './pursuitOnDevice.js';
import type { Sae } from './types.js';

/** An SAE of matching pursuit, whose decoder stays on the device (Uploads). */
export class PursuitEncoder implements RowsEncoder {
  constructor(
    private readonly device: GraphDevice,
    private readonly sae: Sae,
    private readonly bufferFloats?: number,
  ) {}

  async encode(given: DeviceRows, { signal }: CallOptions = {}): Promise<SparseRows & { sizes: Float32Array }> {
    const { device, sae } = this;
    const { config, W_dec } = sae;
    const { dIn, dSae, pursuit } = config;
    const rows = await this.#rows(given);
    const sizes = sizesOf(rows);
    if (!sizes.every(Number.isFinite)) return { ...none(rows.rows, dSae), sizes };
    const { x } = normalizeInput(rows, config.normalizeActivations as InputNorm);
    const input = encoderInput({ config, weights: sae }, x.data);
    const there = await device.weights.get(sae.id, `W_dec 0 ${dSae}`, () => ({ data: W_dec.data, shape: [dSae, dIn] }));
    const taken = await pursuedOnDevice(device, { input, rows: x.rows, decoder: W_dec.data, dIn, dSae }, pursuit!, {
      ...{ W_dec: there, bufferFloats: this.bufferFloats },
      breakAt: () => checkAborted(signal, 'encoding'),
    });
    const { indptr, features, values } = entriesOf(taken);
    const indices = indexArray(dSae, features.length);
    indices.set(features);
    return { rows: rows.rows, cols: dSae, indptr, indices, values, sizes };
  }

  async #rows({ rows, x }: DeviceRows): Promise<Matrix> {
    if (!('tensor' in x)) return x;
    return matrix(rows, this.sae.config.dIn, (await this.device.download(x)).data as Float32Array);
  }
}

/** Σ|x| of each row. */
function sizesOf({ rows, cols, data }: Matrix): Float32Array {
  const sizes = new Float32Array(rows);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++, at++) sizes[i] += Math.abs(data[at]);
  return sizes;
}

const none = (rows: number, dSae: number): SparseRows => ({
  ...{ rows, cols: dSae, indptr: new Uint32Array(rows + 1) },
  ...{ indices: indexArray(dSae, 0), values: new Float32Array(0) },
});
