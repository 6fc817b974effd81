/** What a map shows at first: how large it is drawn, its density, where names stand, and what its legend chooses. */
import { describe, expect, test } from 'vitest';
import { HOME, toScreen } from '#webviews/plot/camera.js';
import { normalised } from '#webviews/plot/place.js';
import { scaleOfValues } from '#webviews/plot/scale.js';
import { BINS, chosenPoints, colourValues, restoreOnly } from '#webviews/map/colourValues.js';
import { contoursOf, linesAt, MANY_POINTS } from '#webviews/map/contours.js';
import { loadModel, type MapModel } from '#webviews/map/model.js';
import { placeNames } from '#webviews/map/names.js';

/** A field on a grid of 2/step cells over [-1, 1]². */
function field(width: number, value: (x: number, y: number) => number) {
  const place = (at: number): number => (2 * at) / (width - 1) - 1;
  const density = new Float32Array(width * width);
  density.forEach((_, c) => (density[c] = value(place(c % width), place(Math.floor(c / width)))));
  return { width, density, place, cell: new Int32Array(0) };
}

/** Signed area of a closed line, positive where what is inside lies on its left. */
const area = (line: Float32Array): number => {
  let sum = 0;
  for (let k = 0; k < line.length; k += 2) {
    const to = (k + 2) % line.length;
    sum += line[k] * line[to + 1] - line[to] * line[k + 1];
  }
  return sum / 2;
};

describe('contours', () => {
  test('of a cone are circles of the known radius, closed, the dense side on the left', () => {
    const lines = linesAt(field(201, (x, y) => 1 - Math.hypot(x, y)), 0.4); // prettier-ignore
    expect(lines).toHaveLength(1);
    const [line] = lines;
    for (let k = 0; k < line.length; k += 2) expect(Math.hypot(line[k], line[k + 1])).toBeCloseTo(0.6, 3);
    expect(area(line)).toBeCloseTo(Math.PI * 0.36, 2);
  });

  test('of a ring are its outer and its inner line; of two hills one each; of a saddle what its middle says', () => {
    const ring = linesAt(field(201, (x, y) => 0.2 - Math.abs(Math.hypot(x, y) - 0.5)), 0.1); // prettier-ignore
    expect(ring.map(area).sort((a, b) => a - b)).toEqual([
      expect.closeTo(-Math.PI * 0.16, 2),
      expect.closeTo(Math.PI * 0.36, 2),
    ]);
    const hills = field(101, (x, y) => Math.max(1 - 3 * Math.hypot(x - 0.5, y), 1 - 3 * Math.hypot(x + 0.5, y)));
    expect(linesAt(hills, 0.5)).toHaveLength(2);
    // Two dense cells that touch at a corner: one line around both where the level is below their middle, else two.
    const density = new Float32Array(16);
    density[5] = density[10] = 1;
    const corners = { width: 4, density, place: (at: number) => at, cell: new Int32Array(0) };
    expect(linesAt(corners, 0.4)).toHaveLength(1);
    expect(linesAt(corners, 0.6)).toHaveLength(2);
  });

  test('are drawn of many alive points alone, and hold the share of them that they stand for', () => {
    const cloud = (n: number) => {
      let state = 5;
      const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
      const at = () => Float32Array.from({ length: n }, () => (random() + random() + random()) / 1.5 - 1);
      return { x: at(), y: at(), n, dead: new Uint8Array(n), deadCount: 0 };
    };
    expect(contoursOf(cloud(MANY_POINTS - 1))).toEqual([]);
    const many = cloud(6000);
    const inside = (line: Float32Array, x: number, y: number): boolean => {
      let odd = false;
      for (let k = 0, j = line.length - 2; k < line.length; j = k, k += 2)
        if (line[k + 1] > y !== line[j + 1] > y && x < ((line[j] - line[k]) * (y - line[k + 1])) / (line[j + 1] - line[k + 1]) + line[k]) odd = !odd; // prettier-ignore
      return odd;
    };
    const shares = contoursOf(many).map((lines) => {
      const held = Array.from(many.x.keys()).filter((i) => lines.reduce((odd, line) => odd !== inside(line, many.x[i], many.y[i]), false)); // prettier-ignore
      return held.length / many.n;
    });
    [0.95, 0.75, 0.5, 0.25].forEach((share, k) => expect(Math.abs(shares[k] - share)).toBeLessThan(0.03));
    expect(contoursOf({ ...many, dead: new Uint8Array(6000).fill(1), deadCount: 6000 })).toEqual([]);
  });
});

test('a map fills nine tenths of its box along the side that it meets first, whatever its shape', () => {
  const x = Float32Array.from([0, 10, 5]);
  const y = Float32Array.from([0, 2, 1]);
  const place = normalised(x, y, new Uint8Array(3));
  expect(place.reach).toEqual([1, expect.closeTo(0.2, 6)]);
  for (const [width, height, filled] of [[600, 400, 540], [600, 60, 270]] as const) {
    const box = { width, height, reach: place.reach };
    const [left] = toScreen(HOME, box, place.x[0], place.y[0]);
    const [right] = toScreen(HOME, box, place.x[1], place.y[1]);
    expect(right - left).toBeCloseTo(filled, 3);
  } // prettier-ignore
  expect(normalised(x, new Float32Array(3), new Uint8Array(3)).reach).toEqual([1, 1]);
});

test('names at the edge move inwards, none over another, none outside', () => {
  const view = { left: 10, top: 20, width: 400, height: 300, camera: HOME };
  const region = (x: number, y: number, name: string) => ({ size: 20, x, y, name: [name] });
  const placed = placeNames(
    [region(-1.4, 0, 'wide name'), region(-1.4, 0.02, 'under it'), region(1.4, 1.1, 'corner'), region(9, 9, 'away')],
    view,
    (text) => 9 * text.length,
  );
  expect(placed.map(({ text }) => text)).toEqual(['wide name', 'corner']);
  for (const { x, y, width } of placed) {
    expect(x - width / 2).toBeGreaterThanOrEqual(view.left);
    expect(x + width / 2).toBeLessThanOrEqual(view.left + view.width);
    expect(y).toBeGreaterThanOrEqual(view.top + 8);
  }
});

describe('what the legend chooses', () => {
  const rates = [0, 0.001, 0.01, 0.1, 0.2, 0.5];
  async function model(): Promise<MapModel> {
    const n = rates.length;
    const columns = {
      x: Float32Array.from({ length: n }, (_, i) => i),
      y: new Float32Array(n),
      feature: Int32Array.from({ length: n }, (_, i) => i),
      firingRate: Float32Array.from(rates),
      firings: Int32Array.from(rates, (r) => Math.round(1000 * r)),
      labels: rates.map(() => []),
      shares: rates.map(() => null),
      column: [Float32Array.from([0, 1, 1, NaN, 0, 2])],
    };
    const set = { name: 'A', title: 't', points: n, dead: 1, layout: 'PCA', columns: [{ name: 'kind', classes: ['a', 'b', 'c'] }] }; // prettier-ignore
    return loadModel({
      meta: () => Promise.resolve({ version: 1, title: 't', sets: [set] } as never),
      columns: () => Promise.resolve(columns as never),
    });
  }
  const source = async (colorBy: string) => {
    const of = await model();
    const alive = [Float32Array.from(rates.filter((r) => r > 0))];
    return { model: of, colorBy: colorBy as never, rates: { ...scaleOfValues(alive), log: true }, regions: [], groups: [] }; // prettier-ignore
  };

  test('a range of the scale: counted over alive points, chosen by the same parts', async () => {
    const given = await source('firingRate');
    const values = colourValues(given)!;
    expect(values.counts).toHaveLength(BINS);
    expect(values.counts.reduce((a, b) => a + b, 0)).toBe(5);
    let total = 0;
    values.counts.forEach((n, bin) => {
      const [light] = chosenPoints(given.model, values, { range: [bin, bin + 1] })!;
      expect(light.reduce((a, b) => a + b, 0)).toBe(n);
      total += n;
    });
    expect(total).toBe(5);
  });

  test('classes; what has none is not chosen; a choice of the other kind chooses nothing', async () => {
    const given = await source('column:kind');
    const values = colourValues(given)!;
    expect([...chosenPoints(given.model, values, { classes: [1, 2] })![0]]).toEqual([0, 1, 1, 0, 0, 1]);
    expect(chosenPoints(given.model, values, { range: [0, 3] })).toBeNull();
    expect(chosenPoints(given.model, values, null)).toBeNull();
    expect(colourValues(await source('none'))).toBeNull();
  });

  test('a damaged state is no choice', () => {
    expect(restoreOnly({ range: [2, 9] })).toEqual({ range: [2, 9] });
    expect(restoreOnly({ classes: [3] })).toEqual({ classes: [3] });
    for (const bad of [
      null,
      7,
      {},
      { range: [9, 2] },
      { range: [0, BINS + 1] },
      { range: ['0', 2] },
      { classes: [] },
      { classes: [-1] },
    ])
      // prettier-ignore
      expect(restoreOnly(bad)).toBeNull();
  });
});
