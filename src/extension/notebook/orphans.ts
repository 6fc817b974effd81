/**
 * Output of runs that this window does not follow: the cell ran while the window was away, or printed after it had
 * ended. Gathered per run until the run has finished or nothing more comes.
 */
import type { CellEvent } from '../../protocol/kernel.js';

export interface OrphanEvent {
  event: CellEvent;
  buffers: Uint8Array[];
}

const QUIET_MS = 1000;

export class Orphans {
  private readonly gathering = new Map<string, { events: OrphanEvent[]; timer: NodeJS.Timeout | undefined }>();

  constructor(private readonly show: (execution: string, cellId: string, events: OrphanEvent[]) => void) {}

  add(execution: string, cellId: string, event: CellEvent, buffers: Uint8Array[]): void {
    let orphan = this.gathering.get(execution);
    if (!orphan) this.gathering.set(execution, (orphan = { events: [], timer: undefined }));
    const { events } = orphan;
    // The state of a call that is over is of no use.
    if (event.kind !== 'progress') events.push({ event, buffers });
    clearTimeout(orphan.timer);
    const settle = (): void => {
      this.gathering.delete(execution);
      if (events.length > 0) this.show(execution, cellId, events);
    };
    orphan.timer = setTimeout(settle, event.kind === 'finished' ? 0 : QUIET_MS);
  }

  dispose(): void {
    for (const { timer } of this.gathering.values()) clearTimeout(timer);
    this.gathering.clear();
  }
}
