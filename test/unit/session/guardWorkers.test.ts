import { Worker as Before } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { GATE_COUNT, gateNativeCalls, PROTECTED } from '#kernel/compute/nativeCall.js';
import { guardWorkers } from '#kernel/session/guardWorkers.js';

it('a worker thread is started inside a call that no interrupt may end', async () => {
  const gate = new Int32Array(new SharedArrayBuffer(4 * GATE_COUNT));
  gateNativeCalls(gate);
  guardWorkers();
  const { Worker } = await import('node:worker_threads');
  let during: number | undefined;
  const options = {
    eval: true,
    get workerData() {
      during = gate[PROTECTED];
      return 7;
    },
  };
  const worker = new Worker(
    "const { parentPort, workerData } = require('node:worker_threads'); parentPort.postMessage(workerData)",
    options,
  );
  expect(during).toBe(1);
  expect(gate[PROTECTED]).toBe(0);
  expect(await new Promise((resolve) => worker.once('message', resolve))).toBe(7);
  expect(worker).toBeInstanceOf(Worker);
  expect(worker).toBeInstanceOf(Before);
  await worker.terminate();
  // A call that throws opens the gate again.
  expect(() => new Worker('/no/such/kind', { eval: true, execArgv: ['--no-such-flag'] })).toThrow(/execArgv/);
  expect(gate[PROTECTED]).toBe(0);
});
