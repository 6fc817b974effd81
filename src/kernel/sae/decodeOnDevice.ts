/** Decoding on a device: features as sparse rows go up, sums of the decoder's rows come back, in blocks and tiles. */
import { checkAborted, type CallOptions } from '../compute/call.js';
import type { RowEntries } from '../compute/entries/firing.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import { ROW_SUMS } from '../compute/graphs/rowSums.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import { finishDecoding, requireFeatures } from './encode.js';
import type { FeatureRange } from './denseGradient.js';
import { deviceEncoder, encodesOnDevice } from './deviceEncoders.js';
import { reconstruct } from './sae.js';
import type { EncodedRows, Sae } from './types.js';

/** Floats of one buffer on the device: 128 MiB, which every WebGPU device takes. */
const BUFFER_FLOATS = 2 ** 25;
/** Entries of a row go up in multiples of this: the device compiles anew for some sizes. */
const WIDTH_STEP = 8;

/** Rows first … end − 1, and the most entries that one of them has among the features of a tile. */
interface Rows {
  first: number;
  end: number;
  width: number;
}

/** An SAE's decoder on a device: it goes there at the first call and stays (Uploads). */
export class DeviceDecoder {
  readonly #norms: Float64Array | undefined;
  /** Features of a tile. */
  readonly #features: number;
  /** Floats of the rows that are gathered at a time: fewer after the device had no room. */
  #floats: number;

  constructor(
    private readonly device: GraphDevice,
    private readonly sae: Sae,
    bufferFloats = BUFFER_FLOATS,
  ) {
    this.#norms = sae.config.rescaleActsByDecoderNorm ? rowNorms(sae.W_dec) : undefined;
    this.#features = Math.max(1, Math.floor(bufferFloats / sae.W_dec.cols));
    this.#floats = bufferFloats;
  }

  /**
   * What sae.decode gives, within the rounding of float32.
   * @throws as sae.decode does; DeviceMemoryError where not even one row fits, DeviceLostError
   */
  async decode(features: EncodedRows, x?: Matrix, { signal }: CallOptions = {}): Promise<Matrix> {
    const coder = { config: this.sae.config, weights: this.sae };
    const origin = requireFeatures(coder, features, x);
    const { W_dec, b_dec } = this.sae;
    const { rows, indptr, indices, values } = features;
    const entries = { rows, indptr, features: Int32Array.from(indices), values };
    const out = matrix(features.rows, W_dec.cols);
    for (let i = 0; i < out.rows; i++) out.data.set(b_dec, i * out.cols);
    for (let first = 0; first < W_dec.rows; first += this.#features)
      await this.#tile(entries, first, Math.min(W_dec.rows, first + this.#features), out, signal);
    return finishDecoding(coder, out, origin);
  }

  /** Adds the rows of the features from … to − 1 to `out`. */
  async #tile(all: RowEntries, from: number, to: number, out: Matrix, signal?: AbortSignal): Promise<void> {
    const { device, sae } = this;
    const { cols } = out;
    const rows = await device.weights.get(sae.id, `W_dec ${from} ${to}`, () => ({
      data: sae.W_dec.data.subarray(from * cols, to * cols),
      shape: [to - from, cols],
    }));
    const part = to - from === sae.config.dSae ? all : entriesWithin(all, { first: from, last: to });
    for (let first = 0; first < out.rows;) {
      checkAborted(signal, 'decoding');
      const block = blockFrom(part, first, Math.floor(this.#floats / cols));
      try {
        await this.#block(part, block, from, rows, out, signal);
        first = block.end;
      } catch (error) {
        if (!(error instanceof DeviceMemoryError)) throw error;
        if (block.end - first === 1) throw this.#tooLarge(error);
        this.#floats = Math.ceil(((block.end - first) * block.width * cols) / 2);
      }
    }
  }

  async #block(
    { indptr, features, values }: RowEntries,
    { first, end, width }: Rows,
    from: number,
    rows: DeviceTensor,
    out: Matrix,
    signal?: AbortSignal,
  ): Promise<void> {
    if (width === 0) return;
    const count = end - first;
    const taken = { values: new Float32Array(count * width), indices: new Int32Array(count * width) };
    for (let i = first; i < end; i++)
      for (let e = indptr[i], at = (i - first) * width; e < indptr[i + 1]; e++, at++) {
        taken.values[at] = this.#norms ? values[e] / this.#norms[features[e]] : values[e];
        taken.indices[at] = features[e] - from;
      }
    const block = out.data.subarray(first * out.cols, end * out.cols);
    const feeds: Record<string, HostTensor | DeviceTensor> = {
      values: { data: taken.values, shape: [count, 1, width] },
      indices: { data: taken.indices, shape: [count, width] },
      rows,
      before: { data: block, shape: [count, out.cols] },
    };
    const { host } = await this.device.run(ROW_SUMS, feeds, { signal });
    block.set(host.sum.data as Float32Array);
  }

  #tooLarge(error: DeviceMemoryError): DeviceMemoryError {
    const { rows, cols } = this.sae.W_dec;
    return new DeviceMemoryError(
      `the decoder of ${this.sae.name} (${rows} × ${cols}) does not fit the device, not even for one row at a time: ${error.message}. Use an SAE of fewer features, or the cpu device`,
      { cause: error },
    );
  }
}

/** As many rows as gather at most `most` rows of the decoder, at least one. */
function blockFrom({ rows, indptr }: RowEntries, first: number, most: number): Rows {
  let [end, width] = [first, 0];
  while (end < rows) {
    const own = Math.ceil((indptr[end + 1] - indptr[end]) / WIDTH_STEP) * WIDTH_STEP;
    const wider = Math.max(width, own);
    if (end > first && (end + 1 - first) * Math.max(1, wider) > most) break;
    width = wider;
    end++;
  }
  return { first, end, width };
}

/** What fires on rows, and their reconstruction. */
export type Reconstruct = (x: Matrix, call?: CallOptions) => Promise<{ features: EncodedRows; reconstruction: Matrix }>;

/** reconstruct() of an SAE, on the devices given for its two halves. */
export function reconstructOn(sae: Sae, devices: { encode?: GraphDevice; decode?: GraphDevice }): Reconstruct {
  const encoder = devices.encode && encodesOnDevice(sae) ? deviceEncoder(devices.encode, sae) : undefined;
  const decoder = devices.decode && new DeviceDecoder(devices.decode, sae);
  if (!encoder && !decoder) return (x) => Promise.resolve(reconstruct(sae, x));
  return async (x, call) => {
    const found = await encoder?.encode({ rows: x.rows, x }, call);
    // Rows that are not finite are refused by the encoder of the CPU, with their place.
    const features = found?.sizes.every(Number.isFinite) ? found : sae.encode(x);
    return { features, reconstruction: decoder ? await decoder.decode(features, x, call) : sae.decode(features, x) };
  };
}

/** The entries of the features of a tile. */
function entriesWithin(entries: RowEntries, { first, last }: FeatureRange): RowEntries {
  const { rows, indptr, features, values } = entries;
  const total = indptr[rows];
  const kept = { indptr: new Uint32Array(rows + 1), features: new Int32Array(total), values: new Float32Array(total) };
  let at = 0;
  for (let i = 0; i < rows; i++) {
    for (let e = indptr[i]; e < indptr[i + 1]; e++) {
      if (features[e] < first || features[e] >= last) continue;
      kept.features[at] = features[e];
      kept.values[at++] = values[e];
    }
    kept.indptr[i + 1] = at;
  }
  return { rows, ...kept };
}
