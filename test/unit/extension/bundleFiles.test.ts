/** From the files on disk through the host's bytes and the messages to what views draw. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readBundleFile } from '#extension/panels/bundleFiles.js';
import { bundleFiles } from '#protocol/bundle.js';
import { GRAPH_BUNDLE } from '#protocol/graph.js';
import { MAP_BUNDLE } from '#protocol/map.js';
import { encodeSafetensors } from '#protocol/safetensors.js';
import { isBundleFile } from '#protocol/views.js';
import type { FilePart, FromWebview, WebviewRequests } from '#protocol/webview.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import type { GraphSource } from '#webviews/graph/model.js';
import { RpcClient, rpcFiles } from '#webviews/ui/rpc.js';
import { memoryFiles } from '#test/kit/bundleFiles.js';
import { graphFixture } from '#test/kit/graphBundle.js';
import { testFolder } from '#test/kit/folder.js';

const folder = testFolder('graph');
const notebook = path.join(folder, 'nb');
const fixture = graphFixture('null');
const at = '.fgnb/graph-1';

beforeAll(() => {
  for (const place of [`nb/${at}`, 'elsewhere']) write(place, fixture.files);
  fs.symlinkSync(path.join(folder, 'elsewhere'), path.join(folder, 'nb/link'));
});

function write(place: string, files: Record<string, Uint8Array>): void {
  fs.mkdirSync(path.join(folder, place), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(folder, place, name), bytes);
}

/** A reader behind the messages of a panel (bytes) or of the renderer (base64), at most `limit` bytes a message. */
function reader(place: string, o: { jsonOnly?: boolean; limit?: number } = {}): GraphSource {
  const answer = async ({
    bundle,
    file,
    ...range
  }: WebviewRequests['bundle.read']['params']): Promise<FilePart | null> => {
    const part = await readBundleFile(notebook, bundle.path, file, { ...range, limit: o.limit ?? 2 ** 20 });
    if (!part || !o.jsonOnly) return part;
    return JSON.parse(JSON.stringify({ ...part, bytes: Buffer.from(part.bytes).toString('base64') })) as FilePart;
  };
  const rpc: RpcClient = new RpcClient((message: FromWebview) => {
    if (message.type !== 'request' || message.method !== 'bundle.read') throw new Error('unexpected message');
    const { id } = message;
    void answer(message.params).then(
      (value) => rpc.receive({ type: 'reply', id, ok: true, value }),
      (error: Error) => rpc.receive({ type: 'reply', id, ok: false, error: error.message }),
    );
  });
  const files = rpcFiles(rpc, { version: 1, id: 'g', path: place, meta: { title: '' } });
  return new BundleReader(GRAPH_BUNDLE, files, place);
}

describe('bundles of graphs on disk', () => {
  test('columns, labels and examples are those of the bundle, as bytes, as base64 and in small parts', async () => {
    const { nodes, labels, examples, columns: values } = fixture.sets[0];
    for (const source of [reader(at), reader(at, { jsonOnly: true }), reader(at, { limit: 1001 })]) {
      const c = await source.columns(0);
      expect([...c.members.subarray(c.membersAt[9], c.membersAt[10])]).toEqual(nodes[9]);
      expect(c.labels).toEqual(labels);
      expect(c.column).toHaveLength(4);
      expect([...c.column[1]]).toEqual([...Float32Array.from(values?.[1] ?? [])]);
      expect(c.counterpart).toBeUndefined();
      expect(await source.examples(0, 17)).toEqual(examples?.[17]);
      expect(await source.matrix()).toBeNull();
    }
  });

  test('a set without labels and examples has none', async () => {
    const { labels } = await reader(at).columns(1);
    expect(labels).toHaveLength(fixture.meta.sets[1].points);
    expect(labels.every((l) => l.length === 0)).toBe(true);
    expect(await reader(at).examples(1, 0)).toEqual([]);
  });

  test('the counterparts of twin graphs are read', async () => {
    const twin = graphFixture('twin');
    write('nb/.fgnb/twin', twin.files);
    const { counterpart } = await reader('.fgnb/twin').columns(0);
    expect([...(counterpart as Int32Array)]).toEqual(twin.sets[0].counterpart);
  });

  test.each(['../nb/.fgnb/graph-1', '/etc', 'link', '.fgnb\\graph-1', '', '.fgnb/./graph-1'])(
    'the folder %j is refused',
    async (bad) => {
      await expect(reader(bad).meta()).rejects.toThrow(/folder/);
    },
  );

  test('a graph or point that is not there is refused with the numbers', async () => {
    await expect(reader(at).columns(2)).rejects.toThrow('2 set(s), set 2');
    await expect(reader(at).columns(0.5)).rejects.toThrow('set 0.5');
    await expect(reader(at).examples(0, 10 ** 6)).rejects.toThrow('point 1000000');
  });

  test('a bundle that was damaged says where', async () => {
    const place = path.join(notebook, '.fgnb/cut');
    fs.cpSync(path.join(notebook, at), place, { recursive: true });
    const file = path.join(place, 'columns.safetensors');
    fs.truncateSync(file, fs.statSync(file).size - 100);
    await expect(reader('.fgnb/cut').columns(0)).rejects.toThrow(/\.fgnb\/cut\/columns\.safetensors/);
  });

  test('what failed once is tried again', async () => {
    const source = reader('.fgnb/late');
    await expect(source.meta()).rejects.toThrow(/Run the cell again/);
    fs.cpSync(path.join(notebook, at), path.join(notebook, '.fgnb/late'), { recursive: true });
    expect((await source.meta()).title).toBe(fixture.meta.title);
  });
});

describe('bytes of files', () => {
  const read = (name: unknown, range: { begin?: number; end?: number } = {}, limit = 100) =>
    readBundleFile(notebook, at, name, { ...range, limit });

  test('are those from begin to end, no more than the limit, not beyond the end', async () => {
    const bytes = fixture.files['columns.safetensors'];
    const { length } = bytes;
    expect(await read('columns.safetensors')).toEqual({ size: length, bytes: new Uint8Array(bytes.subarray(0, 100)) });
    const part = await read('columns.safetensors', { begin: length - 10, end: length + 50 });
    expect(part?.bytes).toEqual(new Uint8Array(bytes.subarray(length - 10)));
    expect((await read('columns.safetensors', { begin: length + 5 }))?.bytes).toHaveLength(0);
    for (const range of [{ begin: -1 }, { begin: 0.5 }, { begin: 5, end: 4 }, { begin: NaN }, { end: NaN }])
      await expect(read('columns.safetensors', range)).rejects.toThrow('expected whole numbers');
  });

  test('a file that is not there is null, one that no bundle has is refused', async () => {
    expect(await read('7.labels.json')).toBeNull();
    fs.writeFileSync(path.join(notebook, at, 'secret.txt'), 'x');
    for (const name of [
      'secret.txt',
      '../graph-1/graph.json',
      '../../../elsewhere/graph.json',
      '',
      3,
      '99.labels.json',
    ])
      await expect(read(name)).rejects.toThrow(/no file of a bundle/);
  });

  test('a link out of the notebook’s folder, a folder and a pipe are refused, without waiting for the pipe', async () => {
    const place = path.join(notebook, '.fgnb/odd');
    fs.mkdirSync(path.join(place, 'columns.safetensors'), { recursive: true });
    fs.symlinkSync(path.join(folder, 'elsewhere/graph.json'), path.join(place, 'graph.json'));
    execFileSync('mkfifo', [path.join(place, 'map.json')]);
    const odd = (name: string) => readBundleFile(notebook, '.fgnb/odd', name, { limit: 100 });
    await expect(odd('graph.json')).rejects.toThrow(/leads outside/);
    await expect(odd('columns.safetensors')).rejects.toThrow(/no regular file/);
    await expect(odd('map.json')).rejects.toThrow(/no regular file/);
  });

  test('the files of every kind of bundle are served, by the manifest', () => {
    const names = (sets: number) => bundleFiles(GRAPH_BUNDLE, sets).map((file) => file.name);
    expect(names(2)).toEqual(expect.arrayContaining(['graph.json', '1.labels.json', '0.examples.jsonl']));
    expect([...names(2), ...bundleFiles(MAP_BUNDLE, 2).map((file) => file.name)].every(isBundleFile)).toBe(true);
  });
});

describe('a bundle that somebody made', () => {
  const meta = (over: object = {}) =>
    Buffer.from(
      JSON.stringify({
        version: 1,
        title: 't',
        sets: [{ name: 'A', title: 'A', points: 2, dead: 0, layout: '' }],
        ...over,
      }),
    );
  const f32 = (...v: number[]) => ({ dtype: 'F32' as const, shape: [v.length], data: Float32Array.from(v) });
  const i32 = (...v: number[]) => ({ dtype: 'I32' as const, shape: [v.length], data: Int32Array.from(v) });
  const i64 = (...v: number[]) => ({
    dtype: 'I64' as const,
    shape: [v.length],
    data: BigInt64Array.from(v.map(BigInt)),
  });
  const whole = {
    ...{ '0.x': f32(1, 2), '0.y': f32(3, 4), '0.feature': i32(7, 9), '0.firingRate': f32(0.5, 0) },
    ...{ '0.firings': i32(3, 0), '0.examplesAt': i64(0, 3, 6) },
  };
  const files = (tensors: object = {}, more: Record<string, Uint8Array> = {}) => ({
    ...{ 'map.json': meta(), '0.labels.json': Buffer.from('[["a"],[]]') },
    '0.examples.jsonl': Buffer.from('[]\n[]\n'),
    'columns.safetensors': encodeSafetensors({ ...whole, ...tensors }),
    ...more,
  });
  const map = (all: Record<string, Uint8Array>) => new BundleReader(MAP_BUNDLE, memoryFiles(all), 'm');

  test('is read where it is whole', async () => {
    expect([...(await map(files()).columns(0)).feature]).toEqual([7, 9]);
    expect(await map(files()).examples(0, 1)).toEqual([]);
  });

  test.each([
    ['another version', files({}, { 'map.json': meta({ version: 2 }) }), 'm/map.json is not a map of version 1'],
    ['no sets', files({}, { 'map.json': meta({ sets: 3 }) }), 'm/map.json is not a map of version 1'],
    ['a thousand sets', files({}, { 'map.json': meta({ sets: Array(1000).fill({}) }) }), 'more than 32'],
    ['a column of another type', files({ '0.x': i32(1, 2) }), '0.x is I32 [2], expected F32 [2]'],
    ['a column of another length', files({ '0.y': f32(1) }), '0.y is F32 [1], expected F32 [2]'],
    [
      'a column of two dimensions',
      files({ '0.r': { ...f32(1, 2), shape: [1, 2] } }),
      '0.r is F32 [1, 2], expected F32 [2]',
    ],
    ['labels for other points', files({}, { '0.labels.json': Buffer.from('[[]]') }), '1 labels for 2 points'],
  ])('%s is refused with what was expected', async (_, all, words) => {
    await expect(map(all).columns(0)).rejects.toThrow(words);
  });

  test.each([
    ['backwards', i64(0, 5, 3), 'bytes 5 to 3: the bundle is damaged'],
    ['far beyond a feature’s examples', i64(0, 3, 2 ** 40), 'the bundle is damaged'],
    ['beyond the end of the file', i64(0, 3, 60), 'm/0.examples.jsonl ends at byte 6, expected 60: it is truncated'],
    ['for another number of points', i64(0, 3), '0.examplesAt is I64 [2], expected I64 [3]'],
  ])('offsets of examples that lie %s are refused', async (_, offsets, words) => {
    await expect(map(files({ '0.examplesAt': offsets })).examples(0, 1)).rejects.toThrow(words);
  });

  test('what a map must have and lacks is named', async () => {
    const { 'columns.safetensors': _, ...without } = files();
    await expect(map(without).columns(0)).rejects.toThrow('m/columns.safetensors is not there');
    await expect(
      map({ ...files(), 'columns.safetensors': encodeSafetensors({ '0.x': f32(1, 2) }) }).columns(0),
    ).rejects.toThrow('has no column 0.y');
    const { '0.labels.json': __, ...unlabelled } = files();
    await expect(map(unlabelled).columns(0)).rejects.toThrow('m/0.labels.json is not there');
  });
});
