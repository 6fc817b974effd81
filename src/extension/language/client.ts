/** The language worker as seen from the extension host: started when first asked, restarted once if it dies. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Method, Params, Reply, Request, Result, WorkerSettings } from './protocol.js';

export interface ClientLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

interface Waiting {
  resolve(value: unknown): void;
  method: Method;
}

/** Many times what 30 open notebooks take. Beyond it the worker ends, not the extension host. */
const HEAP_MB = 2048;
const RESTARTS = 1;

export class LanguageClient {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private questions = 0;
  private deaths = 0;

  /** @param onRestart called when a fresh worker, which knows no notebook, has taken over. */
  constructor(
    private readonly extensionFolder: string,
    private readonly log: ClientLog,
    private readonly onRestart: () => void,
  ) {}

  /** Asks the worker. Without an answer (it failed, or there is no worker) the value is undefined. */
  ask<M extends Method>(method: M, ...params: Params<M>): Promise<Result<M> | undefined> {
    const worker = this.running();
    if (!worker) return Promise.resolve(undefined);
    const id = ++this.questions;
    const answer = new Promise<unknown>((resolve) => this.waiting.set(id, { resolve, method }));
    worker.postMessage({ id, method, params } satisfies Request);
    return answer as Promise<Result<M> | undefined>;
  }

  /** Ends the worker; the next question starts another. */
  stop(): void {
    const { worker } = this;
    this.worker = undefined;
    this.abandon();
    void worker?.terminate();
  }

  private running(): Worker | undefined {
    if (this.worker || this.deaths > RESTARTS) return this.worker;
    const settings: WorkerSettings = { typesFolder: path.join(this.extensionFolder, 'dist', 'types') };
    const file = path.join(this.extensionFolder, 'dist', 'extension', 'languageWorker.cjs');
    const worker = new Worker(file, {
      name: 'fgnb language',
      workerData: settings,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    this.worker = worker;
    worker.unref();
    worker.on('message', (reply: Reply) => this.answer(reply));
    worker.on('error', (error) => this.log.error(`language worker: ${error.stack ?? error.message}`));
    worker.on('exit', (code) => this.ended(worker, code));
    return worker;
  }

  private answer(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (!waiting) return;
    if ('error' in reply) {
      this.log.warn(`language worker, ${waiting.method}: ${reply.error}`);
      waiting.resolve(undefined);
    } else waiting.resolve(reply.result);
  }

  private ended(worker: Worker, code: number): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.deaths++;
    this.abandon();
    if (this.deaths > RESTARTS) {
      this.log.error(
        `language worker ended again (code ${code}); IntelliSense of cells is off until the window reloads`,
      );
      return;
    }
    this.log.warn(`language worker ended (code ${code}); starting it again`);
    this.onRestart();
  }

  private abandon(): void {
    for (const { resolve } of this.waiting.values()) resolve(undefined);
    this.waiting.clear();
  }
}
