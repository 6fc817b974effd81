/** Long calls of the facade that are running: a stopped run waits until they have saved their state. */
import { setTimeout as sleep } from 'node:timers/promises';

export class RunningCalls {
  private readonly calls = new Set<Promise<void>>();

  add(work: Promise<unknown>): void {
    const done = work.then(
      () => undefined,
      () => undefined,
    );
    this.calls.add(done);
    void done.then(() => this.calls.delete(done));
  }

  /** Waits until none runs, but at most `ms`, since a terminated call never settles. */
  async quiet(ms: number): Promise<void> {
    const all = async (): Promise<void> => {
      while (this.calls.size > 0) await Promise.all(this.calls);
    };
    await Promise.race([all(), sleep(ms)]);
  }
}
