/** The interface of the running session for the `fg` facade. The session implements it; api functions take it first. */
import type { Json, OutputItem } from '../../protocol/notebook.js';
import type { MadeBy } from '../artifacts/types.js';
import type { Progress } from '../../protocol/kernel.js';
import type { LinkedSelection } from '../../protocol/link.js';
import type { SplitCall, Spread } from './split.js';

/** Answers a call of a live view. The signal is aborted when the answer is no longer needed. */
export type LiveHandler = (method: string, params: Json, signal: AbortSignal) => Promise<Json>;

export interface SessionContext {
  /** Folder of the notebook: relative paths in cells are resolved against it. */
  readonly notebookFolder: string;
  /**
   * Folder where the notebook is saved; files that outputs refer to lie in its `.fgnb`. The same as `notebookFolder`,
   * except with `fgnb run --out`.
   */
  readonly outputFolder: string;
  /** Artifact folder, default `<notebookFolder>/.fgnb`. */
  readonly artifactFolder: string;
  /** Aborted when the running cell is interrupted. A new one per cell. */
  signal(): AbortSignal;
  /**
   * Says that a long call runs until `work` settles: a headless run that is stopped lets it save its state before it
   * ends.
   */
  during(work: Promise<unknown>): void;
  /** Progress of the running cell; null clears it. */
  progress(progress: Progress | null): void;
  /**
   * Shows an output in the running cell; an output with the same displayId replaces the earlier one, and one without
   * items takes it away. `ifStopped` is shown below when the cell is interrupted while this one stands: a cell that is
   * interrupted ends at once, and shows no more.
   */
  display(items: OutputItem[], options?: { displayId?: string; ifStopped?: OutputItem[] }): void;
  /** Prints a line to the cell's stdout. */
  print(text: string): void;
  /**
   * Registers a live view: outputs that carry this id may call the handler from then on, whenever no cell runs. The
   * session keeps it until it ends, or until it has too many views (session/live.ts).
   */
  live(view: string, handler: LiveHandler): void;
  /** What is selected in the views of the notebook's folder; null: nothing. Absent where there are no windows. */
  selection?(): LinkedSelection | null;
  /** What records of results say of their origin: the running cell, and key figures so far. */
  madeBy?(): MadeBy;
  /**
   * How calls that split are made when they do not say so themselves (`fgnb submit`). Default: in one piece, in this
   * process.
   */
  readonly cluster?: Spread;
  /** For a dry run: takes a call that would be spread, in place of an engine, and throws. */
  readonly planOnly?: (call: SplitCall, how: Spread) => never;
  /** Key figures of a headless run: `fgnb run` prints them at the end. */
  keyFigure(name: string, value: string): void;
}
