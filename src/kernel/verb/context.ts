/** What the running session provides to the `fg` facade. The session implements it; api functions take it first. */
import type { Json, OutputItem } from '../../protocol/notebook.js';
import type { MadeBy } from '../artifacts/types.js';
import type { Progress } from '../../protocol/kernel.js';
import type { SplitCall, Spread } from './split.js';

/** Answers a call of a live view. The signal is aborted when the answer is no longer needed. */
export type LiveHandler = (method: string, params: Json, signal: AbortSignal) => Promise<Json>;

export interface SessionContext {
  /** Folder of the notebook: relative paths in cells are resolved against it. */
  readonly notebookFolder: string;
  /** Folder where the notebook is saved: what outputs refer to lies in its `.fgnb`. The notebook's own folder, but for `fgnb run --out`. */
  readonly outputFolder: string;
  /** Artifact folder, default `<notebookFolder>/.fgnb`. */
  readonly artifactFolder: string;
  /** Aborted when the running cell is interrupted. A new one per cell. */
  signal(): AbortSignal;
  /** A long call runs until `work` settles: a headless run that is stopped lets it save what it has before it ends. */
  during(work: Promise<unknown>): void;
  /** Progress of the running cell; null clears it. */
  progress(progress: Progress | null): void;
  /** Shows an output in the running cell; the same displayId replaces. */
  display(items: OutputItem[], options?: { displayId?: string }): void;
  /** Prints a line to the cell's stdout. */
  print(text: string): void;
  /**
   * Registers a live view: outputs that carry this id may ask the handler from then on, whenever no cell runs. The
   * session keeps it until it ends, or until there are very many.
   */
  live(view: string, handler: LiveHandler): void;
  /** What is written into records of results beside them: the cell that runs, and key figures so far. */
  madeBy?(): MadeBy;
  /** How calls that split are made when they do not say it themselves (`fgnb submit`); default in one piece, here. */
  readonly cluster?: Spread;
  /** Takes a call that would be spread, instead of an engine: a dry run. It throws. */
  readonly planOnly?: (call: SplitCall, how: Spread) => never;
  /** Key figures of a headless run: `fgnb run` prints them at the end. */
  keyFigure(name: string, value: string): void;
}
