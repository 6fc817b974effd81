/** What the kernel and its device process say to each other. */
import type { OnnxElement } from '../onnxModel.js';

/** ONNX Runtime's providers that the graphs run on. */
export type Provider = 'webgpu' | 'cuda' | 'cpu';

export type TensorData = Float32Array | Int32Array | BigInt64Array;

/** A tensor in the host's memory. */
export interface HostTensor<D extends TensorData = TensorData> {
  readonly data: D;
  readonly shape: readonly number[];
}

/** A tensor on the device, by its number. */
export interface OnDevice {
  readonly tensor: number;
}

/** Opens a session; the outputs `stay` are left on the device. */
export interface OpenRequest {
  do: 'open';
  session: number;
  model: Uint8Array;
  stay: readonly string[];
}

/** Copies a tensor to the device as number `tensor`. */
export interface UploadRequest {
  do: 'upload';
  tensor: number;
  value: HostTensor;
}

/** Runs a session. Outputs that stay get the numbers of `keep`; the others are answered. */
export interface RunRequest {
  do: 'run';
  session: number;
  feeds: Record<string, HostTensor | OnDevice>;
  keep: Record<string, number>;
}

/** Copies a tensor back. */
export interface DownloadRequest {
  do: 'download';
  tensor: number;
}

/** Gives tensors and sessions back; not answered. */
export interface FreeRequest {
  do: 'free';
  tensors: readonly number[];
  sessions: readonly number[];
}

export type Work = OpenRequest | UploadRequest | RunRequest | DownloadRequest;
export type Request = ({ id: number } & Work) | FreeRequest;

export type Answer =
  | { id: number; outputs: Record<string, HostTensor>; held: number }
  /** `held`: bytes of all tensors on the device; `asked`: bytes that this request would have added, where known. */
  | { id: number; error: string; kind: Failure; held: number; asked: number };

/** Why a request failed: no memory for it, the device is gone, or the request itself. */
export type Failure = 'memory' | 'lost' | 'request';

export const ELEMENT_OF = (data: TensorData): OnnxElement =>
  data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'int64';
