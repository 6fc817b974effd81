/** The files of bundles that an exported page carries. */
import { TEXTS_FILE, unpackFile } from '../../protocol/packing/pack.js';
import { PackedTexts } from '../../protocol/packing/packedTexts.js';
import { bytesOfText } from '../../protocol/packing/pageText.js';
import { pageFileId } from '../../protocol/webview.js';
import type { BundleFiles } from '../ui/bundle.js';

/** A file as the page has it; undefined where it has no such file. */
export function packedFile(bundle: string, file: string): string | undefined {
  return document.getElementById(pageFileId(bundle, file))?.textContent || undefined;
}

export const carries = (bundle: string, file: string): boolean => packedFile(bundle, file) !== undefined;

/** The files of a bundle, each unpacked once. */
export function pageFiles(bundle: string): BundleFiles {
  const known = new Map<string, Promise<Uint8Array | null>>();
  const whole = (file: string): Promise<Uint8Array | null> => {
    let bytes = known.get(file);
    if (!bytes) known.set(file, (bytes = unpack(packedFile(bundle, file), file)));
    return bytes;
  };
  let texts: Promise<PackedTexts> | undefined;
  return {
    read: async (file, begin = 0, end = Infinity) => (await whole(file))?.subarray(begin, end) ?? null,
    texts: carries(bundle, TEXTS_FILE)
      ? () => (texts ??= whole(TEXTS_FILE).then((bytes) => new PackedTexts(bytes!, TEXTS_FILE)))
      : undefined,
  };
}

async function unpack(packed: string | undefined, file: string): Promise<Uint8Array | null> {
  if (packed === undefined) return null;
  const stream = new Blob([bytesOfText(packed)]).stream();
  const response = new Response(stream.pipeThrough(new DecompressionStream('gzip')));
  const bytes = new Uint8Array(await response.arrayBuffer());
  return unpackFile(file, bytes);
}
