/** Bundles in memory or on disk, as readers and pages take them. */
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { packBundle } from '#protocol/packing/pack.js';
import { VIEW_NAMES, VIEWS } from '#protocol/views.js';
import type { PageFile } from '#protocol/webview.js';
import type { BundleFiles } from '#webviews/ui/bundle.js';

export function memoryFiles(files: Record<string, Uint8Array>): BundleFiles {
  return { read: (file, begin, end) => Promise.resolve(files[file]?.subarray(begin, end) ?? null) };
}

export function diskFiles(folder: string): BundleFiles {
  return memoryFiles(
    Object.fromEntries(fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name))])),
  );
}

/** The files of a bundle as an exported page carries them. */
export async function pageFilesOf({
  id,
  files,
}: {
  id: string;
  files: Record<string, Uint8Array>;
}): Promise<PageFile[]> {
  if (Object.keys(files).length === 0) return [];
  const manifest = VIEW_NAMES.map((view) => VIEWS[view].bundle).find((each) => each && each.meta in files);
  if (!manifest) throw new Error(`${Object.keys(files).join(', ')} are no files of a bundle`);
  return packBundle(
    manifest,
    { id, where: id },
    {
      gzip: (bytes) => Promise.resolve(gzipSync(bytes)),
      read: (file, maxBytes = Infinity) => {
        const bytes = files[file] as Uint8Array | undefined;
        return Promise.resolve(bytes && bytes.length <= maxBytes ? bytes : null);
      },
    },
  );
}
