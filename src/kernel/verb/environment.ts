/**
 * The environment of every api function: the running session, its artifact store, and paths relative to the notebook's
 * folder.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { OutputItem } from '../../protocol/notebook.js';
import { ArtifactStore } from '../artifacts/store.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { currentDevice } from '../compute/device.js';
import { longCall } from '../compute/nativeCall.js';
import type { SessionContext } from './context.js';
import { FeatureNames } from './featureNames.js';
import type { Spreader } from './split.js';

export class Environment {
  /** Results that took work to make. */
  readonly store: ArtifactStore;
  /** Bundles of outputs: always beside the saved notebook, so that the two travel together. */
  readonly outputStore: ArtifactStore;

  /** Names of features for tables. */
  readonly features = new FeatureNames();

  /**
   * Number of long calls that run now, by the signal of their cell: the progress line is cleared when the last of them
   * ends.
   */
  private readonly running = new WeakMap<AbortSignal, number>();

  /**
   * @param spread runs the shards of calls that are split; given from above, since rooms below cannot import engines
   */
  constructor(
    readonly context: SessionContext,
    readonly spread: Spreader = () => Promise.reject(new Error('this session has no engine that runs shards')),
  ) {
    const options = {
      device: () => currentDevice().description,
      report: (message: string) => context.print(message),
      signal: () => context.signal(),
      madeBy: () => context.madeBy?.(),
    };
    this.store = new ArtifactStore(context.artifactFolder, options);
    this.outputStore = new ArtifactStore(path.join(context.outputFolder, '.fgnb'), options);
  }

  /**
   * Runs a long call with the cell's cancel signal and progress line, both joined with the caller's own.
   * The progress line is cleared when the last of the calls that run at once ends, whatever happens.
   */
  async call<T>(options: CallOptions | undefined, work: (call: Required<CallOptions>) => Promise<T>): Promise<T> {
    const cell = this.context.signal();
    const signal = AbortSignal.any([cell, options?.signal].filter((s) => s !== undefined));
    // Some calls look at their signal only now and then, and a short one would end as if nothing had been cancelled.
    checkAborted(signal);
    const count = (change: number): number => {
      const running = (this.running.get(cell) ?? 0) + change;
      this.running.set(cell, running);
      return running;
    };
    const onProgress: Required<CallOptions>['onProgress'] = (progress) => {
      this.context.progress(progress);
      options?.onProgress?.(progress);
    };
    count(1);
    try {
      const done = longCall(() => work({ signal, onProgress }));
      this.context.during(done);
      return await done;
    } finally {
      if (count(-1) === 0) this.context.progress(null);
    }
  }

  /** For a result that several outputs show: displays all but the last and returns that, as the result's own items. */
  displayButLast(outputs: ReadonlyArray<OutputItem[]>): OutputItem[] {
    for (const items of outputs.slice(0, -1)) this.context.display(items);
    return outputs[outputs.length - 1];
  }

  /** The absolute path of a path given in a cell: relative to the notebook's folder; ~ is the home folder. */
  resolve(file: string): string {
    return resolveIn(this.context.notebookFolder, file);
  }

  /** A path as a cell would write it: against the notebook's folder where it lies in there. */
  relative(file: string): string {
    const inside = path.relative(this.context.notebookFolder, file);
    return inside.startsWith('..') ? file : inside;
  }

  /** Options of a download, the cache folder resolved like other paths. */
  withCacheFolder<T extends { cacheFolder?: string }>(options: T): T {
    return options.cacheFolder === undefined ? options : { ...options, cacheFolder: this.resolve(options.cacheFolder) };
  }

  /**
   * A folder or file given in a cell: its absolute path where it exists or is written as a path; otherwise taken for a
   * hub id and returned as it is.
   */
  locate(idOrPath: string): string {
    return locateIn(this.context.notebookFolder, idOrPath);
  }

  /** Prints that a result was loaded and not computed again. */
  tellCached(what: string, cached: boolean, record: { id: string }): void {
    if (cached)
      this.context.print(
        // No date: two runs of a notebook must print the same. The artifact's record has the date.
        `${what}: loaded from cache (${record.id.slice(0, 8)}); { fresh: true } computes it again`,
      );
  }
}

function resolveIn(folder: string, file: string): string {
  if (typeof file !== 'string' || file === '')
    throw new TypeError(`a path or an id is expected but got ${file === '' ? 'an empty text' : typeof file}`);
  return path.resolve(folder, file.replace(/^~(?=$|[\\/])/, homedir()));
}

/** Environment.locate relative to any folder. */
export function locateIn(folder: string, idOrPath: string): string {
  const absolute = resolveIn(folder, idOrPath);
  const writtenAsPath = /^(?:\.{1,2}(?:[\\/]|$)|~(?:[\\/]|$)|[\\/]|[A-Za-z]:)/.test(idOrPath);
  return writtenAsPath || existsSync(absolute) ? absolute : idOrPath;
}
