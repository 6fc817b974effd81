/** hierarchy.json of SAELens's SyntheticModel: which feature gates which, which exclude each other, and how often. */
import { isRecord } from '../../../protocol/objects.js';
import { gaussLegendre, normalCdf } from '../../compute/sampling/normal.js';
import type { GatedTrees } from '../../compute/sampling/law.js';

/** No feature gates another. */
export const noTrees = (features: number): GatedTrees => ({
  order: Int32Array.from({ length: features }, (_, f) => f),
  parents: new Int32Array(features).fill(-1),
  exclusive: new Int32Array(features).fill(-1),
  scaled: new Uint8Array(features),
});

interface Node {
  /** Absent of a node that only holds others together: its children are gated by what gates it. */
  feature?: number;
  exclusive: boolean;
  scale: boolean;
  children: readonly unknown[];
}

function nodeOf(given: unknown, features: number, path: string): Node {
  if (!isRecord(given)) throw new Error(`${path}: a node is ${JSON.stringify(given)}; expected an object`);
  const { feature_index: feature, children = [] } = given;
  const held = feature === null || feature === undefined;
  if (!held && !(Number.isInteger(feature) && (feature as number) >= 0 && (feature as number) < features))
    throw new Error(
      `${path}: feature_index ${JSON.stringify(feature)}; expected null or a whole number below ${features}`,
    );
  if (!Array.isArray(children)) throw new Error(`${path}: children of a node are no list`);
  return {
    ...(held ? {} : { feature: feature as number }),
    exclusive: given.mutually_exclusive_children === true,
    scale: given.scale_children_by_parent === true,
    children,
  };
}

/** The trees of a file: parents come before their children in `order`, members of an exclusive group stand together. */
export function treesOf(given: unknown, features: number, path: string): GatedTrees {
  if (!isRecord(given) || !Array.isArray(given.roots)) throw new Error(`${path} has no list of roots`);
  const trees = noTrees(features);
  const order: number[] = [];
  const seen = new Uint8Array(features);
  const take = (node: Node, parent: number, scale: boolean, group: number): void => {
    const f = node.feature!;
    if (seen[f]) throw new Error(`${path}: feature ${f} stands in the trees twice; a feature has one parent`);
    seen[f] = 1;
    order.push(f);
    trees.parents[f] = parent;
    trees.exclusive[f] = group;
    trees.scaled[f] = parent >= 0 && scale ? 1 : 0;
  };
  let groups = 0;
  const waiting: Array<{ node: Node; parent: number }> = [];
  const enter = (list: readonly unknown[], parent: number, of: Pick<Node, 'scale' | 'exclusive'>): void => {
    const nodes = list.map((each) => nodeOf(each, features, path));
    const members = nodes.filter(({ feature }) => feature !== undefined);
    const group = of.exclusive && members.length > 1 ? groups++ : -1;
    for (const node of members) take(node, parent, of.scale, group);
    for (const node of nodes) waiting.push({ node, parent: node.feature ?? parent });
  };
  enter(given.roots, -1, { scale: false, exclusive: false });
  for (let at = 0; at < waiting.length; at++) {
    const { node, parent } = waiting[at];
    enter(node.children, parent, node);
  }
  for (let f = 0; f < features; f++) if (!seen[f]) order.push(f);
  return { ...trees, order: Int32Array.from(order) };
}

/** Chance that each of a group is the one that stays: ∫₀¹ Π over the others of (1 − p + p·t) dt, a polynomial in t. */
function survival(p: readonly number[]): number[] {
  const { nodes, weights } = gaussLegendre(Math.ceil(p.length / 2));
  return p.map((_, i) =>
    nodes.reduce((sum, t, k) => sum + weights[k] * p.reduce((of, q, j) => (j === i ? of : of * (1 - q + q * t)), 1), 0),
  );
}

/**
 * How often features fire where their normals do not correlate: the chance of the own normal and of a magnitude above 0,
 * of the parent firing, and of staying among those that exclude it.
 */
export function frequenciesOf(
  trees: GatedTrees,
  { fires, mean, std }: { fires: Float64Array; mean: Float64Array; std: Float64Array },
): Float64Array {
  const { order, parents, exclusive } = trees;
  const out = new Float64Array(fires.length);
  const own = (f: number): number => fires[f] * (std[f] > 0 ? normalCdf(mean[f] / std[f]) : mean[f] > 0 ? 1 : 0);
  for (let i = 0; i < order.length;) {
    const group = exclusive[order[i]];
    let next = i + 1;
    while (group >= 0 && next < order.length && exclusive[order[next]] === group) next++;
    const members = Array.from(order.subarray(i, next));
    const chances = members.map(own);
    const stays = members.length > 1 ? survival(chances) : [1];
    members.forEach((f, m) => (out[f] = chances[m] * stays[m] * (parents[f] >= 0 ? out[parents[f]] : 1)));
    i = next;
  }
  return out;
}
