/**
 * Every tensor on the device: nothing else in the project holds one of ONNX Runtime's. It runs in the device process.
 *
 * Rules that keep the process alive and the device's memory bounded, each seen with onnxruntime-node 1.30:
 * - Garbage collection frees no device memory: what is not given back by free() is held until the process ends.
 * - The device goes with its last session, and the next use of a tensor then aborts the process: two sessions (the
 *   upload and the download) stay open for good.
 * - A tensor's own getData() aborts the process: values come back as outputs of a session that leaves nothing there.
 * - With the CPU as a fallback a node without a kernel on the device would be run there without a word: it is forbidden.
 */
import { createRequire } from 'node:module';
import type { InferenceSession, OnnxValue, Tensor, TensorConstructor } from 'onnxruntime-common';
import { onnxModel } from '../onnxModel.js';
import {
  ELEMENT_OF,
  type Failure,
  type HostTensor,
  type OnDevice,
  type Provider,
  type TensorData,
} from './messages.js';
import { Graph } from './graph.js';

interface OrtNode {
  InferenceSession: { create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: TensorConstructor;
}

/** A failure with its kind. */
export class DeviceFailure extends Error {
  override name = 'DeviceFailure';
  constructor(
    message: string,
    readonly kind: Failure,
    /** Bytes that were asked for. */
    readonly asked = 0,
  ) {
    super(message);
  }
}

const MEMORY =
  /out of memory|not enough memory|bad_alloc|failed to allocate|allocation|invalid buffer|exceeds the max|CUBLAS_STATUS_ALLOC_FAILED/i;
// A CUDA context is unusable after any of these, whatever runs in it next.
const LOST =
  /device (?:is |was )?lost|device.?lost|removed|hung|VK_ERROR_DEVICE|CUDA_ERROR|illegal memory access|unspecified launch failure|uncorrectable ECC|CUBLAS_STATUS_EXECUTION_FAILED/i;

/** What a message of ONNX Runtime means. */
export function failureOf(error: unknown, asked = 0): DeviceFailure {
  if (error instanceof DeviceFailure) return error;
  const text = (error instanceof Error ? error.message : String(error)).split('\n')[0];
  return new DeviceFailure(text, MEMORY.test(text) ? 'memory' : LOST.test(text) ? 'lost' : 'request', asked);
}

const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const bytesOf = ({ data }: HostTensor): number => data.byteLength;

export class DeviceTensors {
  readonly #sessions = new Map<number, InferenceSession>();
  readonly #tensors = new Map<number, Tensor>();
  #upload!: InferenceSession;
  #download!: InferenceSession;
  /** Bytes of all tensors on the device. */
  held = 0;

  private constructor(
    private readonly ort: OrtNode,
    private readonly provider: Provider,
  ) {}

  /** Starts the device, by the onnxruntime-node that the file `from` sees. @throws when ONNX Runtime is missing or the provider finds no adapter */
  static async start(provider: Provider, from = import.meta.url): Promise<DeviceTensors> {
    const ort = createRequire(from)('onnxruntime-node') as OrtNode;
    const all = new DeviceTensors(ort, provider);
    const move = (stay: string[]): Promise<InferenceSession> => {
      const g = new Graph();
      return all.#create(onnxModel(g.build({ y: g.input('x') })), stay);
    };
    all.#upload = await move(['y']);
    all.#download = await move([]);
    return all;
  }

  #create(model: Uint8Array, stay: readonly string[]): Promise<InferenceSession> {
    const gpu = this.provider === 'webgpu';
    return this.ort.InferenceSession.create(model, {
      executionProviders: gpu ? [{ name: 'webgpu', enableRobustness: true }] : [this.provider],
      // Other providers give every output back to the host: what stays, stays in this process.
      ...(gpu
        ? { preferredOutputLocation: Object.fromEntries(stay.map((name) => [name, 'gpu-buffer' as const])) }
        : {}),
      logSeverityLevel: 3,
      // The CUDA provider puts arithmetic of shapes on the CPU by itself, and would refuse every graph.
      extra: { session: gpu ? { disable_cpu_ep_fallback: '1' } : {} },
    });
  }

  async open(number: number, model: Uint8Array, stay: readonly string[]): Promise<void> {
    this.#sessions.set(number, await this.#create(model, stay));
  }

  #tensor({ data, shape }: HostTensor): Tensor {
    return new this.ort.Tensor(ELEMENT_OF(data) as 'float32', data as Float32Array, shape);
  }

  #keep(number: number, value: OnnxValue): void {
    const tensor = value as Tensor;
    this.#tensors.set(number, tensor);
    this.held += sizeOf(tensor);
  }

  /** Copies a float32 tensor to the device. */
  async upload(number: number, value: HostTensor): Promise<void> {
    try {
      const { y } = await this.#upload.run({ x: this.#tensor(value) });
      this.#keep(number, y);
    } catch (error) {
      throw failureOf(error, bytesOf(value));
    }
  }

  /** Copies a tensor back. */
  async download(number: number): Promise<HostTensor> {
    const { y } = await this.#download.run({ x: this.#held(number) });
    return hostOf(y as Tensor);
  }

  #held(number: number): Tensor {
    const tensor = this.#tensors.get(number);
    if (!tensor) throw new Error(`device tensor ${number} was given back already`);
    return tensor;
  }

  /** Runs a session; outputs named in `keep` stay under those numbers, the others come back. */
  async run(
    session: number,
    feeds: Record<string, HostTensor | OnDevice>,
    keep: Record<string, number>,
  ): Promise<Record<string, HostTensor>> {
    const inputs = Object.entries(feeds).map(
      ([name, feed]) => [name, 'tensor' in feed ? this.#held(feed.tensor) : this.#tensor(feed)] as const,
    );
    const found = this.#sessions.get(session);
    if (!found) throw new Error(`session ${session} is not open`);
    const outputs = await found.run(Object.fromEntries(inputs));
    const back: Record<string, HostTensor> = {};
    for (const [name, value] of Object.entries(outputs)) {
      if (name in keep) this.#keep(keep[name], value);
      else back[name] = hostOf(value as Tensor);
    }
    return back;
  }

  /** Gives tensors and sessions back; unknown numbers (a request that failed) are passed over. */
  async free(tensors: readonly number[], sessions: readonly number[]): Promise<void> {
    for (const number of tensors) {
      const tensor = this.#tensors.get(number);
      if (!tensor) continue;
      this.held -= sizeOf(tensor);
      this.#tensors.delete(number);
      tensor.dispose();
    }
    for (const number of sessions) {
      const session = this.#sessions.get(number);
      this.#sessions.delete(number);
      await session?.release();
    }
  }
}

const sizeOf = ({ dims, type }: Tensor): number => elements(dims) * (type === 'int64' ? 8 : 4);

/** Values of an output that was left in the host's memory. */
function hostOf({ data, dims }: Tensor): HostTensor {
  return { data: data as TensorData, shape: [...dims] };
}
