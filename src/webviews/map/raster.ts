/** Points rasterised into ImageData: the fallback where WebGL2 is missing, and faster than a software WebGL. */
import type { Rgb } from '../ui/color.js';
import { scaleOf } from '../plot/camera.js';
import { coverage, shapeDistance } from './shapes.js';
import { growth, type Batch, type Surface, type Viewport } from './surface.js';

/** Coverage and outline share of a mark, 0..255 each, on a square of `side` pixels. */
interface Stamp {
  side: number;
  alpha: Uint8Array;
  edge: Uint8Array;
}

export function createRasterSurface(canvas: HTMLCanvasElement): Surface {
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) throw new Error('This browser gives neither WebGL2 nor a 2D canvas, so the map cannot be drawn.');
  return new RasterSurface(canvas, context);
}

/** The mark drawn once at `diameter` device pixels. */
export function makeStamp(mark: number, diameter: number, ratio: number): Stamp {
  const side = Math.ceil(diameter) + 2;
  const alpha = new Uint8Array(side * side);
  const edge = new Uint8Array(side * side);
  for (let j = 0; j < side; j++)
    for (let i = 0; i < side; i++) {
      const d = shapeDistance(mark & 7, i + 0.5 - side / 2, j + 0.5 - side / 2, diameter / 2);
      const [a, e] = coverage(d / ratio, mark);
      alpha[j * side + i] = Math.round(255 * a);
      edge[j * side + i] = Math.round(255 * e);
    }
  return { side, alpha, edge };
}

class RasterSurface implements Surface {
  readonly kind = 'canvas2d';
  private readonly batches: Array<Batch | undefined> = [];
  private readonly stamps = new Map<number, Stamp>();
  private image: ImageData | null = null;
  private ratio = 1;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly context: CanvasRenderingContext2D,
  ) {}

  setBatch(set: number, batch: Batch): void {
    this.batches[set] = batch;
  }

  resize(width: number, height: number, ratio: number): void {
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    if (ratio !== this.ratio) this.stamps.clear();
    this.ratio = ratio;
    this.image = null;
  }

  draw(views: readonly Viewport[], ground: Rgb, outline: Rgb, share: number): void {
    this.image ??= this.context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = this.image.data;
    // Little-endian RGBA in one store per pixel. Transparent where there is no point: contours lie below.
    new Uint32Array(pixels.buffer).fill(((ground[2] << 16) | (ground[1] << 8) | ground[0]) >>> 0);
    views.forEach((view, i) => {
      const batch = this.batches[i];
      if (!batch || view.width <= 0 || view.height <= 0) return;
      this.drawRange(view, batch, 0, Math.ceil(batch.plain * share), outline);
      this.drawRange(view, batch, batch.plain, batch.n, outline);
    });
    this.context.putImageData(this.image, 0, 0);
  }

  private drawRange(view: Viewport, batch: Batch, from: number, to: number, outline: Rgb): void {
    const { ratio } = this;
    const scale = scaleOf(view.camera, view) * ratio;
    const size = 0.5 * ratio * growth(view.camera);
    const [left, top, right, bottom] = [view.left, view.top, view.left + view.width, view.top + view.height].map((v) =>
      Math.round(v * ratio),
    );
    const cx = (left + right) / 2;
    const cy = (top + bottom) / 2;
    for (let k = from; k < to; k++) {
      const px = cx + (batch.position[2 * k] - view.camera.x) * scale;
      const py = cy - (batch.position[2 * k + 1] - view.camera.y) * scale;
      const diameter = Math.max(1.5, Math.round(2 * size * batch.mark[2 * k]) / 2);
      if (!(px > left - diameter && px < right + diameter && py > top - diameter && py < bottom + diameter)) continue;
      const stamp = this.stamp(batch.mark[2 * k + 1], diameter);
      this.blend(stamp, Math.round(px - stamp.side / 2), Math.round(py - stamp.side / 2), batch.color, 4 * k, outline, {
        left,
        top,
        right,
        bottom,
      });
    }
  }

  private stamp(mark: number, diameter: number): Stamp {
    const key = mark * 4096 + diameter * 2;
    let stamp = this.stamps.get(key);
    if (!stamp) this.stamps.set(key, (stamp = makeStamp(mark, diameter, this.ratio)));
    return stamp;
  }

  private blend(
    stamp: Stamp,
    x0: number,
    y0: number,
    color: Uint8Array,
    c: number,
    outline: Rgb,
    clip: { left: number; top: number; right: number; bottom: number },
  ): void {
    const { width, data } = this.image as ImageData;
    const [r, g, b, a] = [color[c], color[c + 1], color[c + 2], color[c + 3]];
    const j1 = Math.min(stamp.side, clip.bottom - y0);
    const i1 = Math.min(stamp.side, clip.right - x0);
    for (let j = Math.max(0, clip.top - y0); j < j1; j++)
      for (let i = Math.max(0, clip.left - x0); i < i1; i++) {
        const s = j * stamp.side + i;
        const alpha = (stamp.alpha[s] * a) / 65025;
        if (alpha === 0) continue;
        const e = stamp.edge[s] / 255;
        const p = 4 * ((y0 + j) * width + x0 + i);
        data[p] += (r + (outline[0] - r) * e - data[p]) * alpha;
        data[p + 1] += (g + (outline[1] - g) * e - data[p + 1]) * alpha;
        data[p + 2] += (b + (outline[2] - b) * e - data[p + 2]) * alpha;
        data[p + 3] = Math.max(data[p + 3], Math.round(255 * Math.min(1, 4 * alpha)));
      }
  }

  dispose(): void {
    this.batches.length = 0;
    this.stamps.clear();
    this.image = null;
  }
}
