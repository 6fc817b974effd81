import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubError, listRepo, resolveRepo, type ResolveOptions } from '#kernel/io/hub.js';
import type { Progress } from '#protocol/kernel.js';
import { FakeHub, gitIdOf, sha256Of, type FakeRepo } from '#test/kit/hub.js';
import { testFolder } from '#test/kit/folder.js';

const SECRET = 'hf_verysecrettoken';
const commit = 'c'.repeat(40);
const config = new TextEncoder().encode('{"model_type":"gpt_neo"}');
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24);
const repo = (over: Partial<FakeRepo> = {}): FakeRepo => ({
  type: 'model',
  id: 'owner/tiny',
  commit,
  revisions: ['main', 'v1.0', 'refs/pr/1'],
  files: {
    'config.json': { data: config },
    'model.safetensors': { data: weights, lfs: true },
    'pytorch_model.bin': { data: Uint8Array.of(1, 2), lfs: true },
    'sub dir/ü.txt': { data: Uint8Array.of(3) },
    'empty.txt': { data: new Uint8Array(0) },
  },
  ...over,
});

let hub: FakeHub;
let cache: string;
let options: ResolveOptions;
const kept = { ...process.env };

beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING)/.test(name)) delete process.env[name];
  cache = testFolder('hub-cache');
  process.env.HF_HOME = join(cache, 'home');
  hub = new FakeHub();
  await hub.start();
  hub.repos = [repo()];
  options = {
    files: ['config.json', 'model.safetensors|pytorch_model.bin'],
    endpoint: hub.endpoint,
    cacheFolder: cache,
  };
});
afterEach(async () => {
  await hub.stop();
  process.env = { ...kept };
});

const failure = async (over: Partial<ResolveOptions> = {}, id = 'owner/tiny'): Promise<HubError> =>
  resolveRepo(id, { ...options, ...over }).then(
    () => {
      throw new Error('it was expected to fail');
    },
    (error: HubError) => error,
  );
const downloads = () => [...hub.requests.filter(({ path }) => path.includes('/resolve/')), ...hub.storageRequests];

describe('a repo by id', () => {
  it("lands in the cache in Python's layout, and only what was asked for", async () => {
    const progress: Progress[] = [];
    const folder = await resolveRepo('owner/tiny', {
      ...options,
      optional: ['sub dir/*', 'empty.txt', 'none*'],
      onProgress: (p) => progress.push(p),
    });
    const root = join(cache, 'models--owner--tiny');
    expect(folder).toBe(join(root, 'snapshots', commit));
    expect(readFileSync(join(root, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(readdirSync(join(root, 'blobs')).sort()).toEqual(
      [gitIdOf(config), sha256Of(weights), gitIdOf(Uint8Array.of(3)), gitIdOf(new Uint8Array(0))].sort(),
    );
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'empty.txt', 'model.safetensors', 'sub dir']);
    expect(lstatSync(join(folder, 'config.json')).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(folder, 'sub dir', 'ü.txt'))).toBe(`../../../blobs/${gitIdOf(Uint8Array.of(3))}`);
    expect(new Uint8Array(readFileSync(join(folder, 'model.safetensors')))).toEqual(weights);
    const total = config.length + weights.length + 1;
    expect(progress.at(-1)).toMatchObject({ done: total, total, unit: 'bytes' });
    expect(progress.every((p, i) => i === 0 || p.done >= progress[i - 1].done)).toBe(true);
  });

  it('is not downloaded twice', async () => {
    await resolveRepo('owner/tiny', options);
    const before = downloads().length;
    await resolveRepo('owner/tiny', options);
    expect(downloads().length).toBe(before);
  });

  it('shares blobs between commits, and follows a branch that moves', async () => {
    const first = await resolveRepo('owner/tiny', options);
    const files = { ...repo().files, 'config.json': { data: Uint8Array.of(9) } };
    hub.repos = [repo({ commit: 'd'.repeat(40), files })];
    const before = hub.storageRequests.length;
    const second = await resolveRepo('owner/tiny', options);
    expect(hub.storageRequests.length).toBe(before);
    expect([...readFileSync(join(second, 'config.json'))]).toEqual([9]);
    expect(new Uint8Array(readFileSync(join(first, 'config.json')))).toEqual(config);
  });

  it('by tag, pull request or commit is that commit', async () => {
    for (const revision of ['v1.0', 'refs/pr/1', commit]) {
      expect(await resolveRepo('owner/tiny', { ...options, revision })).toContain(commit);
    }
    expect(readFileSync(join(cache, 'models--owner--tiny', 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(commit);
    hub.requests.length = 0;
    await resolveRepo('owner/tiny', { ...options, revision: commit });
    expect(hub.requests).toEqual([]);
  });

  it('of a dataset is kept apart from a model', async () => {
    hub.repos.push(repo({ type: 'dataset', files: { 'data/train-0.parquet': { data: Uint8Array.of(1) } } }));
    const folder = await resolveRepo('owner/tiny', { ...options, repoType: 'dataset', files: ['data/*.parquet'] });
    expect(folder).toContain('datasets--owner--tiny');
    expect(await listRepo('owner/tiny', { ...options, repoType: 'dataset' })).toEqual(['data/train-0.parquet']);
  });
});

describe('downloads that go wrong', () => {
  it('are resumed where they were cut, within one call', async () => {
    options.files = ['model.safetensors'];
    hub.faults.push({ cutAfter: 100_000 }, { status: 503 }, { cutAfter: 50_000 });
    const folder = await resolveRepo('owner/tiny', options);
    expect(new Uint8Array(readFileSync(join(folder, 'model.safetensors')))).toEqual(weights);
    expect(hub.storageRequests.map(({ range }) => range)).toEqual([
      undefined,
      'bytes=100000-',
      'bytes=100000-',
      'bytes=150000-',
    ]);
  });

  it('are resumed by a later call, and keep what came', async () => {
    options.files = ['model.safetensors'];
    for (let i = 0; i < 5; i++) hub.faults.push({ cutAfter: 10_000 });
    const error = await failure();
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/model.safetensors: the connection ended at 50000 of 300000 bytes/);
    await resolveRepo('owner/tiny', options);
    expect(hub.storageRequests.at(-1)?.range).toBe('bytes=50000-');
    expect(readdirSync(join(cache, 'models--owner--tiny', 'blobs'))).toEqual([sha256Of(weights)]);
  });

  it('with wrong content are tried once more, then refused with nothing kept', async () => {
    options.files = ['model.safetensors'];
    hub.faults.push({ corrupt: true });
    const folder = await resolveRepo('owner/tiny', options);
    expect(new Uint8Array(readFileSync(join(folder, 'model.safetensors')))).toEqual(weights);
    rmSync(cache, { recursive: true });
    hub.faults.push({ corrupt: true }, { corrupt: true });
    const error = await failure();
    expect([error.code, error.message]).toEqual([
      'damaged',
      expect.stringMatching(/does not have the hash [0-9a-f]{64}/),
    ]);
    expect(readdirSync(join(cache, 'models--owner--tiny', 'blobs'))).toEqual([]);
  });

  it('that are longer than announced are refused', async () => {
    hub.faults.push({ longer: true });
    expect((await failure()).message).toMatch(/more than the 24 bytes/);
  });

  it('recover from a damaged part that an earlier run left', async () => {
    const blobs = join(cache, 'models--owner--tiny', 'blobs');
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${sha256Of(weights)}.incomplete`), new Uint8Array(1000));
    const folder = await resolveRepo('owner/tiny', options);
    expect(new Uint8Array(readFileSync(join(folder, 'model.safetensors')))).toEqual(weights);
    expect(readdirSync(blobs).some((name) => name.includes('incomplete'))).toBe(false);
  });

  it('stop when aborted, and can go on later', async () => {
    const controller = new AbortController();
    const call = failure({ signal: controller.signal, onProgress: ({ done }) => done > 1000 && controller.abort() });
    expect((await call).name).toBe('AbortError');
    expect(await resolveRepo('owner/tiny', options)).toContain(commit);
    expect((await failure({ signal: AbortSignal.abort() })).name).toBe('AbortError');
  });
});

describe('the token of the hub', () => {
  it('comes from the option, HF_TOKEN or the login file, and goes to the endpoint alone', async () => {
    hub.repos = [repo({ token: SECRET })];
    await resolveRepo('owner/tiny', { ...options, token: SECRET });
    process.env.HF_TOKEN = SECRET;
    await resolveRepo('owner/tiny', options);
    delete process.env.HF_TOKEN;
    mkdirSync(join(cache, 'home'), { recursive: true });
    writeFileSync(join(cache, 'home', 'token'), `${SECRET}\n`);
    await resolveRepo('owner/tiny', options);
    expect(hub.requests.every(({ authorization }) => authorization === `Bearer ${SECRET}`)).toBe(true);
    expect(hub.storageRequests.length).toBeGreaterThan(0);
    expect(hub.storageRequests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  it('is in no error', async () => {
    const errors = [];
    for (const over of [{ token: 'other' }, { gated: true }, { commit: 'bad' }]) {
      hub.repos = [repo(over)];
      errors.push(await failure({ token: SECRET }), await failure({ token: SECRET, files: ['none'] }));
    }
    await hub.stop();
    errors.push(await failure({ token: SECRET }));
    for (const error of errors)
      expect(JSON.stringify([error.message, error.stack, String(error.cause)])).not.toContain(SECRET);
  });
});

describe('errors of the hub', () => {
  it('tell apart what is missing', async () => {
    const missing = await failure({}, 'owner/nothing');
    expect([missing.code, missing.message]).toEqual([
      'unauthorized',
      expect.stringMatching(
        /model "owner\/nothing"; there is no local folder .*owner\/nothing either.*private.*HF_TOKEN/,
      ),
    ]);
    expect((await failure({ token: SECRET }, 'owner/nothing')).code).toBe('no-repo');
    expect(await failure({ revision: 'v9' })).toMatchObject({ code: 'no-revision' });
    const file = await failure({ files: ['config.json', 'tokenizer.json'] });
    expect([file.code, file.message]).toEqual([
      'no-file',
      'model "owner/tiny" lacks tokenizer.json; it has config.json, empty.txt, model.safetensors, pytorch_model.bin, sub dir/ü.txt',
    ]);
    hub.repos = [repo({ gated: true })];
    expect(await failure()).toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(/accept its terms at http.*owner\/tiny/) as string,
    });
  });

  it('of names that leave the cache are refused', async () => {
    hub.repos = [repo({ files: { '../../evil.txt': { data: Uint8Array.of(1) } } })];
    expect((await failure({ files: ['**'] })).message).toMatch(/leaves its folder/);
    for (const id of ['../x', 'a/../b', '/nowhere', './none', 'a/b/c', '']) {
      expect((await failure({}, id)).message).toMatch(/is no hub id|is a file|lacks/);
    }
  });
});

describe('without network', () => {
  it('what the cache has is used', async () => {
    const folder = await resolveRepo('owner/tiny', options);
    await hub.stop();
    expect(await resolveRepo('owner/tiny', options)).toBe(folder);
    expect(await listRepo('owner/tiny', options)).toEqual(['config.json', 'model.safetensors']);
    expect(await failure({ files: ['tokenizer.json'] })).toMatchObject({
      code: 'no-file',
      message: expect.stringMatching(/cached copy of "owner\/tiny" lacks tokenizer.json/) as string,
    });
  });

  it('a cache that Python filled is used, and HF_HUB_OFFLINE asks nobody', async () => {
    const root = join(cache, 'models--gpt2');
    for (const at of ['refs', `snapshots/${commit}`]) mkdirSync(join(root, at), { recursive: true });
    writeFileSync(join(root, 'refs', 'main'), commit);
    writeFileSync(join(root, 'snapshots', commit, 'vocab.json'), '{}');
    process.env.HF_HUB_OFFLINE = '1';
    expect(await resolveRepo('gpt2', { ...options, files: ['vocab.json'] })).toBe(join(root, 'snapshots', commit));
    expect((await failure()).message).toMatch(/HF_HUB_OFFLINE/);
    expect(hub.requests).toEqual([]);
  });

  it('the error names both where there is no cache either', async () => {
    await hub.stop();
    expect((await failure()).message).toMatch(
      /cannot reach http:\/\/127.0.0.1:\d+: ECONNREFUSED. "owner\/tiny" is not in the cache .* either/,
    );
  });
});

describe('a local folder', () => {
  it('passes straight through, without a request', async () => {
    writeFileSync(join(cache, 'config.json'), '{}');
    expect(await resolveRepo(cache, { ...options, files: ['config.json'] })).toBe(cache);
    expect(hub.requests).toEqual([]);
  });

  it('that lacks a file is told so', async () => {
    writeFileSync(join(cache, 'readme.md'), '');
    expect((await failure({}, cache)).message).toBe(
      `folder ${cache} lacks config.json, model.safetensors|pytorch_model.bin; it has readme.md`,
    );
    expect((await failure({}, join(cache, 'readme.md'))).message).toMatch(/is a file; expected a folder/);
    expect((await failure({}, join(cache, 'none'))).message).toMatch(/no folder at .*none/);
  });
});
