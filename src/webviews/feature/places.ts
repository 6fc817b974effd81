/** Where a feature lies on maps: small pictures of all points with one lit. */
import type { FeatureColumns, FeatureSetMeta } from '../../protocol/feature.js';
import { el } from '../ui/dom.js';
import { css } from '../ui/color.js';
import { tokenColor } from '../ui/theme.js';

const SIZE = { width: 220, height: 150, pad: 8 };

interface Scale {
  x(v: number): number;
  y(v: number): number;
}

/** Both axes in one scale, centred. */
function scaleOf(xs: Float32Array, ys: Float32Array): Scale {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue;
    [left, right] = [Math.min(left, xs[i]), Math.max(right, xs[i])];
    [low, high] = [Math.min(low, ys[i]), Math.max(high, ys[i])];
  }
  const { width, height, pad } = SIZE;
  const scale = Math.min(
    (width - 2 * pad) / Math.max(1e-9, right - left),
    (height - 2 * pad) / Math.max(1e-9, high - low),
  );
  return {
    x: (v) => width / 2 + (v - (left + right) / 2) * scale,
    y: (v) => height / 2 - (v - (low + high) / 2) * scale,
  };
}

/** A picture of map k. */
export function placeOn(
  root: HTMLElement,
  { maps }: FeatureSetMeta,
  { x, y, firings }: FeatureColumns,
  k: number,
  feature: number,
  light: () => void,
): HTMLElement {
  const canvas = el('canvas', { class: 'place', role: 'img' });
  const ratio = Math.max(1, globalThis.devicePixelRatio);
  Object.assign(canvas, { width: SIZE.width * ratio, height: SIZE.height * ratio });
  Object.assign(canvas.style, { width: `${SIZE.width}px`, height: `${SIZE.height}px` });
  const [xs, ys] = [x[k], y[k]];
  const off = !Number.isFinite(xs[feature]) || !Number.isFinite(ys[feature]);
  canvas.setAttribute('aria-label', off ? 'The feature is not on this map' : `Feature ${feature} on ${maps[k].title}`);
  const context = canvas.getContext('2d');
  if (context) {
    const scale = scaleOf(xs, ys);
    context.scale(ratio, ratio);
    context.fillStyle = css(tokenColor(root, 'muted'), xs.length > 5000 ? 0.25 : 0.45);
    const side = xs.length > 5000 ? 1 : 2;
    for (let i = 0; i < xs.length; i++)
      if (firings[i] > 0) context.fillRect(scale.x(xs[i]), scale.y(ys[i]), side, side);
    if (!off) ring(context, scale.x(xs[feature]), scale.y(ys[feature]), css(tokenColor(root, 'hover')));
  }
  const note = off ? `${maps[k].layout}: not on this map` : maps[k].layout;
  if (off) return el('figure', {}, canvas, el('figcaption', {}, note));
  const label = `Show feature ${feature} on ${maps[k].title}`;
  const button = el('button', { class: 'lights', title: label, aria: { label }, on: { click: light } }, canvas);
  button.type = 'button';
  return el('figure', {}, button, el('figcaption', {}, note));
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, 3, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.arc(x, y, 8, 0, 2 * Math.PI);
  context.stroke();
}
