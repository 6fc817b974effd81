/** What the running session lends to the `fg` facade. The session implements it; api functions take it first. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { Progress } from '../../protocol/kernel.js';

export interface SessionContext {
  /** Folder of the notebook: relative paths in cells are resolved against it. */
  readonly notebookFolder: string;
  /** Folder where the notebook is saved: what outputs refer to lies in its `.fgnb`. The notebook's own folder, but for `fgnb run --out`. */
  readonly outputFolder: string;
  /** Artifact folder, default `<notebookFolder>/.fgnb`. */
  readonly artifactFolder: string;
  /** Aborted when the running cell is interrupted. A new one per cell. */
  signal(): AbortSignal;
  /** Progress of the running cell; null clears it. */
  progress(progress: Progress | null): void;
  /** Shows an output in the running cell; the same displayId replaces. */
  display(items: OutputItem[], options?: { displayId?: string }): void;
  /** Prints a line to the cell's stdout. */
  print(text: string): void;
  /** Key figures of a headless run: `fgnb run` prints them at the end. */
  keyFigure(name: string, value: string): void;
}
