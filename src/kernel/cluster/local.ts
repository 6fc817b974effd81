/** The engine of this machine: runs shards one after the other in this process, or in several processes. */
import { filled } from '../verb/filled.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { SPREAD, type SplitCall, type Spread } from '../verb/split.js';
import type { Plan, ShardRange } from './plan.js';
import { makeShard } from './shards.js';
import { spawnTask } from './tasks.js';

/** Makes these shards; the first that fails ends the others. */
export async function runLocally(
  call: SplitCall,
  plan: Plan,
  shards: readonly ShardRange[],
  { how, folder, device, own }: { how: Spread; folder: string; device: string; own: Required<CallOptions> },
): Promise<void> {
  const { processes } = filled(SPREAD, how);
  let done = plan.shards.length - shards.length;
  const ended = (): void =>
    own.onProgress({ label: `shards of ${plan.call}`, done: ++done, total: plan.shards.length, unit: 'shards' });
  if (processes === 1) {
    for (const shard of shards) {
      checkAborted(own.signal, plan.call);
      await makeShard(call, plan, shard, own);
      ended();
    }
    return;
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([own.signal, failed.signal]);
  const waiting = [...shards];
  const worker = async (): Promise<void> => {
    for (let shard = waiting.shift(); shard && !signal.aborted; shard = waiting.shift()) {
      const { code, said } = await spawnTask(folder, shard.index, device, signal);
      checkAborted(own.signal, plan.call);
      if (code !== 0 && !failed.signal.aborted) {
        failed.abort();
        throw new Error(`shard ${shard.index} of ${plan.call} failed (exit code ${code}): ${said}`);
      }
      if (code === 0) ended();
    }
  };
  const all = await Promise.allSettled(Array.from({ length: Math.min(processes, shards.length) }, worker));
  const first = all.find((one) => one.status === 'rejected');
  checkAborted(own.signal, plan.call);
  if (first) throw first.reason;
}
