/** Where the keyboard's cursor goes among the points of a drawing. */
import type { Camera } from './camera.js';

export interface Places {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
}

/** The nearest of `points` inside the quarter plane that opens towards (dx, dy); from nowhere (-1), the one nearest to the middle. */
export function towards(
  { x, y }: Places,
  points: Iterable<number>,
  from: number,
  dx: number,
  dy: number,
  camera: Pick<Camera, 'x' | 'y'>,
): number {
  let best = -1;
  let least = Infinity;
  for (const i of points) {
    let cost: number;
    if (from < 0) cost = Math.hypot(x[i] - camera.x, y[i] - camera.y);
    else {
      const along = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy;
      const across = Math.abs((x[i] - x[from]) * dy - (y[i] - y[from]) * dx);
      if (i === from || along <= 0 || across > along) continue;
      cost = along + 2 * across;
    }
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}

/** The next of n points that passes, in order of numbers, round and round; -1 = none. */
export function nextOf(n: number, from: number, step: 1 | -1, passes: (i: number) => boolean): number {
  for (let k = 1; k <= n; k++) {
    const i = ((((from < 0 && step < 0 ? 0 : from) + k * step) % n) + n) % n;
    if (passes(i)) return i;
  }
  return -1;
}
