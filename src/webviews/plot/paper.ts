/** A drawing on paper: while its page is printed, its picture at the width of the paper stands in its place. */
import { el } from '../ui/dom.js';
import { paintedCanvas } from '../ui/picture.js';
import { svgOf } from './vectorPen.js';

/** CSS pixels between the margins of A4 and US Letter. */
export const PAPER_WIDTH = 720;
/** A picture of more marks is printed as pixels: as vectors it would take megabytes. */
const MOST_VECTORS = 40_000;
/** Pixels per CSS pixel, where it is pixels. */
const RATIO = 3;

export interface PaperPicture {
  title: string;
  width: number;
  height: number;
  /** Points or nodes, about. */
  marks: number;
  /** @param ratio pixels of the picture per unit of its size. */
  draw(c: CanvasRenderingContext2D, ratio: number): void;
}

let pictures = 0;

function asVectors({ title, width, height, draw }: PaperPicture): Element {
  const svg = svgOf({ width, height }, title, (c) => draw(c, 1), `paper${++pictures}`);
  return document.importNode(new DOMParser().parseFromString(svg, 'image/svg+xml').documentElement, true);
}

function asPixels(picture: PaperPicture): Element {
  const drawn = paintedCanvas(picture, RATIO, (c) => picture.draw(c, RATIO));
  // A canvas that is drawn on while the page is printed goes to paper as what was drawn; a copy of one, as its pixels.
  const canvas = paintedCanvas(picture, RATIO, (c) => c.drawImage(drawn, 0, 0));
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', picture.title);
  return canvas;
}

/** Puts the picture into `root` whenever the page is printed. */
export class Paper {
  private readonly sheet = el('div', { class: 'paper' });

  constructor(
    root: HTMLElement,
    /** null: nothing is drawn. */
    private readonly picture: () => PaperPicture | null,
  ) {
    root.append(this.sheet);
    addEventListener('beforeprint', this.printing);
    addEventListener('afterprint', this.printed);
  }

  private readonly printing = (): void => {
    const picture = this.picture();
    if (!picture) return;
    this.sheet.replaceChildren(picture.marks > MOST_VECTORS ? asPixels(picture) : asVectors(picture));
  };

  private readonly printed = (): void => this.sheet.replaceChildren();

  dispose(): void {
    removeEventListener('beforeprint', this.printing);
    removeEventListener('afterprint', this.printed);
  }
}
