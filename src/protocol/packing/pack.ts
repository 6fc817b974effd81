/**
 * A bundle as an exported page carries it. Columns stand as planes of bytes; labels and examples in one file of few bytes
 * (texts.ts), or as they are where they are not of the kernel's form. Everything is compressed and written as text (text.ts).
 */
import { bundleFiles, COLUMNS_FILE, labelsFile, linesFile, parseJson, parseMeta } from '../bundle.js';
import type { BundleManifest, FeatureExample, LinkedLabel } from '../bundle.js';
import { decodeSafetensors, type NdArray } from '../safetensors.js';
import type { PageFile } from '../webview.js';
import { packColumns, shuffled, unpackColumns } from './columns.js';
import { textOfBytes } from './pageText.js';
import { TextPacker, UnpackableError } from './texts.js';

// In every runtime this file runs in, but in no type library they share.
declare const setTimeout: (run: (value?: unknown) => void, ms: number) => unknown;
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

/** A file of a bundle from its bytes in a page. */
export const unpackFile = (file: string, bytes: Uint8Array): Uint8Array =>
  file === COLUMNS_FILE ? unpackColumns(bytes) : file.endsWith('.safetensors') ? shuffled(bytes, true) : bytes;

/** The file of labels and examples in a page, in place of those of every set. */
export const TEXTS_FILE = 'texts.packed';

export interface PackSource {
  /** A whole file of the bundle; null where it has none of this name, or one of more bytes than this. */
  read(file: string, maxBytes?: number): Promise<Uint8Array | null>;
  /** Compresses for the page: gzip. */
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Points that are packed before others have a turn. */
const AT_ONCE = 2000;

/**
 * The files of a bundle for a page. `where`: its folder, for messages.
 * @throws Error for a file that is needed and is not there, or is damaged
 */
export async function packBundle(
  manifest: BundleManifest,
  bundle: { id: string; where: string },
  source: PackSource,
): Promise<PageFile[]> {
  const { id, where } = bundle;
  const bytesOf = async (file: string, needed: boolean, maxBytes?: number): Promise<Uint8Array | null> => {
    const bytes = await source.read(file, maxBytes);
    if (!bytes && needed) throw new Error(`${where}/${file} is not there: run the cell again.`);
    return bytes;
  };
  const metaBytes = (await bytesOf(manifest.meta, true))!;
  const { sets } = parseMeta(new TextDecoder().decode(metaBytes), manifest, `${where}/${manifest.meta}`);
  const out: PageFile[] = [];
  const put = async (file: string, bytes: Uint8Array): Promise<void> =>
    void out.push({ bundle: id, file, text: textOfBytes(await source.gzip(bytes)) });
  const texts = await packedTexts(sets.map(({ points }) => points), bytesOf, where); // prettier-ignore
  if (texts) await put(TEXTS_FILE, texts);
  const inTexts = sets.flatMap((_, s) => [labelsFile(s), linesFile(s, 'examples')]);
  for (const { name, needed, maxBytesInPages } of bundleFiles(manifest, sets.length)) {
    if (texts && inTexts.includes(name)) continue;
    const bytes = name === manifest.meta ? metaBytes : await bytesOf(name, needed, maxBytesInPages);
    if (!bytes) continue;
    if (name === COLUMNS_FILE) await put(name, packColumns(bytes, texts !== null));
    else await put(name, name.endsWith('.safetensors') ? shuffled(bytes) : bytes);
  }
  return out;
}

/** Labels and examples of all sets in few bytes; null where the bundle has none, or others than the kernel writes. */
async function packedTexts(
  points: readonly number[],
  read: (file: string, needed: boolean) => Promise<Uint8Array | null>,
  where: string,
): Promise<Uint8Array | null> {
  const columns = decodeSafetensors((await read(COLUMNS_FILE, true))!, `${where}/${COLUMNS_FILE}`).tensors;
  const packer = new TextPacker();
  try {
    for (const [s, n] of points.entries()) {
      const [labels, lines] = [await read(labelsFile(s), false), await read(linesFile(s, 'examples'), false)];
      const at = columns.get(`${s}.examplesAt`);
      if (!labels || !lines || at?.dtype !== 'I64' || at.data.length !== n + 1) return null;
      await packSet(packer, labels, lineReader(lines, at, `${where}/${linesFile(s, 'examples')}`), n);
    }
  } catch (error) {
    if (error instanceof UnpackableError) return null;
    throw error;
  }
  return packer.bytes();
}

async function packSet(packer: TextPacker, labels: Uint8Array, line: (point: number) => unknown, n: number) {
  const list = JSON.parse(new TextDecoder().decode(labels)) as Array<LinkedLabel | string[]>;
  if (!Array.isArray(list) || list.length !== n) throw new UnpackableError('labels');
  packer.set();
  for (let i = 0; i < n; i++) {
    if (i % AT_ONCE === AT_ONCE - 1) await new Promise((next) => setTimeout(next, 0));
    const examples = line(i) ?? [];
    if (!Array.isArray(examples)) throw new UnpackableError('examples');
    packer.add(list[i], examples as FeatureExample[]);
  }
}

/** JSON of a point's line. */
function lineReader(lines: Uint8Array, at: NdArray, where: string): (point: number) => unknown {
  return (point) => {
    const [begin, end] = [Number(at.data[point]), Number(at.data[point + 1])];
    if (!(begin >= 0 && end >= begin && end <= lines.length))
      throw new Error(`${where} has ${lines.length} bytes, those of point ${point} are ${begin} to ${end}: it is truncated`); // prettier-ignore
    const text = new TextDecoder().decode(lines.subarray(begin, end)).trim();
    return text === '' ? null : parseJson(text, where);
  };
}
