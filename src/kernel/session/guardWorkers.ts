/** Worker threads of the kernel, of cells and of packages, started where no interrupt strikes. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { nativeCall } from '../compute/nativeCall.js';

let guarded = false;

/**
 * Makes `new Worker` of node:worker_threads, whoever calls it in this thread, a call that is not terminated: Node copies
 * the environment for a worker and aborts the whole process when its JavaScript is ended meanwhile.
 */
export function guardWorkers(): void {
  if (guarded) return;
  guarded = true;
  const threads = createRequire(path.join(process.cwd(), 'kernel.cjs'))(
    'node:worker_threads',
  ) as typeof import('node:worker_threads');
  threads.Worker = new Proxy(threads.Worker, {
    construct: (Worker, given, asked) => nativeCall(() => Reflect.construct(Worker, given, asked) as object),
  });
  syncBuiltinESMExports();
}
