/** What draws nodes and edges: sigma (WebGL) where there is WebGL, else a 2D canvas. Both take the same scenes. */
import { css } from '../ui/color.js';
import { el } from '../ui/dom.js';
import { toScreen, type Box, type Camera } from '../plot/camera.js';
import { magnify, type Scene } from './scene.js';

export interface GraphSurface {
  readonly kind: 'webgl' | 'canvas2d';
  readonly element: HTMLElement;
  setScene(scene: Scene): void;
  resize(box: Box, ratio: number): void;
  draw(camera: Camera): void;
  dispose(): void;
}

/** Draws a scene onto any canvas, from its top left corner: the fallback, and the pictures that are exported. */
export function drawScene(c: CanvasRenderingContext2D, scene: Scene, camera: Camera, box: Box): void {
  const grow = magnify(camera);
  const spots = new Float32Array(2 * scene.n);
  for (let i = 0; i < scene.n; i++) spots.set(toScreen(camera, box, scene.x[i], scene.y[i]), 2 * i);
  c.lineCap = 'butt';
  for (let e = 0; e < scene.edgeWidth.length; e++) {
    if (scene.edgeWidth[e] === 0) continue;
    const [a, b] = [scene.edges[2 * e], scene.edges[2 * e + 1]];
    c.strokeStyle = css(scene.edgeColour[e]);
    c.lineWidth = scene.edgeWidth[e] * Math.sqrt(grow);
    c.beginPath();
    c.moveTo(spots[2 * a], spots[2 * a + 1]);
    c.lineTo(spots[2 * b], spots[2 * b + 1]);
    c.stroke();
  }
  for (const i of drawingOrder(scene)) {
    const r = scene.radius[i] * grow;
    const [x, y] = [spots[2 * i], spots[2 * i + 1]];
    if (x < -r || y < -r || x > box.width + r || y > box.height + r) continue;
    c.beginPath();
    c.arc(x, y, r, 0, 2 * Math.PI);
    c.fillStyle = css(scene.rim);
    c.fill();
    c.beginPath();
    c.arc(x, y, Math.max(1, r - 1.2), 0, 2 * Math.PI);
    c.fillStyle = css(scene.colour[i]);
    c.fill();
  }
}

/** Dimmed, then plain, then lit nodes; large ones first, so that small ones stay visible. */
export function drawingOrder(scene: Scene): number[] {
  return Array.from({ length: scene.n }, (_, i) => i).sort(
    (a, b) => scene.level[a] - scene.level[b] || scene.radius[b] - scene.radius[a] || a - b,
  );
}

/** `drawn` is called after each picture. */
export function createCanvasSurface(drawn: () => void): GraphSurface {
  const canvas = el('canvas', { class: 'points', aria: { hidden: 'true' } });
  const element = el('div', { class: 'surface' }, canvas);
  const context = canvas.getContext('2d');
  let scene: Scene | null = null;
  let box: Box = { width: 0, height: 0 };
  let ratio = 1;
  return {
    kind: 'canvas2d',
    element,
    setScene: (next) => {
      scene = next;
    },
    resize: (next, nextRatio) => {
      [box, ratio] = [next, nextRatio];
      canvas.width = Math.max(1, Math.round(box.width * ratio));
      canvas.height = Math.max(1, Math.round(box.height * ratio));
    },
    draw: (camera) => {
      if (!context || !scene) return;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, box.width, box.height);
      drawScene(context, scene, camera, box);
      drawn();
    },
    dispose: () => element.remove(),
  };
}
