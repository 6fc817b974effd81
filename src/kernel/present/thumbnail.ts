/** A small PNG of a map: what viewers without the interactive renderer show. */
import { crc32, deflateSync } from 'node:zlib';
import { maxOf } from '../../protocol/lists.js';

/** What is drawn of a map: n × axes coordinates, of which the first two are seen; points without firings (0) are left out. */
export interface ThumbnailSet {
  layout: { coordinates: Float32Array; axes?: 2 | 3 };
  firings: ArrayLike<number>;
}

const HEIGHT = 240;
const GAP = 16;
/** Blue and orange of the Okabe-Ito palette, told apart with any colour vision. */
const COLOURS = [
  [0, 114, 178],
  [230, 120, 0],
] as const;

/** RGB pixels, white. */
interface Image {
  width: number;
  pixels: Uint8Array;
}

function dot(image: Image, x: number, y: number, colour: readonly number[]): void {
  for (let dy = 0; dy < 2; dy++)
    for (let dx = 0; dx < 2; dx++) {
      const px = Math.round(x) + dx;
      const py = Math.round(y) + dy;
      if (px < 0 || py < 0 || px >= image.width || py >= HEIGHT) continue;
      // Half transparent: dense places are darker.
      for (let c = 0; c < 3; c++)
        image.pixels[3 * (py * image.width + px) + c] = (image.pixels[3 * (py * image.width + px) + c] + colour[c]) / 2;
    }
}

function drawSet(image: Image, { layout, firings }: ThumbnailSet, left: number, colour: readonly number[]): void {
  const at = (i: number, c: number): number => layout.coordinates[(layout.axes ?? 2) * i + c];
  const alive = Array.from(firings, (_, i) => i).filter((i) => firings[i] !== 0 && Number.isFinite(at(i, 0)));
  if (alive.length === 0) return;
  const bounds = [0, 1].map((c) =>
    alive.reduce(([low, high], i) => [Math.min(low, at(i, c)), Math.max(high, at(i, c))], [Infinity, -Infinity]),
  );
  const span = maxOf(bounds.map(([low, high]) => high - low)) || 1;
  const place = (i: number, c: number): number =>
    GAP + ((at(i, c) - (bounds[c][0] + bounds[c][1]) / 2) / span + 0.5) * (HEIGHT - 2 * GAP);
  for (const i of alive) dot(image, left + place(i, 0), HEIGHT - place(i, 1), colour);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** A blue that is seen on light and on dark ground. */
const ON_ANY = [50, 140, 210] as const;

/** What the first colour, which has no red, covers of each pixel, in a blue for any ground: RGBA. */
function withoutGround({ width, pixels }: Image): Uint8Array {
  const out = new Uint8Array(4 * width * HEIGHT);
  for (let p = 0; p < width * HEIGHT; p++) {
    out.set(ON_ANY, 4 * p);
    out[4 * p + 3] = 255 - pixels[3 * p];
  }
  return out;
}

/** PNG (8-bit RGB or RGBA, no interlace): signature, IHDR, one IDAT, IEND. */
function encodePng(width: number, pixels: Uint8Array): Buffer {
  const bytes = pixels.length / (width * HEIGHT);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, bytes === 4 ? 6 : 2, 0, 0, 0], 8);
  const line = bytes * width;
  const rows = Buffer.alloc(HEIGHT * (line + 1));
  for (let y = 0; y < HEIGHT; y++) rows.set(pixels.subarray(y * line, (y + 1) * line), y * (line + 1) + 1);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function drawn(sets: readonly ThumbnailSet[]): Image {
  const width = sets.length * HEIGHT;
  const image = { width, pixels: new Uint8Array(3 * width * HEIGHT).fill(255) };
  sets.forEach((set, s) => drawSet(image, set, s * HEIGHT, COLOURS[s % 2]));
  return image;
}

/** The sets side by side, firing features only, each scaled to its square. */
export function thumbnail(sets: readonly ThumbnailSet[]): Buffer {
  const { width, pixels } = drawn(sets);
  return encodePng(width, pixels);
}

/** One set, on the ground of the page that shows it, light or dark. */
export function thumbnailWithoutGround(set: ThumbnailSet): Buffer {
  const image = drawn([set]);
  return encodePng(image.width, withoutGround(image));
}
