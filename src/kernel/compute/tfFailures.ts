/** How kernels of TensorFlow.js fail, in words that say what to do. */
import { formatBytes } from '../../protocol/bytes.js';
import { deviceMemory, memoryWords } from './deviceMemory.js';
import { DeviceLostError, DeviceMemoryError } from './graphs/failures.js';
import { tf } from './tf.js';

const OOM = /OOM when allocating tensor with shape\[([\d,]*)\](?: and type (\w+))?/;
const LOST =
  /CUDA_ERROR_\w+|illegal memory access|CUDNN_STATUS_EXECUTION_FAILED|CUBLAS_STATUS_(?:EXECUTION_FAILED|NOT_INITIALIZED)|device (?:is |was )?lost/i;
const BYTES: Readonly<Record<string, number>> = { double: 8, int64: 8, complex64: 8, half: 2, bfloat16: 2, bool: 1 };

function noRoom(shape: readonly number[], type: string, cause: unknown): DeviceMemoryError {
  const bytes = shape.reduce((a, b) => a * b, BYTES[type] ?? 4);
  const memory = deviceMemory();
  const [rows, ...rest] = shape;
  const free = memory.cards.reduce((most, { total, used }) => Math.max(most, total - used), 0);
  // At least half of what did not fit; less where the driver says how much is free.
  const fit = free > 0 && bytes > 0 ? Math.min(Math.floor(rows / 2), Math.floor((rows * free) / bytes / 2)) : Math.floor(rows / 2); // prettier-ignore
  const next = rows > 1 ? `use fewer rows at a time, such as [${[Math.max(1, fit), ...rest].join(', ')}]` : 'free tensors (dispose, tf.tidy)'; // prettier-ignore
  return new DeviceMemoryError(
    `the device has no room for a tensor of [${shape.join(', ')}] (${formatBytes(bytes)}); ${memoryWords(memory)}: ${next}`,
    { cause },
  );
}

/** A failure of a kernel on a GPU as the cell is told of it; others as they are. */
export function kernelFailure(error: unknown): unknown {
  const text = error instanceof Error ? error.message : String(error);
  const oom = OOM.exec(text);
  if (oom) return noRoom(oom[1].split(',').filter(Boolean).map(Number), oom[2] ?? 'float', error);
  const lost = LOST.exec(text);
  if (!lost) return error;
  const advice = 'its tensors are gone; restart the kernel, and run `fgnb gpu setup --device cuda` if it happens again';
  return new DeviceLostError(`the GPU was lost (${lost[0]}): ${advice}`, { cause: error });
}

/** Makes dataSync() name data() where the backend of a tensor cannot be read at once, as WebGPU cannot. */
export function nameDataForSyncReads(): void {
  const engine = tf.engine();
  const plain = engine.readSync.bind(engine);
  engine.readSync = (id) => {
    try {
      return plain(id);
    } catch (error) {
      const { backend } = engine.state.tensorInfo.get(id) ?? {};
      const name = Object.keys(engine.registry).find((key) => engine.registry[key] === backend);
      if (name === undefined || ['cpu', 'wasm', 'tensorflow'].includes(name)) throw error;
      throw new Error(
        `dataSync() cannot read a tensor of the ${name} backend at once: use await x.data() (arraySync: await x.array())`,
        { cause: error },
      );
    }
  };
}
