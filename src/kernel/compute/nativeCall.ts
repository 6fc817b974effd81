/**
 * Keeps the termination of JavaScript out of native code. An interrupt makes V8 end whatever JavaScript runs; a native
 * function that talks to V8 at that moment (ONNX Runtime's binding makes its results) aborts the whole process. So a
 * native call announces itself here, and the control thread terminates only while none runs (session/interrupter.ts).
 */

/** Int32 places of the gate: a native call runs; a termination is under way. */
export const IN_NATIVE = 0;
export const TERMINATING = 1;
export const GATE_COUNT = 2;

/** Nobody can terminate this thread until gateNativeCalls() says so. */
let gate = new Int32Array(new SharedArrayBuffer(4 * GATE_COUNT));

/** Shares the gate with the thread that terminates this one. */
export function gateNativeCalls(shared: Int32Array): void {
  gate = shared as Int32Array<SharedArrayBuffer>;
}

/**
 * Runs a native function that must not be terminated. Where a termination is under way, it waits here, and is ended
 * here. Pieces should take half a second at most: an interrupt waits for them.
 */
export function nativeCall<T>(call: () => T): T {
  Atomics.store(gate, IN_NATIVE, 1);
  // Announced first, looked after: the other thread does it the other way round, so one of the two always sees.
  while (Atomics.load(gate, TERMINATING) === 1) {
    Atomics.store(gate, IN_NATIVE, 0);
    Atomics.wait(gate, TERMINATING, 1, 1000);
    Atomics.store(gate, IN_NATIVE, 1);
  }
  try {
    return call();
  } finally {
    Atomics.store(gate, IN_NATIVE, 0);
  }
}
