import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { twinFixture } from '#test/e2e/fixtures.js';
import { matrix } from '#kernel/compute/matrix.js';
import { similarityScores } from '#kernel/correlation/scores.js';
import { keywordGroups, typedGroup } from '#protocol/keywordGroups.js';
import { MAP_BUNDLE, type MapMeta } from '#protocol/map.js';
import { decodersOf, groupLinks, scoreGroup } from '#webviews/map/groupScores.js';
import { linkedPairs, loadModel } from '#webviews/map/model.js';
import { restoreState } from '#webviews/map/state.js';
import { BundleReader } from '#webviews/ui/bundle.js';

const fixture = twinFixture(600);
const reader = new BundleReader(
  MAP_BUNDLE,
  {
    read: (file, begin, end) => Promise.resolve(file in fixture.files ? fixture.files[file].slice(begin, end) : null),
  },
  'fixture',
);
const source = reader as never as { meta(): Promise<MapMeta> };
const royal = { name: 'royalty', words: ['king', 'Queen'] };
const signal = new AbortController().signal;

async function loaded() {
  const model = await loadModel(source as never);
  const links = linkedPairs(model);
  return { model, links, decoders: decodersOf(model, await reader.matrix()), minR: 0 };
}

describe('the scores of a keyword group', () => {
  test('are those of fg.correlation over the decoder rows of its pairs', async () => {
    const of = await loaded();
    const found = await scoreGroup(of, royal, 20, signal);
    // The pairs again, by the labels as they lie in the file.
    const called = [0, 1].map((s) =>
      (JSON.parse(Buffer.from(fixture.files[`${s}.labels.json`]).toString()) as string[][]).map((label) =>
        label.some((token) => ['king', 'queen'].includes(token.trim())),
      ),
    );
    const pairs = Array.from({ length: 600 }, (_, i) => [i, fixture.partnerOf(i)]).filter(
      ([i, j]) => i % 20 !== 0 && (called[0][i] || called[1][j]),
    );
    expect(found.pairs).toBe(pairs.length);
    expect(found.pairs).toBeGreaterThan(20);
    expect(found.meanR).toBeCloseTo(
      pairs.reduce((sum, [i]) => sum + Math.fround(1 - (i % 50) / 50), 0) / pairs.length,
      6,
    );
    const rows = (s: 0 | 1) => {
      const width = of.decoders!.widths[s];
      const at = pairs.flatMap((pair) => [...of.decoders!.rows[s].subarray(pair[s] * width, (pair[s] + 1) * width)]);
      return matrix(pairs.length, width, Float32Array.from(at));
    };
    const neighbours = Math.min(10, Math.floor(pairs.length / 5));
    const options = { metrics: ['svcca', 'rsa', 'jaccard'] as const, nulls: 20, seed: 0, neighbours };
    const [svcca, rsa, jaccard] = await similarityScores(rows(0), rows(1), options);
    expect(found.scores).toMatchObject({ SVCCA: svcca, RSA: rsa, Jaccard: jaccard });
    // B is a turn of A, so the pairs say more than shuffled ones.
    expect(svcca.value).toBeGreaterThan(svcca.null.max);
  });

  test('leave out pairs below r', async () => {
    const { model, links } = await loaded();
    const all = groupLinks(model, links, royal, 0);
    const strong = groupLinks(model, links, royal, 0.5);
    expect(strong).toEqual(all.filter((i) => links.r[i] >= 0.5));
    expect(strong.length).toBeLessThan(all.length);
  });

  test('say why there are none: no pairs, too few, no decoder rows, rows that are all alike', async () => {
    const of = await loaded();
    const none = await scoreGroup(of, { name: 'x', words: ['xyzzy'] }, 5, signal);
    expect(none).toMatchObject({ pairs: 0, meanR: NaN });
    expect(none.scores).toEqual({
      'same token': 'no pairs',
      ...Object.fromEntries(['SVCCA', 'RSA', 'Jaccard'].map((name) => [name, '3 pairs or more are needed'])),
    });
    const bare = await scoreGroup({ ...of, decoders: null }, royal, 5, signal);
    expect(bare.scores.SVCCA).toBe('this map carries no decoder rows');
    expect(typeof bare.scores['same token']).toBe('object');
    const flat = { widths: of.decoders!.widths, rows: of.decoders!.rows.map((r) => r.map(() => 1)) } as never;
    expect((await scoreGroup({ ...of, decoders: flat }, royal, 5, signal)).scores.SVCCA).toMatch(
      /all \d+ rows are equal/,
    );
  });

  test('stop when another group is chosen', async () => {
    await expect(scoreGroup(await loaded(), royal, 5, AbortSignal.abort())).rejects.toThrow(/cancelled/);
  });
});

describe('keyword groups as people write them', () => {
  test('typed words, with a name or without', () => {
    expect(typedGroup(' king, queen  king')).toEqual({ name: 'king queen king', words: ['king', 'queen'] });
    expect(typedGroup('royalty: king queen')).toEqual({ name: 'royalty', words: ['king', 'queen'] });
    expect(typedGroup(' ,; ')).toBeNull();
    expect(typedGroup('name: ')).toBeNull();
  });
  test.each([
    [
      'published',
      { Time: 83, Calendar: 35, 'People/Roles': 27, Nature: 46, Emotions: 49, MonthNames: 12, Countries: 19 },
    ],
    ['semantic', { Animals: 36, 'Plants, trees & land': 34, 'Abstract concepts': 35 }],
  ])('the lists that ship with the examples are read: %s', (name, sizes) => {
    const file = new URL(`../../../examples/groups/${name}.json`, import.meta.url);
    const groups = keywordGroups(JSON.parse(readFileSync(file, 'utf8')), name);
    expect(groups).toHaveLength(name === 'semantic' ? 33 : 15);
    const found = Object.fromEntries(groups.map((group) => [group.name, group.words.length]));
    expect(found).toMatchObject(sizes);
  });
  test('JSON with where it is from', () => {
    expect(keywordGroups({ source: 'a paper', months: ['May', ' June ', 'May'] }, 'x.json')).toEqual([
      { name: 'months', words: ['May', 'June'] },
    ]);
  });
  test.each([
    [[['May']], 'x.json is a list; expected an object such as'],
    [null, 'x.json is null'],
    [{}, 'x.json holds no group'],
    [{ months: 'May' }, 'x.json: group "months" is not a list of words'],
    [{ months: ['May', 5] }, 'is not a list of words'],
    [{ months: [' '] }, 'is not a list of words'],
    [{ ' ': ['May'] }, 'a name has 1 to 200 characters'],
    [Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, ['x']])), 'holds 1001 groups; there may be 1000'],
  ])('what is none is refused in words: %j', (json, message) => {
    expect(() => keywordGroups(json, 'x.json')).toThrow(message);
  });
  test('a kept state gives them back, without those that are damaged', () => {
    const groups = [royal, { name: 'odd', words: 'king' }, null, { name: 5, words: ['a'] }];
    const state = restoreState({ version: 1, typed: 'a b', pane: 'groups', groups } as never, 2);
    expect(state.groups.map(({ name }) => name)).toEqual(['royalty']);
    expect(state).toMatchObject({ typed: 'a b', pane: 'groups' });
  });
});
