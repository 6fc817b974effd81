/**
 * Activations on the disk, one artifact for each hook of a model and text: the trainings that come later read them there,
 * whatever their options, and run no model. Pieces are those of the pass, so that a training from float32 is to the bit
 * that of a pass; bfloat16 halves the space and rounds each activation to 8 significant bits.
 */
import { join } from 'node:path';
import { formatBytes } from '../../protocol/bytes.js';
import type { ArtifactKey } from '../artifacts/types.js';
import { checkAborted, type CallOptions } from '../compute/call.js';
import { matrix, type Matrix } from '../compute/matrix.js';
import type { FolderDigest } from '../io/digest.js';
import { requireDisk } from '../io/disk.js';
import { kindOfPath, readJson, writeFileAtomic } from '../io/files.js';
import { toBf16 } from '../io/half.js';
import { toFloat32, type NdArray } from '../io/ndarray.js';
import { SafetensorsFile, writeSafetensors } from '../io/safetensors.js';
import type { LanguageModel, TokenSet } from '../models/types.js';
import type { Environment } from '../verb/environment.js';
import { beside, cachedSource, sharedSources, type ActivationSource, type WantedReading } from './source.js';

export const CACHE_TYPES = ['f32', 'bf16'] as const;
type CacheType = (typeof CACHE_TYPES)[number];

export const CACHE_KIND = 'training-activations';
/** Raised when the same model, text and hook give other pieces. */
const CODE_VERSION = 1;
/** Activations that are kept in memory too once they were read. */
const MEMORY_BYTES = 2 ** 30;
const PIECES = 'pieces.json';
const BYTES: Readonly<Record<CacheType, number>> = { f32: 4, bf16: 2 };

const pieceFile = (i: number): string => `piece-${String(i).padStart(6, '0')}.safetensors`;

/** A reading of a training, and how it is kept on the disk; undefined: not at all. */
interface CachedReading extends WantedReading {
  readonly cache?: CacheType;
}

/** An open cache: rows of each piece, and where they lie. */
interface Kept {
  folder: string;
  pieces: readonly number[];
  files: FolderDigest;
}

const keyOf = (source: ActivationSource, type: CacheType): ArtifactKey => ({
  kind: CACHE_KIND,
  parameters: { hook: source.hookName, type, ...source.ignoring },
  inputs: { model: source.modelId ?? source.modelName, tokens: source.tokensId ?? '' },
  codeVersion: CODE_VERSION,
});

/** Sources of readings whose activations are kept on the disk: what is there is read, what is not is written first. */
export class CachedSources {
  readonly #base: ReturnType<typeof sharedSources>;
  readonly #kept = new Map<string, ActivationSource>();

  /** @param wanted readings that will be asked for: one pass of the model feeds all that are not on the disk yet */
  constructor(
    private readonly env: Environment,
    model: LanguageModel,
    tokens: TokenSet,
    wanted: readonly CachedReading[],
    private readonly call: CallOptions,
  ) {
    // The pass is read once, into the files.
    this.#base = sharedSources(model, tokens, wanted.flatMap(hooksOf), { cacheBytes: 0 });
  }

  of(reading: CachedReading): ActivationSource {
    const [x, y] = hooksOf(reading).map((one) => this.#hook(one, reading.cache!));
    return y ? pair(x, y) : x;
  }

  /** Whether all that the reading needs is on the disk. */
  async there(reading: CachedReading): Promise<boolean> {
    const folders = hooksOf(reading).map((one) => this.env.store.folderOf(keyOf(this.#base(one), reading.cache!)));
    return (await Promise.all(folders.map(kindOfPath))).every((kind) => kind !== undefined);
  }

  #hook(reading: WantedReading, type: CacheType): ActivationSource {
    const { hook, ignoreTokens } = reading;
    const name = JSON.stringify([hook, ignoreTokens, type]);
    let source = this.#kept.get(name);
    if (!source) {
      const base = this.#base(reading);
      source = onDisk(this.env, base, type, this.call);
      if (4 * (base.rows ?? Infinity) * base.width <= MEMORY_BYTES) source = cachedSource(source);
      this.#kept.set(name, source);
    }
    return source;
  }
}

const hooksOf = ({ hook, hookOut, ignoreTokens }: WantedReading): WantedReading[] =>
  [hook, ...(hookOut === undefined ? [] : [hookOut])].map((one) => ({ hook: one, ignoreTokens }));

/** The source read from its artifact, which the first reading makes where it is not there. */
function onDisk(env: Environment, source: ActivationSource, type: CacheType, call: CallOptions): ActivationSource {
  let opened: Promise<Kept> | undefined;
  const open = async (): Promise<Kept> => {
    try {
      return await keep(env, source, type, call);
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
  return {
    ...source,
    async *batches(firstRow = 0, { signal } = {}) {
      const { folder, pieces, files } = await (opened ??= open());
      let row = 0;
      for (const [i, rows] of pieces.entries()) {
        checkAborted(signal, 'reading activations');
        if (row >= firstRow) yield await readPiece(folder, i, [rows, source.width], files);
        row += rows;
      }
    },
  };
}

async function keep(env: Environment, source: ActivationSource, type: CacheType, call: CallOptions): Promise<Kept> {
  const { artifactFolder } = env.context;
  const what = `The activations of ${source.modelName} ${source.hookName}`;
  const { value } = await env.store.compute<Kept>(keyOf(source, type), {
    title: `${what} as ${type}`,
    async make(folder) {
      const bytes = BYTES[type] * (source.rows ?? 0) * source.width;
      await requireDisk(artifactFolder, bytes, what);
      env.context.print(
        `${what} are written as ${type}, ${formatBytes(bytes)}: trainings with { cache: '${type}' } on this model, hook and text read them from then on`,
      );
      const pieces: number[] = [];
      for await (const x of source.batches(0, call)) {
        await writeSafetensors(join(folder, pieceFile(pieces.length)), { x: asType(x, type) });
        pieces.push(x.rows);
      }
      await writeFileAtomic(join(folder, PIECES), JSON.stringify(pieces));
    },
    lazy: (file) => file.startsWith('piece-'),
    load: async (folder, { files = {} }) => ({
      folder,
      pieces: (await readJson(join(folder, PIECES))) as number[],
      files,
    }),
  });
  return value;
}

function asType(x: Matrix, type: CacheType): NdArray {
  const shape = [x.rows, x.cols];
  return type === 'f32' ? { dtype: 'F32', shape, data: x.data } : { dtype: 'BF16', shape, data: toBf16(x.data) };
}

async function readPiece(folder: string, i: number, shape: [number, number], files: FolderDigest): Promise<Matrix> {
  const name = pieceFile(i);
  const file = await SafetensorsFile.open(join(folder, name), files[name]);
  try {
    const x = await file.read('x');
    if (x.shape.join() !== shape.join())
      throw new Error(`${name} of ${folder} holds [${x.shape.join(', ')}] where [${shape.join(', ')}] was written; delete that folder`); // prettier-ignore
    return matrix(shape[0], shape[1], toFloat32(x));
  } finally {
    await file.close();
  }
}

/** What a transcoder reads, with what it predicts behind it. */
function pair(x: ActivationSource, y: ActivationSource): ActivationSource {
  return {
    ...x,
    width: x.width + y.width,
    target: { hookName: y.hookName, width: y.width },
    async *batches(firstRow, call) {
      const readers = [x, y].map((source) => source.batches(firstRow, call)[Symbol.asyncIterator]());
      try {
        for (;;) {
          // At the same time: one pass writes both.
          const [a, b] = await Promise.all(readers.map((reader) => reader.next()));
          if (a.done || b.done) return;
          yield beside(a.value, b.value);
        }
      } finally {
        await Promise.all(readers.map((reader) => reader.return?.()));
      }
    },
  };
}
