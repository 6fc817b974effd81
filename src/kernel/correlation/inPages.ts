/**
 * What pages (panels, outputs, exported reports) compute themselves, by the same code as fg.correlation: the one door of the
 * kernel to them. What stands behind it runs without Node; scripts/inPages.mjs replaces the two modules that need it (the native product, the neighbours built on it).
 */
export { matrix, type Matrix } from '../compute/matrix.js';
export { sameTokenScore } from './sameToken.js';
export { similarityScores, type MetricName } from './scores.js';
export type { SimilarityScore } from './types.js';
