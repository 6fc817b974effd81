/**
 * fg.activations.save in shards: whole forward passes of the unsplit call, encoded apart, and written by the same
 * writer in the same order. A shard holds parts, each a store of some passes; a shard that was stopped goes on after
 * its last part.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkAborted, type CallOptions } from '../compute/call.js';
import type { SparseRows } from '../compute/sparse.js';
import { checkFolder, digestFolder, type FolderDigest } from '../io/digest.js';
import { readJson, syncFolder, writeFileAtomic } from '../io/files.js';
import { sequencesPerPass } from '../models/capture.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import { ignoredPositions } from '../models/ignored.js';
import { leftOut } from '../sae/trainedOn.js';
import type { Sae } from '../sae/types.js';
import type { Pieces, ShardFolder } from '../verb/split.js';
import { encodeTokens, writeOptions, type SaveActivationsOptions } from './save.js';
import { openActivations } from './store.js';
import { writeActivations } from './write.js';

/** Forward passes of a part: what a stopped shard loses at most. */
const PASSES_OF_PART = 32;
const DIGEST = 'part.json';
const PART = /^part-\d{6}$/;
const partName = (first: number): string => `part-${String(first).padStart(6, '0')}`;

type Saved = readonly [model: LanguageModel, sae: Sae, tokens: TokenSet];

/** Pieces are forward passes: the unsplit call makes the same ones, with the same rows. */
export function savePieces([model, sae, tokens]: Saved, { batchTokens }: SaveActivationsOptions): Pieces {
  const { sequences, context } = tokens;
  const rows = Math.min(sequencesPerPass(context, batchTokens), Math.max(1, sequences)) * context;
  const { dModel, dMlp, layers, vocab } = model.config;
  const { dSae, k = 128 } = sae.config;
  const weights = 4 * (vocab * dModel + layers * (4 * dModel * dModel + 3 * dModel * dMlp) + 2 * dSae * dModel);
  const fires = Math.min(k, dSae);
  return {
    pieces: Math.max(1, Math.ceil(sequences / sequencesPerPass(context, batchTokens))),
    layout: { sequencesPerPass: sequencesPerPass(context, batchTokens) },
    work: { amount: sequences * context, unit: 'tokens' },
    // The weights twice while they load, codes before the selection, and one file of the store.
    memory: 2 * weights + 4 * rows * (2 * dSae + 12 * dModel) + 2 ** 27,
    disk: sequences * context * (12 + fires * (dSae <= 65_536 ? 6 : 8)),
  };
}

interface Shard extends ShardFolder, CallOptions {
  readonly resume: string;
}

/** Encodes the passes from … to − 1 into the folder. */
export async function saveShard(
  [model, sae, tokens]: Saved,
  options: SaveActivationsOptions,
  { folder, from, to, resume, signal, onProgress }: Shard,
): Promise<void> {
  const hook = options.hook ?? sae.config.hookName;
  const { context } = tokens;
  const perPass = sequencesPerPass(context, options.batchTokens);
  const ignored = ignoredPositions(tokens, leftOut(tokens, sae, options));
  await mkdir(resume, { recursive: true });
  for (let pass = from; pass < to; pass += PASSES_OF_PART) {
    const part = join(resume, partName(pass));
    if (await isWhole(part)) continue;
    checkAborted(signal, 'a shard of activations');
    const first = pass * perPass;
    const end = Math.min(tokens.sequences, Math.min(to, pass + PASSES_OF_PART) * perPass);
    const beside = `${part}.tmp`;
    await rm(beside, { recursive: true, force: true });
    const at = { ...options, signal, firstSequence: first, sequences: end - first };
    await writeActivations(beside, encodeTokens(model, sae, tokens, hook, at), {
      ...writeOptions({ model, sae, tokens, hook }),
      tokenIds: tokens.tokens.subarray(first * context, end * context),
      ignored: ignored?.subarray(first * context, end * context),
      signal,
    }).catch(async (error: unknown) => {
      // A full disk is full for what comes next, too.
      await rm(beside, { recursive: true, force: true });
      throw error;
    });
    const digest = await digestFolder(beside, [DIGEST]);
    await writeFileAtomic(join(beside, DIGEST), JSON.stringify(digest));
    await rm(part, { recursive: true, force: true });
    await rename(beside, part);
    await syncFolder(resume);
    onProgress?.({
      label: 'shard',
      done: Math.min(to, pass + PASSES_OF_PART) - from,
      total: to - from,
      unit: 'passes',
    });
  }
  for (let pass = from; pass < to; pass += PASSES_OF_PART)
    await rename(join(resume, partName(pass)), join(folder, partName(pass)));
}

/** Whether a part that a stopped shard left is what it wrote; one that is not is made again. */
async function isWhole(part: string): Promise<boolean> {
  try {
    await checkFolder(part, (await readJson(join(part, DIGEST))) as FolderDigest);
    return true;
  } catch {
    // Absent, cut off or damaged: all three are made again.
    return false;
  }
}

/** The rows of all shards, in order. @throws when a shard does not hold the passes that it is of */
export async function* rowsOfShards(
  shards: readonly ShardFolder[],
  { tokens, batchTokens }: { tokens: TokenSet } & Pick<SaveActivationsOptions, 'batchTokens'>,
): AsyncGenerator<SparseRows> {
  const perPass = sequencesPerPass(tokens.context, batchTokens);
  for (const { folder, from, to } of shards) {
    const expected = Array.from({ length: Math.ceil((to - from) / PASSES_OF_PART) }, (_, i) =>
      partName(from + i * PASSES_OF_PART),
    );
    const there = (await readdir(folder)).filter((name) => PART.test(name)).sort();
    let sequences = 0;
    for (const name of expected) {
      if (!there.includes(name)) throw new Error(`${folder} does not hold ${name} of passes ${from} to ${to - 1}`);
      const store = await openActivations(join(folder, name));
      sequences += store.meta.sequences;
      for await (const { rows } of store.shards()) yield rows;
    }
    if (sequences !== Math.min(tokens.sequences, to * perPass) - from * perPass)
      throw new Error(`${folder} holds ${sequences} sequences, which are not those of passes ${from} to ${to - 1}`);
  }
}
