/** A pool worker: runs one task at a time and answers with its value or its error. */
import { parentPort, workerData } from 'node:worker_threads';
import { gateNativeCalls } from './nativeCall.js';
import { poolTasks, type TaskResult } from './poolTasks.js';

export interface PoolRequest {
  id: number;
  task: string;
  payload: unknown;
}
export type PoolAnswer = { id: number; value: unknown } | { id: number; error: Error };

if (workerData instanceof Int32Array) gateNativeCalls(workerData);

parentPort?.on('message', (request: PoolRequest) => {
  void (async (): Promise<[PoolAnswer, ArrayBuffer[]]> => {
    try {
      const run = poolTasks[request.task];
      if (!run) throw new Error(`no pool task is named "${request.task}"`);
      const { value, transfer }: TaskResult = await run(request.payload);
      return [{ id: request.id, value }, transfer ?? []];
    } catch (error) {
      return [{ id: request.id, error: error instanceof Error ? error : new Error(String(error)) }, []];
    }
  })().then(([answer, transfer]) => {
    parentPort?.postMessage(answer, transfer);
  });
});
