/** The selection of a map: conditions and patterns of its search, counterparts, kept groups, what it is copied as, steps back. */
import { describe, expect, it } from 'vitest';
import { MAP_BUNDLE } from '#protocol/map.js';
import { keywordGroups, writtenGroup } from '#protocol/keywordGroups.js';
import { othersOf } from '#webviews/map/counterparts.js';
import { computeLit, NO_FILTERS, type Filters } from '#webviews/map/filter.js';
import { loadModel, type MapModel, type MapSource } from '#webviews/map/model.js';
import { cameraOn, litPoints, selectedLinks, selectionCell } from '#webviews/map/selection.js';
import { restoreState } from '#webviews/map/state.js';
import { scaleOf, toScreen } from '#webviews/plot/camera.js';
import { Past } from '#webviews/plot/past.js';
import { patternError, queryTest, searchKey } from '#webviews/plot/search.js';
import { BundleReader } from '#webviews/ui/bundle.js';
import { alignedPercent } from '#webviews/ui/format.js';
import { twinFixture } from '#test/e2e/fixtures.js';

const map = twinFixture(400, 24, [[{ name: 'my score', of: (i) => i / 400 }], []], 2);
const read = (file: string, begin?: number, end?: number) =>
  Promise.resolve(file in map.files ? map.files[file].slice(begin, end) : null);
const model: MapModel = await loadModel(new BundleReader(MAP_BUNDLE, { read }, 'x') as unknown as MapSource);
const lit = (query: string, more: Partial<Filters> = {}) => computeLit(model, { ...NO_FILTERS, query, ...more });

/** Alive points of a set that pass, by brute force. */
const those = (s: number, test: (i: number) => boolean) =>
  Array.from({ length: 400 }, (_, i) => i).filter((i) => !model.sets[s].dead[i] && test(i));

describe('conditions of a search', () => {
  const { r, partner, columns } = model.sets[0];
  it.each<[string, (i: number) => boolean]>([
    ['r>=.5', (i) => partner[i] >= 0 && r[i] >= 0.5],
    ['r<.1', (i) => partner[i] >= 0 && r[i] < 0.1],
    ['firings<=1000', (i) => columns.firings[i] <= 1000],
    ['rate>1%', (i) => columns.firingRate[i] > 0.01],
    ['id=31', (i) => columns.feature[i] === 31],
    ['"my score">.5', (i) => Math.fround(i / 400) > 0.5],
    ['match:mutual firings>100', (i) => partner[i] >= 0 && model.sets[1].partner[partner[i]] === i && columns.firings[i] > 100], // prettier-ignore
    ['match:none', (i) => partner[i] < 0],
  ])('%s keeps what passes it, and together they narrow', (query, test) => {
    expect(litPoints(lit(query))[0]).toEqual(those(0, test));
  });

  it('narrow words, and a name that no column has is a word', () => {
    const words = litPoints(lit('king'))[0];
    const both = litPoints(lit('king r>.5'))[0];
    expect(both).toEqual(words.filter((i) => r[i] > 0.5));
    expect(both.length).toBeGreaterThan(0);
    expect(lit('king nothing>3').hits[0]).toBe(words.length);
  });
});

describe('patterns of a search', () => {
  const key = searchKey([' king', ' Kingdom', '.']);
  it.each([
    ['/^king$/', true],
    ['/^kin/', true],
    ['/queen|dom$/', true],
    ['/^dom/', false],
    ['/a b/', false],
    ['/KING/', true],
  ])('%s', (query, found) => {
    expect(queryTest(query, false)!(1, key)).toBe(found);
  });

  it('that are none find nothing and say why', () => {
    expect(patternError('/(/')).toMatch(/Invalid regular expression/);
    expect(queryTest('/(/', false)!(1, key)).toBe(false);
    expect(patternError('/a/ king')).toBeNull();
    expect(patternError(`/${'a'.repeat(300)}/`)).toContain('200 characters');
    expect(queryTest('/z/ king', false)!(1, key)).toBe(true);
  });
});

describe('a selection', () => {
  it('is linked to its partners, each pair once, the largest r first', () => {
    const all = selectedLinks(model, lit('match:mutual'), 0);
    const links = all.filter(({ further }) => !further);
    expect(links).toHaveLength(those(0, (i) => model.sets[0].partner[i] >= 0).length);
    expect(all.slice(0, links.length)).toEqual(links);
    const rs = links.map(({ set, point }) => model.sets[set].r[point]);
    expect(rs).toEqual([...rs].sort((a, b) => b - a));
    const pairs = links.map(({ set, point, partner }) => (set === 0 ? `${point} ${partner}` : `${partner} ${point}`));
    expect(new Set(pairs).size).toBe(pairs.length);
    expect(selectedLinks(model, lit(''), 0)).toEqual([]);
    expect(selectedLinks(model, lit('match:mutual'), 0.9).every(({ set, point }) => model.sets[set].r[point] >= 0.9)).toBe(true); // prettier-ignore
  });

  it('is linked to all further counterparts above the threshold, behind the partners, and no pair twice', () => {
    const [a, b] = model.sets;
    for (const minR of [0, 0.5]) {
      const chosen = lit('#31 #34 #37');
      const [points, pointsB] = litPoints(chosen);
      const pass = (r: number) => minR <= 0 || r >= minR;
      const from = (of: typeof a, own: number[], s: number): Array<[string, boolean]> =>
        own.flatMap((i) => [
          ...(of.partner[i] >= 0 && pass(of.r[i]) ? [[s ? `${of.partner[i]} ${i}` : `${i} ${of.partner[i]}`, false] as [string, boolean]] : []),
          ...[0, 1].flatMap((k): Array<[string, boolean]> => {
            const p = of.columns.other[k][i];
            return p >= 0 && pass(of.columns.otherR[k][i]) ? [[s ? `${p} ${i}` : `${i} ${p}`, true]] : [];
          }),
        ]); // prettier-ignore
      const expected = new Map([...from(a, points, 0), ...from(b, pointsB, 1)].reverse());
      const links = selectedLinks(model, chosen, minR);
      const found = links.map(({ set, point, partner }) => (set === 0 ? `${point} ${partner}` : `${partner} ${point}`));
      expect([...found].sort()).toEqual([...expected.keys()].sort());
      expect(links.filter(({ further }) => further).length).toBeGreaterThan(0);
      for (const { further } of links.slice(links.findIndex((l) => l.further))) expect(further).toBe(true);
    }
    expect(othersOf(a, 31, 0).map(({ point }) => point)).toEqual([0, 1].flatMap((k) => (a.columns.other[k][31] >= 0 ? [a.columns.other[k][31]] : []))); // prettier-ignore
    expect(othersOf(a, 31, 2)).toEqual([]);
  });

  it('is shown whole and large by the camera on it', () => {
    const { x, y, reach } = model.sets[0];
    const points = litPoints(lit('king'))[0];
    const view = { left: 0, top: 0, width: 500, height: 400, reach, camera: { x: 0, y: 0, zoom: 1 } };
    const camera = cameraOn(view, x, y, points);
    const at = points.map((i) => toScreen(camera, view, x[i], y[i]));
    for (const [sx, sy] of at) expect(sx >= 0 && sx <= 500 && sy >= 0 && sy <= 400).toBe(true);
    expect(scaleOf(camera, view)).toBeGreaterThanOrEqual(scaleOf(view.camera, view));
    expect(cameraOn(view, x, y, [])).toBe(view.camera);
  });

  it('is a cell that names features by their ids in both sets', () => {
    const chosen = lit('#31 #4');
    const cell = selectionCell(model, chosen, 'two\nfeatures');
    expect(cell.startsWith('// two features\n')).toBe(true);
    const made = new Function(`${cell}\nreturn selection`)() as Array<{ features: number[] }>;
    expect(made.map(({ features }) => features)).toEqual(litPoints(chosen).map((points, s) => points.map((i) => model.sets[s].columns.feature[i]))); // prettier-ignore
    expect(made[0].features).toEqual([4, 31]);
  });

  it('that is kept as a group is written, read and restored with its features', () => {
    const group = { name: 'mine', words: [], features: [[4, 31], [7]], note: 'seen twice' };
    expect(keywordGroups({ mine: writtenGroup(group) }, 'x')).toEqual([group]);
    const state = restoreState({ version: 1, groups: [group] } as never, 2);
    expect(state.groups).toEqual([group]);
    expect(() => keywordGroups({ mine: { features: [[-1]] } }, 'x')).toThrow('not a list of words');
    expect(() => keywordGroups({ mine: { features: [[1]], note: 3 } }, 'x')).toThrow('not a list of words');
    const inGroup = lit('', { typed: group });
    expect(inGroup.hits).toEqual([2, 1]);
  });

  it('goes back step by step, and the same twice is one step', () => {
    const past = new Past<{ query: string; points: Uint32Array | null }>();
    past.note({ query: '', points: null });
    past.note({ query: 'a', points: Uint32Array.of(3, 5) });
    past.note({ query: 'a', points: Uint32Array.of(3, 5) });
    past.note({ query: 'b', points: null });
    expect(past.back()).toEqual({ query: 'a', points: Uint32Array.of(3, 5) });
    expect(past.back()).toEqual({ query: '', points: null });
    expect([past.back(), past.undoes]).toEqual([null, false]);
  });
});

it('shares in a column keep their closing zeros', () => {
  expect([0.01, 0.012, 0.1, 0.00031, 1, 0].map(alignedPercent)).toEqual(['1.0 %', '1.2 %', '10.0 %', '0.031 %', '100 %', '0 %']); // prettier-ignore
});
