/** `fgnb submit`, `jobs` and `task`: work that is split into shards. */
import fs from 'node:fs';
import path from 'node:path';
import { readNotebook } from '../convert/convert.js';
import { deviceChoice, deviceOfNotebook } from '../../protocol/device.js';
import { messageOf } from '../io/files.js';
import type { JsonObject, NotebookFile } from '../../protocol/notebook.js';
import { CELL_LANGUAGE } from '../../protocol/notebook.js';
import type { SessionContext } from '../verb/context.js';
import { parseOptions } from '../verb/option.js';
import { SPREAD, type Spread } from '../verb/split.js';
import { command, print, shellFolder, UsageError, writeError, type Command } from './command.js';
import { RUN_OPTIONS, runCells } from './run.js';

const SPREAD_OPTIONS = {
  engine: { type: 'string', default: 'local' },
  shards: { type: 'string' },
  processes: { type: 'string' },
  time: { type: 'string' },
  mem: { type: 'string' },
  gres: { type: 'string' },
  partition: { type: 'string' },
  cpus: { type: 'string' },
  'at-once': { type: 'string' },
  retries: { type: 'string' },
  'more-memory': { type: 'string' },
  sbatch: { type: 'string', multiple: true },
  setup: { type: 'string' },
} as const;

type SpreadArguments = Parameters<Command<typeof SPREAD_OPTIONS>['run']>[0];

/** Spread options as cells write them: `--at-once 20` becomes { atOnce: 20 }. */
function spreadOf(values: SpreadArguments, device?: string): Spread {
  const given: Record<string, unknown> = device === undefined ? {} : { device };
  for (const name of Object.keys(SPREAD_OPTIONS) as Array<keyof typeof SPREAD_OPTIONS>) {
    const value: unknown = values[name];
    if (value === undefined) continue;
    const number = ['shards', 'processes', 'cpus', 'at-once', 'retries', 'more-memory'].includes(name);
    given[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = number ? Number(value) : value;
  }
  try {
    return parseOptions('fgnb submit', given, SPREAD);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** A notebook of one cell with the call from the command line. */
function callNotebook(call: string): NotebookFile {
  return { fgnb: 1, metadata: {}, cells: [{ id: 'call', kind: 'code', language: CELL_LANGUAGE, source: [call] }] };
}

/** Thrown to end a dry run. */
class Planned extends Error {}

/** The session of a submitted run: calls that split go to the engine, and prints of cells are shown. */
function submitting(cluster: Spread, dryRun: boolean, planned: () => void) {
  return (context: SessionContext): SessionContext => {
    const say = (text: string): void => {
      print(text);
      context.print(text);
    };
    const planOnly: SessionContext['planOnly'] = (call, how) => {
      planned();
      print(plans.textOf(call, how));
      throw new Planned('a dry run ends at the first call that is spread');
    };
    const own = { cluster, print: say, ...(dryRun ? { planOnly } : {}) };
    return Object.create(context, Object.getOwnPropertyDescriptors(own)) as SessionContext;
  };
}

/** Set by `submit`, so that the engines are loaded with the kernel and not with every command. */
let plans: typeof import('../cluster/text.js');

export const submit = command({
  help: `  fgnb submit NOTEBOOK|CALL [--engine local|slurm] [--shards N] [--dry-run] [--processes N] [--time T] [--mem M] [--gres G]
           [--partition P] [--cpus N] [--at-once N] [--retries N] [--more-memory F] [--sbatch=--OPTION]... [--setup LINES]
           and the options of run
      Runs every cell, as run does; calls that split (fg.activations.save and others, see docs/cluster.md) are cut into
      shards that the engine runs, and merged to what one process would have made. CALL is an expression such as
      "await fg.activations.save(await fg.models.load('m'), …)". local: this machine; slurm: an array of jobs, and a
      merge behind it. Ctrl-C stops following; the jobs go on, and the same command follows them again.
      --dry-run prints the plan of the first call whose result is not there, with the scripts that would be submitted.`,
  options: { ...RUN_OPTIONS, ...SPREAD_OPTIONS, 'dry-run': { type: 'boolean' } },
  takes: [1, 1, 'a notebook or a call'],
  async run(values, [what]) {
    plans = await import('../cluster/text.js');
    let planned = false;
    const found = fs.existsSync(what) ? await readNotebook(what) : undefined;
    const device = values.device ?? (found && deviceOfNotebook(found.notebook.metadata));
    const how = spreadOf(values, device === 'auto' ? undefined : device);
    const around = submitting(how, values['dry-run'] === true, () => (planned = true));
    const ended = (): boolean => planned;
    if (found) return runCells(values, { notebookFile: what, read: () => Promise.resolve(found), around, ended });
    if (!/\bfg\.\w/.test(what)) throw new UsageError(`${what} is neither a file nor a call of fg`);
    const notebookFile = path.join(shellFolder, 'call.ts');
    return runCells(values, {
      ...{ notebookFile, around, ended },
      read: () => Promise.resolve({ notebook: callNotebook(what), notes: [] }),
    });
  },
});

const STOP_CODES = { SIGINT: 130, SIGTERM: 143, SIGUSR2: 143 } as const;

/** Opens a kernel and calls `work`; a signal cancels it, and saved work stays. Returns the exit code. */
async function withKernel(
  options: { folder: string; artifacts: string; device?: string },
  work: (kernel: import('../library.js').OpenKernel, signal: AbortSignal) => Promise<void>,
  onStop: (signal: keyof typeof STOP_CODES, error: unknown) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const stop = new AbortController();
  let by: keyof typeof STOP_CODES | undefined;
  for (const signal of Object.keys(STOP_CODES) as Array<keyof typeof STOP_CODES>)
    process.on(signal, () => {
      by ??= signal;
      stop.abort();
    });
  const { openKernel } = await import('../library.js');
  const device = deviceChoice(options.device ?? 'auto');
  const kernel = await openKernel({ ...options, device, signal: stop.signal, onPrint: print });
  try {
    await work(kernel, stop.signal);
    return 0;
  } catch (error) {
    if (!by) throw error;
    writeError(`fgnb: stopped by ${by}; what was finished is kept\n`);
    await onStop(by, error);
    return STOP_CODES[by];
  } finally {
    await kernel.close();
  }
}

export const task = command({
  help: `  fgnb task FOLDER --shard N | --merge [--device DEVICE]
      What engines start: makes shard N of a submitted plan, or merges its shards. FOLDER is .fgnb/cluster/ID. SIGTERM stops
      it and keeps what is finished; SIGUSR2, which Slurm sends before the time limit, also puts it back into the queue.`,
  options: { shard: { type: 'string' }, merge: { type: 'boolean' }, device: { type: 'string' } },
  takes: [1, 1, "the plan's folder"],
  async run({ shard, merge, device }, [given]) {
    const index = shard === undefined ? undefined : Number(shard);
    if ((index === undefined) === (merge !== true) || (index !== undefined && !(Number.isInteger(index) && index >= 0)))
      throw new UsageError('fgnb task needs either --shard with a whole number or --merge');
    const folder = path.resolve(given);
    const [{ runTask, StoppedShard }, { artifactsOfJob, readPlan }, { requeue }] = await Promise.all([
      import('../cluster/tasks.js'),
      import('../cluster/jobFolder.js'),
      import('../cluster/slurm.js'),
    ]);
    const { notebookFolder } = await readPlan(folder);
    return withKernel(
      { folder: notebookFolder, artifacts: artifactsOfJob(folder), device },
      async ({ fg }, signal) => {
        const verbs = (name: string): ((...args: unknown[]) => unknown) => {
          const bound = name.split('.').slice(1).reduce((at, part) => (Object.hasOwn(at, part) ? (at as never)[part] : undefined) as never, fg as object) as unknown; // prettier-ignore
          if (typeof bound !== 'function') throw new Error(`the plan calls ${name}, which there is not`);
          return bound as never;
        };
        print(await runTask(folder, index ?? 'merge', verbs, { signal, onProgress: () => undefined }));
      },
      async (by, error) => {
        const job = process.env.SLURM_JOB_ID;
        if (by !== 'SIGUSR2' || job === undefined) return;
        // A task that finishes nothing within its limit would be queued again for ever.
        if (!(error instanceof StoppedShard && error.finished))
          throw new Error('nothing was finished within the time limit: give more --time, or more --shards');
        await requeue(job);
      },
    );
  },
});

const ACTIONS = ['list', 'follow', 'cancel'] as const;

export const jobs = command({
  help: `  fgnb jobs list|follow ID|cancel ID [--artifacts DIR] [--mem M] [--time T] [--json]
      Plans that were submitted from DIR (.fgnb): how far they are; follow waits for the result and submits again what
      failed; cancel ends their jobs. Exit code: 0 done, 1 it failed, 2 wrong usage.`,
  options: {
    artifacts: { type: 'string', default: '.fgnb' },
    mem: { type: 'string' },
    time: { type: 'string' },
    json: { type: 'boolean' },
  },
  takes: [1, 2, `one of ${ACTIONS.join(', ')}`],
  async run({ artifacts, mem, time, json }, [action, id]) {
    if (!(ACTIONS as readonly string[]).includes(action))
      throw new UsageError(`fgnb jobs ${action}: there are ${ACTIONS.join(', ')}`);
    if (action !== 'list' && id === undefined) throw new UsageError(`fgnb jobs ${action} needs the id of a plan`);
    return withKernel({ folder: '.', artifacts: path.resolve(artifacts), device: 'cpu' }, async ({ fg }, signal) => {
      if (action === 'follow') {
        const how: JsonObject = { ...(mem === undefined ? {} : { mem }), ...(time === undefined ? {} : { time }) };
        print(await fg.cluster.follow(id, { ...how, signal }));
        return;
      }
      const states = action === 'cancel' ? [await fg.cluster.cancel(id)] : await fg.cluster.list();
      if (json) for (const state of states) print(JSON.stringify(state));
      else
        for (const { plan, call, title, made, shards, state, lost } of states)
          print(
            `${plan}  ${state.padEnd(8)} ${made}/${shards}  ${call}  ${title}${lost === '' ? '' : `  lost ${lost}`}`,
          );
    });
  },
});
