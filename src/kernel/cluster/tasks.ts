/** A task: one shard of a plan, or its merge, in a process of its own. Engines start it as `fgnb task`. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CallOptions } from '../compute/call.js';
import { argumentsOf } from '../verb/recipe.js';
import { splitCall, type SplitCall } from '../verb/split.js';
import { readPlan, type PlanFile } from './jobFolder.js';
import { planOf } from './plan.js';
import { leftBehind, makeShard, mergedResult } from './shards.js';

type Verbs = (name: string) => (...given: unknown[]) => unknown;

/** The command of a plan's tasks, as a list of words. */
export function taskCommand(folder: string, device: string): string[] {
  const cli = path.join(path.dirname(fileURLToPath(import.meta.url)), 'cli.cjs');
  return [process.execPath, cli, 'task', folder, '--device', device];
}

/** Prepares the call of a plan again. @throws Error when its identity has changed since */
async function plannedCall({ plan, recipe }: PlanFile, verbs: Verbs): Promise<SplitCall> {
  const call = await splitCall(verbs(recipe.call), await argumentsOf(recipe, verbs));
  const again = planOf(call, plan.shards.length);
  if (again.id !== plan.id)
    throw new Error(
      `the call of plan ${plan.id.slice(0, 16)} (${plan.call}) is another one by now (${again.id.slice(0, 16)}): a file that it reads has changed, or this is another version; submit it again`,
    );
  return call;
}

/** A task was stopped while it made its shard. */
export class StoppedShard extends Error {
  /** @param finished whether it finished something that another task goes on from */
  constructor(readonly finished: boolean) {
    super(finished ? 'stopped; what was finished is kept' : 'stopped before anything was finished');
  }
}

/** Runs one task: a shard, by its number, or the merge. Returns a line that says what was done. @throws StoppedShard when cancelled */
export async function runTask(
  folder: string,
  what: number | 'merge',
  verbs: Verbs,
  own: Required<CallOptions>,
): Promise<string> {
  const file = await readPlan(folder);
  const { plan } = file;
  const call = await plannedCall(file, verbs);
  if (what === 'merge') {
    await mergedResult(call, plan, own);
    return `${plan.call}: ${plan.shards.length} shards are merged (${call.store.idOf(call.key).slice(0, 8)})`;
  }
  const shard = plan.shards.at(what);
  if (!shard) throw new RangeError(`shard ${what} of ${plan.shards.length}: they are 0 to ${plan.shards.length - 1}`);
  if (await call.kept()) return `${plan.call}: the result is there already; shard ${what} is not needed`;
  const before = await leftBehind(call.store, plan, shard);
  const { cached } = await makeShard(call, plan, shard, own).catch(async (error: unknown) => {
    throw own.signal.aborted ? new StoppedShard((await leftBehind(call.store, plan, shard)) > before) : error;
  });
  return `${plan.call}: shard ${what}, ${call.unit} ${shard.from} to ${shard.to - 1} of ${plan.pieces}, ${cached ? 'was there' : 'is made'}`;
}

/** Runs a task in a process on this machine. Resolves with its exit code and the end of its output. */
export function spawnTask(
  folder: string,
  shard: number,
  device: string,
  signal: AbortSignal,
): Promise<{ code: number; said: string }> {
  const [node, ...args] = taskCommand(folder, device);
  const child = spawn(node, [...args, '--shard', String(shard)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: Buffer): void => void (said = (said + String(chunk)).slice(-4000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop);
      resolve({ code: code ?? 1, said: said.trim() });
    });
  });
}
