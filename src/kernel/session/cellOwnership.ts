/**
 * Which cell's code is running, for text, errors and timers that come after their cell has ended.
 *
 * AsyncLocalStorage knows it exactly, but below Node 24 it works by promise hooks, and V8's termination between two
 * hooks aborts the process (callback.cc: execution_async_id == 0). There, only the synchronous part of a cell and of
 * its timers is known; the session takes the running cell, else the last, for the rest.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

function hasContextFrames(): boolean {
  const [major] = process.versions.node.split('.').map(Number);
  return major >= 24 && !process.execArgv.includes('--no-async-context-frame');
}

/** Steps of promises that still count as part of a timer's turn. */
const CONTINUATIONS = 12;

export class CellOwnership<Owner> {
  private readonly storage = hasContextFrames() ? new AsyncLocalStorage<Owner>() : undefined;
  private now: Owner | undefined;
  private turns = 0;

  /** Calls `work` on behalf of `owner`. */
  run<T>(owner: Owner, work: () => T): T {
    if (this.storage) return this.storage.run(owner, work);
    const before = this.now;
    this.now = owner;
    try {
      return work();
    } finally {
      this.now = before;
    }
  }

  /** Like run, for a timer's callback: continuations of its promises in the same turn are the owner's too. */
  runTurn(owner: Owner, work: () => void): void {
    if (this.storage) return this.storage.run(owner, work);
    this.now = owner;
    const turn = ++this.turns;
    try {
      work();
    } finally {
      this.endTurn(turn, CONTINUATIONS);
    }
  }

  private endTurn(turn: number, hops: number): void {
    queueMicrotask(() => {
      if (turn !== this.turns) return;
      if (hops > 0) this.endTurn(turn, hops - 1);
      else this.now = undefined;
    });
  }

  /** Owner of the running code, where known. */
  current(): Owner | undefined {
    return this.storage ? this.storage.getStore() : this.now;
  }

  /** Forgets the current owner: a terminated call leaves it behind, since its `finally` did not run. */
  reset(): void {
    this.turns++;
    this.now = undefined;
  }
}
