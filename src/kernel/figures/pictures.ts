/** Pictures of charts, maps and graphs, bounded in time and memory. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bundleFiles, type BundleRef } from '../../protocol/bundle.js';
import type { JsonObject } from '../../protocol/notebook.js';
import { VIEWS, type ViewName } from '../../protocol/views.js';
import { bundleMeta, bundlePlace } from '../io/bundlePlace.js';
import type { Answer, BundleBytes, Job } from './worker.js';

const LIMITS = { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 64 };
const DEFAULT_SECONDS = 20;
/** Largest file of a bundle that is drawn. */
const MAX_FILE_BYTES = 256 * 2 ** 20;

/** figureWorker.cjs, beside the kernel's bundle or in the checkout. */
function workerBundle(): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const candidates = ['figureWorker.cjs', '../../../dist/kernel/figureWorker.cjs'].map((file) => path.join(here, file));
  const found = candidates.find((file) => fs.existsSync(file));
  if (!found) throw new Error(`the drawer of pictures is not built: ${candidates[0]} is missing. Run: npm run build`);
  return found;
}

/** What of a bundle is drawn: columns and labels, read inside the notebook's folder alone. */
function drawnFiles(view: ViewName, bundle: BundleRef, notebookFolder: string): BundleBytes {
  const manifest = VIEWS[view].bundle;
  if (!manifest) throw new Error(`a ${view} has no picture of its own`);
  const { sets } = bundleMeta(bundle, manifest, notebookFolder);
  const found = new Map<string, Uint8Array>();
  for (const { name, needed } of bundleFiles(manifest, sets.length)) {
    // Lines of examples, which no picture shows, may be large.
    if (name.endsWith('.jsonl') || !needed) continue;
    const file = bundlePlace(notebookFolder, bundle.path, name);
    const { size } = fs.statSync(file);
    if (size > MAX_FILE_BYTES) throw new Error(`${name} has ${size} bytes, over the limit of ${MAX_FILE_BYTES}`);
    found.set(name, fs.readFileSync(file));
  }
  return found;
}

/** One after the other, in one worker; a picture that takes too long costs the worker, not the others. */
export class Pictures {
  private worker: Worker | undefined;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly seconds = DEFAULT_SECONDS) {}

  /** A chart's Vega spec as SVG. @throws Error in words when it cannot be drawn. */
  async chart(spec: JsonObject): Promise<string> {
    return (await this.draw({ kind: 'chart', spec })) as string;
  }

  /** A map as SVG, as it is first seen in its panel. @throws Error in words when its bundle cannot be read. */
  async view(view: ViewName, bundle: BundleRef, notebookFolder: string): Promise<string> {
    const files = drawnFiles(view, bundle, notebookFolder);
    return (await this.draw({ kind: 'view', view, files, place: bundle.path })) as string;
  }

  /** SVG as PNG, `scale` pixels per unit. @throws Error in words when it is too large, or no SVG. */
  async png(svg: string, scale: number): Promise<Buffer> {
    return Buffer.from((await this.draw({ kind: 'png', svg, scale })) as Uint8Array);
  }

  private draw(job: Job): Promise<string | Uint8Array> {
    const drawn = this.last.then(() => this.drawNow(job));
    this.last = drawn.catch(() => undefined);
    return drawn;
  }

  private async drawNow(job: Job): Promise<string | Uint8Array> {
    this.worker ??= new Worker(workerBundle(), { resourceLimits: LIMITS });
    try {
      const answer = await this.answerTo(this.worker, job);
      if ('error' in answer) throw new Error(answer.error);
      return answer.picture;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  private async answerTo(worker: Worker, job: Job): Promise<Answer> {
    let undo = (): void => undefined;
    const answer = new Promise<Answer>((resolve, reject) => {
      const late = new Error(`it was not drawn in ${this.seconds} s`);
      const timer = setTimeout(() => reject(late), this.seconds * 1000);
      const ended = (): void => reject(new Error('the drawer of pictures ended'));
      worker.on('message', resolve).on('error', reject).on('exit', ended);
      // One by one: removeAllListeners would take Node's own as well, and no message of the worker would arrive.
      undo = () => {
        clearTimeout(timer);
        worker.off('message', resolve).off('error', reject).off('exit', ended);
      };
    });
    worker.postMessage(job);
    try {
      return await answer;
    } finally {
      undo();
    }
  }

  async close(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }
}
