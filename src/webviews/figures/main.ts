/** Pictures of views without a page: the kernel loads this beside its drawer of pictures. */
import { MAP_BUNDLE, type MapColumns, type MapMeta } from '../../protocol/map.js';
import type { ViewName } from '../../protocol/views.js';
import { firstFigure, mapSvg } from '../map/figure.js';
import { loadModel } from '../map/model.js';
import { BundleReader } from '../ui/bundle.js';

/**
 * A view's bundle as SVG, as its panel shows it at first.
 * @param read a file of the bundle, whole; null where there is none.
 * @throws Error for a damaged bundle, and for views without a picture.
 */
export async function viewSvg(
  view: ViewName,
  read: (file: string) => Uint8Array | null,
  place: string,
): Promise<string> {
  if (view !== 'map') throw new Error(`a ${view} has no picture of this kind`);
  const bytes = { read: (file: string) => Promise.resolve(read(file)) };
  const source = new BundleReader<MapMeta, typeof MAP_BUNDLE.columns>(MAP_BUNDLE, bytes, place);
  return mapSvg(
    firstFigure(await loadModel(source as { meta(): Promise<MapMeta>; columns(s: number): Promise<MapColumns> })),
  );
}
