/** Entry of the language worker: one message per question, one reply each, in order. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Reply, Request, WorkerSettings } from './protocol.js';
import { NotebookLanguageService } from './service.js';

const port = parentPort;
if (!port) throw new Error('the language worker runs in a worker thread');
const service = new NotebookLanguageService(workerData as WorkerSettings);

port.on('message', ({ id, method, params }: Request) => {
  let reply: Reply;
  try {
    const call = service[method] as (...args: unknown[]) => unknown;
    reply = { id, result: call.apply(service, params) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  port.postMessage(reply);
});
