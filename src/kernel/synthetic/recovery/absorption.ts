/**
 * Absorption and splitting, counted against the truth.
 *
 * Absorption after SAEBench (Chanin et al., "A is for absorption", arXiv 2409.14507), with the true feature in the
 * place of a probe: on a sample where feature f fires, it is absorbed when its main latent is silent, and the active
 * latent that contributes most to f's direction points that way (cosine ≥ 0.025) and supplies at least 0.4 of the
 * projection of x − b_dec on it.
 *
 * Splitting after SAEBench's k-sparse criterion: latents are added to a detector of f ("any of them fires") as long as
 * each adds 0.03 or more to its F1; f is split when two or more latents are taken. Only latents whose best feature is f
 * are candidates, so that a child's latent is no split of the parent.
 */
import { filled } from '../../verb/filled.js';
import type { Matrix } from '../../compute/matrix.js';
import { row } from '../../compute/matrix.js';
import type { SparseRows } from '../../compute/sparse.js';
import { real, type Given } from '../../verb/option.js';
import type { Firings } from './firing.js';

/** An option that is a share or a cosine. */
export const share = (doc: string, usual: number) => real({ doc, min: 0, max: 1, usual });

/** Where a firing counts as absorbed, and by which latent. */
export const ABSORPTION = {
  mainCosine: share('A feature has a main latent when its assigned latent has at least this cosine with it.', 0.5),
  absorberCosine: share("SAEBench's least cosine of the absorbing latent with the feature.", 0.025),
  projectionShare: share("SAEBench's least share of the projection that the absorbing latent supplies.", 0.4),
};
export interface AbsorptionOptions extends Given<typeof ABSORPTION> {}

export interface Absorption {
  /** [features] main latent, −1 = none: absorption is then not defined. */
  main: Int32Array;
  /** [features] samples on which the feature fires. */
  firings: Uint32Array;
  /** [features] of those, samples on which the main latent is silent. */
  silent: Uint32Array;
  /** [features] of those, samples on which another latent takes its part. */
  absorbed: Uint32Array;
  /** [features] of those, samples on which that latent is the main one of a descendant in the hierarchy. */
  byDescendant: Uint32Array;
  /** [features] latent that absorbs it most often, −1 = none. */
  absorber: Int32Array;
}

/** Counts absorption batch by batch. */
export class AbsorptionCounter {
  private readonly result: Absorption;
  private readonly ownerOf: Int32Array;
  private readonly absorbers: Map<number, number>[] = [];
  private readonly options: Required<AbsorptionOptions>;

  /**
   * @param truth features × dim with unit rows
   * @param cosines features × latents
   * @param assigned [features] latent of each feature, −1 = none
   * @param parents [features] parent in the hierarchy, −1 = none
   */
  constructor(
    private readonly truth: Matrix,
    private readonly cosines: Matrix,
    private readonly decoder: { norms: Float64Array; bias: Float32Array },
    assigned: Int32Array,
    private readonly parents: Int32Array,
    options: AbsorptionOptions = {},
  ) {
    const { mainCosine, absorberCosine, projectionShare } = filled(ABSORPTION, options);
    this.options = { mainCosine, absorberCosine, projectionShare };
    const n = truth.rows;
    const main = assigned.map((l, f) => (l >= 0 && cosines.data[f * cosines.cols + l] >= mainCosine ? l : -1));
    this.ownerOf = new Int32Array(cosines.cols).fill(-1);
    main.forEach((l, f) => void (l >= 0 && (this.ownerOf[l] = f)));
    const counts = (): Uint32Array => new Uint32Array(n);
    this.result = {
      main,
      firings: counts(),
      silent: counts(),
      absorbed: counts(),
      byDescendant: counts(),
      absorber: new Int32Array(n).fill(-1),
    };
    for (let f = 0; f < n; f++) this.absorbers.push(new Map());
  }

  /** Samples x [n × dim] with their codes [n × features] and latents [n × latents]. */
  add(x: Matrix, codes: SparseRows, latents: SparseRows): void {
    const { main, firings, silent } = this.result;
    const active = new Uint8Array(latents.cols);
    for (let i = 0; i < x.rows; i++) {
      for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++) active[latents.indices[p]] = 1;
      for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++) {
        const f = codes.indices[p];
        if (!(codes.values[p] > 0)) continue;
        firings[f]++;
        if (main[f] < 0 || active[main[f]]) continue;
        silent[f]++;
        this.look(f, row(x, i), latents, i);
      }
      for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++) active[latents.indices[p]] = 0;
    }
  }

  /** The main latent of f is silent on sample i: does another one take its part? */
  private look(f: number, x: Float32Array, latents: SparseRows, i: number): void {
    const { cosines, decoder, options, result } = this;
    let best = -1;
    let part = -Infinity;
    for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++) {
      const l = latents.indices[p];
      const value = latents.values[p] * decoder.norms[l] * cosines.data[f * cosines.cols + l];
      if (value > part) [best, part] = [l, value];
    }
    if (best < 0 || cosines.data[f * cosines.cols + best] < options.absorberCosine) return;
    let projection = 0;
    for (let j = 0, at = f * x.length; j < x.length; j++, at++)
      projection += (x[j] - decoder.bias[j]) * this.truth.data[at];
    if (!(projection > 0) || part < options.projectionShare * projection) return;
    result.absorbed[f]++;
    if (this.descends(this.ownerOf[best], f)) result.byDescendant[f]++;
    this.absorbers[f].set(best, (this.absorbers[f].get(best) ?? 0) + 1);
  }

  private descends(feature: number, from: number): boolean {
    for (let f = feature < 0 ? -1 : this.parents[feature]; f >= 0; f = this.parents[f]) if (f === from) return true;
    return false;
  }

  finish(): Absorption {
    this.absorbers.forEach((counts, f) => {
      let most = 0;
      for (const [latent, count] of counts) if (count > most) [this.result.absorber[f], most] = [latent, count];
    });
    return this.result;
  }
}

/** Least gain in F1 for which another latent is counted: SAEBench's. */
const GAIN = 0.03;

/**
 * [features] how many latents share each feature (0 = none holds it, 1 = whole, ≥ 2 = split), by the greedy criterion
 * above over the samples. `featureOf` [latents]: best feature of each latent by signed cosine, −1 = none.
 */
export function splitCounts({ samples, codes, latents }: Firings, featureOf: Int32Array): Uint32Array {
  const features = codes.cols;
  const firesAt: number[][] = Array.from({ length: features }, () => []);
  for (let i = 0; i < samples; i++)
    for (let p = codes.indptr[i]; p < codes.indptr[i + 1]; p++)
      if (codes.values[p] > 0) firesAt[codes.indices[p]].push(i);
  const latentAt: number[][] = Array.from({ length: latents.cols }, () => []);
  for (let i = 0; i < samples; i++)
    for (let p = latents.indptr[i]; p < latents.indptr[i + 1]; p++)
      if (latents.values[p] > 0) latentAt[latents.indices[p]].push(i);
  const candidates: number[][] = Array.from({ length: features }, () => []);
  featureOf.forEach((f, l) => void (f >= 0 && latentAt[l].length > 0 && candidates[f].push(l)));
  const truth = new Uint8Array(samples);
  const covered = new Uint8Array(samples);
  const counts = new Uint32Array(features);
  for (let f = 0; f < features; f++) {
    for (const i of firesAt[f]) truth[i] = 1;
    const taken: number[] = [];
    counts[f] = grow(candidates[f], latentAt, truth, covered, firesAt[f].length, taken);
    for (const i of firesAt[f]) truth[i] = 0;
    for (const l of taken) for (const i of latentAt[l]) covered[i] = 0;
  }
  return counts;
}

/** Takes candidates one by one, the best first, while each adds GAIN to the F1 of "any fires"; returns how many. */
function grow(
  candidates: readonly number[],
  latentAt: readonly number[][],
  truth: Uint8Array,
  covered: Uint8Array,
  positives: number,
  taken: number[],
): number {
  let hits = 0;
  let fires = 0;
  let f1 = 0;
  const open = new Set(candidates);
  while (open.size > 0) {
    let best = { latent: -1, f1: -1, hits: 0, fires: 0 };
    for (const latent of open) {
      let newHits = 0;
      let newFires = 0;
      for (const i of latentAt[latent]) {
        if (covered[i]) continue;
        newFires++;
        newHits += truth[i];
      }
      const total = fires + newFires + positives;
      const reached = total > 0 ? (2 * (hits + newHits)) / total : 0;
      if (reached > best.f1) best = { latent, f1: reached, hits: newHits, fires: newFires };
    }
    if (best.f1 < f1 + GAIN) break;
    open.delete(best.latent);
    taken.push(best.latent);
    for (const i of latentAt[best.latent]) covered[i] = 1;
    f1 = best.f1;
    hits += best.hits;
    fires += best.fires;
  }
  return taken.length;
}
