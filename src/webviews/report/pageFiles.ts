/** The files of bundles that an exported page carries. */
import { pageFileId } from '../../protocol/webview.js';
import type { BundleFiles } from '../ui/bundle.js';
import { bytesOfBase64 } from '../ui/rpc.js';

/** Base64 of the gzip of a file; undefined where the page has no such file. */
export function packedFile(bundle: string, file: string): string | undefined {
  return document.getElementById(pageFileId(bundle, file))?.textContent?.trim() || undefined;
}

export const carries = (bundle: string, file: string): boolean => packedFile(bundle, file) !== undefined;

/** The files of a bundle, each unpacked once. */
export function pageFiles(bundle: string): BundleFiles {
  const known = new Map<string, Promise<Uint8Array | null>>();
  return {
    read: async (file, begin = 0, end = Infinity) => {
      let bytes = known.get(file);
      if (!bytes) known.set(file, (bytes = unpack(packedFile(bundle, file))));
      return (await bytes)?.subarray(begin, end) ?? null;
    },
  };
}

async function unpack(gzip: string | undefined): Promise<Uint8Array | null> {
  if (gzip === undefined) return null;
  const stream = new Blob([bytesOfBase64(gzip)]).stream();
  return new Uint8Array(await new Response(stream.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer());
}
