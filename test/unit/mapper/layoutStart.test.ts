import { describe, expect, it } from 'vitest';
import { Random } from '#kernel/compute/random.js';
import { layoutGraph } from '#kernel/mapper/layout.js';
import { pivotLayout } from '#kernel/mapper/layoutStart.js';

const cycle = (n: number): Array<[number, number]> => Array.from({ length: n }, (_, i) => [i, (i + 1) % n]);

/** Do the open segments a-b and c-d cross? */
function cross(at: (i: number) => [number, number], [a, b]: [number, number], [c, d]: [number, number]): boolean {
  if (new Set([a, b, c, d]).size < 4) return false;
  const side = (p: number, q: number, r: number): number => {
    const [[px, py], [qx, qy], [rx, ry]] = [at(p), at(q), at(r)];
    return Math.sign((qx - px) * (ry - py) - (qy - py) * (rx - px));
  };
  return side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b);
}

describe('where a layout of a graph starts', () => {
  it('places a path in a line whose order is the path', () => {
    const n = 30;
    const edges = Array.from({ length: n - 1 }, (_, i): [number, number] => [i, i + 1]);
    const at = pivotLayout(n, edges, 10, new Random(0));
    const x = Array.from({ length: n }, (_, i) => at[2 * i]);
    const signs = edges.map(([a, b]) => Math.sign(x[b] - x[a]));
    expect(new Set(signs).size).toBe(1);
  });

  it('opens a loop: its angles go round once', () => {
    const n = 24;
    const at = pivotLayout(n, cycle(n), 10, new Random(1));
    let turned = 0;
    for (let i = 0; i < n; i++) {
      const j = (i + 1) % n;
      const step = Math.atan2(at[2 * j + 1], at[2 * j]) - Math.atan2(at[2 * i + 1], at[2 * i]);
      turned += Math.atan2(Math.sin(step), Math.cos(step));
    }
    expect(Math.abs(turned)).toBeCloseTo(2 * Math.PI, 6);
  });
});

describe('layoutGraph', () => {
  const n = 20;
  const loop = {
    nodes: n,
    membersAt: Int32Array.from({ length: n + 1 }, (_, i) => 3 * i),
    edges: Int32Array.from(cycle(n).flatMap(([a, b]) => [Math.min(a, b), Math.max(a, b)])),
    weight: new Int32Array(n).fill(1),
    component: new Int32Array(n),
    components: 1,
  };

  it('draws a loop without crossing edges, nothing on top of each other, the same for the same seed', async () => {
    const { x, y } = await layoutGraph(loop, 3);
    const at = (i: number): [number, number] => [x[i], y[i]];
    const edges = cycle(n);
    const crossings = edges.flatMap((e, i) => edges.slice(i + 1).filter((f) => cross(at, e, f)));
    expect(crossings).toEqual([]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) expect(Math.hypot(x[i] - x[j], y[i] - y[j])).toBeGreaterThan(10);
    expect(await layoutGraph(loop, 3)).toEqual({ x, y });
  });
});
