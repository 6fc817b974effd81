/**
 * Slurm: an array job with one task per shard, and a dependent job that merges. Slurm's own commands submit and cancel
 * them.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '../io/files.js';
import type { Spread } from '../verb/split.js';
import { addSubmission, type PlanFile, type Submission } from './jobFolder.js';
import { rangesOf, type Plan } from './plan.js';
import { taskCommand } from './tasks.js';

const run = promisify(execFile);
/** Seconds before its time limit at which a task saves its state and is queued again. */
const GRACE_S = 60;
/** Memory asked for beyond the plan's: buffers of the system and of libraries. */
const SPARE_MB = 1024;

/** Runs a command of Slurm. @throws Error with Slurm's message, or that Slurm is not on this machine */
async function slurm(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(command, args, { maxBuffer: 2 ** 26 });
    return stdout;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT')
      throw new Error(`${command} is not on this machine: submit on a machine of the Slurm cluster`, { cause: error });
    throw new Error(`${command} ${args.join(' ')}: ${String(stderr).trim() || String(code)}`, { cause: error });
  }
}

/** Memory as Slurm takes it, in MB. */
export const memoryOf = ({ mem }: Spread, { memory }: Plan): string =>
  mem ?? `${Math.ceil(memory / 2 ** 20) + SPARE_MB}M`;

/** "16G" times a factor. */
export function timesMemory(mem: string, factor: number): string {
  const [, digits, unit] = /^(\d+)([KMGT]?)B?$/i.exec(mem) ?? [];
  if (digits === undefined) throw new RangeError(`mem is "${mem}"; expected a number with K, M, G or T, such as "16G"`);
  return `${Math.ceil(Number(digits) * factor)}${unit.toUpperCase()}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A value in an #SBATCH line. */
function valued(name: string, value: string | number | undefined): string[] {
  if (value === undefined) return [];
  const text = String(value);
  if (/["\n\\]/.test(text)) throw new RangeError(`${name} is ${JSON.stringify(text)}: quotes, backslashes and new lines cannot stand in a line of #SBATCH`); // prettier-ignore
  return [`#SBATCH --${name}=${/^[\w.:,%@+=/-]*$/.test(text) ? text : `"${text}"`}`];
}

function script(lines: readonly string[], how: Spread, file: PlanFile, command: readonly string[]): string {
  return [
    '#!/bin/bash',
    ...lines,
    ...valued('partition', how.partition),
    ...valued('cpus-per-task', how.cpus),
    ...valued('chdir', file.notebookFolder),
    '#SBATCH --open-mode=append',
    ...(how.sbatch ?? []).map((option) => `#SBATCH ${option}`),
    ...(how.setup === undefined ? [] : [how.setup]),
    // `exec` replaces the shell, so that Slurm's signals reach the task itself.
    `exec ${command.join(' ')}`,
    '',
  ].join('\n');
}

/** The script of the array, for these shards. */
export function arrayScript(folder: string, file: PlanFile, how: Spread, shards: readonly number[]): string {
  const { plan } = file;
  const [node, ...args] = taskCommand(folder, how.device ?? file.device).map(quoted);
  const array = `${rangesOf(shards)}${how.atOnce === undefined ? '' : `%${how.atOnce}`}`;
  return script(
    [
      ...valued('job-name', `fgnb-${plan.id.slice(0, 8)}`),
      ...valued('array', array),
      ...valued('output', path.join(folder, 'log', '%a.txt')),
      '#SBATCH --requeue',
      `#SBATCH --signal=B:USR2@${GRACE_S}`,
      ...valued('time', how.time),
      ...valued('mem', memoryOf(how, plan)),
      ...valued('gres', how.gres),
    ],
    how,
    file,
    [node, ...args, '--shard', '"$SLURM_ARRAY_TASK_ID"'],
  );
}

/** The script of the job that merges. */
export function mergeScript(folder: string, file: PlanFile, how: Spread): string {
  const { plan } = file;
  return script(
    [
      ...valued('job-name', `fgnb-${plan.id.slice(0, 8)}-merge`),
      ...valued('output', path.join(folder, 'log', 'merge.txt')),
      '#SBATCH --requeue',
      ...valued('mem', memoryOf(how, plan)),
    ],
    how,
    file,
    [...taskCommand(folder, how.device ?? file.device).map(quoted), '--merge'],
  );
}

/** Submits shards and the dependent merge. The caller holds the folder's lock. */
export async function submitArray(
  folder: string,
  file: PlanFile,
  how: Spread,
  shards: readonly number[],
): Promise<Submission> {
  const [task, merge] = ['task.sh', 'merge.sh'].map((name) => path.join(folder, name));
  await writeFileAtomic(task, arrayScript(folder, file, how, shards));
  await writeFileAtomic(merge, mergeScript(folder, file, how));
  await fs.mkdir(path.join(folder, 'log'), { recursive: true });
  const idOf = (said: string): string => said.trim().split(';')[0];
  const array = idOf(await slurm('sbatch', ['--parsable', task]));
  const after = [`--dependency=afterok:${array}`, '--kill-on-invalid-dep=yes'];
  let merging: string;
  try {
    merging = idOf(await slurm('sbatch', ['--parsable', ...after, merge]));
  } catch (error) {
    // Without its merge nothing would record the array.
    await slurm('scancel', [array]);
    throw error;
  }
  const submission: Submission = {
    ...{ engine: 'slurm', array, merge: merging, shards, how },
    submitted: new Date().toISOString(),
  };
  await addSubmission(folder, submission);
  return submission;
}

/** Cancels the array and the merge of a submission; jobs that Slurm has forgotten are passed over. */
export async function cancelJobs({ array, merge }: Submission): Promise<void> {
  for (const job of [array, merge]) {
    await slurm('scancel', [job]).catch((error: unknown) => {
      // The job ended long ago.
      if (!/Invalid job id/i.test(String(error))) throw error;
    });
  }
}

/** A state of Slurm, such as "RUNNING" or "OUT_OF_MEMORY". */
export interface TaskState {
  readonly state: string;
  readonly reason: string;
}

const ALIVE = /^(PENDING|RUNNING|CONFIGURING|COMPLETING|SUSPENDED|REQUEUED|REQUEUE_HOLD|RESV_DEL_HOLD|SIGNALING|STAGE_OUT|STOPPED|RESIZING|SPECIAL_EXIT)/; // prettier-ignore
export const isAlive = ({ state }: TaskState): boolean => ALIVE.test(state);
/** Whether the task ended for a reason outside the work: the same shard may be submitted again. */
export const isRetryable = ({ state }: TaskState): boolean =>
  /^(NODE_FAIL|TIMEOUT|OUT_OF_MEMORY|PREEMPTED|BOOT_FAIL|DEADLINE)/.test(state);

/**
 * Whether the end of a task's log is Slurm's word on memory. Where cgroups watch it, the state is OUT_OF_MEMORY; where
 * the accounting plugin does, it is FAILED, and only the log says why.
 */
export const lackedMemory = (log: string): boolean => /exceeded (job )?memory limit|oom[-_ ]kill/i.test(log);

/** "0-3,7%2" as numbers. */
function indexesOf(text: string): number[] {
  return text
    .replace(/%.*$/, '')
    .split(',')
    .flatMap((part) => {
      const [from, to = from] = part.split('-').map(Number);
      return Number.isInteger(from) && Number.isInteger(to)
        ? Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
        : [];
    });
}

/**
 * States of an array's tasks by shard: of waiting and running ones from squeue; of ended ones from sacct or, where the
 * cluster keeps no accounts, from what slurmctld still remembers (some minutes).
 */
export async function arrayStates({ array }: Submission): Promise<Map<number, TaskState>> {
  const states = new Map<number, TaskState>();
  const ended = await slurm('sacct', ['-n', '-P', '-X', '-j', array, '-o', 'JobID,State']).catch(() => '');
  for (const line of ended.split('\n')) {
    const [job, state = ''] = line.split('|');
    for (const index of indexesOf(/_\[?([\d,%-]+)/.exec(job)?.[1] ?? '')) states.set(index, { state, reason: '' });
  }
  const remembered = await slurm('scontrol', ['-o', 'show', 'job', array]).catch(() => '');
  for (const line of remembered.split('\n')) {
    const field = (name: string): string => new RegExp(`\\b${name}=(\\S*)`).exec(line)?.[1] ?? '';
    if (field('ArrayJobId') !== array) continue;
    for (const index of indexesOf(field('ArrayTaskId')))
      states.set(index, { state: field('JobState'), reason: field('Reason') });
  }
  return states;
}

/** State of a single job; undefined when Slurm has forgotten it. */
export async function jobState(job: string): Promise<TaskState | undefined> {
  const line = await slurm('scontrol', ['-o', 'show', 'job', job]).catch(() => '');
  const state = /\bJobState=(\S+)/.exec(line)?.[1];
  if (state !== undefined) return { state, reason: /\bReason=(\S+)/.exec(line)?.[1] ?? '' };
  const ended = (await slurm('sacct', ['-n', '-P', '-X', '-j', job, '-o', 'State']).catch(() => '')).trim();
  return ended === '' ? undefined : { state: ended.split('\n')[0], reason: '' };
}

/** Puts the job of this process back into the queue. */
export const requeue = (job: string): Promise<string> => slurm('scontrol', ['requeue', job]);
