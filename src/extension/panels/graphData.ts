/** Reads bundles of Mapper graphs (layout in protocol/graph.ts) for webviews, checking what they hold. */
import type { GraphMeta, GraphSetMeta } from '../../protocol/graph.js';
import type { FeatureExample } from '../../protocol/map.js';
import type { GraphRef, WireFloats, WireGraphColumns, WireInts } from '../../protocol/webview.js';
import { BundleStore, toBase64, type BundleFiles, type BundleFolder } from './bundleFiles.js';

class GraphBundle {
  private metaRead: Promise<GraphMeta> | undefined;

  constructor(readonly files: BundleFiles) {}

  meta(): Promise<GraphMeta> {
    this.metaRead ??= this.files.json('graph.json').then((value) => {
      const meta = value as Partial<GraphMeta> | null;
      if (meta?.version !== 1 || !Array.isArray(meta.sets))
        throw new Error(`${this.files.file('graph.json')} is not a Mapper graph of version 1`);
      return meta as GraphMeta;
    });
    return this.metaRead;
  }

  private async set(s: number): Promise<GraphSetMeta> {
    const { sets } = await this.meta();
    if (!Number.isInteger(s) || s < 0 || s >= sets.length)
      throw new Error(`The output has ${sets.length} graph(s), graph ${s} was asked for`);
    return sets[s];
  }

  async columns(s: number): Promise<WireGraphColumns> {
    const { points, nodes, edges, noise, columns } = await this.set(s);
    const { files } = this;
    const floats = (name: string, n: number) => files.required(`${s}.${name}`, 'F32', n) as Promise<Float32Array>;
    const ints = (name: string, n: number) => files.required(`${s}.${name}`, 'I32', n) as Promise<Int32Array>;
    const counterpart = (await files.column(`${s}.counterpart`, 'I32', points)) as Int32Array | undefined;
    const r = (await files.column(`${s}.r`, 'F32', points)) as Float32Array | undefined;
    const labels = (await files.has(`${s}.labels.json`))
      ? await files.labels(s, points)
      : Array.from({ length: points }, () => []);
    const values: Float32Array[] = [];
    for (let i = 0; i < columns.length; i++) values.push(await floats(`column.${i}`, points));
    return {
      x: await floats('x', nodes),
      y: await floats('y', nodes),
      membersAt: await ints('membersAt', nodes + 1),
      members: await ints('members', -1),
      edges: await ints('edges', 2 * edges),
      weight: await ints('weight', edges),
      component: await ints('component', nodes),
      cube: await ints('cube', nodes),
      noise: await ints('noise', noise),
      columns: values,
      ...(counterpart && { counterpart }),
      ...(r && { r }),
      labels,
    };
  }

  /** [] where the points have no examples. */
  async examples(s: number, point: number): Promise<FeatureExample[]> {
    const { points } = await this.set(s);
    if (!(await this.files.has(`${s}.examples.jsonl`))) return [];
    return this.files.examples(s, point, points);
  }

  async overlap(): Promise<Float32Array | null> {
    if (!(await this.files.has('overlap.safetensors'))) return null;
    const [a, b] = [await this.set(0), await this.set(1)];
    const matrix = await this.files.tensor('overlap.safetensors', 'overlap', 'F32', [a.nodes, b.nodes]);
    return (matrix as Float32Array | undefined) ?? null;
  }
}

/** Columns for channels that carry only JSON. */
export function graphColumnsAsBase64(columns: WireGraphColumns): WireGraphColumns {
  const f = (a: WireFloats): WireFloats => toBase64(a);
  const i = (a: WireInts): WireInts => toBase64(a);
  return {
    x: f(columns.x),
    y: f(columns.y),
    membersAt: i(columns.membersAt),
    members: i(columns.members),
    edges: i(columns.edges),
    weight: i(columns.weight),
    component: i(columns.component),
    cube: i(columns.cube),
    noise: i(columns.noise),
    columns: columns.columns.map(f),
    ...(columns.counterpart && { counterpart: i(columns.counterpart) }),
    ...(columns.r && { r: f(columns.r) }),
    labels: columns.labels,
  };
}

/** The Mapper graphs of one notebook's folder. */
export class GraphData {
  private readonly bundles: BundleStore<GraphBundle>;

  constructor(notebookFolder: string) {
    this.bundles = new BundleStore(notebookFolder, (files) => new GraphBundle(files));
  }

  meta(graph: GraphRef): Promise<GraphMeta> {
    return this.bundles.read(graph, (bundle) => bundle.meta());
  }

  columns(graph: GraphRef, set: number): Promise<WireGraphColumns> {
    return this.bundles.read(graph, (bundle) => bundle.columns(set));
  }

  examples(graph: GraphRef, set: number, point: number): Promise<FeatureExample[]> {
    return this.bundles.read(graph, (bundle) => bundle.examples(set, point));
  }

  overlap(graph: GraphRef): Promise<Float32Array | null> {
    return this.bundles.read(graph, (bundle) => bundle.overlap());
  }

  /** Real paths of a bundle's folder and of the notebook's, checked. */
  folder(graph: GraphRef): Promise<BundleFolder> {
    return this.bundles.read(graph, (bundle) => Promise.resolve(bundle.files));
  }
}
