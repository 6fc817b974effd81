/** Models of any size whose files are holes: Llama's layout in shards of zeros, which take no place on the disk. */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dtypeBytes } from '#protocol/safetensors.js';
import { readConfig } from '#kernel/models/config.js';
import { weightShapes } from '#kernel/models/layout.js';

export interface SparseModel {
  layers: number;
  width: number;
  mlp: number;
  heads: number;
  kvHeads: number;
  vocab: number;
  dtype: 'BF16' | 'F16' | 'F32';
  /** Bytes of one shard, about; a tensor is never parted. */
  shardBytes: number;
}

/** Llama 3.2 3B in bfloat16: 6.4 GB. */
export const LLAMA_3B: SparseModel = {
  ...{ layers: 28, width: 3072, mlp: 8192, heads: 24, kvHeads: 8, vocab: 128256 },
  ...{ dtype: 'BF16', shardBytes: 4.5e9 },
};

/** Writes the model into `folder`, which is made; gives the parameters that it has. */
export async function writeSparseModel(
  folder: string,
  of: SparseModel,
): Promise<{ parameters: number; shards: number }> {
  const json = {
    ...{ model_type: 'llama', num_hidden_layers: of.layers, hidden_size: of.width, intermediate_size: of.mlp },
    ...{ num_attention_heads: of.heads, num_key_value_heads: of.kvHeads, vocab_size: of.vocab },
    ...{ max_position_embeddings: 2048, rms_norm_eps: 1e-5, hidden_act: 'silu', tie_word_embeddings: true },
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(json));
  await writeFile(join(folder, 'vocab.json'), JSON.stringify({ a: 0, b: 1, ab: 2 }));
  await writeFile(join(folder, 'merges.txt'), '#version: 0.2\na b\n');
  const shards: Array<Array<[string, number[], number]>> = [[]];
  let [inShard, parameters] = [0, 0];
  for (const [name, shape] of weightShapes(readConfig(json))) {
    const elements = shape.reduce((a, b) => a * b, 1);
    const bytes = elements * dtypeBytes(of.dtype);
    if (inShard > 0 && inShard + bytes > of.shardBytes) {
      shards.push([]);
      inShard = 0;
    }
    shards.at(-1)?.push([name, shape, bytes]);
    inShard += bytes;
    parameters += elements;
  }
  const weightMap: Record<string, string> = {};
  for (const [i, tensors] of shards.entries()) {
    const file = `model-${i + 1}-of-${shards.length}.safetensors`;
    await writeHoles(join(folder, file), tensors, of.dtype);
    for (const [name] of tensors) weightMap[name] = file;
  }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return { parameters, shards: shards.length };
}

/** A safetensors file with a header and nothing behind it: zeros up to its length. */
async function writeHoles(
  path: string,
  tensors: ReadonlyArray<[string, number[], number]>,
  dtype: string,
): Promise<void> {
  let end = 0;
  const entries = tensors.map(([name, shape, bytes]) => {
    const begin = end;
    end += bytes;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const padded = Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = await open(path, 'w');
  try {
    await file.write(Buffer.concat([length, padded]));
    await file.truncate(8 + padded.length + end);
  } finally {
    await file.close();
  }
}
