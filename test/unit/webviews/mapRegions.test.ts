/** Regions of a map and their names: dense places, named by their words, and never by noise. */
import { describe, expect, test } from 'vitest';
import type { LinkedLabel } from '#protocol/bundle.js';
import { titleParts } from '#webviews/plot/titles.js';
import { placeNames } from '#webviews/map/names.js';
import { regionsOf, type Region } from '#webviews/map/regions.js';
import type { MapSet } from '#webviews/map/model.js';
import { normals } from '#test/kit/numbers.js';

type Points = Pick<MapSet, 'x' | 'y' | 'n' | 'dead' | 'columns'>;

/** Clouds of `size` points around centres, labelled by `word`; every point has a word of its own besides. */
function clouds(
  centres: ReadonlyArray<readonly [number, number]>,
  size: number,
  word: (cloud: number, i: number) => string,
): Points {
  const next = normals(5);
  const n = centres.length * size;
  const cloud = (i: number) => Math.floor(i / size);
  const shares = Array.from({ length: n }, (_, i): LinkedLabel => ({
    tokens: [{ token: word(cloud(i), i), share: 0.6 }, { token: `own${i}`, share: 0.3 }],
    peaks: [],
  })); // prettier-ignore
  return {
    n,
    x: Float32Array.from({ length: n }, (_, i) => centres[cloud(i)][0] + 0.05 * next()),
    y: Float32Array.from({ length: n }, (_, i) => centres[cloud(i)][1] + 0.05 * next()),
    dead: new Uint8Array(n),
    columns: {
      shares,
      labels: shares.map(({ tokens }) => tokens.map(({ token }) => token)),
    } as unknown as MapSet['columns'],
  };
}

const CENTRES = [[-0.7, -0.6], [0.6, 0.7], [0.7, -0.7]] as const; // prettier-ignore
const WORDS = [' king', ' rain', ' bird'];

describe('regions of a map', () => {
  test('are its clouds, each named by its word, whatever words single features have', () => {
    const { list, of } = regionsOf(clouds(CENTRES, 120, (c) => WORDS[c]));
    expect(list.map(({ size }) => size).reduce((s, n) => s + n, 0)).toBeGreaterThan(340);
    expect(list).toHaveLength(3);
    for (const [c, [x, y]] of CENTRES.entries()) {
      const own = list[of[c * 120]];
      expect(own.name).toEqual([WORDS[c].trim()]);
      expect(Math.hypot(own.x - x, own.y - y)).toBeLessThan(0.05);
      // A cloud is one region.
      expect(new Set(of.slice(c * 120, (c + 1) * 120).filter((r) => r >= 0)).size).toBe(1);
    }
  });

  test('have no name where labels lie on the points as shuffled', () => {
    const { list } = regionsOf(clouds(CENTRES, 120, (_, i) => WORDS[(i * 7) % 3]));
    expect(list).toHaveLength(3);
    expect(list.flatMap(({ name }) => name)).toEqual([]);
  });

  test('are none on one cloud, on no points, and where all are dead or not placed', () => {
    expect(regionsOf(clouds([[0, 0]], 200, () => 'a')).list).toEqual([]);
    expect(regionsOf(clouds([], 0, () => 'a')).list).toEqual([]);
    const dead = clouds(CENTRES, 40, (c) => WORDS[c]);
    dead.dead.fill(1);
    expect(regionsOf(dead).list).toEqual([]);
    const lost = clouds(CENTRES, 40, (c) => WORDS[c]);
    lost.x.fill(NaN);
    expect([...regionsOf(lost).of].every((r) => r === -1)).toBe(true);
  });

  test('the same map has the same regions and names', () => {
    const made = () => regionsOf(clouds(CENTRES, 60, (c) => WORDS[c]));
    expect(made()).toEqual(made());
  });
});

describe('names of regions', () => {
  const region = (name: string, x: number, y: number, size: number): Region => ({ name: [name], x, y, size });
  const regions = [region('first', 0, 0, 90), region('under it', 0.02, 0.02, 50), region('apart', 0.5, -0.5, 20), region('high', 0, 0.999, 10)]; // prettier-ignore
  const view = (zoom: number, size = 600) => ({
    left: 0,
    top: 0,
    width: size,
    height: size,
    camera: { x: 0, y: 0, zoom },
  });
  const at = (zoom: number, size?: number) => placeNames(regions, view(zoom, size), (text) => 8 * text.length).map(({ text }) => text); // prettier-ignore

  test('the larger region keeps its place; the other is named when one is near, and none runs into the title', () => {
    // The title stands above the map: a name at the top has room.
    expect(at(1)).toEqual(['first', 'apart', 'high']);
    expect(at(10)).toEqual(['first', 'under it']);
  });

  test('a small map has few', () => {
    expect(at(1, 170)).toEqual(['first']);
  });
});

describe('titles', () => {
  const text = (title: string, titles: string[]) =>
    titleParts(title, titles).map(({ text: t, cut }) => (cut ? `[${t}]` : t));

  test('give way in what they share, never where they differ', () => {
    const [a, b] = ['tiny-1L · blocks.0 · topk 512', 'tiny-2L · blocks.0 · topk 512'];
    expect(text(a, [a, b])).toEqual(['[tiny-]', '1L', '[ · blocks.0 · topk 512]']);
    expect(text('topk 128', ['topk 128', 'topk 1024'])).toEqual(['[topk ]', '128']);
    expect(text('same 1', ['same 1', 'same 12'])).toEqual(['[same ]', '1']);
    expect(text('same 12', ['same 1', 'same 12'])).toEqual(['[same ]', '12']);
  });

  test('alone are cut in the middle', () => {
    expect(text('a long title of one map alone', ['a long title of one map alone'])).toEqual(['[a long title of]', ' one map alone']); // prettier-ignore
    expect(text('short', ['short', 'short'])).toEqual(['short']);
  });
});
