/**
 * From options to the law that is sampled: gates, exclusive groups and correlations, and the refusal of what is
 * impossible.
 */
import { exactRows } from '../../io/matrixInput.js';
import { filled } from '../../verb/filled.js';
import type { Random } from '../../compute/random.js';
import { blockCopula, lowRankCopula, matrixCopula } from './copula.js';
import type { PlacedPart } from './geometry.js';
import type { CopulaLaw } from '../../compute/sampling/law.js';
import { frequencyShape, requireProbabilities, scaleToL0 } from './frequencies.js';
import { WORLD, CORRELATIONS, GEOMETRY, type CorrelationSpec, type WorldOptions } from './options.js';

export interface Plan {
  frequencies: Float64Array;
  /** Parent among the features, −1 = none. */
  parents: Int32Array;
  /** Block, exclusive group or context, numbered over all specs, −1 = none. */
  groups: Int32Array;
  order: Int32Array;
  /** Parents with hidden contexts, [features + hidden]. */
  gates: Int32Array;
  conditional: Float64Array;
  exclusive: Int32Array;
  copulas: CopulaLaw[];
  scaled?: Uint8Array;
  /** Notes for the user: approximations made. */
  notes: string[];
}

const TOLERANCE = 1e-9;

/** Gates, groups and contexts of the features, before there are frequencies. */
class Structure {
  readonly parents: Int32Array;
  readonly groups: Int32Array;
  /** Exclusive group of siblings or of roots. */
  readonly exclusive: Int32Array;
  readonly scaled: Uint8Array;
  /** [features] the spec that a feature belongs to, as messages name it; undefined = none yet. */
  readonly holder: Array<string | undefined>;
  contexts: number[][] = [];
  #groups = 0;
  #exclusive = 0;

  constructor(readonly features: number) {
    this.parents = new Int32Array(features).fill(-1);
    this.groups = new Int32Array(features).fill(-1);
    this.exclusive = new Int32Array(features).fill(-1);
    this.scaled = new Uint8Array(features);
    this.holder = new Array<string | undefined>(features).fill(undefined);
  }

  take(f: number, by: string): void {
    if (!Number.isInteger(f) || f < 0 || f >= this.features)
      throw new RangeError(`${by}: there is no feature ${f}; they go from 0 to ${this.features - 1}`);
    if (this.holder[f] !== undefined)
      throw new RangeError(
        `feature ${f} is in "${this.holder[f]}" and in "${by}": its law would not be one of both; a feature has one`,
      );
    this.holder[f] = by;
  }

  group(members: readonly number[], by: string): void {
    for (const f of members) {
      this.take(f, by);
      this.groups[f] = this.#groups;
    }
    this.#groups++;
  }

  excludeEachOther(members: readonly number[]): void {
    for (const f of members) this.exclusive[f] = this.#exclusive;
    this.#exclusive++;
  }

  gate(parent: number, children: readonly number[], exclusive: boolean, scale: boolean, by = 'gate'): void {
    if (!Number.isInteger(parent) || parent < 0 || parent >= this.features)
      throw new RangeError(`gate: there is no feature ${parent}; they go from 0 to ${this.features - 1}`);
    for (const f of children) {
      this.take(f, by);
      if (f === parent) throw new RangeError(`feature ${f} is its own gate; give another feature as the parent`);
      this.parents[f] = parent;
      this.scaled[f] = scale ? 1 : 0;
    }
    if (exclusive) this.excludeEachOther(children);
  }
}

/** Consecutive runs of `size`. */
function runs(features: number, size: number): number[][] {
  return Array.from({ length: Math.ceil(features / size) }, (_, b) =>
    Array.from({ length: Math.min(size, features - b * size) }, (_, i) => b * size + i),
  );
}

/** Lists of features, given or as runs of one size. */
const blocksOf = (given: readonly (readonly number[])[] | undefined, size: number | undefined, n: number) => {
  if ((given === undefined) === (size === undefined))
    throw new RangeError('give either a size or the lists of features');
  return given ?? runs(n, size!);
};

function structureOf(
  specs: readonly CorrelationSpec[],
  parts: readonly PlacedPart[],
  tree: Int32Array,
  n: number,
): Structure {
  const s = new Structure(n);
  for (const { part, first, count } of parts) {
    if (part.kind !== 'hierarchy') continue;
    const children = new Map<number, number[]>();
    for (let f = first; f < first + count; f++)
      if (tree[f] >= 0) children.set(tree[f], [...(children.get(tree[f]) ?? []), f]);
    for (const [parent, list] of children)
      s.gate(parent, list, part.exclusive ?? GEOMETRY.table.hierarchy.members.exclusive.usual, false, 'hierarchy');
  }
  for (const spec of specs) {
    switch (spec.kind) {
      case 'independent':
        break;
      case 'block':
        for (const block of blocksOf(spec.blocks, spec.size, n)) s.group(block, 'block');
        break;
      case 'exclusive':
        for (const group of blocksOf(spec.groups, spec.size, n)) {
          s.group(group, 'exclusive');
          s.excludeEachOther(group);
        }
        break;
      case 'contexts': {
        const { count } = spec;
        if (count > n) throw new RangeError(`contexts: count is ${count}; expected at most ${n}, the features`);
        s.contexts = Array.from({ length: count }, () => []);
        for (let f = 0; f < n; f++) s.contexts[Math.floor((f * count) / n)].push(f);
        for (const list of s.contexts) s.group(list, 'contexts');
        break;
      }
      case 'gate':
        s.gate(
          spec.parent,
          spec.children,
          spec.exclusive ?? CORRELATIONS.table.gate.members.exclusive.usual,
          spec.scale ?? CORRELATIONS.table.gate.members.scale.usual,
        );
        break;
      case 'low-rank':
      case 'matrix':
        for (const f of spec.features ?? free(s, n)) s.take(f, spec.kind);
        break;
    }
  }
  return s;
}

/** Features that nothing holds yet. */
const free = (s: Structure, n: number): number[] => Array.from({ length: n }, (_, f) => f).filter((f) => !s.holder[f]);

/** Features by depth, siblings of an exclusive group together. Throws on a circle of gates. */
function depthOrder(parents: Int32Array, exclusive: Int32Array, leaveOut: ReadonlySet<number>): Int32Array {
  const depth = new Int32Array(parents.length).fill(-1);
  const depthOf = (f: number): number => {
    const path: number[] = [];
    let at = f;
    for (; at >= 0 && depth[at] < 0; at = parents[at]) {
      if (path.length > parents.length)
        throw new RangeError(`feature ${f} gates itself through others; gates must not go round in a circle`);
      path.push(at);
    }
    let d = at < 0 ? -1 : depth[at];
    for (const p of path.reverse()) depth[p] = ++d;
    return depth[f];
  };
  const ids = Array.from(parents.keys()).filter((f) => !leaveOut.has(f));
  for (const f of ids) depthOf(f);
  return Int32Array.from(ids.sort((a, b) => depth[a] - depth[b] || exclusive[a] - exclusive[b] || a - b));
}

/** Frequencies: the shape, children as shares of their parents, and the level. */
function frequenciesOf(o: WorldOptions, s: Structure, parts: readonly PlacedPart[]): Float64Array {
  const shape = frequencyShape(o.frequencies ?? WORLD.frequencies.usual, o.features);
  const weights = shape.weights.slice();
  if (!shape.given) {
    for (const { part, first, count } of parts) {
      if (part.kind !== 'hierarchy') continue;
      const share = part.share ?? GEOMETRY.table.hierarchy.members.share.usual;
      if (share === 'given') continue;
      for (let f = first; f < first + count; f++) if (s.parents[f] >= 0) weights[f] = weights[s.parents[f]] * share;
    }
  }
  if (o.l0 === undefined && shape.absolute) return weights;
  if (o.l0 !== undefined && shape.given && Math.abs(weights.reduce((a, b) => a + b, 0) - o.l0) < 1e-12) return weights;
  const cap = o.maxFrequency ?? WORLD.maxFrequency.usual;
  const caps = new Float64Array(o.features).fill(cap);
  for (let f = 0; f < o.features; f++)
    if (s.parents[f] >= 0 && weights[s.parents[f]] > 0 && s.parents[f] < f)
      caps[f] = Math.min(cap, (caps[s.parents[f]] * weights[f]) / weights[s.parents[f]]);
  if (s.contexts.length > 0) for (let f = 0; f < o.features; f++) caps[f] = Math.min(caps[f], 1 / s.contexts.length);
  return scaleToL0(weights, o.l0 ?? 0.01 * o.features, caps);
}

/** P(fires | gate), refusing children more frequent than parents and groups that do not fit. */
function conditionals(p: Float64Array, s: Structure, gates: Int32Array): Float64Array {
  const n = p.length;
  const hidden = s.contexts.length;
  const q = new Float64Array(n + hidden).fill(hidden ? 1 / hidden : 0);
  const sums = new Map<number, { sum: number; room: number; members: number }>();
  for (let f = 0; f < n; f++) {
    const room = gates[f] < 0 ? 1 : gates[f] < n ? p[gates[f]] : 1 / hidden;
    if (p[f] > room * (1 + TOLERANCE))
      throw new RangeError(
        `feature ${f} would fire with probability ${p[f]}, more often than ${gates[f] < n ? `its parent ${gates[f]}` : 'its context'} (${room}): the feasible range is [0, ${room}]`,
      );
    q[f] = room > 0 ? Math.min(1, p[f] / room) : 0;
    if (s.exclusive[f] < 0) continue;
    const group = sums.get(s.exclusive[f]) ?? { sum: 0, room, members: 0 };
    group.sum += p[f];
    group.members++;
    sums.set(s.exclusive[f], group);
  }
  for (const [group, { sum, room, members }] of sums)
    if (sum > room * (1 + TOLERANCE))
      throw new RangeError(
        `exclusive group ${group}: its ${members} features fire with probabilities that sum to ${Number(sum.toPrecision(6))}, but at most one may fire at a time: the feasible range of the sum is [0, ${Number(room.toPrecision(6))}]`,
      );
  return q;
}

function copulasOf(
  specs: readonly CorrelationSpec[],
  s: Structure,
  p: Float64Array,
  random: Random,
  notes: string[],
): CopulaLaw[] {
  const held = (by: string): number[] => Array.from(p.keys()).filter((f) => s.holder[f] === by);
  return specs.flatMap((spec, i) => {
    switch (spec.kind) {
      case 'block':
        return [
          blockCopula(
            blocksOf(spec.blocks, spec.size, p.length),
            spec.correlation,
            spec.of ?? CORRELATIONS.table.block.members.of.usual,
            p,
          ),
        ];
      case 'low-rank': {
        const features = spec.features ?? held('low-rank');
        const loadings = spec.loadings && exactRows(spec.loadings, 'loadings');
        const rank = spec.rank ?? loadings?.[0]?.length ?? 8;
        return [lowRankCopula(features, { ...spec, loadings, rank }, p, random.fork(`loadings ${i}`))];
      }
      case 'matrix': {
        const features = spec.features ?? held('matrix');
        const { of, method, rank } = filled(CORRELATIONS.table.matrix.members, spec);
        const { law, deviation } = matrixCopula(exactRows(spec.matrix, 'matrix'), features, { of, method, rank }, p);
        if (method === 'factors')
          notes.push(
            `nearest correlation of ${rank} factors: latent correlations differ from the asked by ${deviation.toFixed(4)} at most`,
          );
        return [law];
      }
      default:
        return [];
    }
  });
}

/** The plan of a world; throws RangeErrors with the feasible range for what is impossible. */
export function planOf(o: WorldOptions, parts: readonly PlacedPart[], tree: Int32Array, random: Random): Plan {
  const specs = o.correlations === undefined ? [] : 'kind' in o.correlations ? [o.correlations] : o.correlations;
  const n = o.features;
  const s = structureOf(specs, parts, tree, n);
  const frequencies = frequenciesOf(o, s, parts);
  requireProbabilities(frequencies);
  const hidden = s.contexts.length;
  const gates = new Int32Array(n + hidden).fill(-1);
  gates.set(s.parents);
  const exclusive = new Int32Array(n + hidden).fill(-1);
  exclusive.set(s.exclusive);
  // Contexts are hidden features, exactly one of which fires; what they hold has no other gate.
  exclusive.fill(n, n);
  s.contexts.forEach((list, c) => list.forEach((f) => (gates[f] = n + c)));
  const conditional = conditionals(frequencies, s, gates);
  const notes: string[] = [];
  const copulas = copulasOf(specs, s, frequencies, random, notes);
  const drawn = new Set(copulas.flatMap((c) => Array.from(c.features)));
  const order = depthOrder(gates, exclusive, drawn);
  const scaled = s.scaled.some((x) => x === 1) ? s.scaled : undefined;
  return {
    frequencies,
    parents: s.parents,
    groups: s.groups,
    order,
    gates,
    conditional,
    exclusive,
    copulas,
    scaled,
    notes,
  };
}
