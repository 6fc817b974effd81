/** SVG as PNG, by resvg in WebAssembly, with a font of our own: the same pixels on every machine, fonts or none. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { initWasm, Resvg } from '@resvg/resvg-wasm';

/** 100 million pixels take 400 MB while they are drawn. */
const MAX_PIXELS = 1e8;
const FAMILY = 'DejaVu Sans';

const beside = (file: string): Buffer => fs.readFileSync(path.join(path.dirname(fileURLToPath(import.meta.url)), file));

let ready: Promise<Buffer> | undefined;

async function load(): Promise<Buffer> {
  await initWasm(beside('resvg.wasm'));
  return beside('DejaVuSans.ttf');
}

/**
 * @param scale pixels per unit of the SVG.
 * @throws Error when the text is no SVG, or the picture would be too large. Nothing that it names is loaded.
 */
export async function png(svg: string, scale: number): Promise<Uint8Array> {
  const font = await (ready ??= load());
  const picture = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: scale },
    background: '#ffffff',
    font: {
      fontBuffers: [font],
      ...{ defaultFontFamily: FAMILY, sansSerifFamily: FAMILY, serifFamily: FAMILY, monospaceFamily: FAMILY },
    },
  });
  try {
    const { width, height } = picture;
    if (width * height * scale * scale > MAX_PIXELS)
      throw new Error(
        `the picture would have ${Math.round(width * scale)} × ${Math.round(height * scale)} pixels, over the limit of ${MAX_PIXELS}; give a smaller scale`,
      );
    const drawn = picture.render();
    try {
      return drawn.asPng();
    } finally {
      drawn.free();
    }
  } finally {
    picture.free();
  }
}
