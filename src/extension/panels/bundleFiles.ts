/** Bytes of the files of bundles, for webviews. Path and size are checked here, contents by the webviews. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { isBundleFile } from '../../protocol/views.js';
import { openInside, OutsideFolderError, readRange, realInside } from './insideFiles.js';

/** Real paths of a notebook's folder and of a bundle inside it. */
export interface BundleFolder {
  root: string;
  folder: string;
}

/**
 * The absolute folder of a bundle.
 * @throws OutsideFolderError for absolute paths, "..", backslashes, and links that lead outside.
 */
export async function bundleFolder(notebookFolder: string, relative: unknown): Promise<BundleFolder> {
  if (typeof relative !== 'string' || relative === '') throw new OutsideFolderError('The output names no folder.');
  const parts = relative.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(relative);
  if (bad || path.isAbsolute(relative) || /^[a-z]:/i.test(relative))
    throw new OutsideFolderError(`The folder ${JSON.stringify(relative)} is not inside the notebook’s folder.`);
  const root = await fs.realpath(notebookFolder);
  const folder = await realInside(root, path.join(root, ...parts)).catch((error: unknown) => {
    if (error instanceof OutsideFolderError) throw error;
    throw new Error(
      `The data of this output is not there: ${path.join(notebookFolder, ...parts)}. Run the cell again, or copy the .fgnb folder beside the notebook.`,
    );
  });
  return { root, folder };
}

/** Part of a file, and the size of the whole. */
export interface Part {
  size: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Bytes begin to end of a file of a bundle, no more than `limit` and not beyond its end; null where there is no such file.
 * The only place where a file of a bundle is opened. Everything is checked at every request: a link may have been put in
 * place since the last.
 * @throws OutsideFolderError for what does not lie in the notebook's folder; Error for what is no file
 */
export async function readBundleFile(
  notebookFolder: string,
  relative: unknown,
  name: unknown,
  o: { begin?: number; end?: number; limit: number },
): Promise<Part | null> {
  const { root, folder } = await bundleFolder(notebookFolder, relative);
  if (typeof name !== 'string' || !isBundleFile(name))
    throw new OutsideFolderError(`${JSON.stringify(name)} is no file of a bundle.`);
  const { begin = 0, end = Infinity, limit } = o;
  if (!Number.isSafeInteger(begin) || begin < 0 || !(end >= begin))
    throw new RangeError(`bytes ${begin} to ${end} of ${name} were asked for; expected whole numbers, begin ≤ end`);
  const file = path.join(folder, name);
  const handle = await openInside(root, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!handle) return null;
  try {
    const { size } = await handle.stat();
    const from = Math.min(begin, size);
    return { size, bytes: await readRange(handle, file, from, Math.min(end, size, from + limit)) };
  } finally {
    await handle.close();
  }
}
