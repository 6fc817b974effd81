/** Spreads a call: makes its plan, runs the shards on an engine, and gives the merged result. */
import fs from 'node:fs/promises';
import type { ArtifactStore } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { currentDevice } from '../compute/device.js';
import { FileLock } from '../io/lock.js';
import type { SessionContext } from '../verb/context.js';
import { SPREAD, type SplitCall, type Spread, type Spreader } from '../verb/split.js';
import { followSlurm, liveSubmission } from './follow.js';
import { jobFolder, writePlan, type PlanFile, type Submission } from './jobFolder.js';
import { runLocally } from './local.js';
import { planOf, rangesOf, type Plan } from './plan.js';
import { mergedResult, unmadeShards } from './shards.js';
import { cancelJobs, submitArray } from './slurm.js';

/** Prints a line in the cell. */
export type Say = (line: string) => void;

/** The plan file that tasks read. @throws NoRecipe when another process cannot make the call */
export function planFileOf(call: SplitCall, plan: Plan): PlanFile {
  return { plan, recipe: call.recipe(), notebookFolder: call.notebookFolder, device: currentDevice().device };
}

/** A plan to submit, and the store for its shards. */
export interface Target {
  readonly store: ArtifactStore;
  readonly file: PlanFile;
}

/** Submits what is missing of a plan; where jobs of it already wait or run, these are followed instead. */
export async function submitPlan(
  { store, file }: Target,
  how: Spread,
  say: Say,
  signal?: AbortSignal,
): Promise<Submission | undefined> {
  const { plan } = file;
  const folder = jobFolder(store.folder, plan.id);
  const id = plan.id.slice(0, 16);
  await fs.mkdir(folder, { recursive: true });
  const lock = await FileLock.take(`${folder}.lock`, { signal });
  try {
    const live = await liveSubmission(folder);
    if (live) {
      say(`${plan.call}: following what was submitted before (Slurm ${live.array}, plan ${id})`);
      return live;
    }
    const shards = (await unmadeShards(store, plan)).map(({ index }) => index);
    if (shards.length === 0) return undefined;
    await writePlan(folder, file);
    const made = await submitArray(folder, file, how, shards);
    say(
      `${plan.call}: submitted shards ${rangesOf(shards)} of ${plan.shards.length} to Slurm as ${made.array}, the merge as ${made.merge} (plan ${id})`,
    );
    return made;
  } finally {
    await lock.release();
  }
}

/**
 * Submits and follows until every shard is there; shards ended by a lost node, the time limit or lack of memory are
 * submitted again.
 */
export async function throughSlurm(target: Target, asked: Spread, say: Say, own: Required<CallOptions>): Promise<void> {
  const { plan } = target.file;
  let how = asked;
  for (let attempt = 0; ; attempt++) {
    const submission = await submitPlan(target, how, say, own.signal);
    if (submission === undefined) return;
    const failed = await followSlurm(target.store, plan, submission, own).catch((error: unknown) => {
      if (own.signal.aborted)
        say(
          `${plan.call}: no longer followed; its jobs go on. The same call follows them again; fg.cluster.cancel('${plan.id.slice(0, 16)}') ends them`,
        );
      throw error;
    });
    if (failed === undefined) return;
    // The merge job would wait for ever for the failed tasks.
    await cancelJobs(submission);
    if (!failed.retryable || attempt >= (asked.retries ?? SPREAD.retries.usual))
      throw new Error(
        `${plan.call}: shards ${rangesOf(failed.shards)} of ${plan.shards.length} failed on Slurm. ${failed.said}\nThe others are kept; the same call submits what is missing`,
      );
    how = failed.retry(how, plan);
    say(`${plan.call}: ${failed.said}; submitting shards ${rangesOf(failed.shards)} again`);
  }
}

/** The spreader of a session: runs the shards of a call on the chosen engine and gives the merged result. */
export function spreader({ print, planOnly }: Pick<SessionContext, 'print' | 'planOnly'>): Spreader {
  const say: Say = (line) => print(line);
  return async (call, how, own) => {
    if (await call.kept()) return call.merge([], own);
    if (planOnly) return planOnly(call, how);
    const plan = planOf(call, how.shards);
    const { store } = call;
    if (how.engine === 'slurm') await throughSlurm({ store, file: planFileOf(call, plan) }, how, say, own);
    else {
      const folder = jobFolder(store.folder, plan.id);
      if ((how.processes ?? SPREAD.processes.usual) > 1) await writePlan(folder, planFileOf(call, plan));
      const device = how.device ?? currentDevice().device;
      await runLocally(call, plan, await unmadeShards(store, plan), { how, folder, device, own });
    }
    return mergedResult(call, plan, own);
  };
}
