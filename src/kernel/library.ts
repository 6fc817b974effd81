/** The kernel as a library: `fg` in a program of one's own, without notebook and editor. */
import fs from 'node:fs';
import path from 'node:path';
import type { Progress } from '../protocol/kernel.js';
import type { OutputItem } from '../protocol/notebook.js';
import { createFg, type Fg } from './api/index.js';
import { disposePool } from './compute/pool.js';
import { tf } from './compute/tf.js';
import type { DeviceChoice } from '../protocol/device.js';
import type { SessionContext } from './verb/context.js';

export type { Fg, OutputItem, Progress };

export interface KernelOptions {
  /** Folder that relative paths start from; default the working directory. */
  folder?: string;
  /** Folder of results that took work; default `.fgnb` in `folder`. Nothing is created before the first result. */
  artifacts?: string;
  /** What computes; default 'auto'. One process has one device: the first kernel chooses it. */
  device?: DeviceChoice;
  /** Aborting ends every call that runs, at its next step, with an AbortError. Training keeps its state and goes on from there. */
  signal?: AbortSignal;
  /** Progress of the calls; null when none runs. */
  onProgress?: (progress: Progress | null) => void;
  /** What calls show while they run, such as the curve of a training: items of one output by their type. A display id names an output that replaces itself. */
  onDisplay?: (items: OutputItem[], displayId?: string) => void;
  /** Lines that calls print, such as "loaded from cache"; default: they go to stderr. */
  onPrint?: (line: string) => void;
}

export interface OpenKernel extends AsyncDisposable {
  readonly fg: Fg;
  /** TensorFlow.js, the kernel's own copy. */
  readonly tf: typeof tf;
  /** Absolute paths of the folder and of the artifact folder. */
  readonly folder: string;
  readonly artifacts: string;
  /** What fg.keyFigure told so far. */
  readonly keyFigures: ReadonlyMap<string, string>;
  /** Ends running calls, and the workers when no other kernel of the process is open. */
  close(): Promise<void>;
}

const open = new Set<AbortController>();

/**
 * Starts the device and gives `fg` bound to a folder: the functions of notebook cells, with the same results on disk.
 * Live views, such as the panel of interventions, are shown as they stand; nothing answers them.
 * @throws Error when the folder is not there or the device cannot be used
 */
export async function openKernel(options: KernelOptions = {}): Promise<OpenKernel> {
  const folder = path.resolve(options.folder ?? '.');
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`openKernel: ${folder} is no folder; give { folder } one that is there`);
  const artifacts = path.resolve(folder, options.artifacts ?? '.fgnb');
  const closed = new AbortController();
  const signal = AbortSignal.any([closed.signal, ...(options.signal ? [options.signal] : [])]);
  const keyFigures = new Map<string, string>();
  const calls = new Set<Promise<unknown>>();
  const context: SessionContext = {
    ...{ notebookFolder: folder, outputFolder: folder, artifactFolder: artifacts },
    signal: () => signal,
    during: (work) => {
      const done = work.then(
        () => undefined,
        () => undefined,
      );
      calls.add(done);
      void done.then(() => calls.delete(done));
    },
    progress: (progress) => options.onProgress?.(progress),
    display: (items, how) => options.onDisplay?.(items, how?.displayId),
    print: options.onPrint ?? ((text) => void process.stderr.write(`${text}\n`)),
    live: () => undefined,
    madeBy: () => ({
      notebook: path.basename(folder),
      ...(keyFigures.size > 0 ? { keyFigures: Object.fromEntries(keyFigures) } : {}),
    }),
    keyFigure: (name, value) => void keyFigures.set(name, value),
  };
  const fg = await createFg(context, { device: options.device });
  open.add(closed);
  const close = async (): Promise<void> => {
    open.delete(closed);
    closed.abort();
    await Promise.all(calls);
    if (open.size === 0) await disposePool();
  };
  return { fg, tf, folder, artifacts, keyFigures, close, [Symbol.asyncDispose]: close };
}
