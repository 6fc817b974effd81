/**
 * Model and dataset repositories as local folders: a folder is used as it is, a hub id is downloaded into the shared
 * cache.
 */
import { filled } from '../verb/filled.js';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { datasetInfo, listFiles, modelInfo } from '@huggingface/hub';
import type { CallOptions } from '../compute/call.js';
import { AbortError } from '../compute/call.js';
import { choice, text, type Given } from '../verb/option.js';
import { kindOfPath, openData, readExactly, safeJoin } from './files.js';
import { matchFiles } from './glob.js';
import {
  cachedCommit,
  COMMIT,
  filesBelow,
  hubCacheFolder,
  linkBlob,
  rememberCommit,
  repoCacheFolder,
  snapshotFolder,
} from './hubCache.js';
import { HubError, hubClient, hubFailure, type HubClient, type RepoType } from './hubClient.js';
import { downloadBlob, fetchRange, type HubFile } from './hubDownload.js';

export { HubError } from './hubClient.js';

/** Options of every call that may download from the Hugging Face hub. */
export const HUB = {
  revision: text({ doc: 'Branch, tag or commit on the hub.', usual: 'main' }),
  token: text({ doc: 'Access token of the hub.', fallback: 'HF_TOKEN, else the token of "hf auth login"' }),
  endpoint: text({ doc: 'Address of the hub.', fallback: 'HF_ENDPOINT, else https://huggingface.co' }),
  cacheFolder: text({
    doc: 'Where downloads are kept, shared with Python.',
    fallback: 'HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub',
  }),
} as const;

/** What a hub id is of. */
export const REPO = {
  repoType: choice(['model', 'dataset'], { doc: 'Of a hub id.', usual: 'model' }),
} as const;

export type RepoOptions = Given<typeof HUB> & Given<typeof REPO> & CallOptions;

export type ResolveOptions = RepoOptions & {
  /**
   * Files that must exist: names or globs (`*`, `**`, `?`), each with at least one match. "a|b" is the first of its
   * alternatives that has one: 'model.safetensors|pytorch_model.bin'.
   */
  files: readonly string[];
  /** Files that are also fetched where they exist. */
  optional?: readonly string[];
};

/**
 * A folder that holds the wanted files. An existing folder is returned as it is, after a check that they are there. Of
 * a hub id only the wanted files are downloaded into the cache, each checked by its hash. Without network the cache is
 * used if it has them all. Throws HubError with a `code`, or an Error that says what was missing where.
 */
export async function resolveRepo(idOrFolder: string, options: ResolveOptions): Promise<string> {
  const local = await localFolder(idOrFolder);
  if (local) {
    requireMatches(await filesBelow(local), options.files, `folder ${local}`);
    return local;
  }
  return withRepo(idOrFolder, options, {
    complete: (names) => missingPatterns(names, options.files).length === 0,
    cached: (folder, names) => {
      requireMatches(names, options.files, `the cached copy of "${idOrFolder}"`);
      return folder;
    },
    online: (repo) => downloadMatches(repo, options),
  });
}

/** Names of all files of a folder or repository, sorted; without network those in the cache. */
export async function listRepo(idOrFolder: string, options: RepoOptions): Promise<string[]> {
  const local = await localFolder(idOrFolder);
  if (local) return filesBelow(local);
  return withRepo(idOrFolder, options, {
    complete: () => false,
    cached: (_, names) => names,
    online: ({ files }) => Promise.resolve([...files.keys()].sort()),
  });
}

/** The contents of a repository, without downloading it. */
export interface RepoLook {
  /** Commit that the revision points to. */
  commit: string;
  files: Array<{ path: string; bytes: number }>;
  /**
   * Bytes begin … begin + length - 1 of a file, from the cache if it has the file. Part of a file cannot be checked by
   * its hash: a reader must treat it as any untrusted file.
   */
  range(path: string, begin: number, length: number): Promise<Uint8Array>;
}

/** Lists a repository with sizes, and reads ranges of its files; without network, those of the cache. */
export async function lookAtRepo(id: string, options: RepoOptions): Promise<RepoLook> {
  if (!isHubId(id)) throw new Error(`"${id}" is no hub id (expected "owner/name")`);
  return withRepo<RepoLook>(id, options, {
    complete: () => false,
    cached: async (folder, names) => ({
      commit: basename(folder),
      files: await Promise.all(
        names.map(async (path) => ({ path, bytes: (await stat(join(folder, ...path.split('/')))).size })),
      ),
      range: (path, begin, length) => readFileRange(safeJoin(folder, path), begin, length),
    }),
    online: (repo) =>
      Promise.resolve({
        commit: repo.commit,
        files: [...repo.files.values()]
          .map(({ path, size }) => ({ path, bytes: size }))
          .sort((a, b) => (a.path < b.path ? -1 : 1)),
        range: (path, begin, length) => remoteRange(repo, path, begin, length),
      }),
  });
}

async function remoteRange(repo: RemoteRepo, path: string, begin: number, length: number): Promise<Uint8Array> {
  const file = repo.files.get(path);
  if (!file) throw new HubError('no-file', `${repo.what} has no file ${path}`);
  const blob = join(repo.folder, 'blobs', file.hash);
  if ((await stat(blob).catch(() => undefined))?.size === file.size) return readFileRange(blob, begin, length);
  return fetchRange(begin, length, targetOf(repo, file));
}

async function readFileRange(path: string, begin: number, length: number): Promise<Uint8Array> {
  const handle = await openData(path);
  try {
    return await readExactly(handle, begin, length, path);
  } finally {
    await handle.close();
  }
}

/** A repository as the hub describes it now. */
interface RemoteRepo {
  id: string;
  /** 'model "a/b"', for errors. */
  what: string;
  page: string;
  client: HubClient;
  /** Its folder in the cache. */
  folder: string;
  commit: string;
  files: Map<string, HubFile>;
  /** Start of a file's URL. */
  base: string;
}

interface RepoUse<T> {
  /** Whether a cached commit has all that is wanted, so that the hub need not be asked. */
  complete(names: string[]): boolean;
  cached(folder: string, names: string[]): T | Promise<T>;
  online(repo: RemoteRepo): Promise<T>;
}

async function withRepo<T>(id: string, options: RepoOptions, use: RepoUse<T>): Promise<T> {
  const { revision, repoType, cacheFolder = hubCacheFolder() } = filled({ ...HUB, ...REPO }, options);
  const folder = repoCacheFolder(cacheFolder, repoType, id);
  const client = await hubClient(options);
  const fromCache = async (): Promise<{ folder: string; names: string[] } | undefined> => {
    const commit = await cachedCommit(folder, revision);
    if (!commit) return undefined;
    const snapshot = snapshotFolder(folder, commit);
    const names = await filesBelow(snapshot);
    return names.length > 0 ? { folder: snapshot, names } : undefined;
  };
  if (COMMIT.test(revision) || client.offline) {
    // A commit never changes: the hub need not be asked when its files are here.
    const found = await fromCache();
    if (found && (client.offline || use.complete(found.names))) return use.cached(found.folder, found.names);
    if (client.offline)
      throw new HubError(
        'network',
        `"${id}" (${revision}) is not in ${cacheFolder} and HF_HUB_OFFLINE forbids to download it`,
      );
  }
  try {
    return await use.online(await remoteRepo(id, revision, repoType, folder, client));
  } catch (error) {
    if (!(error instanceof HubError) || !['network', 'server'].includes(error.code)) throw error;
    const found = await fromCache();
    if (!found)
      throw new HubError(
        error.code,
        `${error.message}. "${id}" is not in the cache ${cacheFolder} either; connect, or give a local folder`,
      );
    return use.cached(found.folder, found.names);
  }
}

async function remoteRepo(
  id: string,
  revision: string,
  type: RepoType,
  folder: string,
  client: HubClient,
): Promise<RemoteRepo> {
  const { endpoint } = client;
  const prefix = type === 'model' ? '' : 'datasets/';
  const what = `${type} "${id}"${revision === 'main' ? '' : ` (${revision})`}`;
  const page = `${endpoint}/${prefix}${id}`;
  const common = {
    hubUrl: endpoint,
    fetch: failingFetch(client, `${what}; there is no local folder ${resolve(id)} either`, page),
    additionalFields: ['sha'] as 'sha'[],
  };
  const { sha } =
    type === 'model'
      ? await modelInfo({ ...common, name: id, revision })
      : await datasetInfo({ ...common, name: id, revision });
  if (typeof sha !== 'string' || !COMMIT.test(sha))
    throw new HubError('server', `${what}: ${endpoint} names no commit for ${revision}`);
  const files = new Map<string, HubFile>();
  for await (const entry of listFiles({
    repo: { type, name: id },
    revision: sha,
    recursive: true,
    hubUrl: endpoint,
    fetch: common.fetch,
  })) {
    if (entry.type !== 'file') continue;
    const hash = entry.lfs?.oid ?? entry.oid ?? '';
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
      throw new HubError('server', `${what}: the hub gives no usable hash for ${entry.path}`);
    files.set(entry.path, { path: entry.path, size: entry.lfs?.size ?? entry.size, hash });
  }
  await rememberCommit(folder, revision, sha);
  return { id, what, page, client, folder, commit: sha, files, base: `${endpoint}/${prefix}${id}/resolve/${sha}` };
}

/** A fetch that throws failed answers as HubErrors: the library's own errors would lose the reason. */
function failingFetch(client: HubClient, what: string, page: string): typeof fetch {
  return async (input, init) => {
    const response = await client.fetch(input, init);
    if (response.ok) return response;
    await response.body?.cancel();
    throw hubFailure(response.status, response.headers.get('x-error-code'), what, page);
  };
}

async function downloadMatches(repo: RemoteRepo, options: ResolveOptions): Promise<string> {
  const { files, optional = [], onProgress } = options;
  const names = [...repo.files.keys()].sort();
  requireMatches(names, files, repo.what);
  const wanted = [...new Set([...files, ...optional].flatMap((pattern) => matchFiles(names, pattern)))];
  const snapshot = snapshotFolder(repo.folder, repo.commit);
  const total = wanted.reduce((sum, name) => sum + (repo.files.get(name) as HubFile).size, 0);
  let before = 0;
  for (const name of wanted) {
    const file = repo.files.get(name) as HubFile;
    safeJoin(snapshot, name);
    const blob = join(repo.folder, 'blobs', file.hash);
    await downloadBlob(file, {
      ...targetOf(repo, file),
      blob,
      onBytes: (done) =>
        onProgress?.({ label: `Downloading ${repo.id}`, done: before + done, total, unit: 'bytes', detail: name }),
    });
    await linkBlob(blob, snapshot, name);
    before += file.size;
  }
  if (options.signal?.aborted) throw new AbortError('download');
  return snapshot;
}

function targetOf({ base, client, what, page }: RemoteRepo, { path }: HubFile) {
  const url = `${base}/${path.split('/').map(encodeURIComponent).join('/')}`;
  return { client, page, url, what: `${what}: ${path}` };
}

function missingPatterns(names: readonly string[], patterns: readonly string[]): string[] {
  return patterns.filter((pattern) => matchFiles(names, pattern).length === 0);
}

function requireMatches(names: readonly string[], patterns: readonly string[], where: string): void {
  const missing = missingPatterns(names, patterns);
  if (missing.length === 0) return;
  const shown = names.slice(0, 20).join(', ') + (names.length > 20 ? ` and ${names.length - 20} more` : '');
  throw new HubError('no-file', `${where} lacks ${missing.join(', ')}; it has ${shown || 'no files'}`);
}

/** The folder that a path means; undefined for a hub id. Throws when it is clearly a path and nothing is there. */
async function localFolder(idOrFolder: string): Promise<string | undefined> {
  const path = idOrFolder.startsWith('~/') ? join(homedir(), idOrFolder.slice(2)) : resolve(idOrFolder);
  const kind = idOrFolder === '' ? undefined : await kindOfPath(path);
  if (kind === 'folder') return path;
  if (kind === 'file') throw new Error(`${path} is a file; expected a folder or a hub id such as "owner/name"`);
  if (isAbsolute(idOrFolder) || !isHubId(idOrFolder)) {
    throw new Error(`no folder at ${path}, and "${idOrFolder}" is no hub id (expected "owner/name")`);
  }
  return undefined;
}

const isHubId = (id: string): boolean => /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(id) && !id.includes('..');
