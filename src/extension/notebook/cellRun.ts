/**
 * Which cell runs, which wait, and what ends. Pure: it takes events and returns the new state with the effects that a
 * driver carries out, so every order of events can be tested without VS Code. One queue per notebook; every execution
 * that is created is ended exactly once.
 */

export interface Run {
  /** Unique per run of a cell. */
  execution: string;
  cellId: string;
}

export interface RunState {
  /** The kernel is attached and can take a cell. */
  ready: boolean;
  running: Run | undefined;
  waiting: readonly Run[];
}

/** Why a run ended. `cancelled`: it never started. `lost`: the kernel went away under it. */
export type Outcome = 'ok' | 'error' | 'interrupted' | 'cancelled' | 'lost';

export type RunEvent =
  | { type: 'enqueue'; runs: readonly Run[] }
  /** The kernel is attached; `running` is what it runs already, after a reload. */
  | { type: 'ready'; running?: Run }
  | { type: 'finished'; execution: string; status: 'ok' | 'error' | 'interrupted' }
  /** The user pressed Stop: what waits is dropped, the running cell is asked to stop. */
  | { type: 'interrupt' }
  /** The kernel died, restarts or could not start. */
  | { type: 'lost' };

export type RunEffect =
  | { type: 'create'; run: Run }
  | { type: 'send'; run: Run }
  | { type: 'interrupt' }
  | { type: 'end'; run: Run; outcome: Outcome };

export const NO_RUNS: RunState = { ready: false, running: undefined, waiting: [] };

type Step = { state: RunState; effects: RunEffect[] };

/** Sends the next waiting cell when the kernel is free. */
function advance(state: RunState, effects: RunEffect[]): Step {
  const [next, ...rest] = state.waiting;
  if (!state.ready || state.running || !next) return { state, effects };
  return { state: { ...state, running: next, waiting: rest }, effects: [...effects, { type: 'send', run: next }] };
}

const cancelled = (runs: readonly Run[]): RunEffect[] =>
  runs.map((run) => ({ type: 'end', run, outcome: 'cancelled' }));

function finished(state: RunState, event: Extract<RunEvent, { type: 'finished' }>): Step {
  const { running } = state;
  // A finish that belongs to no running cell comes from a replay of what was ended already.
  if (running?.execution !== event.execution) return { state, effects: [] };
  const end: RunEffect = { type: 'end', run: running, outcome: event.status };
  if (event.status === 'ok') return advance({ ...state, running: undefined }, [end]);
  return { state: { ...state, running: undefined, waiting: [] }, effects: [end, ...cancelled(state.waiting)] };
}

/** The state after an event, and what the driver has to do, in order. */
export function reduceRuns(state: RunState, event: RunEvent): Step {
  switch (event.type) {
    case 'enqueue': {
      const busy = new Set([...state.waiting, ...(state.running ? [state.running] : [])].map((run) => run.cellId));
      const fresh = event.runs.filter((run) => !busy.has(run.cellId) && busy.add(run.cellId));
      const created = fresh.map((run): RunEffect => ({ type: 'create', run }));
      return advance({ ...state, waiting: [...state.waiting, ...fresh] }, created);
    }
    case 'ready': {
      if (event.running && !state.running) {
        const running = event.running;
        return { state: { ...state, ready: true, running }, effects: [{ type: 'create', run: running }] };
      }
      return advance({ ...state, ready: true }, []);
    }
    case 'finished':
      return finished(state, event);
    case 'interrupt':
      return {
        state: { ...state, waiting: [] },
        effects: [...(state.running ? [{ type: 'interrupt' } as const] : []), ...cancelled(state.waiting)],
      };
    case 'lost': {
      const end: RunEffect[] = state.running ? [{ type: 'end', run: state.running, outcome: 'lost' }] : [];
      return { state: NO_RUNS, effects: [...end, ...cancelled(state.waiting)] };
    }
  }
}
