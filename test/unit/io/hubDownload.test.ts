/** Writes of a download that fail are named as what they are; only a broken connection is asked again. */
import fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import type { HubClient } from '#kernel/io/hubClient.js';
import { HubError } from '#kernel/io/hubClient.js';
import { downloadBlob } from '#kernel/io/hubDownload.js';
import { temporaryFolder } from '#test/kit/folder.js';
import { sha256Of } from '#test/kit/hub.js';

/** What fails: a call of every file handle, with a code of the system. */
const failing = vi.hoisted(() => ({ call: '', code: '' }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const failed = (): Promise<never> =>
    Promise.reject(Object.assign(new Error(`${failing.code}: as the system says it`), { code: failing.code }));
  const open = async (...given: Parameters<typeof real.open>) => {
    if (failing.call === 'open') return failed();
    const handle = await real.open(...given);
    if (failing.call === 'writeFile') handle.writeFile = failed;
    const close = handle.close.bind(handle);
    if (failing.call === 'close') handle.close = () => close().then(failed);
    return handle;
  };
  return { ...real, default: { ...real, open }, open };
});

const folder = temporaryFolder('hub-download');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const data = Uint8Array.from({ length: 5000 }, (_, i) => (i * 37) & 255);
const file = { path: 'model.bin', size: data.length, hash: sha256Of(data) };

/** A hub whose answers break off after `arriving` bytes, the first `breaks` times. */
function hub(breaks: number, arriving = 1000) {
  let requests = 0;
  const answer = (_: unknown, init?: RequestInit): Promise<Response> => {
    requests++;
    const at = Number(/bytes=(\d+)-/.exec(new Headers(init?.headers).get('range') ?? '')?.[1] ?? 0);
    const body = new ReadableStream({
      pull(controller) {
        if (requests > breaks) {
          controller.enqueue(data.subarray(at));
          controller.close();
        } else if (arriving > 0) {
          controller.enqueue(data.subarray(at, at + arriving));
          arriving = 0;
        } else controller.error(new TypeError('terminated'));
      },
    });
    return Promise.resolve(
      new Response(body, { status: at > 0 ? 206 : 200, headers: { 'content-range': `bytes ${at}-${data.length}` } }),
    );
  };
  const client: HubClient = { endpoint: '', fetch: answer, offline: false, signal: undefined };
  return { client, requests: () => requests };
}

const download = (name: string, { client }: { client: HubClient }): Promise<void> =>
  downloadBlob(file, {
    client,
    url: 'x',
    what: 'a model',
    page: 'x',
    blob: join(folder, name),
    onBytes: () => undefined,
  });

it.each([
  ['writeFile', 'ENOSPC', 'the disk is full'],
  ['writeFile', 'EDQUOT', 'your quota of the disk is used up'],
  ['writeFile', 'EROFS', 'the file system is read-only'],
  ['writeFile', 'EIO', 'the disk, or the connection to the file server, failed'],
  ['close', 'EDQUOT', 'your quota of the disk is used up'],
  ['open', 'EROFS', 'the file system is read-only'],
])('a failed %s says %s and is not tried again', async (call, code, said) => {
  Object.assign(failing, { call, code });
  const from = hub(0);
  const name = `${call}-${code}`;
  const error = await download(name, from).then(
    () => undefined,
    (failed: NodeJS.ErrnoException) => failed,
  );
  failing.call = '';
  expect(error).not.toBeInstanceOf(HubError);
  expect(error?.code).toBe(code);
  expect(error?.message).toContain(`${join(folder, name)}.incomplete was not written: ${said}`);
  expect(from.requests()).toBe(1);
});

it('a connection that breaks is asked for the rest', async () => {
  const breaking = hub(1);
  await download('whole', breaking);
  expect(breaking.requests()).toBe(2);
  expect(new Uint8Array(fs.readFileSync(join(folder, 'whole')))).toEqual(data);
});
