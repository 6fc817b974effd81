/** Reads feature-map bundles (layout in protocol/map.ts) for webviews: columns when a set is drawn, examples of a point. */
import type { FeatureExample, MapMeta } from '../../protocol/map.js';
import type { MapRef, WireColumns, WireFloats, WireInts } from '../../protocol/webview.js';
import { BundleStore, toBase64, type BundleFiles } from './bundleFiles.js';

/** One bundle. */
class MapBundle {
  private metaRead: Promise<MapMeta> | undefined;

  constructor(private readonly files: BundleFiles) {}

  meta(): Promise<MapMeta> {
    this.metaRead ??= this.files.json('map.json').then((value) => {
      const meta = value as Partial<MapMeta> | null;
      if (meta?.version !== 1 || !Array.isArray(meta.sets))
        throw new Error(`${this.files.file('map.json')} is not a map of version 1`);
      return meta as MapMeta;
    });
    return this.metaRead;
  }

  private async points(set: number): Promise<number> {
    const { sets } = await this.meta();
    if (!Number.isInteger(set) || set < 0 || set >= sets.length)
      throw new Error(`The map has ${sets.length} set(s), set ${set} was asked for`);
    return sets[set].points;
  }

  async columns(set: number): Promise<WireColumns & { x: Float32Array }> {
    const n = await this.points(set);
    const labels = await this.files.labels(set, n);
    const floats = (name: string) => this.files.required(`${set}.${name}`, 'F32', n) as Promise<Float32Array>;
    const ints = (name: string) => this.files.required(`${set}.${name}`, 'I32', n) as Promise<Int32Array>;
    const partner = (await this.files.column(`${set}.partner`, 'I32', n)) as Int32Array | undefined;
    const optional = (name: string) =>
      this.files.column(`${set}.${name}`, 'F32', n) as Promise<Float32Array | undefined>;
    const [r, x2, y2, delta] = [
      await optional('r'),
      await optional('x2'),
      await optional('y2'),
      await optional('delta'),
    ];
    return {
      x: await floats('x'),
      y: await floats('y'),
      feature: await ints('feature'),
      firingRate: await floats('firingRate'),
      firings: await ints('firings'),
      ...(partner && { partner }),
      ...(r && { r }),
      ...(x2 && y2 && delta && { x2, y2, delta }),
      labels,
    };
  }

  async examples(set: number, point: number): Promise<FeatureExample[]> {
    return this.files.examples(set, point, await this.points(set));
  }
}

/** Columns for channels that carry only JSON. */
export function columnsAsBase64(columns: WireColumns): WireColumns {
  const f = (a: WireFloats): WireFloats => toBase64(a);
  const i = (a: WireInts): WireInts => toBase64(a);
  const { x, y, feature, firingRate, firings, partner, r, x2, y2, delta, labels } = columns;
  return {
    ...{ x: f(x), y: f(y), feature: i(feature), firingRate: f(firingRate), firings: i(firings) },
    ...(partner && { partner: i(partner) }),
    ...(r && { r: f(r) }),
    ...(x2 && y2 && delta && { x2: f(x2), y2: f(y2), delta: f(delta) }),
    labels,
  };
}

/** The maps of one notebook's folder. */
export class MapData {
  private readonly bundles: BundleStore<MapBundle>;

  constructor(notebookFolder: string) {
    this.bundles = new BundleStore(notebookFolder, (files) => new MapBundle(files));
  }

  meta(map: MapRef): Promise<MapMeta> {
    return this.bundles.read(map, (bundle) => bundle.meta());
  }

  columns(map: MapRef, set: number): Promise<WireColumns> {
    return this.bundles.read(map, (bundle) => bundle.columns(set));
  }

  examples(map: MapRef, set: number, point: number): Promise<FeatureExample[]> {
    return this.bundles.read(map, (bundle) => bundle.examples(set, point));
  }
}
