/** One graph on the screen: nodes and edges, the marks above them, and the focusable layer that takes gestures. */
import { el } from '../ui/dom.js';
import { Glide } from '../plot/glide.js';
import { scaleOf, toScreen, type Box, type Camera } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { drawMarks, type Marks } from './overlay.js';
import { magnify, type Scene } from './scene.js';
import { createSigmaSurface, hasWebGl } from './sigmaSurface.js';
import { createCanvasSurface, type GraphSurface } from './surface.js';

export interface PlotHooks {
  /** The size changed: a new scene is wanted. */
  resized(): void;
  moved(): void;
}

export class Plot {
  readonly layer = el('div', { class: 'layer', tabIndex: 0, role: 'application' });
  /** Holds the caption above, the view, the notes below. */
  readonly element = el('div', { class: 'plot' });
  private readonly view = el('div', { class: 'view' });
  readonly box: Box = { width: 0, height: 0 };
  private readonly overlay = el('canvas', { class: 'overlay', aria: { hidden: 'true' } });
  private surface: GraphSurface | null = null;
  private scene: Scene | null = null;
  private marks: Marks;
  private palette: Palette | null = null;
  private ratio = 1;
  private frame = 0;
  private readonly gliding = new Glide();
  private visible = true;
  private readonly observer = new ResizeObserver(() => this.resize());
  /** WebGL contexts are few in a page: an output that is scrolled away gives its own back. */
  private readonly sight = new IntersectionObserver((entries) => this.seen(entries.at(-1)?.isIntersecting ?? true));

  constructor(
    public camera: Camera,
    private canvas: 'auto' | '2d',
    private readonly hooks: PlotHooks,
  ) {
    this.marks = { hover: -1, pins: [], picked: new Set(), lasso: null, label: () => '', matched: false };
    this.view.append(this.overlay, this.layer);
    this.element.append(this.view);
    this.observer.observe(this.view);
    this.sight.observe(this.element);
  }

  setScene(scene: Scene, palette: Palette): void {
    this.scene = scene;
    this.palette = palette;
    if (!this.surface) this.makeSurface();
    this.surface?.setScene(scene);
    this.redraw();
  }

  setMarks(marks: Partial<Marks>): void {
    Object.assign(this.marks, marks);
    this.drawOverlay();
  }

  /** What a picture of it draws. */
  get marksOnPaper(): Marks {
    return { ...this.marks, hover: -1, lasso: null };
  }

  private makeSurface(): void {
    if (!this.scene || !this.visible) return;
    const drawn = () => this.drawOverlay();
    this.surface =
      this.canvas === 'auto' && hasWebGl()
        ? createSigmaSurface(this.scene, { lost: () => this.fallBack(), drawn })
        : createCanvasSurface(drawn);
    this.view.prepend(this.surface.element);
    this.element.dataset.renderer = this.surface.kind;
    this.surface.resize(this.box, this.ratio);
    this.surface.setScene(this.scene);
  }

  /** Without a context the canvas draws the same from now on. */
  private fallBack(): void {
    this.surface?.dispose();
    this.surface = null;
    this.canvas = '2d';
    this.makeSurface();
    this.redraw();
  }

  private seen(visible: boolean): void {
    if (visible === this.visible) return;
    this.visible = visible;
    if (visible) {
      this.makeSurface();
      this.redraw();
    } else {
      this.surface?.dispose();
      this.surface = null;
    }
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.view;
    const ratio = Math.min(3, devicePixelRatio || 1);
    if (width === this.box.width && height === this.box.height && ratio === this.ratio) return;
    Object.assign(this.box, { width, height });
    this.ratio = ratio;
    this.overlay.width = Math.max(1, Math.round(width * ratio));
    this.overlay.height = Math.max(1, Math.round(height * ratio));
    this.hooks.resized();
    this.surface?.resize(this.box, ratio);
    this.redraw();
  }

  setCamera(camera: Camera): void {
    this.gliding.stop();
    this.move(camera);
  }

  private move(camera: Camera): void {
    this.camera = camera;
    this.redraw();
    this.hooks.moved();
  }

  glide(target: Camera): void {
    this.gliding.to([this.camera], [target], (_, camera) => this.move(camera));
  }

  private redraw(): void {
    if (this.frame === 0)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        if (this.box.width > 0) this.surface?.draw(this.camera);
      });
  }

  private drawOverlay(): void {
    const context = this.overlay.getContext('2d');
    const { scene, palette, marks, camera, box, ratio } = this;
    if (!context || !scene || !palette) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, box.width, box.height);
    drawMarks(context, { scene, marks, camera, box, palette });
  }

  /** The node under a point of the layer: the one whose disc holds it or is nearest within 8 px; -1 = none. */
  nodeAt(x: number, y: number): number {
    if (!this.scene) return -1;
    const { n, radius, level } = this.scene;
    const grow = magnify(this.camera);
    let best = -1;
    let least = 8;
    for (let i = 0; i < n; i++) {
      const [sx, sy] = this.at(i);
      const gap = Math.hypot(sx - x, sy - y) - radius[i] * grow;
      // Of overlapping discs the one that lies on top: lit before plain, small before large.
      const rank = gap <= 0 ? radius[i] * 1e-3 - 100 - 10 * level[i] : gap;
      if (rank < least) [best, least] = [i, rank];
    }
    return best;
  }

  /** Where a node is on the layer. */
  at(node: number): [number, number] {
    const { scene } = this;
    return scene ? toScreen(this.camera, this.box, scene.x[node], scene.y[node]) : [0, 0];
  }

  /** A camera that shows all of these nodes. */
  around(nodes: readonly number[]): Camera {
    const { scene } = this;
    if (!scene || nodes.length === 0) return this.camera;
    const [xs, ys] = [nodes.map((i) => scene.x[i]), nodes.map((i) => scene.y[i])];
    const ends = (v: number[]) => [v.reduce((a, b) => Math.min(a, b)), v.reduce((a, b) => Math.max(a, b))];
    const [[left, right], [low, high]] = [ends(xs), ends(ys)];
    const home = scaleOf({ x: 0, y: 0, zoom: 1 }, this.box);
    const fits = Math.min(
      (this.box.width * 0.7) / Math.max(1e-6, (right - left) * home),
      (this.box.height * 0.7) / Math.max(1e-6, (high - low) * home),
    );
    return {
      x: (left + right) / 2,
      y: (low + high) / 2,
      zoom: Math.min(nodes.length === 1 ? 4 : 8, Math.max(1, fits)),
    };
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.gliding.stop();
    this.observer.disconnect();
    this.sight.disconnect();
    this.surface?.dispose();
    this.surface = null;
  }
}
