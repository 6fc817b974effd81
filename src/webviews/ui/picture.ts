/** A drawing as the bytes of a PNG. */

/** Sides of a canvas that browsers give. */
const MAX_SIDE = 16_384;

export function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

interface Size {
  width: number;
  height: number;
}

/**
 * A canvas with a drawing on it.
 * @param scale pixels per unit of `size`; `paint` draws with it.
 * @throws Error where the browser gives no canvas of this size
 */
export function paintedCanvas(
  size: Size,
  scale: number,
  paint: (c: CanvasRenderingContext2D) => void,
): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.round(size.width * scale), Math.round(size.height * scale)];
  if (Math.max(canvas.width, canvas.height) > MAX_SIDE)
    throw new Error(`the picture would be ${canvas.width} × ${canvas.height} pixels; a side has ${MAX_SIDE} at most: choose a smaller scale`); // prettier-ignore
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas to draw the picture on');
  paint(context);
  return canvas;
}

/** PNG bytes of such a canvas as base64. */
export async function pictureBase64(...drawing: Parameters<typeof paintedCanvas>): Promise<string> {
  const canvas = paintedCanvas(...drawing);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('the browser could not encode the picture');
  return base64(new Uint8Array(await blob.arrayBuffer()));
}
