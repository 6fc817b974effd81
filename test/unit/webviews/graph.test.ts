import { describe, expect, test } from 'vitest';
import { inPolygon } from '#webviews/plot/camera.js';
import { rankedMembers } from '#webviews/graph/card.js';
import { escapeXml } from '#protocol/graphml.js';
import { graphMl, keplerJson, keplerNames } from '#webviews/graph/export.js';
import { computeLighting, nodesInside, nodesWith, pointsOf } from '#webviews/graph/lighting.js';
import { componentsOf, membersOf, nodeLabel, overlapWith, topTokens, type GraphModel } from '#webviews/graph/model.js';
import { nextOf, towards } from '#webviews/plot/moves.js';
import { radii } from '#webviews/graph/scene.js';
import { defaultState, restoreState } from '#webviews/graph/state.js';
import { evidence, noiseText, notes, whyEmpty } from '#webviews/graph/words.js';
import { edgesOf, emptyFixture, graphFixture, type GraphFixture } from '#test/kit/graphBundle.js';
import { open, small } from '#test/kit/graphModel.js';

describe('graph model', () => {
  test('neighbours and the nodes of a point come from the bundle', async () => {
    const { sets } = await open(small());
    expect([...sets[0].size]).toEqual([3, 2, 1]);
    expect(nodesWith({ sets } as GraphModel, 0, 2)).toEqual([0, 1]);
    expect(nodesWith({ sets } as GraphModel, 0, 5)).toEqual([]);
    expect(nodesWith({ sets } as GraphModel, 0, 99)).toEqual([]);
    expect(pointsOf({ sets } as GraphModel, 0, [0, 1])).toEqual([0, 1, 2, 3]);
  });

  test('the first peak tokens of the members lead; a tail that follows everywhere does not', async () => {
    const { sets } = await open(small());
    expect(topTokens(sets[0], 0).map((t) => [t.text, t.members])).toEqual([
      ['king', 2],
      ['Queen,', 1],
      ['talking', 1],
      ['.', 1],
    ]);
    expect(nodeLabel(sets[0], 0)).toBe('king · Queen,');
    expect(nodeLabel(sets[0], 2)).toBe('');
  });

  test('components over a threshold agree with a flood fill', async () => {
    const fixture = graphFixture('null');
    const { sets } = await open(fixture);
    for (const least of [1, 5, 9]) {
      const { nodes } = fixture.sets[0];
      const edges = edgesOf(nodes).filter((e) => e[2] >= least);
      const seen = new Set<number>();
      const expected: number[] = [];
      for (let i = 0; i < nodes.length; i++) {
        if (seen.has(i)) continue;
        const queue = [i];
        seen.add(i);
        for (const at of queue)
          for (const [a, b] of edges)
            for (const next of [a === at ? b : b === at ? a : at])
              if (!seen.has(next)) {
                seen.add(next);
                queue.push(next);
              }
        expected.push(queue.length);
      }
      const found = componentsOf(sets[0], least);
      expect(found.map((c) => c.nodes.length)).toEqual(expected.sort((a, b) => b - a));
      expect(found.reduce((sum, c) => sum + c.edges, 0)).toBe(edges.length);
    }
  });

  test('overlap is the share of A’s members whose counterpart is in B’s node, from both sides', async () => {
    const fixture = graphFixture('twin');
    const model = await open(fixture);
    const [a, b] = fixture.sets;
    for (const [i, j] of [
      [9, 4],
      [0, 0],
      [30, 25],
      [59, 29],
    ]) {
      const hits = a.nodes[i].filter((p) => b.nodes[j].includes(a.counterpart?.[p] ?? -1)).length;
      expect(overlapWith(model, 0, i)?.[j]).toBeCloseTo(hits / a.nodes[i].length, 6);
      expect(overlapWith(model, 1, j)?.[i]).toBe(overlapWith(model, 0, i)?.[j]);
    }
    expect(overlapWith(model, 0, 9)).toHaveLength(30);
    expect(overlapWith(model, 1, 4)).toHaveLength(60);
    expect(overlapWith(await open(graphFixture('null')), 0, 0)).toBeNull();
  });

  test('the bundle’s own overlap is used, and one of another size is refused', async () => {
    const fixture = graphFixture('twin');
    const { encodeSafetensors } = await import('#protocol/safetensors.js');
    const with_ = (n: number): GraphFixture => {
      const overlap = { dtype: 'F32' as const, shape: [n, 30], data: new Float32Array(n * 30).fill(0.25) };
      return { ...fixture, files: { ...fixture.files, 'overlap.safetensors': encodeSafetensors({ overlap }) } };
    };
    const given = await open(with_(60));
    expect(overlapWith(given, 0, 7)?.every((v) => v === 0.25)).toBe(true);
    expect(overlapWith(given, 1, 7)).toEqual(new Float32Array(60).fill(0.25));
    await expect(open(with_(59))).rejects.toThrow('overlap is F32 [59, 30], expected F32 [60, 30]');
  });

  test('a bundle whose parts disagree is refused with the numbers', async () => {
    const fixture = small();
    const labels = Buffer.from(JSON.stringify([[' king']]));
    await expect(open({ ...fixture, files: { ...fixture.files, '0.labels.json': labels } })).rejects.toThrow(
      '0.labels.json has 1 labels for 6 points',
    );
  });

  test('members are ranked by the column shown, lit ones first, missing values last', async () => {
    const { sets } = await open(small());
    expect(rankedMembers(sets[0], 0, 'column:firing rate', null)).toEqual({ by: 'firing rate', points: [1, 0, 2] });
    const lit = Uint8Array.of(0, 0, 1, 0, 0, 0);
    expect(rankedMembers(sets[0], 0, 'members', lit).points).toEqual([2, 1, 0]);
  });

  test('areas of the discs follow the members', async () => {
    const { sets } = await open(graphFixture('null'));
    const r = radii(sets[0], 45, 900, 900);
    const [a, b] = [4, 26];
    expect(r[a] ** 2 / r[b] ** 2).toBeCloseTo(sets[0].size[a] / sets[0].size[b], 4);
  });
});

describe('lighting nodes of a graph', () => {
  const none = { query: '', substring: false, selection: null, linked: null, pinned: null };

  test('search lights nodes by the share of members, and counts points and nodes', async () => {
    const model = await open(small());
    const lit = computeLighting(model, { ...none, query: 'king' });
    expect([...lit.share[0]]).toEqual([Math.fround(2 / 3), 0, 0]);
    expect(lit.hits).toEqual([{ points: 2, nodes: 1 }]);
    expect(computeLighting(model, { ...none, query: '#2' }).hits[0]).toEqual({ points: 1, nodes: 2 });
    expect(computeLighting(model, { ...none, query: 'talk' }).hits[0].points).toBe(0);
    expect(computeLighting(model, { ...none, query: 'talk', substring: true }).hits[0].points).toBe(1);
    expect(computeLighting(model, none).active).toEqual([false]);
  });

  test('search, other views and a selection narrow each other', async () => {
    const model = await open(small());
    const linked = [new Set([1, 2, 3])];
    expect([...computeLighting(model, { ...none, linked }).share[0]]).toEqual([Math.fround(2 / 3), 1, 0]);
    expect([...computeLighting(model, { ...none, linked, query: 'king' }).share[0]]).toEqual([
      Math.fround(1 / 3),
      0,
      0,
    ]);
    const selection = { set: 0, nodes: [1], label: '' };
    expect([...computeLighting(model, { ...none, linked, selection }).share[0]]).toEqual([0, 1, 0]);
  });

  test('graphs that a light or a selection does not speak of stay as they are', async () => {
    const model = await open(graphFixture('twin'));
    expect(computeLighting(model, { ...none, linked: [new Set([1]), null] }).active).toEqual([true, false]);
    const selection = { set: 1, nodes: [3], label: '' };
    expect(computeLighting(model, { ...none, selection }).active).toEqual([false, true]);
  });

  test('a pinned node lights its matches in the other graph alone, by their overlap', async () => {
    const model = await open(graphFixture('twin'));
    const lit = computeLighting(model, { ...none, pinned: { set: 0, node: 9 } });
    expect(lit.active).toEqual([false, true]);
    expect(lit.matched).toEqual([false, true]);
    expect([...lit.share[1]]).toEqual([...(overlapWith(model, 0, 9) ?? [])]);
  });

  test('a lasso takes the nodes inside, even-odd; fewer than three corners take none', () => {
    const set = { n: 4, x: Float32Array.of(0, 2, 0.5, -1), y: Float32Array.of(0, 0, 0.5, 0) };
    const square = [-0.5, -0.5, 1, -0.5, 1, 1, -0.5, 1];
    expect(nodesInside(set, square, inPolygon)).toEqual([0, 2]);
    expect(nodesInside(set, [0, 0, 1, 1], inPolygon)).toEqual([]);
    const twice = [...square, ...square];
    expect(nodesInside(set, twice, inPolygon)).toEqual([]);
  });

  test('the cursor goes to the nearest node in the direction, and round the lit ones', () => {
    const set = { x: Float32Array.of(0, 1, 2, 0), y: Float32Array.of(0, 0.1, 0, 1) };
    const all = [0, 1, 2, 3];
    expect(towards(set, all, 0, 1, 0, { x: 0, y: 0 })).toBe(1);
    expect(towards(set, all, 0, 0, 1, { x: 0, y: 0 })).toBe(3);
    expect(towards(set, all, 2, 1, 0, { x: 0, y: 0 })).toBe(-1);
    expect(towards(set, all, -1, 1, 0, { x: 1.9, y: 0 })).toBe(2);
    const lit = (i: number) => [false, true, false, true][i];
    expect(nextOf(4, 1, 1, lit)).toBe(3);
    expect(nextOf(4, 3, 1, lit)).toBe(1);
    expect(nextOf(4, 1, -1, lit)).toBe(3);
    expect(nextOf(4, 0, 1, () => false)).toBe(-1);
  });
});

describe('exports of the graph view', () => {
  test('KeplerMapper’s dictionary: names by cube and cluster, links at the first node, simplices to edges', async () => {
    const { sets } = await open(small());
    expect(keplerNames(sets[0])).toEqual(['cube3_cluster0', 'cube3_cluster1', 'cube7_cluster0']);
    const json = JSON.parse(keplerJson(sets[0], 1)) as Record<string, unknown>;
    expect(json.nodes).toEqual({ cube3_cluster0: [0, 1, 2], cube3_cluster1: [2, 3], cube7_cluster0: [4] });
    expect(json.links).toEqual({ cube3_cluster0: ['cube3_cluster1'] });
    expect(json.simplices).toEqual([
      ['cube3_cluster0'],
      ['cube3_cluster1'],
      ['cube7_cluster0'],
      ['cube3_cluster0', 'cube3_cluster1'],
    ]);
    expect(json.meta_data).toMatchObject({ nerve_min_intersection: 1, noise: [5], points: 6 });
    expect(JSON.parse(keplerJson(sets[0], 2))).toMatchObject({ links: {} });
  });

  test('GraphML holds members, tokens and statistics, escaped, and leaves missing values out', async () => {
    const model = await open(small());
    const text = graphMl(model.meta, model.sets[0], 1);
    expect(text.match(/<node /g)).toHaveLength(3);
    const node = (name: string) => new RegExp(`<node id="${name}">(.*)</node>`).exec(text)?.[1] ?? '';
    expect(node('cube3_cluster0')).toContain('<data key="members">0 1 2</data>');
    expect(node('cube3_cluster0')).toMatch(/<data key="mean0">0\.25\d*<\/data>/);
    expect(node('cube3_cluster1')).toContain('&lt;b&gt;&amp;&quot;');
    expect(node('cube7_cluster0')).not.toContain('mean0');
    expect(text).toContain('<edge source="cube3_cluster0" target="cube3_cluster1"><data key="weight">1</data></edge>');
    expect(text).toContain('lens &amp; cover');
    expect(graphMl(model.meta, model.sets[0], 2)).not.toContain('<edge');
  });

  test('characters that XML cannot hold are replaced', () => {
    expect(escapeXml('a\u0000b\ud800c<😀>')).toBe('a\ufffdb\ufffdc&lt;😀&gt;');
  });
});

describe('words about a graph', () => {
  const meta = graphFixture('null').meta.sets[0];

  test('an empty graph is explained by what made it empty', () => {
    const empty = { ...meta, nodes: 0, points: 40, noise: 40 };
    expect(whyEmpty(meta)).toBeNull();
    expect(whyEmpty({ ...empty, cubes: { total: 9, skipped: 9, allNoise: 0 } })).toMatch(
      /all 9 cover elements hold fewer/,
    );
    expect(whyEmpty({ ...empty, cubes: { total: 9, skipped: 1, allNoise: 8 } })).toMatch(/all 40 points are noise/);
    expect(whyEmpty({ ...empty, points: 0, noise: 0 })).toMatch(/No points/);
  });

  test('one cube, no edges and the kernel’s warnings are said once each', () => {
    expect(notes({ ...meta, cubes: { total: 1, skipped: 0, allNoise: 0 }, warnings: ['w'] })).toEqual([
      expect.stringContaining('one element'),
      'w',
    ]);
    expect(notes({ ...meta, edges: 0, warnings: [] })[0]).toMatch(/no edges/);
  });

  test('a finding without a null says so; with one it gives p, runs and seed', () => {
    expect(evidence({ kind: 'loop', nodes: [], persistence: 1, by: 'x' })).toMatch(/no null was run/);
    expect(
      evidence({
        kind: 'loop',
        nodes: [],
        persistence: 1,
        by: 'x',
        p: 1 / 101,
        null: 'shuffled columns',
        runs: 100,
        seed: 3,
      }),
    ).toBe('p = 0.0099, 100 runs of shuffled columns, seed 3');
    expect(noiseText({ ...meta, points: 1000, noise: 25 })).toMatch(/^25 of 1,000 points in no node \(2.5 %\)/);
  });
});

describe('saved state of the graph view', () => {
  test('what is missing or wrong becomes the default', async () => {
    const model = await open(graphFixture('null'));
    const fallback = defaultState(model);
    expect(restoreState(undefined, model, fallback)).toBe(fallback);
    const restored = restoreState(
      {
        ...{
          version: 1,
          colourBy: 'column:nothing',
          stat: 'sum',
          shown: 7,
          minWeight: -3,
          tab: 'x',
          words: ['rain', 5, ''],
        },
        pins: [{ set: 0, node: 3 }, { set: 0, node: 999 }, { set: 5, node: 0 }, { set: 0, node: -1 }, null],
      },
      model,
      fallback,
    );
    expect(restored).toMatchObject({
      colourBy: fallback.colourBy,
      stat: 'mean',
      shown: -1,
      minWeight: 1,
      tab: 'nodes',
    });
    expect(restored.pins).toEqual([{ set: 0, node: 3 }]);
    expect(restored.words).toEqual(['rain']);
  });

  test('members of an empty graph are none, and it loads', async () => {
    const model = await open(emptyFixture());
    expect(model.sets[0].n).toBe(0);
    expect(model.sets[0].columns.noise).toHaveLength(40);
    expect(() => membersOf(model.sets[0], 0)).not.toThrow();
  });
});
