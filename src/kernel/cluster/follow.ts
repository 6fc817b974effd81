/**
 * Follows submitted jobs: by the shards that appear in the artifact folder, and by what Slurm reports of the others.
 */
import { setTimeout } from 'node:timers/promises';
import type { ArtifactStore } from '../artifacts/store.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import type { Spread } from '../verb/split.js';
import { jobFolder, logTail, readSubmissions, type Submission } from './jobFolder.js';
import { rangesOf, type Plan } from './plan.js';
import { missingShards } from './shards.js';
import { arrayStates, isAlive, isRetryable, jobState, lackedMemory, memoryOf, timesMemory, type TaskState } from './slurm.js'; // prettier-ignore

const POLL_MS = Number(process.env.FGNB_CLUSTER_POLL_MS ?? 3000);
/**
 * Times that Slurm and the folder are read again before a task that is gone from the queue counts as failed: file
 * systems lag.
 */
const LOOKS = 3;

/** Shards that are missing and that no job makes. */
export interface FailedShards {
  readonly shards: readonly number[];
  /** Whether each ended without an error of its own, such as by a lost node. */
  readonly retryable: boolean;
  /** Their states, and the ends of their logs. */
  readonly said: string;
  /** The options with which they are submitted again. */
  retry(how: Spread, plan: Plan): Spread;
}

/** The newest submission with jobs that wait or run; undefined without any. */
export async function liveSubmission(folder: string): Promise<Submission | undefined> {
  const newest = (await readSubmissions(folder)).at(-1);
  if (!newest) return undefined;
  const tasks = [...(await arrayStates(newest)).values()];
  const merge = await jobState(newest.merge);
  return tasks.some(isAlive) || (merge && isAlive(merge) && merge.reason !== 'DependencyNeverSatisfied') ? newest : undefined; // prettier-ignore
}

/** Waits until the result can be merged or loaded (gives undefined) or some shards have failed. */
export async function followSlurm(
  store: ArtifactStore,
  plan: Plan,
  submission: Submission,
  own: Required<CallOptions>,
): Promise<FailedShards | undefined> {
  for (let idle = 0; ;) {
    checkAborted(own.signal, plan.call);
    if (await store.keptRecord(plan.result)) return undefined;
    const missing = (await missingShards(store, plan)).map(({ index }) => index);
    const states = await arrayStates(submission);
    own.onProgress(progressOf(plan, missing, states));
    if (missing.length === 0) {
      const merge = await jobState(submission.merge);
      // The merge is a job of Slurm; where that job is gone, the result is merged here.
      if (!merge || !isAlive(merge)) return undefined;
    } else {
      const waited = missing.some((index) => {
        const state = states.get(index);
        return state !== undefined && isAlive(state);
      });
      idle = waited ? 0 : idle + 1;
      if (idle >= LOOKS) return failedShards(store, plan, missing, states);
    }
    await setTimeout(POLL_MS, undefined, { signal: own.signal });
  }
}

function progressOf(plan: Plan, missing: readonly number[], states: ReadonlyMap<number, TaskState>) {
  const of = (wanted: string): number => missing.filter((index) => states.get(index)?.state.startsWith(wanted)).length;
  const [running, waiting] = [of('RUNNING'), of('PENDING')];
  const total = plan.shards.length;
  return {
    label: `${plan.call} on Slurm: ${running} running, ${waiting} waiting`,
    ...{ done: total - missing.length, total, unit: 'shards' },
  };
}

async function failedShards(
  store: ArtifactStore,
  plan: Plan,
  shards: readonly number[],
  states: ReadonlyMap<number, TaskState>,
): Promise<FailedShards> {
  const folder = jobFolder(store.folder, plan.id);
  const found = new Map<number, TaskState>();
  for (const index of shards) {
    const state = states.get(index) ?? { state: 'gone from Slurm', reason: '' };
    found.set(index, lackedMemory(await logTail(folder, index)) ? { ...state, state: 'OUT_OF_MEMORY' } : state);
  }
  const stateOf = (index: number): TaskState => found.get(index)!;
  const byState = new Map<string, number[]>();
  for (const index of shards) byState.set(stateOf(index).state, [...(byState.get(stateOf(index).state) ?? []), index]);
  const lines: string[] = [];
  for (const [state, of] of byState) {
    const tail = await logTail(folder, of[0]);
    lines.push(`${rangesOf(of)}: ${state}${tail === '' ? '' : `, shard ${of[0]} said: ${tail}`}`);
  }
  return {
    shards,
    retryable: shards.every((index) => isRetryable(stateOf(index))),
    said: lines.join('\n'),
    retry(how) {
      const starved = shards.some((index) => stateOf(index).state.startsWith('OUT_OF_MEMORY'));
      return starved && how.moreMemory !== undefined
        ? { ...how, mem: timesMemory(memoryOf(how, plan), how.moreMemory) }
        : how;
    },
  };
}
