/** What draws points: WebGL2 where there is one, else a rasteriser on a 2D canvas. Both take the same batches. */
import type { Rgb } from '../ui/color.js';
import type { Box, Camera } from '../plot/camera.js';

/** Points of one map in drawing order; the first `plain` may be thinned while moving. */
export interface Batch {
  n: number;
  plain: number;
  /** x, y interleaved, world coordinates. */
  position: Float32Array;
  /** RGBA, not premultiplied. */
  color: Uint8Array;
  /** Diameter in half CSS pixels at zoom 1, then mark byte (shapes.ts); interleaved. */
  mark: Uint8Array;
}

/** One map on the canvas, in CSS pixels from the top left. */
export interface Viewport extends Box {
  left: number;
  top: number;
  camera: Camera;
}

export interface Surface {
  readonly kind: 'webgl2' | 'canvas2d';
  readonly canvas: HTMLCanvasElement;
  setBatch(set: number, batch: Batch): void;
  resize(width: number, height: number, ratio: number): void;
  /** `share` of the plain points is drawn (1 = all). */
  draw(views: readonly Viewport[], ground: Rgb, outline: Rgb, share: number): void;
  dispose(): void;
}

/** Points grow slowly with zoom, so that clusters open up instead of merging. */
export function growth(camera: Camera): number {
  return Math.min(3, Math.max(0.8, camera.zoom ** 0.28));
}
