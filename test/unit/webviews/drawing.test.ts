import { describe, expect, test } from 'vitest';
import { blend, HOME, inPolygon, panBy, toScreen, toWorld, zoomAt } from '#webviews/plot/camera.js';
import { makeStamp } from '#webviews/map/raster.js';
import { groupStyle, HOLLOW, shapeDistance, SHAPES } from '#webviews/map/shapes.js';
import { placeTooltip } from '#webviews/plot/tooltip.js';
import { luminance, ramp } from '#webviews/ui/color.js';
import { correlation, duration, labelLine, number, percent, visibleToken } from '#webviews/ui/format.js';

const box = { width: 400, height: 300 };

describe('the camera of a view', () => {
  test('screen and world are inverse', () => {
    const camera = { x: 0.3, y: -0.2, zoom: 7 };
    const [sx, sy] = toScreen(camera, box, 0.41, -0.11);
    const [x, y] = toWorld(camera, box, sx, sy);
    expect(x).toBeCloseTo(0.41, 12);
    expect(y).toBeCloseTo(-0.11, 12);
  });
  test('zoom keeps what is under the pointer; pan moves by pixels', () => {
    const camera = { x: 0.1, y: 0.2, zoom: 2 };
    const before = toWorld(camera, box, 123, 45);
    const after = toWorld(zoomAt(camera, box, 123, 45, 3), box, 123, 45);
    expect(after[0]).toBeCloseTo(before[0], 10);
    expect(after[1]).toBeCloseTo(before[1], 10);
    const [sx, sy] = toScreen(panBy(camera, box, 10, -20), box, ...before);
    expect(sx).toBeCloseTo(133, 8);
    expect(sy).toBeCloseTo(25, 8);
  });
  test('home shows all of [-1, 1] with y up; blending ends where it should', () => {
    const [left, top] = toScreen(HOME, box, -1, 1);
    expect(left).toBeGreaterThan(0);
    expect(top).toBeCloseTo(15, 8);
    const to = { x: 1, y: 1, zoom: 16 };
    expect(blend(HOME, to, 1)).toEqual(to);
    expect(blend(HOME, to, 0.5).zoom).toBeCloseTo(4, 12);
  });
  test('a polygon that folds inwards leaves its notch outside', () => {
    const notch = [0, 0, 4, 0, 4, 4, 2, 1, 0, 4];
    expect(inPolygon(notch, 2, 0.5)).toBe(true);
    expect(inPolygon(notch, 2, 2)).toBe(false);
    expect(inPolygon(notch, 0.5, 2)).toBe(true);
  });
});

describe('marks of a view', () => {
  test('every shape covers its middle and not its corners; all differ', () => {
    const seen = SHAPES.map((_, s) => [...makeStamp(s, 12, 1).alpha].join());
    expect(new Set(seen).size).toBe(SHAPES.length);
    SHAPES.forEach((_, s) => {
      expect(shapeDistance(s, 0, 0, 6)).toBeLessThan(0);
      expect(shapeDistance(s, 6.1, 6.1, 6)).toBeGreaterThan(0);
    });
  });
  test('a disc covers its area, a hollow one leaves the middle free', () => {
    const disc = makeStamp(0, 20, 1);
    const area = disc.alpha.reduce((a, b) => a + b, 0) / 255;
    expect(Math.abs(area - Math.PI * 100)).toBeLessThan(2);
    const hollow = makeStamp(HOLLOW, 20, 1);
    expect(hollow.alpha[11 * 22 + 11]).toBe(0);
    expect(Math.max(...hollow.alpha)).toBeGreaterThan(200);
  });
  test('the first 40 keyword groups look different', () => {
    const looks = Array.from({ length: 40 }, (_, g) => JSON.stringify(groupStyle(g)));
    expect(new Set(looks).size).toBe(40);
  });
  test('strong values stand out from both grounds, step by step', () => {
    for (const name of ['viridis', 'cividis'] as const) {
      const dark = ramp(name, true).map(luminance);
      const light = ramp(name, false).map(luminance);
      expect(dark[255]).toBeGreaterThan(dark[0] + 0.3);
      expect(light[255]).toBeLessThan(light[0] - 0.3);
      for (let i = 8; i < 256; i += 8) expect(dark[i]).toBeGreaterThan(dark[i - 8]);
    }
  });
});

describe('tooltip placement', () => {
  const size = { width: 300, height: 200 };
  const window = { left: 0, top: 0, width: 1000, height: 700 };
  test('never leaves the window, wherever the point is', () => {
    for (let x = 0; x <= 1000; x += 50)
      for (let y = 0; y <= 700; y += 50) {
        const p = placeTooltip({ x, y }, { x: 1000 - x, y: 700 - y }, size, window);
        expect(p.x).toBeGreaterThanOrEqual(0);
        expect(p.y).toBeGreaterThanOrEqual(0);
        expect(p.x + size.width).toBeLessThanOrEqual(1000);
        expect(p.y + size.height).toBeLessThanOrEqual(700);
      }
  });
  test('covers neither the point nor, where there is room, its partner', () => {
    const at = { x: 300, y: 300 };
    const partner = { x: 450, y: 400 };
    const p = placeTooltip(at, partner, size, window);
    const covers = (s: { x: number; y: number }) => s.x > p.x && s.x < p.x + 300 && s.y > p.y && s.y < p.y + 200;
    expect(covers(at)).toBe(false);
    expect(covers(partner)).toBe(false);
  });
  test('of two maps one over the other, a large card goes to where both points are seen', () => {
    const narrow = { left: 0, top: 0, width: 650, height: 900 };
    const card = { width: 500, height: 390 };
    for (let x = 20; x <= 630; x += 61)
      for (let y = 80; y <= 290; y += 42) {
        const [at, partner] = [
          { x, y },
          { x: 650 - x, y: y + 200 },
        ];
        const p = placeTooltip(at, partner, card, narrow);
        const covers = (s: { x: number; y: number }) =>
          s.x > p.x && s.x < p.x + card.width && s.y > p.y && s.y < p.y + card.height;
        expect([x, y, covers(at), covers(partner)]).toEqual([x, y, false, false]);
      }
  });
  test('stays in a frame that is a part of the window', () => {
    const frame = { left: 40, top: 250, width: 600, height: 260 };
    for (let x = 40; x <= 640; x += 30)
      for (let y = 250; y <= 510; y += 20) {
        const p = placeTooltip({ x, y }, null, size, frame);
        expect([p.x >= 40, p.y >= 250, p.x + 300 <= 640, p.y + 200 <= 510]).toEqual([true, true, true, true]);
      }
  });
  test('a card larger than the window starts at its corner', () => {
    expect(placeTooltip({ x: 50, y: 50 }, null, { width: 2000, height: 2000 }, window)).toEqual({ x: 8, y: 8 });
  });
});

describe('numbers and tokens as read', () => {
  test.each([
    [0.7312345, '0.7312'],
    [12345678, '12,345,678'],
    [-0.00001234, '−1.234e-5'],
    [0, '0'],
    [NaN, '–'],
    [null, '–'],
    [-Infinity, '−∞'],
  ])('%s is %s', (value, text) => expect(number(value)).toBe(text));
  test('shares, correlations, times and tokens are written alike', () => {
    expect([0, 0.0031, 0.5, 1, 1e-7].map(percent)).toEqual(['0 %', '0.31 %', '50 %', '100 %', '<0.001 %']);
    expect([0.934, -0.2, NaN].map(correlation)).toEqual(['0.93', '−0.20', '–']);
    expect([320, 4200, 185_000, 7_260_000].map(duration)).toEqual(['320 ms', '4.2 s', '3 min 05 s', '2 h 01 min']);
    expect(visibleToken('\n\t')).toBe('↵⇥');
    expect(labelLine([' king', 'king', '\n', ' ', '.', ' .', ''])).toBe('king, ↵, ␣, “.”, (empty)');
  });
});
