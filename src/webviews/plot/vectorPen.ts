/**
 * Records canvas calls as SVG text, so that the same drawing code gives pixels and vectors. It has the part of
 * CanvasRenderingContext2D that the views use; another call is an error, not a gap in the picture.
 */
import { escapeHtml } from '../../protocol/webview.js';

type Matrix = [a: number, b: number, c: number, d: number, e: number, f: number];

interface Style {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  globalAlpha: number;
  font: string;
  textAlign: string;
  textBaseline: string;
  lineCap: string;
  lineJoin: string;
  matrix: Matrix;
  dash: readonly number[];
  /** Clips that are open: elements to close. */
  clips: number;
}

const FRESH: Style = {
  ...{ fillStyle: '#000000', strokeStyle: '#000000', lineWidth: 1, globalAlpha: 1, font: '10px sans-serif' },
  ...{ textAlign: 'start', textBaseline: 'alphabetic', lineCap: 'butt', lineJoin: 'miter' },
  ...{ matrix: [1, 0, 0, 1, 0, 0], dash: [], clips: 0 },
};

const short = (value: number): string => String(Math.round(value * 100) / 100);

/** "rgba(1, 2, 3, 0.5)" as a colour and an opacity, which every reader of SVG knows. */
function paint(name: 'fill' | 'stroke', colour: string, alpha: number): string {
  const parts = /^rgba?\((\d+), (\d+), (\d+)(?:, ([\d.e-]+))?\)$/.exec(colour);
  const opacity = alpha * Number(parts?.[4] ?? 1);
  const hex = parts ? `#${[1, 2, 3].map((i) => Number(parts[i]).toString(16).padStart(2, '0')).join('')}` : colour;
  return `${name}="${escapeHtml(hex)}"${opacity < 1 ? ` ${name}-opacity="${Math.round(opacity * 1000) / 1000}"` : ''}`;
}

/** Mean widths of characters of a sans-serif face, in shares of its size. */
function widthOf(text: string, size: number): number {
  let sum = 0;
  for (const c of text)
    sum += /[ilj.,:;'|! ]/.test(c) ? 0.31 : /[mwMW@%]/.test(c) ? 0.92 : /[A-Z0-9#~=+<>]/.test(c) ? 0.65 : 0.58;
  return sum * size;
}

class VectorPen implements Style {
  fillStyle = FRESH.fillStyle;
  strokeStyle = FRESH.strokeStyle;
  lineWidth = FRESH.lineWidth;
  globalAlpha = FRESH.globalAlpha;
  font = FRESH.font;
  textAlign = FRESH.textAlign;
  textBaseline = FRESH.textBaseline;
  lineCap = FRESH.lineCap;
  lineJoin = FRESH.lineJoin;
  matrix: Matrix = [...FRESH.matrix];
  dash: readonly number[] = [];
  clips = 0;
  private readonly parts: string[] = [];
  private group = '';
  private path: string[] = [];
  private circle: [x: number, y: number, r: number] | null = null;
  private readonly saved: Style[] = [];
  private clipCount = 0;

  /** @param names what ids begin with: several pictures may stand in one page. */
  constructor(private readonly names: string) {}

  save(): void {
    const { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline, lineCap, lineJoin } = this;
    const own = { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline, lineCap, lineJoin };
    this.saved.push({ ...own, matrix: [...this.matrix], dash: this.dash, clips: this.clips });
  }

  restore(): void {
    const before = this.saved.pop();
    if (!before) return;
    for (let open = this.clips; open > before.clips; open--) this.element('</g>');
    Object.assign(this, before);
  }

  setTransform(...matrix: Matrix): void {
    this.matrix = matrix;
  }

  translate(x: number, y: number): void {
    const [a, b, c, d, e, f] = this.matrix;
    this.matrix = [a, b, c, d, a * x + c * y + e, b * x + d * y + f];
  }

  scale(x: number, y: number): void {
    const [a, b, c, d, e, f] = this.matrix;
    this.matrix = [a * x, b * x, c * y, d * y, e, f];
  }

  rotate(angle: number): void {
    const [a, b, c, d, e, f] = this.matrix;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    this.matrix = [a * cos + c * sin, b * cos + d * sin, c * cos - a * sin, d * cos - b * sin, e, f];
  }

  private at(x: number, y: number): string {
    const [a, b, c, d, e, f] = this.matrix;
    return `${short(a * x + c * y + e)} ${short(b * x + d * y + f)}`;
  }

  private get size(): number {
    const [a, b] = this.matrix;
    return Math.hypot(a, b);
  }

  beginPath(): void {
    this.path = [];
    this.circle = null;
  }

  moveTo(x: number, y: number): void {
    this.path.push(`M${this.at(x, y)}`);
  }

  lineTo(x: number, y: number): void {
    this.path.push(`${this.path.length === 0 ? 'M' : 'L'}${this.at(x, y)}`);
  }

  quadraticCurveTo(cx: number, cy: number, x: number, y: number): void {
    this.path.push(`Q${this.at(cx, cy)} ${this.at(x, y)}`);
  }

  closePath(): void {
    this.path.push('Z');
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.path.push(
      `M${this.at(x, y)}L${this.at(x + width, y)}L${this.at(x + width, y + height)}L${this.at(x, y + height)}Z`,
    );
  }

  roundRect(x: number, y: number, width: number, height: number): void {
    this.rect(x, y, width, height);
  }

  /** Whole circles: the views draw no other arcs. */
  arc(x: number, y: number, r: number, from: number, to: number): void {
    if (Math.abs(to - from) < 2 * Math.PI - 1e-6) throw new Error('a picture holds an arc that is no circle');
    const [a, b, c, d, e, f] = this.matrix;
    if (this.path.length === 0 && !this.circle) this.circle = [a * x + c * y + e, b * x + d * y + f, r * this.size];
    else this.circle = null;
    const edge = short(r * this.size);
    this.path.push(
      `M${this.at(x - r, y)}A${edge} ${edge} 0 1 0 ${this.at(x + r, y)}A${edge} ${edge} 0 1 0 ${this.at(x - r, y)}Z`,
    );
  }

  /** Elements of one style share it: maps have many points that look alike. */
  private element(text: string, style = ''): void {
    if (style !== this.group) {
      if (this.group) this.parts.push('</g>');
      if (style) this.parts.push(`<g ${style}>`);
      this.group = style;
    }
    this.parts.push(text);
  }

  private get shape(): string {
    const [x, y, r] = this.circle ?? [];
    if (x !== undefined) return `<circle cx="${short(x)}" cy="${short(y!)}" r="${short(r!)}"/>`;
    return `<path d="${this.path.join('')}"/>`;
  }

  fill(): void {
    if (this.path.length > 0) this.element(this.shape, paint('fill', this.fillStyle, this.globalAlpha));
  }

  private get line(): string {
    const ends = `${this.lineCap === 'butt' ? '' : ` stroke-linecap="${this.lineCap}"`}${this.lineJoin === 'miter' ? '' : ` stroke-linejoin="${this.lineJoin}"`}`;
    const dash =
      this.dash.length > 0 ? ` stroke-dasharray="${this.dash.map((d) => short(d * this.size)).join(' ')}"` : '';
    return `${paint('stroke', this.strokeStyle, this.globalAlpha)} stroke-width="${short(this.lineWidth * this.size)}"${ends}${dash}`;
  }

  stroke(): void {
    if (this.path.length > 0) this.element(this.shape, `fill="none" ${this.line}`);
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.beginPath();
    this.rect(x, y, width, height);
    this.fill();
    this.beginPath();
  }

  clip(): void {
    const id = `${this.names}-${++this.clipCount}`;
    this.element(`<clipPath id="${id}"><path d="${this.path.join('')}"/></clipPath><g clip-path="url(#${id})">`);
    this.clips++;
  }

  setLineDash(dash: readonly number[]): void {
    this.dash = dash;
  }

  measureText(text: string): { width: number } {
    return { width: widthOf(text, this.fontSize) * (this.bold ? 1.12 : 1) };
  }

  private get bold(): boolean {
    return /\b([6-9]00|bold)\b/.test(this.font);
  }

  private get fontSize(): number {
    return Number(/([\d.]+)px/.exec(this.font)?.[1] ?? 10);
  }

  private text(value: string, x: number, y: number, style: string): void {
    const anchor = { center: 'middle', right: 'end', end: 'end' }[this.textAlign];
    // Not every reader of SVG knows dominant-baseline.
    const down = { middle: 0.35, top: 0.8, hanging: 0.8 }[this.textBaseline] ?? 0;
    const weight = this.bold ? ' font-weight="600"' : '';
    const [a, b, c, d, e, f] = this.matrix;
    const turned = b !== 0 || c !== 0;
    const place = turned
      ? `transform="matrix(${[a, b, c, d, e, f].map(short).join(' ')})" x="${short(x)}" y="${short(y + down * this.fontSize)}"`
      : `x="${short(a * x + e)}" y="${short(d * (y + down * this.fontSize) + f)}"`;
    const size = short(this.fontSize * (turned ? 1 : this.size));
    this.element(
      `<text ${place} font-size="${size}"${weight}${anchor ? ` text-anchor="${anchor}"` : ''}>${escapeHtml(value)}</text>`,
      style,
    );
  }

  fillText(value: string, x: number, y: number): void {
    this.text(value, x, y, paint('fill', this.fillStyle, this.globalAlpha));
  }

  strokeText(value: string, x: number, y: number): void {
    this.text(value, x, y, `fill="none" ${this.line}`);
  }

  /** The whole picture. */
  svg(width: number, height: number, title: string): string {
    this.element('');
    const size = `width="${short(width)}" height="${short(height)}" viewBox="0 0 ${short(width)} ${short(height)}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="DejaVu Sans, Verdana, sans-serif" role="img">\n<title>${escapeHtml(title)}</title>\n${this.parts.filter(Boolean).join('\n')}\n</svg>\n`;
  }
}

/**
 * The picture that `draw` draws, as SVG.
 * @param names what its ids begin with: those of one document must differ.
 */
export function svgOf(
  size: { width: number; height: number },
  title: string,
  draw: (c: CanvasRenderingContext2D) => void,
  names = 'clip',
): string {
  const pen = new VectorPen(names);
  // The part of a canvas that views draw with; a call beyond it fails.
  draw(pen as unknown as CanvasRenderingContext2D);
  return pen.svg(size.width, size.height, title);
}
