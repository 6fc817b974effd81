/**
 * Calls that split: a verb declares how many pieces its work has and what they cost. A shard is a run of pieces, made
 * by itself as an artifact; the merged result equals that of one process to the bit.
 */
import type { JsonObject } from '../../protocol/notebook.js';
import type { ArtifactKey } from '../artifacts/types.js';
import type { ArtifactStore } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import { choice, group, text, value, whole, type Parsed } from './option.js';
import type { Recipe } from './recipe.js';
import type { Remember } from './remember.js';

/** The pieces of a call and their cost, worked out from its arguments alone. */
export interface Pieces {
  /** Number of pieces, or the names of the runs that the work asks `remember` for, in that order. */
  readonly pieces: number | readonly string[];
  /** Work of all pieces: the amount and its unit. */
  readonly work: { readonly amount: number; readonly unit: string };
  /** Bytes that one task holds at once, without the kernel itself (about 300 MB). */
  readonly memory: number;
  /** Bytes of all shards on the disk, estimated. */
  readonly disk: number;
  /** Further things on which shards depend and results do not, such as where passes begin. */
  readonly layout?: JsonObject;
}

/** A shard on the disk: its folder and its pieces. */
export interface ShardFolder {
  readonly folder: string;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** What an engine needs to know of a call that splits. */
export interface SplitCall {
  /** "fg.activations.save". */
  readonly name: string;
  /** Identity of the result. */
  readonly key: ArtifactKey;
  readonly title: string;
  /** Name of the pieces, such as "sequences". */
  readonly unit: string;
  /** Raised by the verb when its shards are made differently. */
  readonly version: number;
  readonly pieces: Pieces;
  readonly store: ArtifactStore;
  /** Folder that relative paths of the call start from. */
  readonly notebookFolder: string;
  /** How another process makes the call. @throws NoRecipe when it cannot */
  recipe(): Recipe;
  /** Whether the result is kept already: the call then loads it. */
  kept(): Promise<boolean>;
  /**
   * Makes pieces from … to − 1 into an empty folder. `resume`: a path for this shard alone; state that a stopped call
   * left there is used.
   */
  make(at: { folder: string; from: number; to: number; resume: string }, call: Required<CallOptions>): Promise<void>;
  /** The result, merged from all shards and kept; loaded where it is there. */
  merge(shards: readonly ShardFolder[], call: Required<CallOptions>): Promise<unknown>;
}

/** How many pieces a call has. */
export const countOf = ({ pieces: { pieces } }: Pick<SplitCall, 'pieces'>): number =>
  typeof pieces === 'number' ? pieces : pieces.length;

/** Options that say how a call is spread; every verb that splits has them. */
export const SPREAD = {
  engine: choice(['local', 'slurm'], {
    doc: "What runs the shards: 'local', this machine; 'slurm', an array of jobs of the cluster, and a job behind them that merges.",
    default: 'local',
  }),
  shards: whole({ doc: 'Shards; never more than there are pieces.', min: 1, max: 100_000, usual: 8 }),
  processes: whole({
    doc: 'Of local: how many processes run shards at once; 1 runs them in this process, whose products use all cores.',
    min: 1,
    max: 256,
    usual: 1,
  }),
  time: text({
    doc: 'Of Slurm: limit of a task, such as "02:00:00"; a minute before it a task saves what it has and is queued again.',
    fallback: "the partition's",
  }),
  mem: text({ doc: 'Of Slurm: memory of a task, such as "16G".', fallback: 'what the plan says, and 1 GB' }),
  gres: text({ doc: 'Of Slurm: generic resources of a task, such as "gpu:1".' }),
  partition: text({ doc: 'Of Slurm.', fallback: "the cluster's default" }),
  cpus: whole({ doc: 'Of Slurm: cores of a task.', min: 1, fallback: "the cluster's default" }),
  atOnce: whole({ doc: 'Of Slurm: how many tasks run at once at most.', min: 1, fallback: 'no limit' }),
  retries: whole({
    doc: 'Of Slurm: how often shards are submitted again whose task ended by a lost node, the time limit or lack of memory.',
    min: 0,
    usual: 2,
  }),
  moreMemory: flagged(
    'Of Slurm: factor on `mem` when a task that lacked memory is submitted again, such as 2.',
    'the same memory',
  ),
  sbatch: value<readonly string[]>(
    'options of sbatch such as ["--account=me"]',
    { doc: 'Of Slurm: further options of sbatch.' },
    (v) => Array.isArray(v) && v.every((o) => typeof o === 'string' && /^--[a-z][a-z-]*(=[^\n"]*)?$/.test(o)),
  ),
  setup: text({ doc: 'Of Slurm: lines of shell before a task starts, such as "module load nodejs".' }),
  device: choice(['auto', 'cpu', 'cuda', 'webgpu'], { doc: 'Device of tasks.', fallback: 'the one of this session' }),
} as const;

function flagged(doc: string, fallback: string) {
  return {
    ...value<number>('a number from 1 to 16', { doc, fallback }, (v) => typeof v === 'number' && v >= 1 && v <= 16),
  };
}

/** The options after the check, with defaults. */
export type Spread = Parsed<typeof SPREAD>;

/** The option `cluster` of verbs that split. */
export const CLUSTER = {
  cluster: {
    ...group(SPREAD, {
      doc: 'Splits the call into shards that are made apart and merged; the result is the same to the bit. docs/cluster.md says how.',
      short: 'engine',
      identity: false,
      fallback: 'the call is made in one piece',
    }),
    parse: (given: unknown, name: string): Spread | undefined =>
      given === undefined ? undefined : group(SPREAD, { doc: '', short: 'engine' }).parse(given, name),
  },
} as const;

/** Runs the shards of a call somewhere and gives its result. */
export type Spreader = (call: SplitCall, how: Spread, own: Required<CallOptions>) => Promise<unknown>;

/** Ends the work of a shard once all of its runs are made. */
export class ShardDone extends Error {}

/**
 * The `remember` of a shard's work: it makes the shard's own runs and skips the others, whose values must not be read.
 * A work that splits therefore asks for all of its runs before it reads any.
 */
export function rememberShard(names: readonly string[], { from, to }: { from: number; to: number }, keep: Remember) {
  const own = new Set(names.slice(from, to));
  const all = new Set(names);
  const runs: Array<readonly [string, unknown]> = [];
  const remember: Remember = async (run, make) => {
    if (!all.has(run)) throw new Error(`run "${run}" is not in the plan: the plan and the work disagree`);
    if (!own.has(run)) return notHere(run) as Awaited<ReturnType<typeof make>>;
    const made = await keep(run, make);
    runs.push([run, made]);
    if (runs.length === own.size) throw new ShardDone();
    return made;
  };
  return { remember: Object.assign(remember, { partial: true }), runs };
}

/** Stands for the value of a run that another shard makes; reading it throws. */
function notHere(run: string): object {
  const refuse = (): never => {
    throw new Error(`the value of run "${run}" is looked at before all runs are asked for`);
  };
  return new Proxy(
    {},
    // A promise reads `then` when it settles.
    { get: (_, name) => (name === 'then' ? undefined : refuse()), has: refuse, ownKeys: refuse },
  );
}

/** Bytes that a call of a verb holds at once, where nothing says how many. */
const COMMON_BYTES = 2 ** 30;
const memories = new WeakMap<object, (given: readonly unknown[]) => Promise<number>>();

/** Remembers how the memory of a bound verb's calls is worked out. */
export function noteMemory(bound: object, memory: (given: readonly unknown[]) => Promise<number>): void {
  memories.set(bound, memory);
}

/** Bytes that a call holds at once, worked out from its arguments, the kernel aside; 1 GiB where its verb says none. */
export async function memoryOfCall(bound: object, given: readonly unknown[]): Promise<number> {
  const memory = memories.get(bound);
  return memory ? memory(given) : COMMON_BYTES;
}

type Preparer = (given: readonly unknown[]) => Promise<SplitCall>;
const preparers = new WeakMap<object, Preparer>();

/** Remembers the function that prepares a bound verb's calls for splitting. */
export function noteSplit(bound: object, prepare: Preparer): void {
  preparers.set(bound, prepare);
}

/**
 * Prepares a call of a bound verb for splitting: checks its arguments, computes nothing.
 * @throws TypeError when the verb does not split
 */
export function splitCall(bound: unknown, given: readonly unknown[]): Promise<SplitCall> {
  const prepare = typeof bound === 'function' ? preparers.get(bound) : undefined;
  if (!prepare)
    throw new TypeError(
      `${typeof bound === 'function' ? 'this function' : `a ${typeof bound}`} does not split; give a verb that has the option "cluster", such as fg.activations.save`,
    );
  return prepare(given);
}
