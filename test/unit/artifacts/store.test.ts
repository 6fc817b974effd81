import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { ArtifactStore, MismatchError, requireSame, type ComputeOptions } from '#kernel/artifacts/store.js';
import type { ArtifactKey } from '#kernel/artifacts/types.js';
import { testFolder } from '#test/kit/folder.js';

const key: ArtifactKey = {
  kind: 'sae',
  parameters: { k: 4, steps: 10, seed: 0 },
  inputs: { model: 'm1', tokens: 't1' },
  codeVersion: 1,
};

let folder: string;
let reports: string[];
let store: ArtifactStore;
beforeEach(() => {
  folder = testFolder('artifacts');
  reports = [];
  store = new ArtifactStore(folder, { device: () => 'cpu', report: (message) => reports.push(message) });
});

/** Writes a value to one file and reads it back; `made` counts. */
function work(value: string, made = { count: 0 }): ComputeOptions<string> & { made: { count: number } } {
  return {
    made,
    make: async (at) => {
      made.count++;
      await writeFile(join(at, 'value.txt'), value);
    },
    load: (at) => readFile(join(at, 'value.txt'), 'utf8'),
  };
}

describe('pruning', () => {
  it('by several calls and kernels at once deletes each result once, and none of them fails', async () => {
    for (let seed = 0; seed < 12; seed++) await store.compute({ ...key, parameters: { seed } }, work(`value ${seed}`));
    const other = new ArtifactStore(folder, { device: () => 'cpu' });
    const gone = await Promise.all([store, other, store, other].map((each) => each.prune({ unusedDays: 0 })));
    const ids = gone.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(12);
    expect(await store.list()).toEqual([]);
  });
});

describe('identity of an artifact', () => {
  it('does not depend on the order of keys, and does on everything else', () => {
    const id = store.idOf(key);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(
      store.idOf({
        codeVersion: 1,
        inputs: { tokens: 't1', model: 'm1' },
        parameters: { seed: 0, steps: 10, k: 4 },
        kind: 'sae',
      }),
    ).toBe(id);
    const others: ArtifactKey[] = [
      { ...key, kind: 'layout' },
      { ...key, codeVersion: 2 },
      { ...key, inputs: { model: 't1', tokens: 'm1' } },
      { ...key, inputs: { model: 'm1' } },
      { ...key, parameters: { ...key.parameters, seed: 1 } },
      { ...key, parameters: { ...key.parameters, k: '4' } },
      { ...key, parameters: { ...key.parameters, list: [1, 2] } },
      { ...key, parameters: { ...key.parameters, list: [2, 1] } },
    ];
    expect(new Set([id, ...others.map((other) => store.idOf(other))]).size).toBe(others.length + 1);
  });

  it.each([
    ['NaN', { a: NaN }, /artifact\.parameters\.a is NaN/],
    ['infinities', { a: [1, Infinity] }, /parameters\.a\[1\] is Infinity/],
    ['undefined', { a: undefined }, /parameters\.a is undefined/],
    ['functions', { a: () => 1 }, /is function/],
    ['class instances', { a: new Map() }, /is a Map/],
    ['typed arrays', { a: new Float32Array(1) }, /is a Float32Array/],
    ['holes', { a: [, 1] }, /parameters\.a\[0\] is undefined/], // eslint-disable-line no-sparse-arrays
  ])('is refused for %s', (_, parameters, message) => {
    expect(() => store.idOf({ ...key, parameters: parameters as ArtifactKey['parameters'] })).toThrow(message);
  });

  it('is refused for a kind that is no plain name', () => {
    for (const kind of ['', 'Sae', '../x', 'a/b', 'a b'])
      expect(() => store.idOf({ ...key, kind })).toThrow(/artifact kind/);
  });
});

describe('computing an artifact', () => {
  it('makes once and loads afterwards, with the whole record beside the arrays', async () => {
    const task = work('one');
    const first = await store.compute(key, { ...task, title: 'my SAE' });
    const second = await store.compute(key, task);
    expect([first.value, first.cached, second.value, second.cached, task.made.count]).toEqual([
      'one',
      false,
      'one',
      true,
      1,
    ]);
    expect(first.folder).toBe(join(folder, `sae-${store.idOf(key).slice(0, 16)}`));
    const record = JSON.parse(readFileSync(join(first.folder, 'artifact.json'), 'utf8')) as object;
    expect(record).toEqual(second.record);
    expect(record).toMatchObject({ ...key, id: store.idOf(key), device: 'cpu', title: 'my SAE' });
    expect(record).toHaveProperty('packages.node', process.versions.node);
    expect(record).toHaveProperty(['packages', '@tensorflow/tfjs']);
    expect(Date.parse(first.record.created)).toBeGreaterThan(Date.now() - 60_000);
    expect(first.record.wallMs).toBeGreaterThanOrEqual(0);
  });

  it('makes again when fresh, in place of the old result', async () => {
    await store.compute(key, work('old'));
    const fresh = await store.compute(key, { ...work('new'), fresh: true });
    expect([fresh.value, fresh.cached]).toEqual(['new', false]);
    expect((await store.compute(key, work('unused'))).value).toBe('new');
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('makes equal calls at the same time once, and different ones each', async () => {
    const task = work('shared');
    const other = { ...key, codeVersion: 9 };
    const results = await Promise.all([
      store.compute(key, task),
      store.compute(key, task),
      new ArtifactStore(folder, { device: () => 'cpu' }).compute(key, task),
      store.compute(other, task),
    ]);
    expect(results.map((r) => r.value)).toEqual(['shared', 'shared', 'shared', 'shared']);
    expect(task.made.count).toBe(2);
  });

  it('leaves nothing when making fails, and makes it the next time', async () => {
    const failing = { ...work('x'), make: () => Promise.reject(new Error('no memory')) };
    await expect(store.compute(key, failing)).rejects.toThrow('no memory');
    expect(readdirSync(folder)).toEqual([]);
    expect((await store.compute(key, work('fine'))).value).toBe('fine');
  });

  it('does not cancel an equal call when the one that makes is cancelled', async () => {
    let cancel: () => void = () => undefined;
    const cancelled = {
      ...work('never'),
      make: () => new Promise<void>((_, reject) => (cancel = () => reject(new Error('cancelled')))),
    };
    const first = store.compute(key, cancelled);
    const outcome = expect(first).rejects.toThrow('cancelled');
    const second = store.compute(key, work('mine'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    cancel();
    await outcome;
    expect((await second).value).toBe('mine');
  });

  it('never takes a result over whose record was not written', async () => {
    mkdirSync(store.folderOf(key), { recursive: true });
    writeFileSync(join(store.folderOf(key), 'value.txt'), 'half');
    const made = await store.compute(key, work('whole'));
    expect([made.value, made.cached]).toEqual(['whole', false]);
    expect(reports.join()).toMatch(/no readable artifact.json/);
  });

  it.each([
    ['cut', (text: string) => text.slice(0, 40), /damaged artifact.json/],
    ['of other parameters', (text: string) => text.replace('"k": 4', '"k": 5'), /contents hash to/],
    ['of another id', (text: string) => text.replace(/"id": "..../, '"id": "0000'), /contents hash to/],
    ['empty', () => '', /damaged artifact.json/],
    ['no object', () => 'null', /damaged artifact.json/],
  ])('reports a record that is %s and makes the result again', async (_, damage, message) => {
    const { folder: at } = await store.compute(key, work('first'));
    const record = join(at, 'artifact.json');
    writeFileSync(record, damage(readFileSync(record, 'utf8')));
    const again = await store.compute(key, work('second'));
    expect([again.value, again.cached]).toEqual(['second', false]);
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatch(message);
    expect((await store.compute(key, work('third'))).cached).toBe(true);
  });

  it('makes a result again that no longer loads', async () => {
    const { folder: at } = await store.compute(key, work('first'));
    rmSync(join(at, 'value.txt'));
    expect((await store.compute(key, work('second'))).value).toBe('second');
    expect(reports[0]).toMatch(/does not load/);
  });
});

describe('what a stopped run goes on from', () => {
  const leave = (): string => {
    const unfinished = join(folder, 'unfinished', 'x');
    mkdirSync(unfinished, { recursive: true });
    writeFileSync(join(unfinished, 'state'), 'x');
    return unfinished;
  };

  it('is there until the result stands under its name, and goes then', async () => {
    const unfinished = leave();
    const task = work('one');
    let during: string[] = [];
    const { folder: at } = await store.compute(key, {
      ...task,
      unfinished,
      make: async (temporary) => {
        await task.make(temporary);
        during = readdirSync(unfinished);
      },
    });
    expect(during).toEqual(['state']);
    expect(readdirSync(join(folder, 'unfinished'))).toEqual([]);
    expect(readdirSync(at).sort()).toEqual(['artifact.json', 'value.txt']);
  });

  it('stays when the result cannot be put in its place', async () => {
    const unfinished = leave();
    // Something that no rename replaces lies under the name.
    const make = async (at: string): Promise<void> => {
      await writeFile(join(at, 'value.txt'), 'x');
      rmSync(at, { recursive: true });
    };
    await expect(store.compute(key, { ...work('x'), make, unfinished })).rejects.toThrow(/ENOENT/);
    expect(readdirSync(unfinished)).toEqual(['state']);
  });

  it('goes when its run was killed after the result stood', async () => {
    await store.compute(key, work('one'));
    const unfinished = leave();
    expect((await store.compute(key, { ...work('two'), unfinished })).value).toBe('one');
    expect(readdirSync(join(folder, 'unfinished'))).toEqual([]);
  });

  it('stays while another kernel makes the result afresh', async () => {
    const { folder: at } = await store.compute(key, work('one'));
    const unfinished = leave();
    const lock = { pid: 1, host: 'other', machine: 'other', started: '', since: new Date().toISOString(), token: 't' };
    writeFileSync(`${at}.lock`, JSON.stringify(lock));
    expect((await store.compute(key, { ...work('two'), unfinished })).value).toBe('one');
    expect(readdirSync(unfinished)).toEqual(['state']);
    expect(await store.prune({ unusedDays: 0 })).toEqual([]);
  });
});

describe('another kernel that makes the same', () => {
  const other = { pid: 7, host: 'gpu-host', machine: 'elsewhere', started: '', since: '2026-01-02T03:04:05.678Z' };

  it('is waited for, by name, and its result loaded', async () => {
    // What the other kernel will have made.
    const { folder: at } = await store.compute(key, work('theirs'));
    const aside = `${at}-aside`;
    renameSync(at, aside);
    writeFileSync(`${at}.lock`, JSON.stringify({ ...other, token: 't' }));
    const task = work('mine');
    const waiting = store.compute(key, { ...task, title: 'the SAE' });
    while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(reports).toEqual([
      'the SAE is being made by process 7 on gpu-host since 2026-01-02 03:04:05 UTC; waiting for it',
    ]);
    renameSync(aside, at);
    rmSync(`${at}.lock`);
    expect(await waiting).toMatchObject({ value: 'theirs', cached: true });
    expect(task.made.count).toBe(0);
    expect(readdirSync(folder)).toEqual([at.slice(folder.length + 1)]);
  });

  it('is not waited for longer than the cell runs', async () => {
    const stop = new AbortController();
    store = new ArtifactStore(folder, {
      device: () => 'cpu',
      report: (message) => reports.push(message),
      signal: () => stop.signal,
    });
    writeFileSync(`${store.folderOf(key)}.lock`, JSON.stringify({ ...other, token: 't' }));
    const ended = expect(store.compute(key, work('mine'))).rejects.toMatchObject({ name: 'AbortError' });
    while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await ended;
    expect(readdirSync(folder)).toEqual([`${store.folderOf(key).slice(folder.length + 1)}.lock`]);
  });

  it('that died is not waited for, and its lock does not stay', async () => {
    const me = { ...other, machine: 'elsewhere', token: 't' };
    const lock = `${store.folderOf(key)}.lock`;
    writeFileSync(lock, JSON.stringify(me));
    utimesSync(lock, 1, 1);
    expect((await store.compute(key, work('mine'))).value).toBe('mine');
    expect(reports).toEqual([]);
    writeFileSync(join(folder, 'sae-0123456789abcdef.lock'), JSON.stringify(me));
    utimesSync(join(folder, 'sae-0123456789abcdef.lock'), 1, 1);
    await store.prune({ unusedDays: 9 });
    expect(readdirSync(folder).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('between its result and the release of its lock leaves no lock to the one that loads the result', async () => {
    const { folder: at } = await store.compute(key, work('theirs'));
    writeFileSync(`${at}.lock`, JSON.stringify({ ...other, token: 't' }));
    utimesSync(`${at}.lock`, 1, 1);
    expect((await store.compute(key, work('mine'))).value).toBe('theirs');
    expect(readdirSync(folder)).toEqual([at.slice(folder.length + 1)]);
  });
});

describe('list, find and prune', () => {
  it('list whole artifacts alone, newest first', async () => {
    await store.compute(key, work('a'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await store.compute({ ...key, kind: 'layout' }, work('b'));
    mkdirSync(join(folder, 'sae-0123456789abcdef'));
    expect((await store.list()).map((record) => record.kind)).toEqual(['layout', 'sae']);
    expect(await new ArtifactStore(join(folder, 'none'), { device: () => 'cpu' }).list()).toEqual([]);
  });

  it('find by the whole id or its start', async () => {
    const { record, folder: at } = await store.compute(key, work('a'));
    expect(await store.find(record.id)).toEqual({ record, folder: at });
    expect(await store.find(record.id.slice(0, 8))).toEqual({ record, folder: at });
    expect(await store.find('0'.repeat(64))).toBeUndefined();
    await expect(store.find('abc')).rejects.toThrow(/8 to 64 hex digits/);
  });

  it('prune what was not used for long, and spare what was loaded since', async () => {
    const old = await store.compute(key, work('old'));
    const used = await store.compute({ ...key, codeVersion: 2 }, work('used'));
    const long = new Date(Date.now() - 10 * 86_400_000);
    for (const { folder: at } of [old, used]) utimesSync(join(at, 'artifact.json'), long, long);
    await store.compute({ ...key, codeVersion: 2 }, work('used'));
    expect((await store.prune({ unusedDays: 5 })).map((record) => record.id)).toEqual([old.record.id]);
    expect((await store.list()).map((record) => record.id)).toEqual([used.record.id]);
  });

  it('prune removes what a crashed maker left, and not what a living one works on', async () => {
    const host = hostname().replace(/[^A-Za-z0-9.-]/g, '-');
    const dead = `sae-0123456789abcdef.999999999@${host}@00000000.tmp`;
    const alive = `sae-0123456789abcdef.${process.pid}@${host}@00000000.tmp`;
    for (const name of [dead, alive]) mkdirSync(join(folder, name));
    expect(await store.list()).toEqual([]);
    await store.prune({ unusedDays: 1 });
    expect(readdirSync(folder)).toEqual([alive]);
  });
});

describe('requireSame', () => {
  it('names both identities when they differ', () => {
    const a = { name: 'activations of tiny-1L', id: 'aaa' };
    expect(() => requireSame('tokens', a, { ...a })).not.toThrow();
    const call = () =>
      requireSame('A and B must be of the same tokens', a, { name: 'activations of tiny-2L', id: 'bbb' });
    expect(call).toThrow(MismatchError);
    expect(call).toThrow(
      'A and B must be of the same tokens: activations of tiny-1L has aaa but activations of tiny-2L has bbb',
    );
  });
});
