/** Where the keyboard's cursor goes among the nodes. */
import type { Camera } from '../plot/camera.js';
import type { Lighting } from './lighting.js';

/** The nearest node inside the quarter plane that opens towards (dx, dy); from nowhere, the one nearest to the middle. */
export function towards(
  set: { n: number; x: Float32Array; y: Float32Array },
  from: number,
  dx: number,
  dy: number,
  camera: Pick<Camera, 'x' | 'y'>,
): number {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < set.n; i++) {
    let cost: number;
    if (from < 0) cost = Math.hypot(set.x[i] - camera.x, set.y[i] - camera.y);
    else {
      const along = (set.x[i] - set.x[from]) * dx + (set.y[i] - set.y[from]) * dy;
      const across = Math.abs((set.x[i] - set.x[from]) * dy - (set.y[i] - set.y[from]) * dx);
      if (i === from || along <= 0 || across > along) continue;
      cost = along + 2 * across;
    }
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}

/** The next lit node in order of numbers, round and round; every node where nothing is lit. */
export function nextHit(lighting: Lighting, s: number, n: number, from: number, step: 1 | -1): number {
  for (let k = 1; k <= n; k++) {
    const i = ((((from < 0 && step < 0 ? 0 : from) + k * step) % n) + n) % n;
    if (!lighting.active[s] || lighting.share[s][i] > 0) return i;
  }
  return -1;
}
