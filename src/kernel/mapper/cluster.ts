/** Clusterers of cover elements, in the space of the points as given. */
import { filled } from '../verb/filled.js';
import type { AgglomerativeSettings } from '../compute/clustering/agglomerative.js';
import type { HdbscanSettings } from '../compute/clustering/hdbscan.js';
import type { DistanceRule } from '../compute/clustering/labels.js';
import type { Matrix } from '../compute/matrix.js';
import { CLUSTERERS, OTHERS, type ClustererSpec } from './options.js';
import { openSpace, type Space } from './space.js';

export interface Clusterer {
  readonly space: Space;
  /** Elements with fewer points are skipped: KeplerMapper's rule. */
  readonly minPoints: number;
  /** As shown: "DBSCAN cosine, eps 0.5, min samples 5". */
  readonly description: string;
  /** DBSCAN asks for neighbours within eps alone, the others for all distances of an element. */
  readonly rule: { kind: 'dbscan'; eps: number; minSamples: number } | DistanceRule;
}

/**
 * @throws RangeError for options out of range, TypeError for options that the clusterer does not have
 */
export function openClusterer(
  x: Matrix,
  spec: ClustererSpec = OTHERS.clusterer.usual,
  distances: Matrix | undefined,
): Clusterer {
  switch (spec.kind) {
    case 'dbscan': {
      const { eps, minSamples, metric } = filled(CLUSTERERS.table.dbscan.members, spec);
      const space = openSpace(x, metric, distances);
      return {
        space,
        minPoints: minSamples,
        description: `DBSCAN ${metric}, eps ${eps}, min samples ${minSamples}`,
        rule: { kind: 'dbscan', eps, minSamples },
      };
    }
    case 'hdbscan': {
      const { minClusterSize, allowSingleCluster, metric } = filled(CLUSTERERS.table.hdbscan.members, spec);
      const s: HdbscanSettings = { minClusterSize, minSamples: spec.minSamples ?? minClusterSize, allowSingleCluster };
      const space = openSpace(x, metric, distances);
      return {
        space,
        minPoints: Math.max(s.minClusterSize, s.minSamples),
        description: `HDBSCAN ${space.metric}, min cluster size ${s.minClusterSize}, min samples ${s.minSamples}${s.allowSingleCluster ? ', single cluster allowed' : ''}`,
        rule: { kind: 'hdbscan', ...s },
      };
    }
    case 'agglomerative':
      return openAgglomerative(x, spec, distances);
  }
}

function openAgglomerative(
  x: Matrix,
  spec: Extract<ClustererSpec, { kind: 'agglomerative' }>,
  distances: Matrix | undefined,
): Clusterer {
  const { linkage, metric } = filled(CLUSTERERS.table.agglomerative.members, spec);
  // Not filled in: which of these was given decides how the tree is cut.
  const { distanceThreshold, nClusters, gap, maxFraction } = spec;
  const rules = [distanceThreshold, nClusters, gap ?? maxFraction].filter((v) => v !== undefined);
  if (rules.length > 1)
    throw new RangeError('agglomerative: give one of distanceThreshold, nClusters and gap (with maxFraction)');
  const s: AgglomerativeSettings =
    nClusters !== undefined
      ? { linkage, nClusters }
      : distanceThreshold !== undefined
        ? { linkage, distanceThreshold }
        : {
            linkage,
            gap: gap ?? 0.3,
            maxFraction: maxFraction ?? CLUSTERERS.table.agglomerative.members.maxFraction.usual,
          };
  const space = openSpace(x, metric, distances);
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
