/** Coordinates of a drawing: the world of the camera is [-1, 1]. */

/** `reach`: half the width and height of the alive points, the larger 1. Scales by the alive points (all points where none is alive) so that one outlying dead cloud cannot shrink the map. */
export function normalised(
  x: Float32Array,
  y: Float32Array,
  dead: Uint8Array,
): { x: Float32Array; y: Float32Array; reach: readonly [number, number] } {
  const alive = extent(x, y, (i) => dead[i] === 0) ?? extent(x, y, () => true) ?? [0, 0, 0, 0];
  const [left, right, low, high] = alive;
  const half = Math.max(right - left, high - low) / 2 || 1;
  const cx = (left + right) / 2;
  const cy = (low + high) / 2;
  const reach = [(right - left) / 2 / half || 1, (high - low) / 2 / half || 1] as const;
  return { x: x.map((v) => (v - cx) / half), y: y.map((v) => (v - cy) / half), reach };
}

function extent(x: Float32Array, y: Float32Array, use: (i: number) => boolean): number[] | null {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < x.length; i++) {
    if (!use(i) || !Number.isFinite(x[i]) || !Number.isFinite(y[i])) continue;
    if (x[i] < left) left = x[i];
    if (x[i] > right) right = x[i];
    if (y[i] < low) low = y[i];
    if (y[i] > high) high = y[i];
  }
  return left <= right ? [left, right, low, high] : null;
}
