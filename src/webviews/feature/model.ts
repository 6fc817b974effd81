/** A feature page as data: its sets, orders of features, search. */
import { measureOf } from '../../protocol/measure.js';
import type { FeatureExample } from '../../protocol/bundle.js';
import {
  FEATURE_BUNDLE,
  isAblatedLoss,
  isAbout,
  type AblatedLoss,
  type AboutFeature,
  type FeatureColumns,
  type FeatureMeta,
  type FeatureSetMeta,
} from '../../protocol/feature.js';
import { isRecord } from '../../protocol/objects.js';
import { isExample } from '../../protocol/packing/texts.js';
import type { PointLabel } from '../../protocol/tokens.js';
import { queryTest, searchKey } from '../plot/search.js';
import { labelAt, type BundleReader } from '../ui/bundle.js';
import type { LiveKernel } from '../ui/view.js';

const areExamples = (v: unknown): v is FeatureExample[] => Array.isArray(v) && v.every(isExample);

export interface PageSet {
  meta: FeatureSetMeta;
  columns: FeatureColumns;
}

export interface Order {
  id: string;
  label: string;
  /** Features in this order. */
  features: Int32Array;
}

/** What the page says of a feature; null where neither the page nor a kernel has it. */
export interface Known {
  examples: readonly FeatureExample[];
  about: AboutFeature;
}

export type FeatureSource = BundleReader<FeatureMeta, typeof FEATURE_BUNDLE.columns>;

export class FeatureModel {
  readonly orders: Order[];
  private readonly keys = new Map<number, string>();

  private constructor(
    readonly meta: FeatureMeta,
    readonly sets: readonly PageSet[],
    private readonly source: FeatureSource,
    private readonly kernel: LiveKernel | null,
  ) {
    this.orders = ordersOf(this.own);
  }

  static async load(source: FeatureSource, kernel: LiveKernel | null): Promise<FeatureModel> {
    const meta = await source.meta();
    if (meta.sets.length === 0) throw new Error('the page has no SAE');
    const sets: PageSet[] = [];
    for (const [s, set] of meta.sets.entries()) sets.push({ meta: set, columns: await source.columns(s) });
    for (const { set } of meta.sets[0].pairings)
      if (!sets[set]) throw new Error(`the page is mapped to set ${set}, which it does not have`);
    return new FeatureModel(meta, sets, source, kernel);
  }

  get own(): PageSet {
    return this.sets[0];
  }

  has(feature: number): boolean {
    return Number.isInteger(feature) && feature >= 0 && feature < this.own.meta.points;
  }

  label(set: number, feature: number): PointLabel {
    return labelAt(this.sets[set].columns, feature);
  }

  /** Examples of a feature of any set; [] where the page has none. */
  examples(set: number, feature: number): Promise<FeatureExample[]> {
    return this.source.examples(set, feature);
  }

  /** From the page, else from the kernel that made it. @throws Error in words */
  async known(feature: number): Promise<Known | null> {
    if (this.own.columns.carried[feature]) {
      const about = await this.source.line('about', 0, feature);
      if (!isAbout(about)) throw new Error(`What the page says of feature ${feature} is damaged: run the cell again.`);
      return { examples: await this.examples(0, feature), about };
    }
    if (!this.kernel) return null;
    const answer = await this.kernel.call({ view: this.meta.live, method: 'about', params: { feature } });
    if (!isRecord(answer) || !isAbout(answer.about) || !areExamples(answer.examples)) return null;
    return { about: answer.about, examples: answer.examples };
  }

  /** Whether the session can be asked what ablating a feature does. */
  get ablates(): boolean {
    return this.kernel !== null && this.meta.ablates === true;
  }

  /** @throws Error in words */
  async ablated(feature: number): Promise<AblatedLoss> {
    if (!this.kernel) throw new Error('Ablating a feature needs the kernel that made this page.');
    const answer: unknown = await this.kernel.call({ view: this.meta.live, method: 'ablate', params: { feature } });
    if (!isAblatedLoss(answer))
      throw new Error('The kernel gave an answer that this page does not know: update the extension.');
    return answer;
  }

  /** The feature of a number ("12", "#12"), then those whose labels hold the words, of these the one that fires most first. */
  find(query: string, most: number): number[] {
    const id = /^\s*#?(\d+)\s*$/.exec(query);
    const own = id && this.has(Number(id[1])) ? [Number(id[1])] : [];
    const test = queryTest(query, true);
    if (!test) return own;
    const { labels, firings } = this.own.columns;
    const found: number[] = [];
    for (let f = 0; f < labels.length; f++) {
      let key = this.keys.get(f);
      if (key === undefined) this.keys.set(f, (key = searchKey(labels[f])));
      if (f !== own[0] && test(f, key)) found.push(f);
    }
    found.sort((a, b) => firings[b] - firings[a] || a - b);
    return [...own, ...found].slice(0, most);
  }
}

/** Features from the largest value to the least; those without one, and ties, by number. */
function descending(values: ArrayLike<number>): Int32Array {
  const value = (f: number): number => (Number.isNaN(values[f]) ? -Infinity : values[f]);
  return Int32Array.from({ length: values.length }, (_, f) => f).sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === y ? a - b : y - x;
  });
}

function ordersOf({ meta, columns }: PageSet): Order[] {
  const order = (id: string, label: string, values: ArrayLike<number>): Order => ({
    ...{ id, label },
    features: descending(values),
  });
  return [
    { id: 'id', label: 'number', features: Int32Array.from({ length: meta.points }, (_, f) => f) },
    order('firings', 'firing rate', columns.firings),
    order('max', 'largest activation', columns.max),
    order('mean', 'mean activation', columns.mean),
    ...columns.r.map((r, k) => {
      const measure = measureOf(meta.pairings[k].method);
      return order(`r${k}`, columns.r.length > 1 ? `${measure}, map ${k + 1}` : `${measure} of its counterpart`, r);
    }),
  ];
}
