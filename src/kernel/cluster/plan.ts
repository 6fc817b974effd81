/**
 * Plans: a call that splits, cut into shards. A plan follows from the call alone, so it is the same on every machine.
 */
import type { ArtifactKey } from '../artifacts/types.js';
import { canonicalJson, sha256 } from '../io/hash.js';
import { countOf, type Pieces, type SplitCall } from '../verb/split.js';

/** A shard of a plan: the pieces from … to − 1. */
export interface ShardRange {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

export interface Plan {
  /** Hash of the call's identity and of how it is cut. */
  readonly id: string;
  /** "fg.activations.save". */
  readonly call: string;
  readonly title: string;
  /** Identity of the result. */
  readonly result: ArtifactKey;
  /** Name of the pieces, such as "sequences". */
  readonly unit: string;
  readonly pieces: number;
  readonly shards: readonly ShardRange[];
  readonly work: Pieces['work'];
  /** Bytes that a task holds at once, the kernel included. */
  readonly memory: number;
  /** Bytes of all shards on the disk. */
  readonly disk: number;
}

/** The kernel itself: Node, TensorFlow.js and ONNX Runtime. */
const KERNEL_BYTES = 300 * 2 ** 20;
export const DEFAULT_SHARDS = 8;

/** Cuts a call into shards of whole pieces, as even as possible; no shard is empty. */
export function planOf(call: SplitCall, asked = DEFAULT_SHARDS): Plan {
  const { pieces, work, memory, disk, layout = {} } = call.pieces;
  const count = countOf(call);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError(`${call.name} has ${count} ${call.unit} here: there is nothing to split`);
  const n = Math.min(asked, count);
  const identity = {
    call: call.name,
    version: call.version,
    result: call.key,
    pieces: typeof pieces === 'number' ? pieces : sha256(pieces),
    layout,
    shards: n,
  };
  const start = (index: number): number => Math.floor((index * count) / n);
  return {
    id: sha256(['fgnb plan 1', canonicalJson(identity, 'plan')]),
    ...{ call: call.name, title: call.title, result: call.key, unit: call.unit, pieces: count, work, disk },
    shards: Array.from({ length: n }, (_, index) => ({ index, from: start(index), to: start(index + 1) })),
    memory: memory + KERNEL_BYTES,
  };
}

/** Identity of a shard: its plan and its number. */
export function shardKey(plan: Pick<Plan, 'id' | 'call'>, { index, from, to }: ShardRange): ArtifactKey {
  return { kind: 'shard', parameters: { plan: plan.id, call: plan.call, index, from, to }, inputs: {}, codeVersion: 1 };
}

/** Numbers as ranges: "0-3,7". */
export function rangesOf(indexes: readonly number[]): string {
  const parts: Array<[number, number]> = [];
  for (const i of [...indexes].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && i === last[1] + 1) last[1] = i;
    else parts.push([i, i]);
  }
  return parts.map(([a, b]) => (a === b ? String(a) : `${a}-${b}`)).join(',');
}
