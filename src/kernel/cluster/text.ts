/** A plan as text. */
import { formatBytes } from '../../protocol/bytes.js';
import type { SplitCall, Spread } from '../verb/split.js';
import { jobFolder, type PlanFile } from './jobFolder.js';
import { manifest } from './kubernetes.js';
import { planOf, type Plan } from './plan.js';
import { arrayScript, mergeScript } from './slurm.js';
import { planFileOf } from './spread.js';

/** A plan, with the scripts that engines would get. */
export interface SpreadPlan extends Plan {
  /** Script of the array of tasks, as sbatch takes it. */
  readonly array: string;
  /** Script of the job that merges, submitted with --dependency=afterok. */
  readonly merge: string;
  /** Kubernetes indexed job, untested. */
  readonly kubernetes: string;
}

/** The scripts of a plan. */
export function spreadPlan(artifactFolder: string, file: PlanFile, how: Spread): SpreadPlan {
  const { plan } = file;
  const folder = jobFolder(artifactFolder, plan.id);
  const all = plan.shards.map(({ index }) => index);
  return {
    ...plan,
    array: arrayScript(folder, file, how, all),
    merge: mergeScript(folder, file, how),
    kubernetes: manifest(folder, file, artifactFolder),
  };
}

const count = (n: number): string => n.toLocaleString('en');

/** A summary of a plan: shards, work, memory and disk. */
export function planText(plan: SpreadPlan): string {
  const { work, shards } = plan;
  return [
    `${plan.call}: ${count(shards.length)} shards of ${count(plan.pieces)} ${plan.unit} (plan ${plan.id.slice(0, 16)})`,
    `work: ${count(work.amount)} ${work.unit}, about ${count(Math.ceil(work.amount / shards.length))} a shard`,
    `memory of a task: about ${formatBytes(plan.memory)}; shards on the disk: about ${formatBytes(plan.disk)}`,
  ].join('\n');
}

/** The text that a dry run prints. */
export function textOf(call: SplitCall, how: Spread): string {
  const plan = spreadPlan(call.store.folder, planFileOf(call, planOf(call, how.shards)), how);
  return `${planText(plan)}\n\n# sbatch --parsable task.sh\n${plan.array}\n# sbatch --parsable --dependency=afterok:ARRAY --kill-on-invalid-dep=yes merge.sh\n${plan.merge}\n# Kubernetes\n${plan.kubernetes}`;
}
