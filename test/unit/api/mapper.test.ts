/** fg.mapper: artifacts, what is drawn beside the notebook, exports, and what is refused. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DISPLAY } from '#kernel/present/items.js';
import { matrix } from '#kernel/compute/matrix.js';
import { SafetensorsFile } from '#kernel/io/safetensors.js';
import type { MapperGraph } from '#kernel/mapper/types.js';
import type { GraphDescriptor } from '#protocol/graph.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const loose = {
  cover: { cubes: 2, overlap: 0.4 },
  clusterer: { kind: 'agglomerative', metric: 'cosine', distanceThreshold: 0.9 },
} as const;

/** Every tensor of a bundle by name. */
async function tensorsOf(folder: string): Promise<Record<string, ArrayLike<number>>> {
  const file = await SafetensorsFile.open(path.join(folder, 'columns.safetensors'));
  try {
    const out: Record<string, ArrayLike<number>> = {};
    for (const name of file.names()) out[name] = (await file.read(name)).data as Float32Array;
    return out;
  } finally {
    await file.close();
  }
}

describe('fg.mapper.graph', () => {
  it('is an artifact: the same call loads it, equal to the last array', async () => {
    const { fg, context } = world;
    const made = await fg.mapper.graph(saeA.decoder, loose);
    const loaded = await fg.mapper.graph(saeA, loose);
    expect(loaded).toEqual(made);
    expect(made.nodes).toBeGreaterThan(3);
    expect(context.printed.join()).toContain('Mapper graph: loaded from cache');
    const kinds = (await fg.artifacts.list()).map((r) => r.kind);
    expect(kinds).toEqual(['mapper']);
    const other = await fg.mapper.graph(saeA.decoder, { ...loose, minIntersection: 2 });
    expect(other.id).not.toBe(made.id);
  });

  it('is drawn when it is the last expression of a cell, empty or not', async () => {
    const { fg, context } = world;
    for (const options of [loose, { clusterer: { kind: 'dbscan', eps: 1e-6 } }] as const) {
      const graph = await fg.mapper.graph(saeA.decoder, options);
      const show = (graph as MapperGraph & { [DISPLAY]: () => Promise<OutputItem[]> })[DISPLAY];
      const [drawn, text] = await show();
      expect(drawn.mime).toBe(MIME.graph);
      const { meta, path: at } = drawn.json as unknown as GraphDescriptor;
      expect(meta.sets[0].nodes).toBe(graph.nodes);
      expect(text.text!.join('')).toContain(graph.description);
      for (const warning of graph.warnings) expect(text.text!.join('')).toContain(warning);
      const arrays = await tensorsOf(path.join(context.outputFolder, at));
      expect(arrays['0.members']).toEqual(graph.members);
      expect(arrays['0.x'].length).toBe(graph.nodes);
    }
  });

  it('refuses points that are none, and misspelt options', async () => {
    const { fg } = world;
    await expect(fg.mapper.graph(undefined as never)).rejects.toThrow('points is undefined');
    await expect(fg.mapper.graph({ rows: 2 } as never)).rejects.toThrow(
      'points is an object with rows; expected a matrix { rows, cols, data }',
    );
    await expect(fg.mapper.graph(saeA.decoder, { cubes: 3 } as never)).rejects.toThrow('no option "cubes"');
  });
});

describe('fg.mapper.lens', () => {
  it('gives values that a graph takes as its lens, and that load again', async () => {
    const { fg } = world;
    const lens = await fg.mapper.lens(saeA.decoder, { kind: 'pca', components: 2 });
    expect(await fg.mapper.lens(saeA.decoder, { kind: 'pca', components: 2 })).toEqual(lens);
    const direct = await fg.mapper.graph(saeA.decoder, { ...loose, lens: { kind: 'pca', components: 2 } });
    const given = await fg.mapper.graph(saeA.decoder, { ...loose, lens });
    expect(given.members).toEqual(direct.members);
    const layout = await fg.maps.pca(saeA.decoder);
    const laid = await fg.mapper.graph(saeA.decoder, { ...loose, lens: layout });
    expect(laid.members).toEqual(direct.members);
  });
});

describe('fg.show of graphs', () => {
  it('joins two models: counterparts, r, overlap of nodes, labels and examples, null graphs beside', async () => {
    const { fg, context } = world;
    const text = fg.datasets.fromTexts(texts, { context: 10 });
    const [a, b] = [await fg.activations.save(lmA, saeA, text), await fg.activations.save(lmB, saeB, text)];
    const map = await fg.correlation.map(a, b, { minFirings: 3, counterparts: 2 });
    const [graphA, graphB] = [await fg.mapper.graph(saeA.decoder, loose), await fg.mapper.graph(saeB.decoder, loose)];
    await fg.show([graphA, graphB], {
      map,
      beside: [{ graph: graphA, kind: 'rotated' }],
      columns: [{ half: Array.from({ length: 24 }, (_, i) => (i < 12 ? 'low' : 'high')) }, {}],
      groups: { royalty: ['king'] },
    });
    const { meta, path: at } = shownJson<GraphDescriptor>(context, MIME.graph);
    expect(meta.sets.map((s) => [s.name, s.role, s.sae?.id])).toEqual([
      ['A', 'data', saeA.id],
      ['B', 'data', saeB.id],
      ['null', 'null', undefined],
    ]);
    expect(meta.title).toBe(`Mapper: ${saeA.name} ↔ ${saeB.name}`);
    expect(meta.pairing!.pairs).toBe(map.pairs.r.length);
    const names = meta.sets[0].columns.map((c) => c.name);
    expect(names).toEqual(['firing rate', 'r to counterpart', 'lens: PCA 1', 'lens: PCA 2', 'decoder norm', 'half']);
    const folder = path.join(context.outputFolder, at);
    const arrays = await tensorsOf(folder);
    expect(arrays['0.counterpart']).toEqual(Int32Array.from({ length: 24 }, (_, i) => map.bestBofA[2 * i]));
    expect(Array.from(arrays['0.column.0'])).toEqual(
      Array.from(a.statistics.firings, (n) => Math.fround(n / a.meta.tokens)),
    );
    expect(meta.sets[0].columns[5].classes).toEqual(['high', 'low']);
    expect(Array.from(arrays['0.column.5']).slice(11, 13)).toEqual([1, 0]);
    // Examples of a point lie between its offsets.
    const offsets = Array.from(arrays['0.examplesAt'] as unknown as BigInt64Array, Number);
    const bytes = fs.readFileSync(path.join(folder, '0.examples.jsonl'));
    const { top, bands } = (await fg.activations.bands(a))[5];
    const all = [...top, ...bands.flatMap((band) => band.examples)];
    expect(JSON.parse(bytes.subarray(offsets[5], offsets[6]).toString())).toEqual(all);
    const written = JSON.parse(fs.readFileSync(path.join(folder, '0.labels.json'), 'utf8')) as unknown;
    expect(written).toEqual(await fg.activations.labels(a));
    const file = await SafetensorsFile.open(path.join(folder, 'overlap.safetensors'));
    const overlap = await file.read('overlap');
    await file.close();
    expect(overlap.shape).toEqual([graphA.nodes, graphB.nodes]);
    const inA = Array.from(graphA.members.subarray(graphA.membersAt[1], graphA.membersAt[2]));
    const inB = new Set(graphB.members.subarray(graphB.membersAt[0], graphB.membersAt[1]));
    const shared = inA.filter((f) => inB.has(map.bestBofA[2 * f])).length / inA.length;
    expect((overlap.data as Float32Array)[graphB.nodes]).toBeCloseTo(shared, 6);
  });

  it('writes the same bundle for the same graph, seed for seed', async () => {
    const { fg, context } = world;
    const graph = await fg.mapper.graph(saeA.decoder, loose);
    const bytes: Buffer[] = [];
    for (const title of ['one', 'two']) {
      await fg.show(graph, { title });
      const items = context.shown.at(-1)!.find((i) => i.mime === MIME.graph)!;
      const { path: at } = items.json as unknown as GraphDescriptor;
      bytes.push(fs.readFileSync(path.join(context.outputFolder, at, 'columns.safetensors')));
    }
    expect(bytes[0].equals(bytes[1])).toBe(true);
  });

  it('refuses columns of another length, and activations of another SAE', async () => {
    const { fg } = world;
    const graph = await fg.mapper.graph(saeA.decoder, loose);
    await expect(fg.show(graph, { columns: { r: [1, 2] } })).rejects.toThrow('2 values but the graph has 24 points');
    const text = fg.datasets.fromTexts(texts, { context: 10 });
    const b = await fg.activations.save(lmB, saeB, text);
    await expect(fg.show(graph, { activations: b })).rejects.toThrow('24 points but');
    expect(() => fg.show([graph, 5] as never)).toThrow('x[1] is 5; expected an object such as { name: value }');
  });
});

describe('fg.mapper.export', () => {
  it("writes KeplerMapper's JSON and GraphML", async () => {
    const { fg, context } = world;
    const graph = await fg.mapper.graph(saeA.decoder, loose);
    const json = await fg.mapper.export(graph, 'out/graph.json');
    expect(json).toBe(path.join(context.notebookFolder, 'out/graph.json'));
    const kepler = JSON.parse(fs.readFileSync(json, 'utf8')) as {
      nodes: Record<string, number[]>;
      links: Record<string, string[]>;
      simplices: string[][];
      meta_data: Record<string, unknown>;
    };
    const names = Object.keys(kepler.nodes);
    expect(names.length).toBe(graph.nodes);
    expect(names[0]).toMatch(/^cube\d+_cluster\d+$/);
    expect(kepler.nodes[names[1]]).toEqual(Array.from(graph.members.subarray(graph.membersAt[1], graph.membersAt[2])));
    expect(Object.values(kepler.links).flat().length).toBe(graph.weight.length);
    expect(kepler.simplices.length).toBe(graph.nodes + graph.weight.length);
    expect(kepler.meta_data).toMatchObject({ n_cubes: 2, perc_overlap: 0.4 });
    const xml = await fg.mapper.export(graph, 'graph.graphml', { columns: { 'a<b': new Float32Array(24).fill(2) } });
    const text = fs.readFileSync(xml, 'utf8');
    expect(text.match(/<node /g)!.length).toBe(graph.nodes);
    expect(text.match(/<edge /g)?.length ?? 0).toBe(graph.weight.length);
    expect(text).toContain('attr.name="mean a&lt;b"');
    expect(text).toContain('<data key="c0">2</data>');
    await expect(fg.mapper.export(graph, 'graph.png')).rejects.toThrow('.graphml and .json');
    await expect(fg.mapper.export(graph, 'g.json', { columns: { r: new Float32Array(24) } })).rejects.toThrow(
      'no columns',
    );
  });
});

describe('fg.mapper with little', () => {
  it('draws a graph of rows that are all NaN as an empty one', async () => {
    const { fg, context } = world;
    const graph = await fg.mapper.graph(matrix(5, 2, new Float32Array(10).fill(NaN)));
    await fg.show(graph);
    const { meta } = shownJson<GraphDescriptor>(context, MIME.graph);
    expect(meta.sets[0].nodes).toBe(0);
    expect(meta.sets[0].warnings.join()).toContain('no points are left');
  });
});
