/** Pictures of charts, bounded in time and memory. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { JsonObject } from '../../protocol/notebook.js';
import type { ChartAnswer } from './chartWorker.js';

const LIMITS = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 64 };
const DEFAULT_SECONDS = 20;

/** chartWorker.cjs, beside the kernel's bundle or in the checkout. */
function workerBundle(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = ['chartWorker.cjs', '../../../dist/kernel/chartWorker.cjs'].map((file) => path.join(here, file));
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`the drawer of charts is not built: ${candidates[0]} is missing. Run: npm run build`);
  return found;
}

/** One after the other, in one worker; a chart that takes too long costs the worker, not the others. */
export class ChartPictures {
  private worker: Worker | undefined;

  constructor(private readonly seconds = DEFAULT_SECONDS) {}

  /** @throws Error in words when it cannot be drawn. */
  async svg(spec: JsonObject): Promise<string> {
    this.worker ??= new Worker(workerBundle(), { resourceLimits: LIMITS });
    const { worker } = this;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<ChartAnswer>((resolve, reject) => {
        const late = `it was not drawn in ${this.seconds} s`;
        timer = setTimeout(() => reject(new Error(late)), this.seconds * 1000);
        worker.once('message', resolve).once('error', reject);
        worker.once('exit', () => reject(new Error('the drawer of charts ended')));
        worker.postMessage(spec);
      });
      if ('error' in answer) throw new Error(answer.error);
      worker.removeAllListeners();
      return answer.svg;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }
}
