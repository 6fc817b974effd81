/**
 * Keeps the termination of JavaScript out of code that it would break. An interrupt makes V8 end whatever JavaScript
 * runs: `finally` does not run and pending promises are forgotten. A native function that talks to V8 at that moment
 * (ONNX Runtime's binding makes its results) aborts the whole process, a module that is being loaded stays half loaded,
 * and the session would lose its place. Such code announces itself here, and the control thread terminates only while
 * none runs (session/interrupter.ts).
 */

/** Int32 places of the gate. */
/** 1 while code runs that must not be terminated. */
export const PROTECTED = 0;
/** 1 while a termination is under way. */
export const TERMINATING = 1;
/** Terminations so far. */
export const TERMINATIONS = 2;
/** Long calls of the kernel that run now and check their signal: they get more time before they are terminated. */
export const LONG_CALLS = 3;
/** Modules that Node loads now: terminated while it does, they would stay half loaded. */
export const LOADING = 4;
export const GATE_COUNT = 5;

/** This thread cannot be terminated until gateNativeCalls() allows it. */
let gate = new Int32Array(new SharedArrayBuffer(4 * GATE_COUNT));
/** Synchronous calls on the stack that must not be terminated; `sections` counts the asynchronous ones. */
let calls = 0;
let sections = 0;

/** Shares the gate with the thread that terminates this one. */
export function gateNativeCalls(shared: Int32Array): void {
  gate = shared as Int32Array<SharedArrayBuffer>;
  // A section may have begun before the gate was shared.
  if (calls + sections > 0) Atomics.store(gate, PROTECTED, 1);
}

/** Waits while a termination is under way, and is ended by it; afterwards no termination comes until close(). */
function enter(): void {
  if (calls + sections > 0) return;
  // V8 terminates at the end of a loop's body: there the announcement must be 0 again, or it would stay for good.
  for (;;) {
    Atomics.store(gate, PROTECTED, 1);
    // Each thread announces before it looks: this one sets PROTECTED and then reads TERMINATING, the other one sets
    // TERMINATING and then reads PROTECTED. So at least one of the two sees the other.
    if (Atomics.load(gate, TERMINATING) === 0) return;
    Atomics.store(gate, PROTECTED, 0);
    Atomics.wait(gate, TERMINATING, 1, 1000);
  }
}

function leave(): void {
  if (calls + sections === 0) Atomics.store(gate, PROTECTED, 0);
}

/**
 * Runs a synchronous function that must not be terminated. While a termination is under way it waits here until it is
 * ended by it. Calls should take half a second at most: an interrupt waits for them.
 */
export function nativeCall<T>(call: () => T): T {
  enter();
  calls++;
  try {
    return call();
  } finally {
    calls--;
    leave();
  }
}

/**
 * Runs asynchronous work of the kernel's own that must not be terminated at any point: starting the device, loading
 * modules. No user code may run meanwhile, since it could not be stopped.
 */
export async function protectedSection<T>(work: () => Promise<T>): Promise<T> {
  enter();
  sections++;
  try {
    return await work();
  } finally {
    sections--;
    leave();
  }
}

/** Adds one to a count that interrupts look at. Returns the function that takes it off again. */
function count(place: number): () => void {
  const begun = terminations();
  let ended = false;
  Atomics.add(gate, place, 1);
  return () => {
    // Counts from before a termination were already taken off by wasTerminated().
    if (!ended && terminations() === begun) Atomics.sub(gate, place, 1);
    ended = true;
  };
}

/** Runs a long call that looks at its signal at least every half second: an interrupt waits for it a little longer. */
export async function longCall<T>(work: () => Promise<T>): Promise<T> {
  const end = count(LONG_CALLS);
  try {
    return await work();
  } finally {
    end();
  }
}

/**
 * Tells the gate that Node begins to load a module, so that an interrupt waits some seconds for it. Returns a function
 * to call when the load has ended.
 */
export function beginLoading(): () => void {
  return count(LOADING);
}

/** Terminations of this thread's JavaScript so far. */
export function terminations(): number {
  return Atomics.load(gate, TERMINATIONS);
}

let seen = 0;

/** Whether JavaScript was terminated since the last call of this function; if so, the counts are reset to 0. */
export function wasTerminated(): boolean {
  const now = terminations();
  if (now === seen) return false;
  seen = now;
  for (const place of [LONG_CALLS, LOADING]) Atomics.store(gate, place, 0);
  return true;
}
