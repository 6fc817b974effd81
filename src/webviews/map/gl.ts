/** Point sprites in WebGL2: one context, one program, a scissored viewport per map. */
import type { Rgb } from '../ui/color.js';
import { scaleOf } from '../plot/camera.js';
import { HOLLOW, OUTLINE, SHAPE_GLSL } from './shapes.js';
import { growth, type Batch, type Surface, type Viewport } from './surface.js';

const VERTEX = `#version 300 es
layout(location = 0) in vec2 position;
layout(location = 1) in vec4 color;
layout(location = 2) in uvec2 mark;
uniform vec2 centre; uniform vec2 scale; uniform float size;
out vec4 fill; out float radius; flat out int shape;
void main() {
  float diameter = float(mark.x) * size;
  // At least one and a half device pixels, fainter instead of smaller below that.
  float shown = max(diameter, 1.5);
  gl_Position = vec4((position - centre) * scale, 0.0, 1.0);
  gl_PointSize = shown + 2.0;
  radius = shown * 0.5;
  fill = vec4(color.rgb, color.a * min(1.0, diameter * diameter / (shown * shown)));
  shape = int(mark.y);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 fill; in float radius; flat in int shape;
uniform vec3 outline; uniform float ratio;
out vec4 pixel;
${SHAPE_GLSL}
void main() {
  vec2 p = (gl_PointCoord - 0.5) * 2.0 * (radius + 1.0);
  float d = shapeDistance(shape & 7, p, radius);
  float rim = 1.6 * ratio;
  float edge = (shape & ${OUTLINE}) != 0 ? clamp(d + rim, 0.0, 1.0) : 0.0;
  if ((shape & ${HOLLOW}) != 0) d = abs(d + rim * 0.5) - rim * 0.5;
  float alpha = clamp(0.5 - d, 0.0, 1.0) * fill.a;
  if (alpha <= 0.0) discard;
  pixel = vec4(mix(fill.rgb, outline, edge) * alpha, alpha);
}`;

interface Uploaded {
  vao: WebGLVertexArrayObject;
  buffers: WebGLBuffer[];
  n: number;
  plain: number;
}

/** Above this many points a WebGL made of software is slower than the rasteriser: 230 against 30 ms at 200,000. */
const SOFTWARE_POINTS = 20_000;

/**
 * Null where WebGL2 is missing or refuses, or is emulated on the CPU and there are many points to draw.
 * `lost` is called once when the context goes away.
 */
export function createGlSurface(canvas: HTMLCanvasElement, points: number, lost: () => void): Surface | null {
  const gl = canvas.getContext('webgl2', { antialias: false, depth: false, stencil: false, alpha: true });
  if (!gl) return null;
  const program = points > SOFTWARE_POINTS && isSoftware(gl) ? null : build(gl);
  if (!program) {
    gl.getExtension('WEBGL_lose_context')?.loseContext();
    return null;
  }
  return new GlSurface(canvas, gl, program, lost);
}

function isSoftware(gl: WebGL2RenderingContext): boolean {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : '';
  return typeof name === 'string' && /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

function build(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [type, text] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) return null;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

class GlSurface implements Surface {
  readonly kind = 'webgl2';
  private readonly sets: Array<Uploaded | undefined> = [];
  private readonly at: (name: string) => WebGLUniformLocation | null;
  private height = 0;
  private ratio = 1;
  private disposed = false;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
    private readonly program: WebGLProgram,
    lost: () => void,
  ) {
    this.at = (name) => gl.getUniformLocation(program, name);
    canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault();
      if (!this.disposed) lost();
    });
  }

  setBatch(set: number, batch: Batch): void {
    const { gl } = this;
    this.release(set);
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    const buffers = [batch.position, batch.color, batch.mark].map((data, i) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(i);
      if (i === 0) gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
      else if (i === 1) gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, 0, 0);
      else gl.vertexAttribIPointer(2, 2, gl.UNSIGNED_BYTE, 0, 0);
      return buffer;
    });
    gl.bindVertexArray(null);
    this.sets[set] = { vao, buffers, n: batch.n, plain: batch.plain };
  }

  resize(width: number, height: number, ratio: number): void {
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.height = height;
    this.ratio = ratio;
  }

  draw(views: readonly Viewport[], _ground: Rgb, outline: Rgb, share: number): void {
    const { gl, ratio } = this;
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.SCISSOR_TEST);
    gl.uniform3f(this.at('outline'), outline[0] / 255, outline[1] / 255, outline[2] / 255);
    gl.uniform1f(this.at('ratio'), ratio);
    views.forEach((view, i) => {
      const set = this.sets[i];
      if (!set || view.width <= 0 || view.height <= 0) return;
      const box = [view.left, this.height - view.top - view.height, view.width, view.height].map((v) =>
        Math.round(v * ratio),
      ) as [number, number, number, number];
      gl.viewport(...box);
      gl.scissor(...box);
      const scale = scaleOf(view.camera, view);
      gl.uniform2f(this.at('centre'), view.camera.x, view.camera.y);
      gl.uniform2f(this.at('scale'), (2 * scale) / view.width, (2 * scale) / view.height);
      gl.uniform1f(this.at('size'), 0.5 * ratio * growth(view.camera));
      gl.bindVertexArray(set.vao);
      const plain = Math.ceil(set.plain * share);
      if (plain > 0) gl.drawArrays(gl.POINTS, 0, plain);
      if (set.n > set.plain) gl.drawArrays(gl.POINTS, set.plain, set.n - set.plain);
    });
    gl.bindVertexArray(null);
  }

  private release(set: number): void {
    const old = this.sets[set];
    if (!old) return;
    this.gl.deleteVertexArray(old.vao);
    for (const buffer of old.buffers) this.gl.deleteBuffer(buffer);
    this.sets[set] = undefined;
  }

  dispose(): void {
    this.disposed = true;
    this.sets.forEach((_, i) => this.release(i));
    this.gl.deleteProgram(this.program);
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
  }
}
