/** Where the points of a map of before and after begin and end. */
import type { MapColumns } from '../../protocol/map.js';

/** Where the points of a set come from and go to, in the coordinates of the view. */
export interface Ends {
  from: { x: Float32Array; y: Float32Array };
  to: { x: Float32Array; y: Float32Array };
  /** Δ of each point in the space that was laid out. */
  delta: Float32Array;
}

/**
 * Both ends of every set in one frame, since all lie in one embedding: the finite ends of all points fill [-1, 1].
 * @throws Error when a set lacks the columns.
 */
export function placeEnds(sets: ReadonlyArray<{ name: string; columns: MapColumns }>): Ends[] {
  const columns = sets.map(({ columns: c, name }) => {
    if (c.x2 && c.y2 && c.delta) return { x: c.x, y: c.y, x2: c.x2, y2: c.y2, delta: c.delta };
    throw new Error(`map set ${name} has no columns x2, y2 and delta; make the map again`);
  });
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const c of columns)
    for (const [xs, ys] of [
      [c.x, c.y],
      [c.x2, c.y2],
    ])
      for (let i = 0; i < xs.length; i++) {
        if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue;
        [left, right] = [Math.min(left, xs[i]), Math.max(right, xs[i])];
        [low, high] = [Math.min(low, ys[i]), Math.max(high, ys[i])];
      }
  const half = Math.max(right - left, high - low) / 2 || 1;
  const place = (x: Float32Array, y: Float32Array) => ({
    x: x.map((v) => (v - (left + right) / 2) / half),
    y: y.map((v) => (v - (low + high) / 2) / half),
  });
  return columns.map((c) => ({ from: place(c.x, c.y), to: place(c.x2, c.y2), delta: c.delta }));
}

/** Largest Δ of any set, for one colour scale on both. */
export function largestDelta(sets: ReadonlyArray<{ ends?: Ends }>): number {
  let most = 0;
  for (const { ends } of sets) for (const v of ends?.delta ?? []) if (v > most) most = v;
  return most;
}
