/** The drawing area: one canvas of points for both maps, an overlay, and a focusable layer per map. */
import { minOf } from '../../protocol/lists.js';
import { el } from '../ui/dom.js';
import { HOME, scaleOf, type Box, type Camera } from '../plot/camera.js';
import { Glide } from '../plot/glide.js';
import { createGlSurface } from './gl.js';
import { drawOverlay, type OverlayScene } from './overlay.js';
import type { MapModel } from './model.js';
import type { Palette } from '../plot/palette.js';
import { createRasterSurface } from './raster.js';
import type { Batch, Surface, Viewport } from './surface.js';

const GAP = 6;
/** Height of what stands above each map: its name, title and counts. No point is drawn there. */
const HEADING = 24;
/** After this long without movement the full map is drawn. */
const SETTLE_MS = 140;

type SceneParts = Pick<OverlayScene, 'hover' | 'pins' | 'lasso' | 'selected' | 'mesh'>;

export interface StageHooks {
  resized(): void;
  moved(set: number): void;
}

type Painter = ((context: CanvasRenderingContext2D, ratio: number) => void) | null;

export interface Painters {
  below: Painter;
  above: Painter;
}

function paintOn(canvas: HTMLCanvasElement, paint: Painter, ratio: number): void {
  const context = canvas.getContext('2d');
  context?.setTransform(1, 0, 0, 1, 0, 0);
  context?.clearRect(0, 0, canvas.width, canvas.height);
  if (context) paint?.(context, ratio);
}

export class Stage {
  readonly element = el('div', { class: 'stage' });
  readonly layers: HTMLElement[];
  /** Above each layer. */
  readonly headings: HTMLElement[];
  readonly views: Viewport[];
  private surface!: Surface;
  /** Below the points. */
  private readonly ground = el('canvas', { class: 'ground', aria: { hidden: 'true' } });
  private readonly underlay = el('canvas', { class: 'underlay', aria: { hidden: 'true' } });
  private readonly overlay = el('canvas', { class: 'overlay', aria: { hidden: 'true' } });
  private painters: Painters = { below: null, above: null };
  private batches: Batch[] = [];
  private palette: Palette | null = null;
  private scene: SceneParts = { hover: null, pins: [], lasso: null, selected: [], mesh: [] };
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
    this.views = cameras.map((camera, s) => {
      return { left: 0, top: 0, width: 0, height: 0, camera, reach: model.sets[s].reach };
    });
    this.layers = model.sets.map((_, s) => el('div', { class: `layer set${s}`, tabIndex: 0, role: 'application' }));
    this.headings = model.sets.map(() => el('div', { class: 'heading' }));
    this.element.append(this.ground, this.underlay, this.overlay, ...this.headings, ...this.layers);
    this.makeSurface(canvas);
    this.observer.observe(this.element);
    addEventListener('resize', this.ratioChanged);
  }

  /** Those of maps that are shown. */
  get shown(): Viewport[] {
    return this.views.filter((_, s) => !this.layers[s].hidden);
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
    this.ground.after(canvas);
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

  /** What is drawn below the points, and between them and the rings, whenever the points are. */
  setPainters(painters: Painters): void {
    this.painters = painters;
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

  setScene(scene: Partial<SceneParts>): void {
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
    for (const canvas of [this.ground, this.underlay, this.overlay]) {
      canvas.width = Math.max(1, Math.round(this.width * ratio));
      canvas.height = Math.max(1, Math.round(this.height * ratio));
    }
    this.hooks.resized();
    this.redraw(true);
  }

  /** Side by side or stacked, whichever draws the maps larger. */
  private layout(): void {
    const shown = this.views.filter((_, i) => !this.layers[i].hidden);
    const beside = { width: (this.width - GAP) / 2, height: Math.max(0, this.height - HEADING) };
    const below = { width: this.width, height: Math.max(0, (this.height - GAP) / 2 - HEADING) };
    const sizeIn = (box: Box): number => minOf(shown.map(({ reach }) => scaleOf(HOME, { ...box, reach })));
    const stacked = shown.length > 1 && sizeIn(below) > sizeIn(beside);
    const alone = { width: this.width, height: beside.height };
    const box = shown.length === 1 ? alone : stacked ? below : beside;
    this.views.forEach((view, i) => {
      Object.assign(view, box, this.layers[i].hidden && { width: 0 });
      view.left = stacked ? 0 : i * (box.width + GAP);
      view.top = HEADING + (stacked ? i * (box.height + HEADING + GAP) : 0);
      const [layer, heading] = [this.layers[i].style, this.headings[i]];
      for (const side of ['left', 'top', 'width', 'height'] as const) layer[side] = `${view[side]}px`;
      heading.hidden = this.layers[i].hidden;
      Object.assign(heading.style, { left: layer.left, width: layer.width, top: `${view.top - HEADING}px` });
    });
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
      paintOn(this.ground, this.painters.below, this.ratio);
      paintOn(this.underlay, this.painters.above, this.ratio);
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
