/** Where decoder rows come from: directions can be compared by cosine only within one space. */
import type { Matrix } from '../compute/matrix.js';

/** The activations that an SAE writes. */
export interface Site {
  /** '' where a file does not say it. */
  readonly model: string;
  readonly modelId?: string;
  readonly hook: string;
}

const sites = new WeakMap<Float32Array, Site>();

/** Remembers where rows come from: verbs that take rows are given those of an SAE. */
export function rememberSite({ data }: Matrix, site: Site): void {
  sites.set(data, site);
}

/** What rememberSite() was told; undefined for rows of no SAE. */
export const siteOf = ({ data }: Matrix): Site | undefined => sites.get(data);

const differ = (x: string | undefined, y: string | undefined): boolean => Boolean(x && y && x !== y);

/** What differs between two places; undefined where they are the same as far as they say. */
export function siteDifference(x: Site | undefined, y: Site | undefined): 'model' | 'hook' | undefined {
  if (!x || !y) return undefined;
  const known = x.modelId && y.modelId ? ([x.modelId, y.modelId] as const) : ([x.model, y.model] as const);
  if (differ(...known)) return 'model';
  return differ(x.hook, y.hook) ? 'hook' : undefined;
}

/** "blocks.0.hook_mlp_out of tiny-stories-1L". */
export const siteText = ({ model, hook }: Site): string => [hook, model].filter(Boolean).join(' of ');
