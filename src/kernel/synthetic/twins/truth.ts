/** Which feature of A is which of B: the truth that maps between twins are scored against. */

export interface TwinTruth {
  /** Features that are a single one in A and in B, in order of a. */
  pairs: { a: Int32Array; b: Int32Array };
  /** One in A, two in B. */
  splits: Array<{ a: number; b: [number, number] }>;
  /** In A both fire; in B the parent is silent when the child fires, and the child points both ways. */
  absorptions: Array<{ parent: { a: number; b: number }; child: { a: number; b: number } }>;
}

export type RelationKind = 'one-to-one' | 'split' | 'absorbed';

/** Every true pair with its kind, and how many counterparts each side's features have. */
export interface Relations {
  featuresA: number;
  featuresB: number;
  /** Kind of the pair (a, b); undefined when it is none. */
  kind(a: number, b: number): RelationKind | undefined;
  /** Counterparts in A of a feature of B, with their kinds. */
  counterparts(b: number): ReadonlyMap<number, RelationKind>;
  /** Features of B with a counterpart in A. */
  findable: Int32Array;
  /** Features of B with a counterpart of this kind. */
  countOf(kind: RelationKind): number;
}

/** The truth as a relation. Throws RangeError on features that do not exist. */
export function relationsOf(truth: TwinTruth, featuresA: number, featuresB: number): Relations {
  const list: Array<[a: number, b: number, kind: RelationKind]> = [];
  truth.pairs.a.forEach((a, i) => list.push([a, truth.pairs.b[i], 'one-to-one']));
  for (const { a, b } of truth.splits) for (const half of b) list.push([a, half, 'split']);
  for (const { parent, child } of truth.absorptions)
    list.push([parent.a, parent.b, 'absorbed'], [child.a, child.b, 'absorbed']);
  return relations(list, featuresA, featuresB);
}

/** Relations from a list of true pairs. */
export function relations(
  list: ReadonlyArray<readonly [a: number, b: number, kind: RelationKind]>,
  featuresA: number,
  featuresB: number,
): Relations {
  const counterpart = new Map<number, Map<number, RelationKind>>();
  for (const [a, b, kind] of list) {
    if (!(a >= 0 && a < featuresA && b >= 0 && b < featuresB))
      throw new RangeError(`true pair (${a}, ${b}) is outside ${featuresA} × ${featuresB} features`);
    let of = counterpart.get(b);
    if (!of) counterpart.set(b, (of = new Map()));
    of.set(a, kind);
  }
  return {
    featuresA,
    featuresB,
    kind: (a, b) => counterpart.get(b)?.get(a),
    counterparts: (b) => counterpart.get(b) ?? new Map<number, RelationKind>(),
    findable: Int32Array.from([...counterpart.keys()].sort((x, y) => x - y)),
    countOf: (kind) => [...counterpart.values()].filter((of) => [...of.values()].includes(kind)).length,
  };
}

/**
 * The truth between latents of SAEs trained on the twins: latent i of A and j of B are a true pair when the features
 * they hold are. A latent holds the feature of largest |cosine| when that is at least `minCosine`; others hold none. A
 * feature that an SAE holds in several latents makes several true pairs.
 */
export function latentRelations(
  truth: Relations,
  a: { feature: Int32Array; cosine: Float32Array },
  b: { feature: Int32Array; cosine: Float32Array },
  minCosine: number,
): Relations {
  const holders = new Map<number, number[]>();
  a.feature.forEach((feature, latent) => {
    if (!(Math.abs(a.cosine[latent]) >= minCosine)) return;
    const list = holders.get(feature);
    if (list) list.push(latent);
    else holders.set(feature, [latent]);
  });
  const list: Array<[number, number, RelationKind]> = [];
  b.feature.forEach((featureB, latentB) => {
    if (!(Math.abs(b.cosine[latentB]) >= minCosine)) return;
    for (const [featureA, kind] of truth.counterparts(featureB))
      for (const latentA of holders.get(featureA) ?? []) list.push([latentA, latentB, kind]);
  });
  return relations(list, a.feature.length, b.feature.length);
}
