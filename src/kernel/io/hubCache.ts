/**
 * The hub cache on disk, in the layout that Python's huggingface_hub shares:
 *   <cache>/models--owner--name/refs/<revision>            commit id
 *                              /blobs/<etag>               contents
 *                              /snapshots/<commit>/<path>  link to the blob
 */
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { besidePath, safeJoin, writeFileAtomic } from './files.js';
import { huggingFaceHome, type RepoType } from './hubClient.js';

/** A full commit id. */
export const COMMIT = /^[0-9a-f]{40}$/;

/** HF_HUB_CACHE (or its older name HUGGINGFACE_HUB_CACHE), else the folder "hub" in huggingFaceHome(). */
export function hubCacheFolder(): string {
  return process.env.HF_HUB_CACHE ?? process.env.HUGGINGFACE_HUB_CACHE ?? join(huggingFaceHome(), 'hub');
}

/** The cache folder of a repository: <cache>/models--owner--name. */
export function repoCacheFolder(cache: string, type: RepoType, id: string): string {
  return join(cache, [`${type}s`, ...id.split('/')].join('--'));
}

/** The commit that a revision pointed to when the hub was last asked; a commit is returned as it is. */
export async function cachedCommit(repo: string, revision: string): Promise<string | undefined> {
  if (COMMIT.test(revision)) return revision;
  const text = await readFile(safeJoin(join(repo, 'refs'), revision), 'utf8').catch(() => '');
  return COMMIT.test(text.trim()) ? text.trim() : undefined;
}

/** Writes down the commit that a revision points to now. */
export async function rememberCommit(repo: string, revision: string, commit: string): Promise<void> {
  if (COMMIT.test(revision)) return;
  const path = safeJoin(join(repo, 'refs'), revision);
  if ((await readFile(path, 'utf8').catch(() => '')) === commit) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, commit);
}

/** The folder with the files of a commit. */
export function snapshotFolder(repo: string, commit: string): string {
  return join(repo, 'snapshots', commit);
}

/** Files below a folder as "/"-separated paths, sorted; links whose blob is missing are left out. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile()) found.push(relative(folder, path).split(/[\\/]/).join('/'));
  }
  return found.sort();
}

/** Puts a blob into a snapshot: a relative link, or a copy where links are not allowed (Windows). */
export async function linkBlob(blob: string, snapshot: string, path: string): Promise<void> {
  const target = safeJoin(snapshot, path);
  await mkdir(dirname(target), { recursive: true });
  const beside = besidePath(target);
  try {
    await symlink(relative(dirname(target), blob), beside).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPERM' && error.code !== 'ENOSYS') throw error;
      await copyFile(blob, beside);
    });
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
