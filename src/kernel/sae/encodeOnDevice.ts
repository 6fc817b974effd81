/** Encoding on a device, by encodeGraph.ts: rows in blocks, features in tiles, and what fires as CSR. */
import { checkAborted, type CallOptions } from '../compute/call.js';
import { whole } from '../compute/graphs/feeds.js';
import { DeviceMemoryError } from '../compute/graphs/failures.js';
import type { DeviceTensor, GraphDevice } from '../compute/graphs/host.js';
import type { HostTensor } from '../compute/graphs/messages.js';
import type { Matrix } from '../compute/matrix.js';
import { rowNorms } from '../compute/rows.js';
import type { SparseRows } from '../compute/sparse.js';
import { architectureOf } from './architectures/index.js';
import type { DeviceVector, OnDevice } from './architectures/onDevice.js';
import { indexArray } from './architectures/select.js';
import { encodeProgram, type EncodeProgram } from './encodeGraph.js';
import type { Sae } from './types.js';

/** Floats of one buffer on the device: 128 MiB, which every WebGPU device takes. */
const BUFFER_FLOATS = 2 ** 25;
/** Entries of a row that are asked for first where their number is not known; the next blocks ask for what was needed. */
const FIRST_ENTRIES = 64;

/** Rows to encode, on the device or in the host's memory. */
export type DeviceRows = { rows: number; x: DeviceTensor | Matrix };

interface Tile {
  first: number;
  features: number;
}

/** Entries of the rows of a block in one tile, best first; those that are not above 0 (by size) do not fire. */
interface Entries {
  values: Float32Array;
  /** Features, of the whole SAE. */
  indices: Int32Array;
  /** Entries of a row. */
  width: number;
  sizes: Float32Array;
}

/** An SAE on a device. */
export interface RowsEncoder {
  /**
   * What fires, as sae.encode gives it, and Σ|x| of each row, which is not finite where x is not; then nothing of what
   * fires may be read.
   * @throws DeviceMemoryError where not even one row fits, DeviceLostError
   */
  encode(rows: DeviceRows, call?: CallOptions): Promise<SparseRows & { sizes: Float32Array }>;
}

/** An SAE on a device: its weights go there at the first call and stay (Uploads). */
export class DeviceEncoder implements RowsEncoder {
  readonly #onDevice: OnDevice;
  readonly #program: EncodeProgram;
  readonly #tiles: readonly Tile[];
  /** Entries asked for of each row, where all that are positive fire. */
  #entries: number;
  /** Rows of a block: fewer after the device had no room. */
  #rows: number;

  constructor(
    private readonly device: GraphDevice,
    private readonly sae: Sae,
    bufferFloats = BUFFER_FLOATS,
  ) {
    const { config } = sae;
    const { onDevice } = architectureOf(config.architecture);
    if (!onDevice) throw new Error(`${sae.name} is a decoder alone; it encodes nothing`);
    this.#onDevice = onDevice;
    this.#program = encodeProgram(config, onDevice);
    this.#tiles = tilesOf(config.dSae, Math.floor(bufferFloats / config.dIn), onDevice.keeps === 'each group' ? config.dSae / config.k! : 1); // prettier-ignore
    const widest = this.#tiles[0].features;
    this.#rows = Math.max(1, Math.floor(bufferFloats / Math.max(widest, config.dIn)));
    this.#entries = Math.min(widest, config.k ? 2 * config.k : FIRST_ENTRIES);
  }

  async encode({ rows, x }: DeviceRows, { signal }: CallOptions = {}): Promise<SparseRows & { sizes: Float32Array }> {
    const blocks: Entries[][] = [];
    for (let first = 0; first < rows;) {
      checkAborted(signal, 'encoding');
      const count = Math.min(this.#rows, rows - first);
      try {
        blocks.push(await this.#block(x, first, count, signal));
        first += count;
      } catch (error) {
        if (!(error instanceof DeviceMemoryError) || count === 1)
          throw error instanceof DeviceMemoryError ? this.#tooLarge(error) : error;
        this.#rows = Math.ceil(count / 2);
      }
    }
    return gather(blocks, this.sae.config.dSae, this.#onDevice, this.sae.config.k);
  }

  #tooLarge(error: DeviceMemoryError): DeviceMemoryError {
    const { dIn, dSae } = this.sae.config;
    return new DeviceMemoryError(
      `${this.sae.name} (d_in ${dIn}, d_sae ${dSae}) does not fit the device, not even one row at a time: ${error.message}. Use an SAE of fewer features, or the cpu device`,
      { cause: error },
    );
  }

  #vector(name: DeviceVector): Float32Array {
    const { sae } = this;
    switch (name) {
      case 'r_scale':
        return Float32Array.from(sae.r_mag!, Math.exp);
      case 'norms':
        return Float32Array.from(rowNorms(sae.W_dec));
      default:
        return sae[name]!;
    }
  }

  /** The weights of a tile on the device, by the names of the graph's inputs. */
  async #weights({ first, features }: Tile): Promise<Record<string, DeviceTensor>> {
    const { sae, device } = this;
    const { dIn, dSae, applyBDecToInput } = sae.config;
    const last = first + features;
    const get = (name: string, values: () => HostTensor<Float32Array>): Promise<DeviceTensor> =>
      device.weights.get(sae.id, `${name} ${first} ${last}`, values);
    const columns = (): HostTensor<Float32Array> => {
      const shape = [dIn, features];
      if (features === dSae) return { data: sae.W_enc.data, shape };
      const data = new Float32Array(dIn * features);
      for (let i = 0; i < dIn; i++) data.set(sae.W_enc.data.subarray(i * dSae + first, i * dSae + last), i * features);
      return { data, shape };
    };
    const feeds: Record<string, DeviceTensor> = { W_enc: await get('W_enc', columns) };
    if (applyBDecToInput) feeds.b_dec = await get('b_dec', () => ({ data: sae.b_dec, shape: [dIn] }));
    for (const name of this.#program.vectors)
      feeds[name] = await get(name, () => ({ data: this.#vector(name).subarray(first, last), shape: [features] }));
    return feeds;
  }

  async #block(x: DeviceTensor | Matrix, first: number, rows: number, signal?: AbortSignal): Promise<Entries[]> {
    const { dIn } = this.sae.config;
    const given = 'tensor' in x ? x : { data: x.data.subarray(first * dIn, (first + rows) * dIn), shape: [rows, dIn] };
    const from = 'tensor' in x ? first : 0;
    const parts: Entries[] = [];
    for (const tile of this.#tiles)
      parts.push(await this.#tile(tile, { x: given, from: whole(from), to: whole(from + rows) }, rows, signal));
    return parts;
  }

  async #tile(
    tile: Tile,
    feeds: Record<string, HostTensor | DeviceTensor>,
    rows: number,
    signal?: AbortSignal,
  ): Promise<Entries> {
    const weights = await this.#weights(tile);
    for (;;) {
      const k = this.#asked(tile);
      const { host } = await this.device.run(this.#program, { ...feeds, ...weights, k: whole(k) }, { signal });
      const most = host.count ? (host.count.data as Float32Array).reduce((a, b) => Math.max(a, b), 0) : 0;
      if (most > k) {
        // More fired than was asked for: the block once more, and the next ones with room for as many.
        this.#entries = Math.min(this.#tiles[0].features, Math.ceil((1.25 * most) / 16) * 16);
        continue;
      }
      return this.#entriesOf(tile, rows, host);
    }
  }

  #asked({ features }: Tile): number {
    const { k } = this.sae.config;
    if (this.#onDevice.keeps === 'each group') return 1;
    return Math.min(features, this.#onDevice.keeps === 'k' ? k! : this.#entries);
  }

  #entriesOf({ first, features }: Tile, rows: number, host: Record<string, HostTensor>): Entries {
    const values = host.values.data as Float32Array;
    const width = values.length / rows;
    const { dSae, k } = this.sae.config;
    const group = this.#onDevice.keeps === 'each group' ? dSae / k! : 0;
    const groups = group > 0 ? features / group : 1;
    const indices = Int32Array.from(
      host.indices.data as BigInt64Array,
      (index, at) => first + Number(index) + group * (at % groups),
    );
    return { values, indices, width, sizes: host.size.data as Float32Array };
  }
}

/** Features in tiles of at most `most`, whole multiples of `unit`. */
function tilesOf(features: number, most: number, unit: number): Tile[] {
  const count = Math.max(1, Math.ceil(features / Math.max(unit, Math.floor(most / unit) * unit)));
  const step = Math.ceil(features / count / unit) * unit;
  const tiles: Tile[] = [];
  for (let first = 0; first < features; first += step)
    tiles.push({ first, features: Math.min(step, features - first) });
  return tiles;
}

/** The entries of all tiles as one CSR: those that fire, of top-k the k largest over the tiles, by ascending feature. */
function gather(
  blocks: readonly Entries[][],
  cols: number,
  { keeps, signed }: OnDevice,
  k = cols,
): SparseRows & { sizes: Float32Array } {
  const rows = blocks.reduce((sum, [{ sizes }]) => sum + sizes.length, 0);
  const indptr = new Uint32Array(rows + 1);
  const sizes = new Float32Array(rows);
  const capacity = blocks.reduce((sum, parts) => sum + parts.reduce((n, part) => n + part.values.length, 0), 0);
  const indices = indexArray(cols, capacity);
  const values = new Float32Array(capacity);
  let row = 0;
  let at = 0;
  const most = keeps === 'k' ? k : Infinity;
  const order = (value: number): number => (signed ? Math.abs(value) : value);
  for (const parts of blocks) {
    sizes.set(parts[0].sizes, row);
    for (let i = 0; i < parts[0].sizes.length; i++, row++) {
      const found: Array<{ feature: number; value: number }> = [];
      for (const { values: v, indices: f, width } of parts)
        for (let e = i * width; e < (i + 1) * width; e++)
          if (order(v[e]) > 0) found.push({ feature: f[e], value: v[e] });
      if (parts.length > 1 && found.length > most) {
        found.sort((a, b) => order(b.value) - order(a.value) || a.feature - b.feature);
        found.length = most;
      }
      found.sort((a, b) => a.feature - b.feature);
      for (const { feature, value } of found) {
        indices[at] = feature;
        values[at++] = value;
      }
      indptr[row + 1] = at;
    }
  }
  return { rows, cols, indptr, indices: indices.slice(0, at), values: values.slice(0, at), sizes };
}
