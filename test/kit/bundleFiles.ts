/** Bundles in memory or on disk, as readers and pages take them. */
import fs from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
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
export function pageFilesOf({ id, files }: { id: string; files: Record<string, Uint8Array> }): PageFile[] {
  return Object.entries(files).map(([file, bytes]) => ({
    ...{ bundle: id, file },
    gzipBase64: gzipSync(bytes, { level: 1 }).toString('base64'),
  }));
}
