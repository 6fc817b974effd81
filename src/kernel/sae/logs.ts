/**
 * A training's figures as files that other programs read while it runs: metrics.jsonl (a JSON object a line) and
 * TensorBoard's events. Both are written anew from the kept history when a run begins or goes on, so that no step stands
 * twice, and grow with every logged step.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../io/files.js';
import { eventFileHeader, scalarRecord } from '../io/tfevents.js';
import { text } from '../verb/option.js';
import type { HistoryRow } from './train.js';

/** Option of verbs that train. */
export const LOGS = {
  logs: text({
    doc: "Folder, against the notebook's, for the figures of every logged step as files that other programs read while the training runs: `metrics.jsonl` and TensorBoard's events, in a folder of each run.",
    fallback: 'none are written',
    identity: false,
  }),
} as const;

const METRICS = 'metrics.jsonl';
/** TensorBoard takes files with "tfevents" in their name. */
const EVENTS = 'events.out.tfevents.0.fgnb';

/** JSON has no NaN: null. */
const lineOf = (row: HistoryRow): string => `${JSON.stringify(row)}\n`;

function eventOf({ step, ...figures }: HistoryRow): Buffer {
  const scalars = Object.fromEntries(Object.entries(figures).map(([name, value]) => [`train/${name}`, Number(value)]));
  return scalarRecord({ wallTime: Date.now() / 1000, step, scalars });
}

/** Writes the figures of one run. A disk that is full ends the writing, not the training; it is said once. */
export class TrainingLog {
  private done = 0;
  private failed = false;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly folder: string,
    private readonly report: (message: string) => void,
  ) {}

  /** Brings the files up to the history, in the order of calls. */
  write(history: readonly HistoryRow[]): void {
    const from = this.done;
    const rows = history.slice(from);
    this.done = history.length;
    this.writing = this.writing.then(() => this.append(rows, from === 0));
  }

  /** Resolves when all is on the disk. */
  finished(): Promise<void> {
    return this.writing;
  }

  private async append(rows: readonly HistoryRow[], anew: boolean): Promise<void> {
    if (this.failed) return;
    const lines = rows.map(lineOf).join('');
    const events = Buffer.concat([...(anew ? [eventFileHeader(Date.now() / 1000)] : []), ...rows.map(eventOf)]);
    try {
      await fs.mkdir(this.folder, { recursive: true });
      const flag = anew ? 'w' : 'a';
      await fs.writeFile(path.join(this.folder, METRICS), lines, { flag });
      await fs.writeFile(path.join(this.folder, EVENTS), events, { flag });
    } catch (error) {
      this.failed = true;
      this.report(`Warning: the figures of this training are no longer written to ${this.folder}: ${messageOf(error)}`);
    }
  }
}
