/** Curves of trainings while they run: one chart in the cell, drawn again now and then, and left as it ended. */
import type { OutputItem } from '../../protocol/notebook.js';
import type { Environment } from '../verb/environment.js';
import type { HistoryRow } from './train.js';

/** Trainings that end before show their curves at the end alone. */
const FIRST_MS = 3000;
const EVERY_MS = 2000;

let charts = 0;

/** The chart of one call. */
export class LiveTraining {
  private readonly displayId = `training ${++charts}`;
  private readonly histories: Array<readonly HistoryRow[]>;
  private shownAt = performance.now() + FIRST_MS - EVERY_MS;

  /** @param draw the chart of the histories so far, in the order of the runs; undefined for none yet */
  constructor(
    private readonly env: Environment,
    runs: number,
    private readonly draw: (histories: ReadonlyArray<readonly HistoryRow[]>) => OutputItem[] | undefined,
  ) {
    this.histories = Array.from({ length: runs }, () => []);
  }

  /** Takes the history of a run when a step was logged. */
  take(run: number, history: readonly HistoryRow[]): void {
    this.histories[run] = history;
    const now = performance.now();
    if (now - this.shownAt < EVERY_MS) return;
    this.shownAt = now;
    const items = this.draw(this.histories);
    if (items) this.env.context.display(items, { displayId: this.displayId });
  }

  /** Shows the outputs at the end, the first of them (the curves) in the place of those that were drawn. */
  end([first, ...others]: ReadonlyArray<OutputItem[]>): void {
    if (first) this.env.context.display(first, { displayId: this.displayId });
    for (const items of others) this.env.context.display(items);
  }
}
