/** What the figures of a correlation map are called. */

/** How a map's method begins, and the short name of its figures; Pearson's is r. */
const SHORT: ReadonlyArray<readonly [begins: string, name: string]> = [
  ['cosine', 'cosine'],
  ['Jaccard', 'Jaccard'],
  ['phi', 'phi'],
  ['mutual information', 'bits'],
];

/** "r", or what stands in its place in a map made by another measure; `method` is FeatureMap.method. */
export const measureOf = (method: string): string => SHORT.find(([begins]) => method.startsWith(begins))?.[1] ?? 'r';
