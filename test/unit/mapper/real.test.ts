/** The pipeline on real decoders, where they are. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mapperGraph } from '#kernel/mapper/graph.js';
import { loadSae } from '#kernel/sae/load.js';

const file = path.resolve(import.meta.dirname, '../../../../shared/data/saes/sae_128_4.pt');
const there = existsSync(file);
if (!there) process.stdout.write(`skipped: ${file} is not there\n`);

describe('Mapper of a real decoder', () => {
  it.skipIf(!there)('says why nothing is a node by default, and has every feature in one when looser', async () => {
    const { decoder } = await loadSae(file);
    const empty = await mapperGraph(decoder);
    expect(empty.nodes).toBe(0);
    expect(empty.noise.length).toBe(128);
    expect(empty.warnings.join()).toContain('elements are noise');
    const graph = await mapperGraph(decoder, {
      cover: { cubes: 3, overlap: 0.4 },
      clusterer: { kind: 'agglomerative', metric: 'cosine', linkage: 'average', nClusters: 2 },
    });
    expect(new Set([...graph.members, ...graph.noise]).size).toBe(128);
    expect(graph.nodes).toBe(2 * (graph.cubes.total - graph.cubes.skipped));
    expect(graph.edges.length).toBeGreaterThan(0);
  });
});
