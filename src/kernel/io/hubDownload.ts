/**
 * Downloads one file of a hub repository into a blob: resumed after a break, checked by its content hash, renamed when
 * whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AbortError, checkAborted } from '../compute/call.js';
import { besidePath, writeError } from './files.js';
import { HubError, hubFailure, type HubClient } from './hubClient.js';

export interface HubFile {
  path: string;
  size: number;
  /** SHA-256 of the content for large files, git's blob id for others: the etag, and the blob's name. */
  hash: string;
}

/** A file on the hub. */
export interface RemoteFile {
  client: HubClient;
  url: string;
  /** Begins errors, such as 'model "a/b": model.safetensors'. */
  what: string;
  page: string;
}

export interface DownloadTarget extends RemoteFile {
  /** Final path of the blob. */
  blob: string;
  /** Told of the bytes of this file received so far. */
  onBytes: (done: number) => void;
}

const ATTEMPTS = 5;

/**
 * Downloads a file unless its blob exists. Bytes received before a failure are kept, and the next call goes on from
 * there.
 */
export async function downloadBlob(file: HubFile, target: DownloadTarget): Promise<void> {
  const there = await sizeOf(target.blob);
  if (there === file.size) return target.onBytes(file.size);
  await mkdir(dirname(target.blob), { recursive: true });
  const shared = `${target.blob}.incomplete`;
  await fetchInto(shared, file, target);
  if (await hasHash(shared, file, target.client.signal)) return rename(shared, target.blob);
  // A damaged part may be left from an earlier download or another process: once more from the start, in a file of our
  // own.
  await rm(shared, { force: true });
  const own = `${besidePath(target.blob)}.incomplete`;
  try {
    await fetchInto(own, file, target);
    if (!(await hasHash(own, file, target.client.signal))) {
      throw new HubError(
        'damaged',
        `${target.what}: the downloaded content does not have the hash ${file.hash} that the hub announced; nothing was kept`,
      );
    }
    await rename(own, target.blob);
  } finally {
    await rm(own, { force: true });
  }
}

async function fetchInto(path: string, file: HubFile, target: DownloadTarget): Promise<void> {
  let received = 0;
  for (let attempt = 1; ; attempt++) {
    checkAborted(target.client.signal, 'download');
    try {
      received = await fetchRest(path, file, target);
      if (received === file.size) return;
    } catch (error) {
      if (error instanceof AbortError) throw error;
      const lasting = !(error instanceof HubError) || !['network', 'server'].includes(error.code);
      if (lasting || attempt === ATTEMPTS) throw error;
    }
    if (attempt === ATTEMPTS) {
      throw new HubError(
        'network',
        `${target.what}: the connection ended at ${received} of ${file.size} bytes, ${ATTEMPTS} times; run it again to go on from there`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** (attempt - 1)));
  }
}

/** Makes one request for the missing bytes; returns how many bytes are there afterwards. */
async function fetchRest(path: string, file: HubFile, target: DownloadTarget): Promise<number> {
  let at = (await sizeOf(path)) ?? 0;
  if (at > file.size) {
    await rm(path);
    at = 0;
  }
  if (at === file.size && at > 0) return at;
  const response = await target.client.fetch(target.url, at > 0 ? { headers: { range: `bytes=${at}-` } } : {});
  if (!response.ok) {
    await response.body?.cancel();
    throw hubFailure(response.status, response.headers.get('x-error-code'), target.what, target.page);
  }
  const resumed = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${at}-`);
  const handle = await open(path, resumed ? 'a' : 'w').catch((error: unknown) => {
    throw writeError(path, error);
  });
  try {
    if (!resumed) at = 0;
    for await (const chunk of arriving(response, target.client.signal)) {
      checkAborted(target.client.signal, 'download');
      if (at + chunk.length > file.size) {
        throw new HubError(
          'damaged',
          `${target.what}: the server sends more than the ${file.size} bytes that the hub announced`,
        );
      }
      await handle.writeFile(chunk);
      at += chunk.length;
      target.onBytes(at);
    }
  } catch (error) {
    throw writeError(path, error);
  } finally {
    await handle.close().catch((error: unknown) => {
      // Network file systems report a failed write only here.
      throw writeError(path, error);
    });
  }
  return at;
}

/** The chunks of an answer's body. Where the connection breaks they end: the caller asks for the rest. */
async function* arriving(response: Response, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  try {
    yield* (response.body ?? []) as AsyncIterable<Uint8Array>;
  } catch {
    if (signal?.aborted) throw new AbortError('download');
  }
}

/**
 * Bytes begin … begin + length - 1 of a file, which is not kept on disk. Takes no more than these, whatever the server
 * sends.
 * @throws HubError when not all of them arrive
 */
export async function fetchRange(begin: number, length: number, file: RemoteFile): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let got = 0;
  for (let attempt = 1; got < length && attempt <= ATTEMPTS; attempt++) {
    checkAborted(file.client.signal, 'download');
    if (attempt > 1) await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** (attempt - 2)));
    try {
      got += await requestRange(out.subarray(got), begin + got, file);
    } catch (error) {
      const passing = error instanceof HubError && ['network', 'server'].includes(error.code);
      if (!passing || attempt === ATTEMPTS) throw error;
    }
  }
  if (got === length) return out;
  throw new HubError(
    'network',
    `${file.what}: the connection ended at ${got} of ${length} bytes, ${ATTEMPTS} times; try again`,
  );
}

/** Makes one request for a range; returns how many of its bytes arrived. */
async function requestRange(out: Uint8Array, begin: number, { client, url, what, page }: RemoteFile): Promise<number> {
  const response = await client.fetch(url, { headers: { range: `bytes=${begin}-${begin + out.length - 1}` } });
  if (!response.ok) {
    await response.body?.cancel();
    throw hubFailure(response.status, response.headers.get('x-error-code'), what, page);
  }
  const ranged = response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${begin}-`);
  if (!ranged && begin > 0) {
    await response.body?.cancel();
    throw new HubError('damaged', `${what}: the server gives no parts of files; download it whole by loading it`);
  }
  let at = 0;
  try {
    // Leaving the loop cancels the rest of the answer.
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      const taken = chunk.subarray(0, out.length - at);
      out.set(taken, at);
      at += taken.length;
      if (at === out.length) break;
    }
  } catch {
    // The connection broke inside the body: the caller asks for the rest.
    if (client.signal?.aborted) throw new AbortError('download');
  }
  return at;
}

async function hasHash(path: string, { hash, size }: HubFile, signal: AbortSignal | undefined): Promise<boolean> {
  const lfs = hash.length === 64;
  const digest = createHash(lfs ? 'sha256' : 'sha1');
  if (!lfs) digest.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
    checkAborted(signal, 'download');
    digest.update(chunk as Uint8Array);
  }
  return digest.digest('hex') === hash;
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (info) => info.size,
    () => undefined,
  );
}
