/** The drawing area: one canvas of points for both maps, an overlay, and a focusable layer per map. */
import { el } from '../ui/dom.js';
import type { Camera } from '../plot/camera.js';
import { Glide } from '../plot/glide.js';
import { createGlSurface } from './gl.js';
import { drawOverlay, type OverlayScene } from './overlay.js';
import type { MapModel } from './model.js';
import type { Palette } from '../plot/palette.js';
import { createRasterSurface } from './raster.js';
import type { Batch, Surface, Viewport } from './surface.js';

const GAP = 8;
/** After this long without movement the full map is drawn. */
const SETTLE_MS = 140;

export interface StageHooks {
  resized(): void;
  moved(set: number): void;
}

export class Stage {
  readonly element = el('div', { class: 'stage' });
  readonly layers: HTMLElement[];
  readonly views: Viewport[];
  private surface!: Surface;
  private readonly underlay = el('canvas', { class: 'underlay', aria: { hidden: 'true' } });
  private readonly overlay = el('canvas', { class: 'overlay', aria: { hidden: 'true' } });
  private drawUnder: ((context: CanvasRenderingContext2D, ratio: number) => void) | null = null;
  private batches: Batch[] = [];
  private palette: Palette | null = null;
  private scene: Pick<OverlayScene, 'hover' | 'pins' | 'lasso'> = { hover: null, pins: [], lasso: null };
  private width = 0;
  private height = 0;
  private ratio = 1;
  private frame = 0;
  private pointsDirty = false;
  private moving = false;
  private frameMs = 0;
  private lastFrameAt = 0;
  private share = 1;
  private settle: ReturnType<typeof setTimeout> | undefined;
  private readonly gliding = new Glide();
  private readonly observer = new ResizeObserver(() => this.resize());
  private readonly ratioChanged = () => this.resize();

  constructor(
    private readonly model: MapModel,
    cameras: Camera[],
    private readonly hooks: StageHooks,
    canvas: 'auto' | '2d',
  ) {
    this.views = cameras.map((camera) => ({ left: 0, top: 0, width: 0, height: 0, camera }));
    this.layers = model.sets.map((_, s) => el('div', { class: `layer set${s}`, tabIndex: 0, role: 'application' }));
    this.element.append(this.underlay, this.overlay, ...this.layers);
    this.makeSurface(canvas);
    this.observer.observe(this.element);
    addEventListener('resize', this.ratioChanged);
  }

  get kind(): string {
    return this.surface.kind;
  }

  private makeSurface(wanted: 'auto' | '2d'): void {
    const fresh = () => el('canvas', { class: 'points', aria: { hidden: 'true' } });
    let canvas = fresh();
    const points = this.model.sets.reduce((sum, set) => sum + set.n, 0);
    const gl = wanted === 'auto' ? createGlSurface(canvas, points, () => this.contextLost()) : null;
    if (!gl) canvas = fresh();
    this.surface = gl ?? createRasterSurface(canvas);
    this.element.prepend(canvas);
    this.element.dataset.renderer = this.surface.kind;
  }

  /** A canvas that had a WebGL context gives no other: replace it and rasterise from now on. */
  private contextLost(): void {
    this.surface.canvas.remove();
    this.surface.dispose();
    this.makeSurface('2d');
    this.surface.resize(this.width, this.height, this.ratio);
    this.batches.forEach((batch, i) => this.surface.setBatch(i, batch));
    this.redraw();
  }

  setBatches(batches: Batch[]): void {
    this.batches = batches;
    batches.forEach((batch, i) => this.surface.setBatch(i, batch));
    this.redraw();
  }

  /** What is drawn between the points and the rings whenever the points are; null clears it. */
  setUnderlay(draw: ((context: CanvasRenderingContext2D, ratio: number) => void) | null): void {
    this.drawUnder = draw;
    this.redraw();
  }

  /** Shows the first map alone, or both. */
  setAlone(alone: boolean): void {
    if (this.layers[1]) this.layers[1].hidden = alone;
    this.layout();
    this.hooks.resized();
    this.redraw();
  }

  setPalette(palette: Palette): void {
    this.palette = palette;
    this.redraw();
  }

  setScene(scene: Partial<Pick<OverlayScene, 'hover' | 'pins' | 'lasso'>>): void {
    Object.assign(this.scene, scene);
    this.schedule();
  }

  setCamera(set: number, camera: Camera): void {
    this.gliding.stop();
    this.move(set, camera);
  }

  private move(set: number, camera: Camera): void {
    this.views[set].camera = camera;
    this.moving = true;
    this.redraw();
    this.hooks.moved(set);
    clearTimeout(this.settle);
    // Where frames are slow, the time between two of them must not count as a pause.
    this.settle = setTimeout(
      () => {
        this.moving = false;
        this.redraw();
      },
      Math.max(SETTLE_MS, 2 * this.frameMs),
    );
  }

  /** Glides to the cameras. */
  glide(targets: readonly Camera[]): void {
    const from = this.views.map((v) => v.camera);
    this.gliding.to(from, targets, (s, camera) => this.move(s, camera));
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.element;
    const ratio = Math.min(3, devicePixelRatio || 1);
    if (clientWidth === this.width && clientHeight === this.height && ratio === this.ratio) return;
    [this.width, this.height, this.ratio] = [clientWidth, clientHeight, ratio];
    this.layout();
    this.surface.resize(this.width, this.height, ratio);
    for (const canvas of [this.underlay, this.overlay]) {
      canvas.width = Math.max(1, Math.round(this.width * ratio));
      canvas.height = Math.max(1, Math.round(this.height * ratio));
    }
    this.hooks.resized();
    this.redraw(true);
  }

  /** Side by side, or stacked where that gives the maps more room. */
  private layout(): void {
    const n = this.layers.filter((layer) => !layer.hidden).length;
    const stacked = n > 1 && this.element.dataset.stacked === 'true';
    this.views.forEach((view, i) => {
      view.width = this.layers[i].hidden ? 0 : stacked || n === 1 ? this.width : (this.width - GAP) / 2;
      view.height = stacked ? (this.height - GAP) / 2 : this.height;
      view.left = stacked ? 0 : i * (view.width + GAP);
      view.top = stacked ? i * (view.height + GAP) : 0;
      const style = this.layers[i].style;
      for (const side of ['left', 'top', 'width', 'height'] as const) style[side] = `${view[side]}px`;
    });
  }

  setStacked(stacked: boolean): void {
    if (this.element.dataset.stacked === String(stacked)) return;
    this.element.dataset.stacked = String(stacked);
    this.layout();
    this.redraw();
  }

  private redraw(now = false): void {
    this.pointsDirty = true;
    if (now) {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.draw(performance.now());
    } else this.schedule();
  }

  private schedule(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  private draw(now: number): void {
    this.frame = 0;
    if (!this.palette || this.width === 0 || this.height === 0) return;
    if (this.pointsDirty) {
      const { moving } = this;
      if (moving) this.adapt(now - this.lastFrameAt);
      this.lastFrameAt = now;
      this.pointsDirty = false;
      this.surface.draw(this.views, this.palette.ground, this.palette.text, moving ? this.share : 1);
      this.drawUnderlay();
    }
    const context = this.overlay.getContext('2d');
    if (context)
      drawOverlay(context, {
        ...this.scene,
        model: this.model,
        views: this.views,
        palette: this.palette,
        ratio: this.ratio,
      });
  }

  private drawUnderlay(): void {
    const context = this.underlay.getContext('2d');
    context?.setTransform(1, 0, 0, 1, 0, 0);
    context?.clearRect(0, 0, this.underlay.width, this.underlay.height);
    if (context) this.drawUnder?.(context, this.ratio);
  }

  /** Fewer points while moving where frames take long, more where they do not. Pauses between gestures do not count. */
  private adapt(frameMs: number): void {
    if (frameMs > 600 || frameMs <= 0) return;
    this.frameMs = frameMs;
    if (frameMs > 34) this.share = Math.max(0.04, this.share * 0.6);
    else if (frameMs < 20) this.share = Math.min(1, this.share * 1.15);
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.gliding.stop();
    clearTimeout(this.settle);
    this.observer.disconnect();
    removeEventListener('resize', this.ratioChanged);
    this.surface.dispose();
    this.element.remove();
  }
}
