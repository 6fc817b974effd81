/** Maps in three dimensions: the points are turned before the reader, who sees two of their axes as they stand then. */
import type { MapModel } from './model.js';

/** Coordinates about the middle of the alive points, the farthest of which is 1 away. */
export interface Space {
  x: Float32Array;
  y: Float32Array;
  z: Float32Array;
}

/** How the points are turned, in degrees: about the upright axis, then towards the reader. */
export interface Turn {
  yaw: number;
  pitch: number;
}

/** Degrees of a pixel of a drag. */
const DEGREES = 0.4;

/** The points of a layout with a third axis; undefined for others. */
export function spaceOf(
  axes: { x: Float32Array; y: Float32Array; z?: Float32Array },
  dead: Uint8Array,
): Space | undefined {
  const { x, y, z } = axes;
  if (!z) return undefined;
  const placed = (i: number): boolean => Number.isFinite(x[i]) && Number.isFinite(y[i]) && Number.isFinite(z[i]);
  const some = dead.some((d, i) => d === 0 && placed(i));
  const used = [...dead.keys()].filter((i) => placed(i) && (!some || dead[i] === 0));
  const middle = [x, y, z].map((v) => {
    let [low, high] = [Infinity, -Infinity];
    for (const i of used) [low, high] = [Math.min(low, v[i]), Math.max(high, v[i])];
    return used.length > 0 ? (low + high) / 2 : 0;
  });
  let far = 0;
  for (const i of used) far = Math.max(far, Math.hypot(x[i] - middle[0], y[i] - middle[1], z[i] - middle[2]));
  const about = (v: Float32Array, c: number) => v.map((at) => (at - middle[c]) / (far || 1));
  return { x: about(x, 0), y: about(y, 1), z: about(z, 2) };
}

/** Whether any map has a third axis. */
export const inSpace = ({ sets }: MapModel): boolean => sets.some(({ space }) => space !== undefined);

/** Turns the points of all maps that have a third axis; says whether there are any. */
export function turnTo(model: MapModel, { yaw, pitch }: Turn): boolean {
  const [a, b] = [(yaw * Math.PI) / 180, (pitch * Math.PI) / 180];
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  for (const { space, x, y, n } of model.sets) {
    if (!space) continue;
    for (let i = 0; i < n; i++) {
      const depth = ca * space.z[i] - sa * space.x[i];
      x[i] = ca * space.x[i] + sa * space.z[i];
      y[i] = cb * space.y[i] - sb * depth;
    }
  }
  return inSpace(model);
}

/** The turn after a drag of so many pixels: a point before the middle follows the pointer. */
export function dragged({ yaw, pitch }: Turn, dx: number, dy: number): Turn {
  const around = yaw + DEGREES * dx;
  return {
    yaw: around - 360 * Math.floor((around + 180) / 360),
    pitch: Math.max(-90, Math.min(90, pitch + DEGREES * dy)),
  };
}
