/** Probability, by the law itself, that two features of a world fire together. */
import { copulaJoint } from './copula.js';
import type { GeneratedWorld } from './world.js';

/**
 * P(i and j fire) as a function of two different features; undefined for published generators: no closed form.
 */
export function jointLaw(world: GeneratedWorld): ((i: number, j: number) => number) | undefined {
  const { plan, frequencies, features } = world;
  if (!plan) return undefined;
  const { gates, exclusive, copulas } = plan;
  const hidden = gates.length - features;
  const p = Float64Array.from(gates, (_, f) => (f < features ? frequencies[f] : 1 / hidden));
  const place = new Map<number, { copula: number; at: number }>();
  copulas.forEach((c, copula) => c.features.forEach((f, at) => place.set(f, { copula, at })));
  const path = (f: number): number[] => {
    const up = [f];
    for (let at = gates[f]; at >= 0; at = gates[at]) up.push(at);
    return up.reverse();
  };
  const paths = Array.from({ length: features }, (_, f) => path(f));
  const roots = (a: number, b: number): number => {
    if (exclusive[a] >= 0 && exclusive[a] === exclusive[b]) return 0;
    const [x, y] = [place.get(a), place.get(b)];
    return x && y && x.copula === y.copula ? copulaJoint(copulas[x.copula], x.at, y.at, p) : p[a] * p[b];
  };
  return (i, j) => {
    const [a, b] = [paths[i], paths[j]];
    let shared = 0;
    while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++;
    // One gates the other: both fire when the lower one does.
    if (shared === a.length) return p[j];
    if (shared === b.length) return p[i];
    const [x, y] = [a[shared], b[shared]];
    const both =
      shared === 0
        ? roots(x, y)
        : exclusive[x] >= 0 && exclusive[x] === exclusive[y]
          ? 0
          : (p[x] * p[y]) / p[a[shared - 1]];
    return p[x] > 0 && p[y] > 0 ? (both * p[i] * p[j]) / (p[x] * p[y]) : 0;
  };
}
