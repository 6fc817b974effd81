/**
 * One whole run of a sampling stream in a process of its own; prints seconds of wall clock and CPU, firings, and the peak
 * of resident memory in MB before the stream (Node and the modules) and after it.
 *
 * sampling.ts SAMPLES FEATURES DIM L0 BLOCK LATENT   (BLOCK 0 = independent)
 */
import { createWorld } from '#kernel/synthetic/world/world.js';

const [samples, features, dim, l0, block, latent] = process.argv.slice(2).map(Number);
const peak = (): number => process.resourceUsage().maxRSS / 1024;
const world = await createWorld({
  features,
  dim,
  l0,
  ...(block ? { correlations: { kind: 'block', size: block, correlation: latent, of: 'latent' } } : {}),
});
for await (const batch of world.sample(2 ** 15)) void batch;
const before = peak();
const used = process.cpuUsage();
const start = performance.now();
let [rows, firings, sum] = [0, 0, 0];
for await (const { x, codes } of world.sample(samples)) {
  rows += x.rows;
  firings += codes.values.length;
  sum += x.data[0];
}
const wall = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(used);
if (rows !== samples || !Number.isFinite(sum)) throw new Error(`${rows} samples came of ${samples}`);
console.log(JSON.stringify({ wall, cpu: (user + system) / 1e6, firings, before, peak: peak() }));
