/** Nodes and edges with their colours and sizes, ready to draw: the same for WebGL, canvas and exported pictures. */
import { CATEGORIES, mix, type Rgb } from '../ui/color.js';
import type { Camera } from '../plot/camera.js';
import type { Palette } from '../plot/palette.js';
import { placeOn } from '../plot/scale.js';
import type { NodeColours } from './colour.js';
import type { Lighting } from './lighting.js';
import type { GraphModel, GraphSet } from './model.js';

export interface Scene {
  n: number;
  x: Float32Array;
  y: Float32Array;
  /** Pixels at zoom 1. */
  radius: Float32Array;
  colour: Rgb[];
  /** 0 dimmed, 1 plain, 2 lit. */
  level: Uint8Array;
  /** How strongly a lit node is lit, 0 to 1. */
  share: Float32Array;
  edges: Int32Array;
  /** Pixels; 0 = hidden. */
  edgeWidth: Float32Array;
  edgeColour: Rgb[];
  /** Colour of the rim around every node. */
  rim: Rgb;
}

/** Sizes grow with the root of the zoom: crowded parts open up, single nodes do not fill the window. */
export function magnify(camera: Camera): number {
  return Math.min(5, Math.max(0.7, camera.zoom ** 0.5));
}

const MIN_RADIUS = 2.6;
const MAX_RADIUS = 26;

/** Radius of every node: area in proportion to its members, all nodes together a sixth of the window. */
export function radii(set: GraphSet, most: number, width: number, height: number): Float32Array {
  const total = set.size.reduce((a, b) => a + b, 0) || 1;
  const room = 0.16 * Math.min(width, height) ** 2;
  const byRoom = Math.sqrt(room / (Math.PI * total));
  const byLargest = MAX_RADIUS / Math.sqrt(Math.max(1, most));
  const k = Math.min(byRoom, byLargest);
  return Float32Array.from(set.size, (n) => Math.min(MAX_RADIUS, Math.max(MIN_RADIUS, k * Math.sqrt(n))));
}

function plainColour(colours: NodeColours, palette: Palette, s: number, node: number): Rgb {
  const value = colours.values[s][node];
  if (Number.isNaN(value)) return mix(palette.muted, palette.ground, 0.45);
  if (colours.classes) return CATEGORIES[value % CATEGORIES.length];
  return palette.links[Math.round(255 * placeOn(colours, value))];
}

export interface SceneJob {
  model: GraphModel;
  colours: NodeColours;
  lighting: Lighting;
  palette: Palette;
  minWeight: number;
  /** Largest member count over all graphs, so that sizes compare. */
  most: number;
}

/** Graph `s` in a window of `width` × `height` CSS pixels. */
export function makeScene(job: SceneJob, s: number, width: number, height: number): Scene {
  const { lighting, palette } = job;
  const set = job.model.sets[s];
  const active = lighting.active[s];
  const share = lighting.share[s];
  const level = new Uint8Array(set.n).fill(1);
  const colour: Rgb[] = [];
  for (let i = 0; i < set.n; i++) {
    const own = plainColour(job.colours, palette, s, i);
    if (active) level[i] = share[i] > 0 ? 2 : 0;
    const strength = Math.sqrt(Math.min(1, share[i]));
    const faded = mix(mix(own, palette.muted, 0.55), palette.ground, 0.8);
    if (level[i] === 1) colour.push(own);
    else if (level[i] === 0) colour.push(faded);
    else colour.push(mix(faded, lighting.matched[s] ? palette.hit : own, 0.3 + 0.7 * strength));
  }
  return {
    n: set.n,
    x: set.x,
    y: set.y,
    radius: radii(set, job.most, width, height),
    colour,
    level,
    share,
    ...edgesOf(job, set, level, share),
    rim: palette.ground,
  };
}

function edgesOf(
  job: SceneJob,
  set: GraphSet,
  level: Uint8Array,
  share: Float32Array,
): Pick<Scene, 'edges' | 'edgeWidth' | 'edgeColour'> {
  const { palette, minWeight } = job;
  const { edges, weight } = set.columns;
  const heaviest = weight.reduce((a, b) => Math.max(a, b), 1);
  const edgeWidth = new Float32Array(weight.length);
  const edgeColour: Rgb[] = [];
  const plain = mix(palette.muted, palette.ground, 0.38);
  const faded = mix(palette.muted, palette.ground, 0.86);
  const strong = mix(palette.text, palette.ground, 0.2);
  for (let e = 0; e < weight.length; e++) {
    if (weight[e] >= minWeight) edgeWidth[e] = 0.8 + 4.2 * Math.sqrt(weight[e] / heaviest);
    const [a, b] = [edges[2 * e], edges[2 * e + 1]];
    if (level[a] === 2 && level[b] === 2) edgeColour.push(mix(faded, strong, Math.min(1, share[a], share[b])));
    else edgeColour.push(level[a] === 0 || level[b] === 0 ? faded : plain);
  }
  return { edges, edgeWidth, edgeColour };
}
