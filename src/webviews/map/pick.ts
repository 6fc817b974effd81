/** Which point is under the pointer, which lie in a box or lasso: one kdbush per map over its visible points. */
import KDBush from 'kdbush';
import { inPolygon, type Camera } from '../plot/camera.js';
import { towards } from '../plot/moves.js';
import type { MapSet } from './model.js';

export class PickIndex {
  private readonly tree: KDBush;
  /** Point index of each item of the tree. */
  private readonly points: Uint32Array;
  private found = new Uint32Array(1024);

  constructor(
    private readonly set: MapSet,
    showDead: boolean,
  ) {
    const visible: number[] = [];
    for (let i = 0; i < set.n; i++)
      if ((showDead || !set.dead[i]) && Number.isFinite(set.x[i]) && Number.isFinite(set.y[i])) visible.push(i);
    this.points = Uint32Array.from(visible);
    this.tree = new KDBush(this.points.length, 64, Float32Array);
    for (const i of this.points) this.tree.add(set.x[i], set.y[i]);
    this.tree.finish();
    this.found = new Uint32Array(this.points.length);
  }

  get visible(): number {
    return this.points.length;
  }

  /** The nearest visible point within `radius` (world units), lit ones counting as three times nearer; -1 = none. */
  nearest(x: number, y: number, radius: number, lit?: Uint8Array): number {
    const count = this.tree.withinInto(x, y, radius, this.found);
    let best = -1;
    let bestDistance = Infinity;
    for (let k = 0; k < count; k++) {
      const i = this.points[this.found[k]];
      const near = (this.set.x[i] - x) ** 2 + (this.set.y[i] - y) ** 2;
      const distance = lit?.[i] ? near / 9 : near;
      if (distance < bestDistance) [best, bestDistance] = [i, distance];
    }
    return best;
  }

  /** Where the cursor goes from a point of the map, or from nowhere. */
  towards(from: number, dx: number, dy: number, camera: Camera): number {
    return towards(this.set, this.points, from, dx, dy, camera);
  }

  /** Visible points inside a polygon of world coordinates x0, y0, x1, y1, … */
  inside(polygon: readonly number[]): Uint32Array {
    const xs = polygon.filter((_, i) => i % 2 === 0);
    const ys = polygon.filter((_, i) => i % 2 === 1);
    if (xs.length < 3) return new Uint32Array(0);
    // Reduce, not spread: a long lasso has more points than a call has arguments.
    const least = (v: number[]) => v.reduce((a, b) => Math.min(a, b));
    const most = (v: number[]) => v.reduce((a, b) => Math.max(a, b));
    const candidates = this.tree.range(least(xs), least(ys), most(xs), most(ys));
    return Uint32Array.from(
      candidates.map((k) => this.points[k]).filter((i) => inPolygon(polygon, this.set.x[i], this.set.y[i])),
    ).sort();
  }
}
