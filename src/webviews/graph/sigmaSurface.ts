/** Nodes and edges by sigma: a graphology graph with fixed positions, drawn by WebGL; camera and gestures are ours. */
import Graph from 'graphology';
import Sigma from 'sigma';
import { NodeCircleProgram } from 'sigma/rendering';
import type { Settings } from 'sigma/settings';
import { css, type Rgb } from '../ui/color.js';
import { el } from '../ui/dom.js';
import type { Box, Camera } from '../plot/camera.js';
import { magnify, type Scene } from './scene.js';
import type { GraphSurface } from './surface.js';

/** Share of the smaller side that the whole graph fills, as in plot/camera.ts. */
const FILL = 0.9;

const FRAGMENT = `
precision highp float;
varying vec4 v_color;
varying vec2 v_diffVector;
varying float v_radius;
uniform float u_correctionRatio;
uniform vec3 u_rim;
void main(void) {
  float pixel = u_correctionRatio * 2.0;
  float inside = v_radius - length(v_diffVector);
  float cover = clamp(inside / pixel, 0.0, 1.0);
  float fill = clamp((inside - 1.2 * pixel) / pixel + 0.5, 0.0, 1.0);
  #ifdef PICKING_MODE
  gl_FragColor = inside > 0.0 ? v_color : vec4(0.0);
  #else
  gl_FragColor = vec4(mix(u_rim, v_color.rgb, fill) * cover, cover);
  #endif
}`;

/** Discs with a rim in the colour that `rim` gives: overlapping nodes stay apart. */
function rimmedProgram(rim: () => Rgb) {
  return class extends NodeCircleProgram {
    override getDefinition() {
      const definition = super.getDefinition();
      return {
        ...definition,
        FRAGMENT_SHADER_SOURCE: FRAGMENT,
        // The type is a tuple of the program's own names.
        UNIFORMS: [...definition.UNIFORMS, 'u_rim'] as unknown as typeof definition.UNIFORMS,
      };
    }

    override setUniforms(...args: Parameters<NodeCircleProgram['setUniforms']>): void {
      super.setUniforms(...args);
      const { gl, uniformLocations } = args[1];
      const [r, g, b] = rim();
      gl.uniform3f((uniformLocations as Record<string, WebGLUniformLocation>).u_rim, r / 255, g / 255, b / 255);
    }
  };
}

let webGl: boolean | undefined;

export function hasWebGl(): boolean {
  if (webGl === undefined) {
    const context = document.createElement('canvas').getContext('webgl2');
    context?.getExtension('WEBGL_lose_context')?.loseContext();
    webGl = context !== null;
  }
  return webGl;
}

export interface SigmaHooks {
  /** The page has no WebGL context for this graph any more. */
  lost(): void;
  /** A picture was drawn. */
  drawn(): void;
}

/** The nodes and edges with their places; looks come from the scene at every refresh. */
function graphOf(scene: Scene): Graph {
  const graph = new Graph({ type: 'undirected', multi: true, allowSelfLoops: false });
  for (let i = 0; i < scene.n; i++) graph.addNode(String(i), { x: scene.x[i], y: scene.y[i] });
  for (let e = 0; e < scene.edgeWidth.length; e++)
    graph.addUndirectedEdgeWithKey(String(e), String(scene.edges[2 * e]), String(scene.edges[2 * e + 1]));
  return graph;
}

/** Settings that take nodes' and edges' looks from the scene. */
function settingsFor(scene: () => Scene): Partial<Settings> {
  return {
    nodeProgramClasses: { circle: rimmedProgram(() => scene().rim) },
    nodeReducer: (key) => {
      const s = scene();
      const i = Number(key);
      const zIndex = s.level[i] * 1e6 - s.radius[i];
      return { x: s.x[i], y: s.y[i], size: s.radius[i], color: css(s.colour[i]), zIndex };
    },
    edgeReducer: (key) => {
      const s = scene();
      const e = Number(key);
      return { size: s.edgeWidth[e], color: css(s.edgeColour[e]), hidden: s.edgeWidth[e] === 0 };
    },
    zIndex: true,
    renderLabels: false,
    enableCameraRotation: false,
    allowInvalidContainer: true,
    stagePadding: 0,
    minEdgeThickness: 0.7,
    zoomToSizeRatioFunction: (ratio) => 1 / magnify({ x: 0, y: 0, zoom: 1 / (FILL * ratio) }),
  };
}

export function createSigmaSurface(first: Scene, hooks: SigmaHooks): GraphSurface {
  const element = el('div', { class: 'surface', aria: { hidden: 'true' } });
  let scene = first;
  let sigma: Sigma | null = null;
  let disposed = false;

  const start = () => {
    sigma = new Sigma(
      graphOf(first),
      element,
      settingsFor(() => scene),
    );
    sigma.setCustomBBox({ x: [-1, 1], y: [-1, 1] });
    sigma.on('afterRender', () => hooks.drawn());
    for (const canvas of Object.values(sigma.getCanvases()))
      canvas.addEventListener('webglcontextlost', () => {
        if (!disposed) hooks.lost();
      });
  };

  return {
    kind: 'webgl',
    element,
    setScene: (next) => {
      scene = next;
      sigma?.refresh({ skipIndexation: false, schedule: true });
    },
    resize: (box: Box) => {
      if (box.width < 1 || box.height < 1) return;
      if (sigma) sigma.resize(true);
      else start();
    },
    draw: (camera: Camera) => {
      if (!sigma) return;
      sigma.getCamera().setState({
        x: 0.5 + camera.x / 2,
        y: 0.5 + camera.y / 2,
        ratio: 1 / (FILL * camera.zoom),
        angle: 0,
      });
      sigma.scheduleRender();
    },
    dispose: () => {
      disposed = true;
      sigma?.kill();
      element.remove();
    },
  };
}
