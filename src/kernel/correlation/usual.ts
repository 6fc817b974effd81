/** Defaults of scores by their value: schemas name them, and pages, which import no schema (inPages.ts), compute with them. */
import { USUAL_SEED } from '../compute/random.js';

export const METRICS = ['svcca', 'svcca-published', 'cca', 'pwcca', 'rsa', 'cka', 'cka-debiased', 'jaccard'] as const;

/** How null data is made, the usual kind first. */
export const SCORE_NULLS = ['shuffle', 'random-features'] as const;

export const USUAL = { nulls: 100, seed: USUAL_SEED, rsaRows: 4096, neighbors: 10, intervals: 0 };
