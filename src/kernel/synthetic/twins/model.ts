/** The features with which each of two twins represents the events of their base world. */
import { row, type Matrix } from '../../compute/matrix.js';
import type { Random } from '../../compute/random.js';
import type { SparseRows } from '../../compute/sparse.js';
import type { TwinOptions } from './twins.js';
import type { TwinTruth } from './truth.js';
import type { World } from '../types.js';

/** How one model represents an event: by a feature, by two that take turns, or by a parent and its child. */
export type Role =
  | { kind: 'whole'; feature: number }
  | { kind: 'split'; features: [number, number] }
  | { kind: 'parent'; parent: number; child: number; childShare: number; absorbs: boolean };

/** Features of a model and the role of every event in it. */
export interface TwinModel {
  roles: Array<Role | undefined>;
  directions: Float32Array[];
  frequencies: number[];
  parents: number[];
}

export const emptyModel = (): TwinModel => ({ roles: [], directions: [], frequencies: [], parents: [] });

function addTo(m: TwinModel, direction: Float32Array, frequency: number, parent = -1): number {
  m.frequencies.push(frequency);
  m.parents.push(parent);
  return m.directions.push(direction) - 1;
}

/** Fills both models; B's features come in another order than A's. */
export function populate(
  world: World,
  base: Matrix,
  s: Required<TwinOptions>,
  random: Random,
  a: TwinModel,
  b: TwinModel,
): TwinTruth {
  return new Population(world, base, s, random, a, b).fill();
}

class Population {
  /** Makers of B's features, called in shuffled order when A is complete: the two models number them differently. */
  private readonly pending: Array<() => void> = [];
  private readonly order: Uint32Array;
  private next = 0;
  private readonly pairs: Array<[a: number, b: number]> = [];
  private readonly splits: TwinTruth['splits'] = [];
  private readonly absorptions: TwinTruth['absorptions'] = [];

  constructor(
    private readonly world: World,
    private readonly base: Matrix,
    private readonly s: Required<TwinOptions>,
    private readonly random: Random,
    private readonly a: TwinModel,
    private readonly b: TwinModel,
  ) {
    this.order = random.permutation(world.features);
  }

  fill(): TwinTruth {
    const { features, shared, splits, absorptions } = this.s;
    const common = Math.round(shared * features);
    for (let i = 0; i < splits; i++) this.split();
    for (let i = 0; i < absorptions; i++) this.absorption();
    for (let i = splits + 2 * absorptions; i < common; i++) this.shared();
    for (let i = common; i < features; i++) this.own();
    this.random.shuffle(this.pending);
    for (const make of this.pending) make();
    this.pairs.sort((x, y) => x[0] - y[0]);
    return {
      pairs: { a: Int32Array.from(this.pairs, (p) => p[0]), b: Int32Array.from(this.pairs, (p) => p[1]) },
      splits: this.splits.sort((x, y) => x.a - y.a),
      absorptions: this.absorptions.sort((x, y) => x.parent.a - y.parent.a),
    };
  }

  /** The next event: its number, direction and probability. */
  private event(): { event: number; v: Float32Array; p: number } {
    const event = this.order[this.next++];
    return { event, v: row(this.base, event), p: this.world.frequencies[event] };
  }

  private whole(model: TwinModel, { event, v, p }: { event: number; v: Float32Array; p: number }): number {
    const feature = addTo(model, v, p);
    model.roles[event] = { kind: 'whole', feature };
    return feature;
  }

  private shared(): void {
    const event = this.event();
    const feature = this.whole(this.a, event);
    this.pending.push(() => this.pairs.push([feature, this.whole(this.b, event)]));
  }

  private own(): void {
    this.whole(this.a, this.event());
    const other = this.event();
    this.pending.push(() => this.whole(this.b, other));
  }

  private split(): void {
    const { b, splits } = this;
    const event = this.event();
    const feature = this.whole(this.a, event);
    const halves = tilted(event.v, this.s.splitCosine, this.random);
    this.pending.push(() => {
      const features: [number, number] = [addTo(b, halves[0], event.p / 2), addTo(b, halves[1], event.p / 2)];
      b.roles[event.event] = { kind: 'split', features };
      splits.push({ a: feature, b: features });
    });
  }

  private absorption(): void {
    const { a, b, absorptions } = this;
    const { childShare } = this.s;
    const { event, v, p } = this.event();
    const w = randomUnit(v.length, this.random);
    const parent = addTo(a, v, p);
    const child = addTo(a, w, p * childShare, parent);
    a.roles[event] = { kind: 'parent', parent, child, childShare, absorbs: false };
    this.pending.push(() => {
      const parentB = addTo(b, v, p * (1 - childShare));
      const childB = addTo(b, unit(w.map((x, j) => x + v[j])), p * childShare, parentB);
      b.roles[event] = { kind: 'parent', parent: parentB, child: childB, childShare, absorbs: true };
      absorptions.push({ parent: { a: parent, b: parentB }, child: { a: child, b: childB } });
    });
  }
}

function unit(v: Float32Array): Float32Array {
  const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
  return v.map((x) => x / norm);
}

const randomUnit = (d: number, random: Random): Float32Array => unit(random.normals(new Float32Array(d)));

/** Two unit vectors at this cosine with v, on opposite sides of it. In one dimension there is no other side: ±v. */
function tilted(v: Float32Array, cosine: number, random: Random): [Float32Array, Float32Array] {
  const e = random.normals(new Float32Array(v.length));
  const along = e.reduce((sum, x, j) => sum + x * v[j], 0);
  const aside = v.length > 1 ? unit(e.map((x, j) => x - along * v[j])) : new Float32Array(1);
  const sine = Math.sqrt(1 - cosine * cosine);
  return [unit(v.map((x, j) => cosine * x + sine * aside[j])), unit(v.map((x, j) => cosine * x - sine * aside[j]))];
}

/** Events of each sample → features of the model. */
export function translate(
  events: SparseRows,
  model: TwinModel,
  features: number,
  turnsOf: (row: number) => Random,
): SparseRows {
  const indptr = new Uint32Array(events.rows + 1);
  const entries: Array<[number, number]> = [];
  const indices: number[] = [];
  const values: number[] = [];
  const turning = model.roles.some((role) => role !== undefined && role.kind !== 'whole');
  for (let i = 0; i < events.rows; i++) {
    entries.length = 0;
    // Drawn for every event in turn, so that the draws do not depend on what the model makes of it.
    const turns = turning ? turnsOf(i) : undefined;
    for (let p = events.indptr[i]; p < events.indptr[i + 1]; p++) {
      const turn = turns ? turns.next() : 0;
      const size = turns ? 0.5 + turns.next() : 1;
      const role = model.roles[events.indices[p]];
      const value = events.values[p];
      if (!role) continue;
      if (role.kind === 'whole') entries.push([role.feature, value]);
      else if (role.kind === 'split') entries.push([role.features[turn < 0.5 ? 0 : 1], value]);
      else {
        const child = turn < role.childShare;
        if (!child || !role.absorbs) entries.push([role.parent, value]);
        if (child) entries.push([role.child, Math.fround(value * size)]);
      }
    }
    entries.sort((x, y) => x[0] - y[0]);
    for (const [f, v] of entries) {
      indices.push(f);
      values.push(v);
    }
    indptr[i + 1] = indices.length;
  }
  return {
    rows: events.rows,
    cols: features,
    indptr,
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}
