/**
 * What pages (panels, outputs, exported reports) compute themselves, by the same code as fg.correlation. It is the only
 * module of the kernel that they import, so all that it imports runs without Node: scripts/inPages.mjs replaces the two
 * modules that need Node (the native product, and the neighbours built on it).
 */
export { matrix, type Matrix } from '../compute/matrix.js';
export { sameTokenScore } from './sameToken.js';
export { similarityScores, type MetricName } from './scores.js';
export type { SimilarityScore } from './types.js';
