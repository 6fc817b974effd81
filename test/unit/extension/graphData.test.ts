import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GraphData, graphColumnsAsBase64 } from '../../../src/extension/panels/graphData.js';
import { graphFiles } from '../../../src/protocol/graph.js';
import { decodeGraphColumns } from '../../../src/webviews/ui/rpc.js';
import { graphFixture } from '../../support/graphBundle.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fgnb-graph-'));
const fixture = graphFixture('null');
const ref = { id: 'g', path: '.fgnb/graph-1' };

beforeAll(() => {
  for (const place of ['nb/.fgnb/graph-1', 'elsewhere'])
    for (const [name, bytes] of Object.entries(fixture.files)) {
      fs.mkdirSync(path.join(folder, place), { recursive: true });
      fs.writeFileSync(path.join(folder, place, name), bytes);
    }
  fs.symlinkSync(path.join(folder, 'elsewhere'), path.join(folder, 'nb/link'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('bundles of graphs on disk', () => {
  const data = () => new GraphData(path.join(folder, 'nb'));

  test('columns, labels and examples are those of the bundle, also as base64', async () => {
    const columns = await data().columns(ref, 0);
    const { nodes, labels, examples, columns: values } = fixture.sets[0];
    const decoded = decodeGraphColumns(JSON.parse(JSON.stringify(graphColumnsAsBase64(columns))) as typeof columns);
    for (const c of [decodeGraphColumns(columns), decoded]) {
      expect([...c.members.subarray(c.membersAt[9], c.membersAt[10])]).toEqual(nodes[9]);
      expect(c.labels).toEqual(labels);
      expect(c.columns).toHaveLength(4);
      expect([...c.columns[1]]).toEqual([...Float32Array.from(values?.[1] ?? [])]);
      expect(c.counterpart).toBeUndefined();
    }
    expect(await data().examples(ref, 0, 17)).toEqual(examples?.[17]);
    expect(await data().overlap(ref)).toBeNull();
  });

  test('a set without labels and examples has none', async () => {
    const { labels } = await data().columns(ref, 1);
    expect(labels).toHaveLength(fixture.meta.sets[1].points);
    expect(labels.every((l) => l.length === 0)).toBe(true);
    expect(await data().examples(ref, 1, 0)).toEqual([]);
  });

  test('the counterparts of twin graphs are read', async () => {
    const twin = graphFixture('twin');
    const place = path.join(folder, 'nb/.fgnb/twin');
    fs.mkdirSync(place);
    for (const [name, bytes] of Object.entries(twin.files)) fs.writeFileSync(path.join(place, name), bytes);
    const { counterpart } = await data().columns({ id: 't', path: '.fgnb/twin' }, 0);
    expect([...(counterpart as Int32Array)]).toEqual(twin.sets[0].counterpart);
  });

  test.each(['../nb/.fgnb/graph-1', '/etc', 'link', '.fgnb\\graph-1', '', '.fgnb/./graph-1'])(
    'the folder %j is refused',
    async (bad) => {
      await expect(data().meta({ id: 'g', path: bad })).rejects.toThrow(/folder/);
    },
  );

  test('a graph or point that is not there is refused with the numbers', async () => {
    await expect(data().columns(ref, 2)).rejects.toThrow('2 graph(s), graph 2');
    await expect(data().columns(ref, 0.5)).rejects.toThrow('graph 0.5');
    await expect(data().examples(ref, 0, 10 ** 6)).rejects.toThrow('point 1000000');
  });

  test('a bundle that was damaged says where', async () => {
    const place = path.join(folder, 'nb/.fgnb/cut');
    fs.cpSync(path.join(folder, 'nb/.fgnb/graph-1'), place, { recursive: true });
    const file = path.join(place, 'columns.safetensors');
    fs.truncateSync(file, fs.statSync(file).size - 100);
    await expect(data().columns({ id: 'c', path: '.fgnb/cut' }, 0)).rejects.toThrow(/columns\.safetensors/);
  });

  test('what failed once is tried again', async () => {
    const reader = data();
    const late = { id: 'late', path: '.fgnb/late' };
    await expect(reader.meta(late)).rejects.toThrow(/Run the cell again/);
    fs.cpSync(path.join(folder, 'nb/.fgnb/graph-1'), path.join(folder, 'nb/.fgnb/late'), { recursive: true });
    expect((await reader.meta(late)).title).toBe(fixture.meta.title);
  });

  test('the files of a bundle are named', () => {
    expect(graphFiles(2)).toEqual(expect.arrayContaining(['graph.json', '1.labels.json', '0.examples.jsonl']));
  });
});
