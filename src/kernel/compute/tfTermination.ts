/** Protects the kernels of TensorFlow.js from terminations of JavaScript, and repairs its engine after one. */
import { nativeCall } from './nativeCall.js';
import { tf } from './tf.js';
import { kernelFailure } from './tfFailures.js';
import { repairAfterTermination } from './work.js';

/** Methods of a backend that change its memory outside a kernel. */
const MEMORY = ['write', 'move', 'readSync', 'disposeData', 'makeOutput'] as const;

/** Runs a kernel; a failure of a GPU says what to do. */
function explained<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw kernelFailure(error);
  }
}

/**
 * Protects the kernels of the backend in use: one that is terminated halfway would leave the allocator of its heap half
 * changed. Call it once, when all of its kernels are registered.
 */
export function protectKernels(): void {
  const name = tf.getBackend();
  for (const config of tf.getKernelsForBackend(name)) {
    tf.unregisterKernel(config.kernelName, name);
    const { kernelFunc } = config;
    tf.registerKernel({ ...config, kernelFunc: (given) => explained(() => nativeCall(() => kernelFunc(given))) });
  }
  const backend = tf.backend();
  for (const method of MEMORY) {
    const plain: unknown = Reflect.get(backend, method);
    if (typeof plain !== 'function') continue;
    const whole = (...given: unknown[]): unknown => nativeCall(() => Reflect.apply(plain, backend, given) as unknown);
    Reflect.set(backend, method, whole);
  }
  repairAfterTermination(repairEngine);
}

/**
 * Undoes what `tf.tidy`, gradients and kernels undo at their end and could not, being terminated: open scopes, whose
 * tensors are freed; a tape that would go on recording; a depth at which no gradient is recorded at all.
 */
function repairEngine(): void {
  const engine = tf.engine();
  const { state } = engine;
  while (state.scopeStack.length > 0) engine.endScope();
  // As the engine itself has them when nothing runs; its types do not allow null.
  Object.assign(state, { activeScope: null, activeTape: null });
  state.gradientDepth = 0;
  state.kernelDepth = 0;
  state.numDataMovesStack = [];
  state.profiling = false;
}
