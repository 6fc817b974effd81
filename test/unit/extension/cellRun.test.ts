import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import {
  NO_RUNS,
  reduceRuns,
  type Run,
  type RunEffect,
  type RunEvent,
  type RunState,
} from '#extension/notebook/cellRun.js';

const run = (cellId: string): Run => ({ execution: `${cellId}/1`, cellId });
const [a, b, c] = ['a', 'b', 'c'].map(run);

/** Plays events and gives the effects as short text. */
function play(events: RunEvent[], state: RunState = NO_RUNS): { state: RunState; log: string[] } {
  const log: string[] = [];
  for (const event of events) {
    const step = reduceRuns(state, event);
    state = step.state;
    for (const e of step.effects) log.push(textOf(e));
  }
  return { state, log };
}

function textOf(e: RunEffect): string {
  if (e.type === 'interrupt') return 'interrupt';
  return e.type === 'end' ? `end ${e.run.cellId} ${e.outcome}` : `${e.type} ${e.run.cellId}`;
}

describe('the run queue', () => {
  it('creates every run up front and sends them one at a time, in order', () => {
    const { log } = play([
      { type: 'enqueue', runs: [a, b] },
      { type: 'ready' },
      { type: 'finished', execution: a.execution, status: 'ok' },
      { type: 'finished', execution: b.execution, status: 'ok' },
    ]);
    expect(log).toEqual(['create a', 'create b', 'send a', 'end a ok', 'send b', 'end b ok']);
  });

  it('stops the queue at an error', () => {
    const { log, state } = play([
      { type: 'ready' },
      { type: 'enqueue', runs: [a, b, c] },
      { type: 'finished', execution: a.execution, status: 'error' },
    ]);
    expect(log.slice(3)).toEqual(['send a', 'end a error', 'end b cancelled', 'end c cancelled']);
    expect(state).toEqual({ ready: true, running: undefined, waiting: [] });
  });

  it('interrupt drops what waits and asks the running cell to stop', () => {
    const { log } = play([
      { type: 'ready' },
      { type: 'enqueue', runs: [a, b] },
      { type: 'interrupt' },
      { type: 'finished', execution: a.execution, status: 'interrupted' },
    ]);
    expect(log.slice(3)).toEqual(['interrupt', 'end b cancelled', 'end a interrupted']);
  });

  it('a lost kernel ends the running cell as lost and the rest as cancelled', () => {
    const { log, state } = play([{ type: 'ready' }, { type: 'enqueue', runs: [a, b] }, { type: 'lost' }]);
    expect(log.slice(3)).toEqual(['end a lost', 'end b cancelled']);
    expect(state).toEqual(NO_RUNS);
  });

  it('does not queue a cell twice', () => {
    const again = { execution: 'a/2', cellId: 'a' };
    const { log } = play([{ type: 'ready' }, { type: 'enqueue', runs: [a, b] }, { type: 'enqueue', runs: [again, c] }]);
    expect(log).toEqual(['create a', 'create b', 'send a', 'create c']);
  });

  it('follows a cell that a reattached kernel runs already', () => {
    const { log } = play([
      { type: 'ready', running: a },
      { type: 'enqueue', runs: [b] },
      { type: 'finished', execution: a.execution, status: 'ok' },
    ]);
    expect(log).toEqual(['create a', 'create b', 'end a ok', 'send b']);
  });

  it('ends every run that it created exactly once, whatever happens in whatever order', () => {
    const random = new Random(7);
    for (let trial = 0; trial < 300; trial++) {
      let state = NO_RUNS;
      const open = new Set<string>();
      let next = 0;
      const apply = (event: RunEvent): void => {
        const step = reduceRuns(state, event);
        state = step.state;
        for (const e of step.effects) {
          if (e.type === 'create') {
            expect(open.has(e.run.execution)).toBe(false);
            open.add(e.run.execution);
          } else if (e.type === 'end') expect(open.delete(e.run.execution)).toBe(true);
          else if (e.type === 'send') expect(open.has(e.run.execution)).toBe(true);
        }
      };
      for (let i = 0; i < 40; i++) {
        const pick = random.int(6);
        const cellId = `c${random.int(5)}`;
        if (pick <= 1) apply({ type: 'enqueue', runs: [{ cellId, execution: `${cellId}/${next++}` }] });
        else if (pick === 2) apply({ type: 'ready' });
        else if (pick === 3) apply({ type: 'interrupt' });
        else if (pick === 4) apply({ type: 'lost' });
        else
          apply({
            type: 'finished',
            execution: state.running?.execution ?? 'unknown/1',
            status: (['ok', 'error', 'interrupted'] as const)[random.int(3)],
          });
      }
      apply({ type: 'lost' });
      expect(open.size).toBe(0);
    }
  });
});
