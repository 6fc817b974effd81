/**
 * Shards on the disk: made once by the first task that needs them, checked byte for byte, and merged when all are
 * there.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactStore } from '../artifacts/store.js';
import type { CallOptions } from '../compute/call.js';
import type { ShardFolder, SplitCall } from '../verb/split.js';
import { rangesOf, shardKey, type Plan, type ShardRange } from './plan.js';

/** Where a shard that is stopped leaves what it has finished. */
const resumePath = (store: ArtifactStore, plan: Plan, shard: ShardRange): string =>
  path.join(store.folder, 'unfinished', `shard-${store.idOf(shardKey(plan, shard)).slice(0, 16)}`);

/** Bytes that a stopped shard has left, to go on from; 0 without any. */
export async function leftBehind(store: ArtifactStore, plan: Plan, shard: ShardRange): Promise<number> {
  const at = resumePath(store, plan, shard);
  const inside = await fs.readdir(at, { recursive: true }).catch(() => ['']);
  const sizes = inside.map((name) =>
    fs.stat(path.join(at, name)).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Makes a shard unless it is there. Two tasks with the same shard make it once. */
export async function makeShard(
  call: SplitCall,
  plan: Plan,
  shard: ShardRange,
  own: Required<CallOptions>,
): Promise<{ cached: boolean }> {
  const { store } = call;
  const key = shardKey(plan, shard);
  const resume = resumePath(store, plan, shard);
  const { cached } = await store.compute(key, {
    title: `shard ${shard.index} of ${plan.shards.length}: ${plan.title}`,
    unfinished: resume,
    make: (folder) => call.make({ folder, from: shard.from, to: shard.to, resume }, own),
    load: (folder) => Promise.resolve(folder),
  });
  return { cached };
}

/** Missing shards, by their records alone: quick, for progress. */
export async function missingShards(store: ArtifactStore, plan: Plan): Promise<ShardRange[]> {
  const found = await Promise.all(plan.shards.map((shard) => store.keptRecord(shardKey(plan, shard))));
  return plan.shards.filter((_, i) => found[i] === undefined);
}

/** Shards of a plan are absent, damaged or of different devices, so it cannot be merged. The message names them. */
export class ShardsError extends Error {}

/** The part of a device's description on which results depend: without the number of cores, which changes no bit. */
const deviceOf = (described: string): string => described.replace(/\b\d+ cores?, /, '');

/** What is on the disk of a plan. */
interface Examined {
  readonly folders: ShardFolder[];
  readonly absent: number[];
  readonly damaged: number[];
  /** Shards by the device that made them. */
  readonly devices: Map<string, number[]>;
}

/** Looks at every byte of every shard. */
async function examine(store: ArtifactStore, plan: Plan): Promise<Examined> {
  const of: Examined = { folders: [], absent: [], damaged: [], devices: new Map() };
  for (const shard of plan.shards) {
    const found = await store.checked(shardKey(plan, shard));
    if (typeof found === 'string') {
      of[found].push(shard.index);
      continue;
    }
    const device = deviceOf(found.record.device);
    of.devices.set(device, [...(of.devices.get(device) ?? []), shard.index]);
    of.folders.push({ folder: found.folder, from: shard.from, to: shard.to });
  }
  return of;
}

/** Shards to make: those that are absent and those that are damaged. Reads every byte of the others. */
export async function unmadeShards(store: ArtifactStore, plan: Plan): Promise<ShardRange[]> {
  const { absent, damaged } = await examine(store, plan);
  const unmade = new Set([...absent, ...damaged]);
  return plan.shards.filter(({ index }) => unmade.has(index));
}

/** The folders of all shards, every byte checked. @throws ShardsError that names those that cannot be merged */
export async function checkedShards(store: ArtifactStore, plan: Plan): Promise<ShardFolder[]> {
  const { folders, devices, ...wrong } = await examine(store, plan);
  const said = (['absent', 'damaged'] as const)
    .filter((how) => wrong[how].length > 0)
    .map((how) => `shards ${rangesOf(wrong[how])} are ${how}`);
  if (said.length > 0)
    throw new ShardsError(
      `plan ${plan.id.slice(0, 16)} of ${plan.call} cannot be merged: of ${plan.shards.length} shards (0 to ${plan.shards.length - 1}), ${said.join(' and ')}; submit the call again to make them`,
    );
  if (devices.size > 1)
    throw new ShardsError(
      `plan ${plan.id.slice(0, 16)} of ${plan.call} cannot be merged: its shards were made by different devices, whose last bits differ: ${[...devices].map(([device, of]) => `${rangesOf(of)} by ${device}`).join('; ')}. Say { cluster: { device } } and delete one kind`,
    );
  return folders;
}

/** The result of a call: loaded where it is there, else merged from all shards, which are then deleted. */
export async function mergedResult(call: SplitCall, plan: Plan, own: Required<CallOptions>): Promise<unknown> {
  if (await call.kept()) return call.merge([], own);
  let shards: ShardFolder[];
  try {
    shards = await checkedShards(call.store, plan);
  } catch (error) {
    // Another process may have merged the shards and deleted them.
    if (error instanceof ShardsError && (await call.kept())) return call.merge([], own);
    throw error;
  }
  const result = await call.merge(shards, own);
  // Shards are deleted only once the result is kept on the disk by itself.
  if (await call.kept()) for (const shard of plan.shards) await call.store.drop(shardKey(plan, shard));
  return result;
}
