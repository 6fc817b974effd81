/** Maps in three dimensions: how their points are turned. */
import { describe, expect, it } from 'vitest';
import type { MapMeta } from '#protocol/map.js';
import { loadModel, type MapModel } from '#webviews/map/model.js';
import { dragged, turnTo } from '#webviews/map/space.js';
import { firstColour, restoreState } from '#webviews/map/state.js';

const meta = (points: number): MapMeta => ({
  version: 1,
  title: 't',
  sets: [{ name: 'A', title: 'a', points, dead: 1, layout: 'UMAP in 3-D', unmeasured: true }],
});

/** Corners of a cube about (5, −3, 2), the last of them dead and far away. */
async function cube(z = true): Promise<MapModel> {
  const corners = [...Array(8).keys()].map((i) => [i & 1, (i >> 1) & 1, i >> 2].map((v) => 2 * v - 1));
  const axis = (c: number, at: number) => Float32Array.from([...corners.map((p) => p[c] + at), 1e6]);
  const columns = {
    ...{ x: axis(0, 5), y: axis(1, -3), ...(z && { z: axis(2, 2) }) },
    feature: Int32Array.from({ length: 9 }, (_, i) => i),
    firings: Int32Array.of(-1, -1, -1, -1, -1, -1, -1, -1, 0),
    firingRate: new Float32Array(9),
    labels: Array.from({ length: 9 }, (_, i) => [`#${i}`]),
    shares: Array.from({ length: 9 }, () => null),
    ...{ column: [], other: [], otherR: [] },
  };
  return loadModel({ meta: () => Promise.resolve(meta(9)), columns: () => Promise.resolve(columns) });
}

const at = ({ sets: [{ x, y }] }: MapModel, i: number): number[] => [x[i], y[i]];
const near = (got: number[], wanted: number[]): void => got.forEach((v, c) => expect(v).toBeCloseTo(wanted[c], 5));

describe('a map in three dimensions', () => {
  it('stands about the middle of its alive points and fits its pane however it is turned', async () => {
    const model = await cube();
    const corner = 1 / Math.sqrt(3);
    near(at(model, 0), [-corner, -corner]);
    for (const yaw of [-170, -33, 0, 45, 90]) {
      for (const pitch of [-90, -20, 0, 60]) {
        expect(turnTo(model, { yaw, pitch })).toBe(true);
        for (let i = 0; i < 8; i++) expect(Math.hypot(...at(model, i))).toBeLessThan(1 + 1e-6);
      }
    }
  });

  it('shows its third axis from the side and its second from above', async () => {
    const model = await cube();
    const corner = 1 / Math.sqrt(3);
    turnTo(model, { yaw: 90, pitch: 0 });
    // Point 4 is (−, −, +): from the side its third axis is the first that is seen.
    near(at(model, 4), [corner, -corner]);
    turnTo(model, { yaw: 0, pitch: 90 });
    near(at(model, 4), [-corner, -corner]);
    near(at(model, 0), [-corner, corner]);
    turnTo(model, { yaw: 0, pitch: 0 });
    near(at(model, 4), [-corner, -corner]);
  });

  it('is turned by a drag: all the way around, and up to the poles', () => {
    near(Object.values(dragged({ yaw: 0, pitch: 0 }, 100, -50)), [40, -20]);
    near(Object.values(dragged({ yaw: 170, pitch: 80 }, 50, 100)), [-170, 90]);
    near(Object.values(dragged({ yaw: -180, pitch: -90 }, 0, -10)), [-180, -90]);
  });

  it('keeps its turn, and is not coloured by regions of the plane; one of two dimensions is not turned', async () => {
    const space = await cube();
    expect(firstColour(space)).toEqual({ colorBy: 'none' });
    const plain = await cube(false);
    expect(firstColour(plain)).toEqual({ colorBy: 'region' });
    const before = [...plain.sets[0].x];
    expect(turnTo(plain, { yaw: 50, pitch: 20 })).toBe(false);
    expect([...plain.sets[0].x]).toEqual(before);
    expect(restoreState({ version: 1, yaw: 30, pitch: -400 }, 1)).toMatchObject({ yaw: 30, pitch: -90 });
    expect(restoreState({ version: 1, yaw: 'x' }, 1)).toMatchObject({ yaw: 0, pitch: 0 });
  });
});

describe('two maps of one plane', () => {
  it('are drawn in one frame, so that the same place is the same place in both; others each fill their own', async () => {
    const columns = [Float32Array.of(0, 4), Float32Array.of(2, 10)].map((x) => ({
      ...{ x, y: new Float32Array(2), feature: Int32Array.of(0, 1), firings: Int32Array.of(1, 1) },
      ...{
        firingRate: Float32Array.of(1, 1),
        labels: [[], []],
        together: [null, null],
        shares: [null, null],
        ...{ column: [], other: [], otherR: [] },
      },
    }));
    const drawn = async (plane?: 'shared') => {
      const sets = ['A', 'B'].map((name) => ({ name, title: name, points: 2, dead: 0, layout: 'UMAP' }));
      const meta: MapMeta = { version: 1, title: 't', sets, ...(plane && { plane }) };
      const model = await loadModel({ meta: () => Promise.resolve(meta), columns: (s) => Promise.resolve(columns[s]) });
      return model.sets.map(({ x }) => [...x]);
    };
    const [[a0, a1], [b0, b1]] = await drawn('shared');
    near([a0, a1, b0, b1], [-1, -0.2, -0.6, 1]);
    expect(await drawn()).toEqual([[-1, 1], [-1, 1]]); // prettier-ignore
  });
});
