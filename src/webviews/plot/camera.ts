/** Where a map is looked at from. Pure: screen = CSS pixels of the map's box, world = normalised coordinates, y up. */

export interface Camera {
  x: number;
  y: number;
  /** 1 shows the whole map. */
  zoom: number;
}

export interface Box {
  width: number;
  height: number;
  /** Half the width and height of what is drawn, in world units. Default [1, 1]. */
  reach?: readonly [x: number, y: number];
}

export const HOME: Camera = { x: 0, y: 0, zoom: 1 };
const MIN_ZOOM = 0.5;
const MAX_ZOOM = 2000;
/** Share of its box that the whole map fills, along the side that it meets first. */
const FILL = 0.9;

/** Pixels per world unit. */
export function scaleOf(camera: Camera, box: Box): number {
  const [rx, ry] = box.reach ?? [1, 1];
  return (camera.zoom * FILL * Math.max(1, Math.min(box.width / rx, box.height / ry))) / 2;
}

export function toScreen(camera: Camera, box: Box, x: number, y: number): [number, number] {
  const s = scaleOf(camera, box);
  return [box.width / 2 + (x - camera.x) * s, box.height / 2 - (y - camera.y) * s];
}

export function toWorld(camera: Camera, box: Box, sx: number, sy: number): [number, number] {
  const s = scaleOf(camera, box);
  return [camera.x + (sx - box.width / 2) / s, camera.y - (sy - box.height / 2) / s];
}

export function clampZoom(zoom: number): number {
  return Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));
}

function clamped(camera: Camera): Camera {
  const limit = (v: number) => Math.min(1.5, Math.max(-1.5, v));
  return { x: limit(camera.x), y: limit(camera.y), zoom: clampZoom(camera.zoom) };
}

/** Zooms by `factor`, keeping what is under the screen point where it is. */
export function zoomAt(camera: Camera, box: Box, sx: number, sy: number, factor: number): Camera {
  const zoom = clampZoom(camera.zoom * factor);
  const [wx, wy] = toWorld(camera, box, sx, sy);
  const k = camera.zoom / zoom;
  return clamped({ x: wx + (camera.x - wx) * k, y: wy + (camera.y - wy) * k, zoom });
}

export function panBy(camera: Camera, box: Box, dx: number, dy: number): Camera {
  const s = scaleOf(camera, box);
  return clamped({ x: camera.x - dx / s, y: camera.y + dy / s, zoom: camera.zoom });
}

export function blend(from: Camera, to: Camera, t: number): Camera {
  const zoom = from.zoom * (to.zoom / from.zoom) ** t;
  return { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t, zoom };
}

/** A polygon of the screen in world coordinates; both as x0, y0, x1, y1, … */
export function polygonToWorld(camera: Camera, box: Box, polygon: readonly number[]): number[] {
  const world: number[] = [];
  for (let i = 0; i < polygon.length; i += 2) {
    const [x, y] = toWorld(camera, box, polygon[i], polygon[i + 1]);
    world.push(x, y);
  }
  return world;
}

/** True when the point of a polygon's inside (even-odd) is (x, y); polygon as x0, y0, x1, y1, … */
export function inPolygon(polygon: readonly number[], x: number, y: number): boolean {
  let inside = false;
  const n = polygon.length / 2;
  for (let i = 0, j = n - 1; i < n; j = i++) {
    const yi = polygon[2 * i + 1];
    const yj = polygon[2 * j + 1];
    if (yi > y !== yj > y && x < ((polygon[2 * j] - polygon[2 * i]) * (y - yi)) / (yj - yi) + polygon[2 * i])
      inside = !inside;
  }
  return inside;
}
