/** Bytes of the files of bundles, for webviews. What they mean is the webviews' own affair: here path and size are checked. */
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { isBundleFile } from '../../protocol/views.js';

/** Raised when a request names something outside the notebook's folder. */
export class OutsideFolderError extends Error {
  override name = 'OutsideFolderError';
}

const inside = (root: string, real: string): boolean => real === root || real.startsWith(root + path.sep);

/**
 * The absolute folder of a bundle.
 * @throws OutsideFolderError for absolute paths, "..", backslashes, and links that lead outside.
 */
export async function bundleFolder(notebookFolder: string, relative: unknown): Promise<string> {
  if (typeof relative !== 'string' || relative === '') throw new OutsideFolderError('The output names no folder.');
  const parts = relative.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(relative);
  if (bad || path.isAbsolute(relative) || /^[a-z]:/i.test(relative))
    throw new OutsideFolderError(`The folder ${JSON.stringify(relative)} is not inside the notebook’s folder.`);
  const root = await fs.realpath(notebookFolder);
  const folder = await fs.realpath(path.join(root, ...parts)).catch(() => {
    throw new Error(
      `The data of this output is not there: ${path.join(notebookFolder, ...parts)}. Run the cell again, or copy the .fgnb folder beside the notebook.`,
    );
  });
  if (!inside(root, folder))
    throw new OutsideFolderError(`The folder ${JSON.stringify(relative)} leads outside the notebook’s folder.`);
  return folder;
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
  const folder = await bundleFolder(notebookFolder, relative);
  if (typeof name !== 'string' || !isBundleFile(name))
    throw new OutsideFolderError(`${JSON.stringify(name)} is no file of a bundle.`);
  const { begin = 0, end = Infinity, limit } = o;
  if (!Number.isSafeInteger(begin) || begin < 0 || !(end >= begin))
    throw new RangeError(`bytes ${begin} to ${end} of ${name} were asked for; expected whole numbers, begin ≤ end`);
  const file = await fs.realpath(path.join(folder, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return null;
  if (!inside(await fs.realpath(notebookFolder), file))
    throw new OutsideFolderError(`${path.join(folder, name)} leads outside the notebook’s folder.`);
  // Without waiting: opening a pipe would otherwise last until somebody writes to it.
  const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const entry = await handle.stat();
    if (!entry.isFile()) throw new Error(`${file} is not a file`);
    const { size } = entry;
    const from = Math.min(begin, size);
    const bytes = new Uint8Array(Math.min(end, size, from + limit) - from);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, from + at);
      if (bytesRead === 0) throw new Error(`${file} ends at byte ${from + at}, expected ${size}: it is truncated`);
      at += bytesRead;
    }
    return { size, bytes };
  } finally {
    await handle.close();
  }
}
