/**
 * Identities of fg.correlation, fg.maps and fg.show as they were before their verbs were declared: an artifact that was
 * made then is found now.
 */
import { describe, expect, it } from 'vitest';
import type { Fg } from '#kernel/api/index.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();

/** Kind and id of the one artifact that a call makes. */
async function identity(of: (fg: Fg) => unknown): Promise<string> {
  const { fg } = world;
  const known = new Set((await fg.artifacts.list()).map((r) => r.id));
  await of(fg);
  const made = (await fg.artifacts.list()).filter((r) => !known.has(r.id));
  expect(made.length).toBe(1);
  return `${made[0].kind} ${made[0].id.slice(0, 16)}`;
}

async function stores() {
  const { fg } = world;
  const text = fg.datasets.fromTexts(texts, { context: 10 });
  return [await fg.activations.save(lmA, saeA, text), await fg.activations.save(lmB, saeB, text)] as const;
}

const all = {
  counterparts: 2,
  minFirings: 2,
  match: 'mutual',
  minR: 0.1,
  maxShareAtOnePosition: 0.9,
  memoryBytes: 1e8,
} as const;
const umap = { nNeighbors: 5, minDist: 0.2, metric: 'cosine', nEpochs: 10, seed: 3, init: 'pca' } as const;
const words = { title: 'T', groups: { royalty: ['king'] } };

describe('identities of fg.correlation, fg.maps and fg.show', () => {
  it('a map is found under the id that it had', async () => {
    const [a, b] = await stores();
    expect(await identity((fg) => fg.correlation.map(a, b))).toBe('correlation 325e25ec8e2c59ee');
    expect(await identity((fg) => fg.correlation.map(a, b, all))).toBe('correlation 30406f17f9f52584');
  });

  it('a layout is found under the id that it had, UMAP under that of its version 5', async () => {
    const x = saeA.decoder;
    expect(await identity((fg) => fg.maps.pca(x))).toBe('layout fa09ecd34bdd6c3c');
    expect(await identity((fg) => fg.maps.umap(x, {}))).toBe('layout db5017b14549ce8e');
    const options = { ...umap, trustworthiness: 4, fresh: true };
    expect(await identity((fg) => fg.maps.umap(x, options))).toBe('layout 7b95a7ce2eed6492');
  });

  it('a picture is found under the id that it has had since it lists the counterparts beside the partner', async () => {
    const [a, b] = await stores();
    const { fg } = world;
    const map = await fg.correlation.map(a, b, { minFirings: 3, counterparts: 2 });
    const [layoutA, layoutB] = [await fg.maps.pca(saeA.decoder), await fg.maps.pca(saeB.decoder)];
    expect(await identity(() => fg.show(layoutA, { activations: a }))).toBe('map 5bbb0e4aa980f1a9');
    expect(await identity(() => fg.show(layoutA, { activations: a, ...words }))).toBe('map f031efad9adf1c07');
    expect(await identity(() => fg.show([layoutA, layoutB], { map }))).toBe('map 660e8026364b6101');
    expect(await identity(() => fg.show([layoutA, layoutB], { map, ...words }))).toBe('map a900770e09b2b3d5');
  });
});
