/** Drawings saved as pictures. */
import { pictureBase64 } from '../ui/picture.js';
import { fileName } from '../ui/save.js';
import type { Choice } from '../ui/toolkit.js';
import type { SavedFile } from '../ui/view.js';
import type { PaperPicture } from './paper.js';
import { svgOf } from './vectorPen.js';

/** Pixels per unit of a picture. */
const SCALES = [1, 2, 3, 4] as const;
export type PictureKind = 'svg' | `png${(typeof SCALES)[number]}`;

export const PICTURES: Array<Choice & { value: PictureKind }> = [
  ...SCALES.map((scale) => ({ value: `png${scale}` as const, label: `Picture (PNG, ${scale}×)` })),
  { value: 'svg', label: 'Picture (SVG)' },
];

/** @throws Error where the browser gives no canvas of this size */
export async function pictureFile(kind: PictureKind, picture: PaperPicture): Promise<SavedFile> {
  const { title, draw } = picture;
  if (kind === 'svg') return { name: fileName(title, 'svg'), text: svgOf(picture, title, (c) => draw(c, 1)) };
  const scale = Number(kind.slice('png'.length));
  return { name: fileName(title, 'png'), base64: await pictureBase64(picture, scale, (c) => draw(c, scale)) };
}
