/**
 * Weights on the device, kept from one call to the next under the identity of what they belong to. When the device has no
 * room, those of the other owners give way, least recently used first.
 */
import { DeviceMemoryError } from './failures.js';
import type { DeviceTensor, GraphDevice } from './host.js';
import type { HostTensor } from './messages.js';

/** Models and SAEs whose weights stay on the device at a time. */
const OWNERS = 4;

type Kept = Map<string, Promise<DeviceTensor>>;

export class Uploads {
  /** By owner, the most recently used last. */
  readonly #owners = new Map<string, Kept>();

  constructor(private readonly device: GraphDevice) {}

  /** The tensor `name` of an owner, uploaded where it is not there yet. Rejects with DeviceMemoryError. */
  async get(
    owner: string,
    name: string,
    values: () => HostTensor<Float32Array> | Promise<HostTensor<Float32Array>>,
  ): Promise<DeviceTensor> {
    const kept = this.#use(owner);
    const known = await kept.get(name)?.catch(() => undefined);
    if (known && (await this.device.holds(known))) return known;
    const uploading = this.#upload(owner, values);
    kept.set(name, uploading);
    // Whoever asked sees the error.
    uploading.catch(() => kept.get(name) === uploading && kept.delete(name));
    return uploading;
  }

  #use(owner: string): Kept {
    const kept: Kept = this.#owners.get(owner) ?? new Map<string, Promise<DeviceTensor>>();
    this.#owners.delete(owner);
    this.#owners.set(owner, kept);
    if (this.#owners.size > OWNERS) this.#forget(this.#owners.keys().next().value!);
    return kept;
  }

  async #upload(
    owner: string,
    values: () => HostTensor<Float32Array> | Promise<HostTensor<Float32Array>>,
  ): Promise<DeviceTensor> {
    const { data, shape } = await values();
    for (;;) {
      try {
        return await this.device.upload(data, shape);
      } catch (error) {
        if (!(error instanceof DeviceMemoryError) || !this.#giveWay(owner)) throw error;
      }
    }
  }

  /** Frees what the least recently used other owner holds; false when there is none. */
  #giveWay(owner: string): boolean {
    const other = [...this.#owners.keys()].find((name) => name !== owner);
    if (other !== undefined) this.#forget(other);
    return other !== undefined;
  }

  #forget(owner: string): void {
    const kept = this.#owners.get(owner);
    this.#owners.delete(owner);
    for (const tensor of kept?.values() ?? [])
      tensor.then(
        (t) => this.device.free(t),
        () => undefined,
      );
  }
}
