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
/** Long calls of the kernel that run now and look at their signal: they get longer before they are terminated. */
export const LONG_CALLS = 3;
/** Modules that Node loads now: terminated meanwhile, they would stay half loaded. */
export const LOADING = 4;
export const GATE_COUNT = 5;

/** This thread cannot be terminated until gateNativeCalls() allows it. */
let gate = new Int32Array(new SharedArrayBuffer(4 * GATE_COUNT));
/** Synchronous calls on the stack, and asynchronous sections under way, that must not be terminated. */
let calls = 0;
let sections = 0;

/** Shares the gate with the thread that terminates this one. */
export function gateNativeCalls(shared: Int32Array): void {
  gate = shared as Int32Array<SharedArrayBuffer>;
  // A section may have begun before there was anybody to tell.
  if (calls + sections > 0) Atomics.store(gate, PROTECTED, 1);
}

/** Waits while a termination is under way, and is ended here by it; afterwards none comes until close(). */
function enter(): void {
  if (calls + sections > 0) return;
  // A termination strikes at the end of a loop's body: there the announcement must stand at 0, or it would stay for good.
  for (;;) {
    Atomics.store(gate, PROTECTED, 1);
    // Announced first, looked after: the other thread does it the other way round, so one of the two always sees.
    if (Atomics.load(gate, TERMINATING) === 0) return;
    Atomics.store(gate, PROTECTED, 0);
    Atomics.wait(gate, TERMINATING, 1, 1000);
  }
}

function leave(): void {
  if (calls + sections === 0) Atomics.store(gate, PROTECTED, 0);
}

/**
 * Runs a synchronous function that must not be terminated. Where a termination is under way, it waits here, and is ended
 * here. Pieces should take half a second at most: an interrupt waits for them.
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
 * Runs asynchronous work of the kernel's own that must not be terminated from its start to its end: starting the device,
 * loading modules. No code of a user may run meanwhile, since it could not be stopped.
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

/** Adds one to a count that interrupts look at. Returns its end. */
function count(place: number): () => void {
  const begun = terminations();
  let ended = false;
  Atomics.add(gate, place, 1);
  return () => {
    // What was counted before a termination has been taken off all together.
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

/** Node begins to load a module: an interrupt waits some seconds for it. Returns its end. */
export function beginLoading(): () => void {
  return count(LOADING);
}

/** Terminations of this thread's JavaScript so far. */
export function terminations(): number {
  return Atomics.load(gate, TERMINATIONS);
}

let seen = 0;

/** Whether JavaScript has been terminated since this was asked last; what was counted before is taken off. */
export function wasTerminated(): boolean {
  const now = terminations();
  if (now === seen) return false;
  seen = now;
  for (const place of [LONG_CALLS, LOADING]) Atomics.store(gate, place, 0);
  return true;
}
