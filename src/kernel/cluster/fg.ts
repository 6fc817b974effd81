/** fg.cluster: work that is spread over shards, on this machine or on a cluster. */
import { CALL, words } from '../verb/common.js';
import { callArg, each, listOfArgs } from '../verb/each.js';
import type { Environment } from '../verb/environment.js';
import { tableItems, tableOf, textItem } from '../present/items.js';
import { namespace } from '../verb/namespace.js';
import { SPREAD, splitCall } from '../verb/split.js';
import { only } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { jobFolder, jobFolders, logTail, readPlan, readSubmissions } from './jobFolder.js';
import { planOf, rangesOf } from './plan.js';
import { missingShards } from './shards.js';
import { arrayStates, cancelJobs } from './slurm.js';
import { planFileOf, submitPlan, throughSlurm } from './spread.js';
import { planText, spreadPlan, type SpreadPlan } from './text.js';

const argsArg = listOfArgs('args', 'Its arguments as an array, options last.');
const idArg = words('id', 'Id of the plan, 16 hex digits, as it was said when it was submitted.');

const plan = verb({
  doc: 'How a call would be split: its shards with their pieces, work, memory and bytes, and the scripts of Slurm and a manifest of Kubernetes as text. Nothing is computed, written or submitted.',
  args: [callArg, argsArg],
  options: { ...SPREAD, ...CALL },
  errors: ['A verb that does not split, and arguments that another process cannot make, are refused by name.'],
  async run({ env, options }, call, args): Promise<SpreadPlan> {
    const split = await splitCall(call, args);
    return spreadPlan(env.store.folder, planFileOf(split, planOf(split, options.shards)), options);
  },
  show: (made) => [textItem(`${planText(made)}\n\n${made.array}\n${made.merge}`)],
});

const submit = verb({
  doc: 'Submits a call to Slurm and returns at once: an array of tasks, and a job behind it that merges. The editor may be closed; the same call with { cluster } then follows the jobs or loads the result.',
  args: [callArg, argsArg],
  options: { ...SPREAD, ...CALL },
  errors: ['A machine without sbatch, and what fg.cluster.plan refuses, are refused.'],
  kinds: ['shard', 'merged'],
  async run({ env, options, call: own }, call, args): Promise<{ plan: string; array?: string; merge?: string }> {
    const split = await splitCall(call, args);
    const file = planFileOf(split, planOf(split, options.shards));
    const say = (line: string): void => env.context.print(line);
    const submission = await submitPlan({ store: env.store, file }, options, say, own.signal);
    const id = file.plan.id.slice(0, 16);
    return submission ? { plan: id, array: submission.array, merge: submission.merge } : { plan: id };
  },
});

/** The state of a submitted plan. */
export interface PlanState {
  readonly plan: string;
  readonly call: string;
  readonly title: string;
  readonly shards: number;
  readonly made: number;
  /** 'merged' when the result is there. */
  readonly state: 'merged' | 'running' | 'waiting' | 'stopped';
  /** Slurm ids of the array and of the merge job; empty where none was submitted. */
  readonly array: string;
  readonly merge: string;
  /**
   * Shards that are neither made nor in the queue, as ranges, with the end of the first one's log; empty without any.
   */
  readonly lost: string;
}

/** The state, read from the artifact folder, and from Slurm where it is installed. */
export async function stateOf(env: Environment, folder: string): Promise<PlanState> {
  const { plan: of } = await readPlan(folder);
  const submission = (await readSubmissions(folder)).at(-1);
  const merged = (await env.store.keptRecord(of.result)) !== undefined;
  const missing = merged ? [] : (await missingShards(env.store, of)).map(({ index }) => index);
  const states = submission ? await arrayStates(submission) : new Map<number, { state: string }>();
  const having = (state: RegExp): number[] => missing.filter((index) => state.test(states.get(index)?.state ?? ''));
  const [running, waiting] = [having(/^(RUNNING|COMPLETING|CONFIGURING)/), having(/^(PENDING|REQUEUED|SUSPENDED)/)];
  const lost = missing.filter((index) => !running.includes(index) && !waiting.includes(index));
  const tail = lost.length > 0 ? await logTail(folder, lost[0], 1) : '';
  return {
    ...{ plan: of.id.slice(0, 16), call: of.call, title: of.title },
    ...{ shards: of.shards.length, made: of.shards.length - missing.length },
    state: merged ? 'merged' : running.length > 0 ? 'running' : waiting.length > 0 ? 'waiting' : 'stopped',
    ...{ array: submission?.array ?? '', merge: submission?.merge ?? '' },
    lost: lost.length === 0 ? '' : `${rangesOf(lost)}${tail === '' ? '' : `: ${tail}`}`,
  };
}

const list = verb({
  doc: 'Plans that were submitted from this artifact folder, and how far they are: shards that are made, run, wait or are lost.',
  args: [],
  options: CALL,
  run: async ({ env }): Promise<PlanState[]> => {
    const states: PlanState[] = [];
    for (const folder of await jobFolders(env.store.folder)) states.push(await stateOf(env, folder));
    return states;
  },
  show: (states) => tableItems(tableOf(states.map((state) => ({ ...state })), 'Plans')), // prettier-ignore
});

/** The folder of a submitted plan. @throws Error that names the plans that exist */
export async function folderOfPlan(env: Environment, id: string): Promise<string> {
  const all = await jobFolders(env.store.folder);
  const found = all.filter((folder) => /^[0-9a-f]{4,}$/.test(id) && folder.endsWith(jobFolder('', id)));
  if (found.length === 1) return found[0];
  const names = all.map((folder) => folder.slice(-16)).join(', ');
  throw new Error(`no plan ${id} in ${env.store.folder}; ${names === '' ? 'it has none' : `there are ${names}`}`);
}

const cancel = verb({
  doc: 'Ends the jobs of a plan on Slurm. What its shards have saved is kept.',
  args: [idArg],
  options: CALL,
  async run({ env }, id) {
    const folder = await folderOfPlan(env, id);
    for (const submission of await readSubmissions(folder)) await cancelJobs(submission);
    return stateOf(env, folder);
  },
});

const follow = verb({
  doc: 'Follows a plan that was submitted, from the artifact folder alone, until its result is there, and submits again the shards that a lost node, the time limit or lack of memory ended; those that failed or were cancelled too, when it is called again. Gives the id of the result.',
  args: [idArg],
  options: { ...SPREAD, ...CALL },
  async run({ env, options, call }, id): Promise<string> {
    const folder = await folderOfPlan(env, id);
    const file = await readPlan(folder);
    const before = (await readSubmissions(folder)).at(-1)?.how;
    const given = Object.fromEntries(Object.entries(only(SPREAD, options)).filter(([name]) => name !== 'engine'));
    const how = { ...options, ...before, ...given };
    const say = (line: string): void => env.context.print(line);
    if (!(await env.store.keptRecord(file.plan.result))) await throughSlurm({ store: env.store, file }, how, say, call);
    return env.store.idOf(file.plan.result);
  },
});

export const cluster = namespace({
  name: 'cluster',
  doc: 'Work that splits: a call is cut into shards, an engine runs them, and the merged result is the one that a single process would have made, to the bit. Verbs that split have the option `cluster`.',
  example: `const lm = await fg.models.load('models/tiny-stories-1L')
const text = fg.datasets.stories({ stories: 40, context: 32, samples: 40 })
const train = { hook: 'blocks.0.hook_mlp_out', architecture: 'topk', k: 8, features: 64, steps: 5, trainBatchSizeTokens: 256 }
const [sae, again] = await fg.cluster.each(fg.sae.train, [[lm, text, { ...train, seed: 0 }], [lm, text, { ...train, seed: 1 }]], { cluster: { engine: 'local', shards: 2 } })
const acts = await fg.activations.save(lm, sae, text, { batchTokens: 256, cluster: { engine: 'local', shards: 4 } })
await fg.cluster.plan(fg.activations.save, [lm, again, text], { engine: 'slurm', shards: 4, time: '01:00:00' })`,
  verbs: { plan, submit, follow, cancel, list, each },
});
