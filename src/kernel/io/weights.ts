/** Named tensors of one file, or of a folder with the files of a Hugging Face model. */
import { join } from 'node:path';
import { listed } from '../../protocol/clip.js';
import { kindOfPath, openData, readJson, safeJoin } from './files.js';
import type { PickledScalar } from './namedValues.js';
import type { Dtype, NdArray } from './ndarray.js';
import { NpzFile } from './npz.js';
import { SafetensorsFile } from './safetensors.js';
import { TorchFile } from './torchFile.js';
import { ZipFile } from './zip.js';

export interface WeightSource {
  /** Strings, numbers and flags besides the tensors, where the format has any. */
  readonly scalars?: ReadonlyMap<string, PickledScalar>;
  /** Tensor names. */
  names(): string[];
  info(name: string): { dtype: Dtype; shape: number[] };
  /** Throws when there is no such tensor, listing the existing ones. */
  read(name: string): Promise<NdArray>;
  close(): Promise<void>;
}

/** Model weights in a folder, in the order in which they are looked for. */
export const WEIGHT_FILES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/**
 * Opens weights: a .safetensors, .pt/.pth/.bin or .npz file (told apart by content, not by name), a shard index
 * (*.index.json), or a folder that holds one of WEIGHT_FILES. Throws when nothing readable is there.
 */
export async function openWeights(fileOrFolder: string): Promise<WeightSource> {
  const kind = await kindOfPath(fileOrFolder);
  if (!kind) throw new Error(`no weights at ${fileOrFolder}: there is no such file or folder`);
  if (kind === 'file')
    return fileOrFolder.endsWith('.index.json') ? openShards(fileOrFolder) : openWeightFile(fileOrFolder);
  for (const name of WEIGHT_FILES) {
    if (await kindOfPath(join(fileOrFolder, name))) return openWeights(join(fileOrFolder, name));
  }
  throw new Error(`no weights in ${fileOrFolder}: expected one of ${WEIGHT_FILES.join(', ')}`);
}

/** Opens one file of weights. */
export async function openWeightFile(path: string): Promise<WeightSource> {
  const handle = await openData(path);
  const { buffer: start, bytesRead } = await handle.read(new Uint8Array(9), 0, 9, 0).finally(() => handle.close());
  if (start[0] === 0x50 && start[1] === 0x4b) {
    const zip = await ZipFile.open(path);
    return [...zip.entries.keys()].some((name) => /(^|\/)data\.pkl$/.test(name))
      ? TorchFile.fromZip(zip)
      : NpzFile.fromZip(zip);
  }
  // A pickle begins with PROTO and its number; a safetensors header has "{" after its length.
  if (start[0] === 0x80 && start[1] <= 5 && start[8] !== 0x7b) return TorchFile.open(path);
  if (start[8] === 0x7b || path.endsWith('.safetensors')) return SafetensorsFile.open(path);
  const first = Array.from(start.subarray(0, bytesRead), (b) => b.toString(16).padStart(2, '0')).join(' ');
  throw new Error(`${path} begins with bytes ${first}: no safetensors, PyTorch or .npz file`);
}

/** Tensors spread over several files, as an index.json maps them. Each shard is opened once, at the start. */
async function openShards(indexPath: string): Promise<WeightSource> {
  const shardOf = await readIndex(indexPath);
  const shards = new Map<string, WeightSource>();
  const close = async (): Promise<void> => {
    await Promise.all([...shards.values()].map((shard) => shard.close()));
  };
  try {
    for (const file of new Set(shardOf.values())) {
      const path = safeJoin(join(indexPath, '..'), file);
      if (!(await kindOfPath(path))) throw new Error(`${indexPath} names the shard ${file}, which is not beside it`);
      shards.set(file, await openWeightFile(path));
    }
    for (const [name, file] of shardOf) (shards.get(file) as WeightSource).info(name);
  } catch (error) {
    await close();
    throw error;
  }
  const shard = (name: string): WeightSource => {
    const found = shards.get(shardOf.get(name) ?? '');
    if (!found) throw new Error(`${indexPath}: no tensor "${name}"; it has ${listed(shardOf.keys())}`);
    return found;
  };
  return {
    names: () => [...shardOf.keys()],
    info: (name) => shard(name).info(name),
    read: (name) => shard(name).read(name),
    close,
  };
}

/** The file that holds each tensor, from a shard index. */
export async function readIndex(path: string): Promise<Map<string, string>> {
  const fail = (why: string): Error => new Error(`${path} is no weight index: ${why}`);
  const index = await readJson(path).catch((error: unknown) => {
    throw fail(error instanceof Error ? error.message : String(error));
  });
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null) throw fail('it has no weight_map');
  const entries = Object.entries(map);
  if (entries.length === 0 || entries.some(([, file]) => typeof file !== 'string'))
    throw fail('weight_map must map tensors to files');
  return new Map(entries as Array<[string, string]>);
}
