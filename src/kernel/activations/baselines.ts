/** Activations of the baselines of an SAE, which its own carry along. */
import { value, type Option } from '../verb/option.js';
import type { SparseActivations } from './types.js';

/** By kind of baseline. */
export type StoreBaselines = Readonly<Record<string, SparseActivations>>;

/** Those of both sides of a call. */
export interface SideBaselines {
  readonly a?: StoreBaselines;
  readonly b?: StoreBaselines;
}

export const sideBaselines = (what: string): Option<true | SideBaselines> =>
  value<true | SideBaselines>(
    'true, or { a, b }: activations by kind of baseline',
    {
      doc: `Baselines whose ${what} stand beside: true: those whose activations a and b carry (fg.activations.save with { baselines: true }). Each kind that both have is compared with itself; where one side has none, that side stands for all.`,
      fallback: 'none',
      identity: false,
    },
    (v) => v === true || (typeof v === 'object' && v !== null),
  );

/**
 * Two sides whose kinds of baselines go together: the kinds that both have, and of a side without any the side itself.
 */
export function pairedBaselines<A, B>(
  [a, b]: readonly [A, B],
  ofA: Readonly<Record<string, A>>,
  ofB: Readonly<Record<string, B>>,
): Array<[kind: string, a: A, b: B]> {
  const [inA, inB] = [Object.keys(ofA), Object.keys(ofB)];
  const kinds = inA.length === 0 ? inB : inB.length === 0 ? inA : inA.filter((kind) => kind in ofB);
  return kinds.map((kind) => [kind, ofA[kind] ?? a, ofB[kind] ?? b]);
}

/** What the option asks for, by kind. @throws where true was said and neither side carries any */
export function storesBeside(
  a: SparseActivations,
  b: SparseActivations,
  given: true | SideBaselines | undefined,
): Array<[kind: string, a: SparseActivations, b: SparseActivations]> {
  if (given === undefined) return [];
  const { a: ofA = {}, b: ofB = {} } = given === true ? { a: a.baselines, b: b.baselines } : given;
  const paired = pairedBaselines([a, b], ofA, ofB);
  if (paired.length > 0) return paired;
  throw new Error(
    `no kind of baseline of ${a.meta.sae.name} and ${b.meta.sae.name} has activations: fg.activations.save(model, sae, text, { baselines: true }) saves those of what fg.sae.baselines made`,
  );
}

/** Activations of baselines that a store carries. @throws where it carries none */
export function carriedBaselines(store: SparseActivations): StoreBaselines {
  if (store.baselines) return store.baselines;
  throw new Error(
    `the activations of ${store.meta.sae.name} carry no baselines: fg.activations.save(model, sae, text, { baselines: true }) saves theirs too`,
  );
}
