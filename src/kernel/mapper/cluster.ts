/** Clusterers of cover elements, in the space of the points as given. */
import type { AgglomerativeSettings } from '../compute/clustering/agglomerative.js';
import type { HdbscanSettings } from '../compute/clustering/hdbscan.js';
import type { DistanceRule } from '../compute/clustering/labels.js';
import type { Matrix } from '../compute/matrix.js';
import { requireDbscan } from './dbscan.js';
import type { ClustererSpec } from './options.js';
import { openSpace, type Space } from './space.js';

export interface Clusterer {
  readonly space: Space;
  /** Elements with fewer points are skipped: KeplerMapper's rule. */
  readonly minPoints: number;
  /** For people: "DBSCAN cosine, eps 0.5, min samples 5". */
  readonly description: string;
  /** DBSCAN asks for neighbours within eps alone, the others for all distances of an element. */
  readonly rule: { kind: 'dbscan'; eps: number; minSamples: number } | DistanceRule;
}

function whole(what: string, name: string, value: number, low: number): void {
  if (!Number.isInteger(value) || value < low)
    throw new RangeError(`${what}: ${name} is ${value}; expected a whole number of at least ${low}`);
}

function requireKnown(spec: ClustererSpec, names: readonly string[]): void {
  const unknown = Object.keys(spec).filter((k) => k !== 'kind' && !names.includes(k));
  if (unknown.length > 0)
    throw new TypeError(`clusterer ${spec.kind} has no option ${unknown.join(', ')}; it has ${names.join(', ')}`);
}

/**
 * @throws RangeError for options out of range, TypeError for options that the clusterer does not have
 */
export function openClusterer(
  x: Matrix,
  spec: ClustererSpec = { kind: 'dbscan' },
  distances: Matrix | undefined,
): Clusterer {
  switch (spec.kind) {
    case 'dbscan': {
      requireKnown(spec, ['metric', 'eps', 'minSamples']);
      const { eps = 0.5, minSamples = 5, metric = 'cosine' } = spec;
      requireDbscan(eps, minSamples);
      const space = openSpace(x, metric, distances);
      return {
        space,
        minPoints: minSamples,
        description: `DBSCAN ${metric}, eps ${eps}, min samples ${minSamples}`,
        rule: { kind: 'dbscan', eps, minSamples },
      };
    }
    case 'hdbscan': {
      requireKnown(spec, ['metric', 'minClusterSize', 'minSamples', 'allowSingleCluster']);
      const minClusterSize = spec.minClusterSize ?? 5;
      const s: HdbscanSettings = {
        minClusterSize,
        minSamples: spec.minSamples ?? minClusterSize,
        allowSingleCluster: spec.allowSingleCluster ?? false,
      };
      whole('HDBSCAN', 'minClusterSize', s.minClusterSize, 2);
      whole('HDBSCAN', 'minSamples', s.minSamples, 1);
      const space = openSpace(x, spec.metric ?? 'euclidean', distances);
      return {
        space,
        minPoints: Math.max(s.minClusterSize, s.minSamples),
        description: `HDBSCAN ${space.metric}, min cluster size ${s.minClusterSize}, min samples ${s.minSamples}${s.allowSingleCluster ? ', single cluster allowed' : ''}`,
        rule: { kind: 'hdbscan', ...s },
      };
    }
    case 'agglomerative':
      return openAgglomerative(x, spec, distances);
    default:
      throw new RangeError(
        `clusterer: kind is ${JSON.stringify((spec as { kind: unknown }).kind)}; expected 'dbscan', 'hdbscan' or 'agglomerative'`,
      );
  }
}

function openAgglomerative(
  x: Matrix,
  spec: Extract<ClustererSpec, { kind: 'agglomerative' }>,
  distances: Matrix | undefined,
): Clusterer {
  requireKnown(spec, ['metric', 'linkage', 'distanceThreshold', 'nClusters', 'gap', 'maxFraction']);
  const { linkage = 'single', distanceThreshold, nClusters, gap, maxFraction } = spec;
  if (!['single', 'complete', 'average'].includes(linkage))
    throw new RangeError(`agglomerative: linkage is ${linkage}; expected 'single', 'complete' or 'average'`);
  const rules = [distanceThreshold, nClusters, gap ?? maxFraction].filter((v) => v !== undefined);
  if (rules.length > 1)
    throw new RangeError('agglomerative: give one of distanceThreshold, nClusters and gap (with maxFraction)');
  if (nClusters !== undefined) whole('agglomerative', 'nClusters', nClusters, 1);
  if (distanceThreshold !== undefined && !(distanceThreshold >= 0))
    throw new RangeError(`agglomerative: distanceThreshold is ${distanceThreshold}; expected a number of at least 0`);
  if (gap !== undefined && !(gap > 0 && gap <= 1))
    throw new RangeError(`agglomerative: gap is ${gap}; expected a number above 0, up to 1`);
  if (maxFraction !== undefined && !(maxFraction > 0 && maxFraction <= 1))
    throw new RangeError(`agglomerative: maxFraction is ${maxFraction}; expected a number above 0, up to 1`);
  const s: AgglomerativeSettings =
    nClusters !== undefined
      ? { linkage, nClusters }
      : distanceThreshold !== undefined
        ? { linkage, distanceThreshold }
        : { linkage, gap: gap ?? 0.3, maxFraction: maxFraction ?? 1 };
  const space = openSpace(x, spec.metric ?? 'euclidean', distances);
  const cut =
    'nClusters' in s
      ? `${s.nClusters} clusters`
      : 'distanceThreshold' in s
        ? `threshold ${s.distanceThreshold}`
        : `first gap of ${s.gap}${s.maxFraction < 1 ? `, at most ${Number((100 * s.maxFraction).toPrecision(3))} % clusters` : ''}`;
  return {
    space,
    minPoints: Math.max(2, nClusters ?? 2),
    description: `agglomerative ${linkage} ${space.metric}, ${cut}`,
    rule: { kind: 'agglomerative', ...s },
  };
}
