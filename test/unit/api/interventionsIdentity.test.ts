/**
 * Identities of fg.interventions as they were before its verbs were declared: an artifact that was made then is found now.
 */
import { describe, expect, it } from 'vitest';
import type { PairedMap } from '#kernel/correlation/types.js';
import type { Fg } from '#kernel/api/index.js';
import { normals } from '#test/kit/numbers.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';
import { tinySae } from '#test/kit/sae.js';

const world = freshFg();
const late = tinySae(
  'blocks.1.hook_resid_post',
  lmA.config.dModel,
  24,
  { applyBDecToInput: false, modelId: lmA.id },
  { next: normals(77), scale: { b_enc: 1, b_dec: 1 } },
);
// Not of fg.correlation.map, whose own version may rise.
const map = {
  id: 'map',
  featuresA: 24,
  featuresB: 16,
  method: 'argmax',
  minFirings: 1,
  pairs: {
    a: Int32Array.of(3, 4, 5, 6, 7, 8, 9),
    b: Int32Array.of(1, 2, 3, 4, 5, 6, 7),
    r: Float32Array.of(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
  },
} as unknown as PairedMap;
const a = { model: lmA, sae: saeA };
const b = { model: lmB, sae: saeB };
const watched = { a: { ...a, watch: saeA }, b: { ...b, watch: saeB } };
const atEnd = 'blocks.1.hook_resid_post';

const data = () => world.fg.datasets.fromTexts(texts, { context: 8 });
const push = () => world.fg.interventions.steerFeature(lmA, saeA, 5, { scale: 2 });

async function identity(of: (fg: Fg['interventions']) => Promise<unknown>): Promise<string> {
  const { fg } = world;
  const known = new Set((await fg.artifacts.list()).map((r) => r.id));
  await of(fg.interventions);
  const made = (await fg.artifacts.list()).filter((r) => !known.has(r.id) && r.kind !== 'conformance');
  expect(made.length).toBe(1);
  return `${made[0].kind} ${made[0].id.slice(0, 16)}`;
}

/** Written down with the calls of that version, where the options were named otherwise. */
const CALLS: ReadonlyArray<[was: string, id: string, call: (fg: Fg['interventions']) => Promise<unknown>]> = [
  [
    'effects(lm, push, sae, text, { sequences: 4 })',
    'effects c94295e0133ac24f',
    (fg) => fg.effects(lmA, push(), saeA, data(), { samples: 4 }),
  ],
  [
    "effects(lm, [push], [sae, late], text, { sequences: 4, top: 3, test: 'signFlip', permutations: 99, seed: 2, untouched: true, batchTokens: 16 })",
    'effects 0028bab037c2564f',
    (fg) =>
      fg.effects(lmA, [push()], [saeA, late], data(), {
        samples: 4,
        top: 3,
        test: 'signFlip',
        untouched: true,
        batchTokens: 16,
        nulls: { runs: 99, seed: 2 },
      }),
  ],
  [
    'densities(lm, push, [sae, late], text, { sequences: 3 })',
    'densities 6a1d65be029fb222',
    (fg) => fg.densities(lmA, push(), [saeA, late], data(), { samples: 3 }),
  ],
  [
    "logitEffects(lm, push, ['3 4 5', '7 8'], { tokens: ['7', '9'], nulls: 2, seed: 1 })",
    'logit-effects 24bab04e2dc4edda',
    (fg) => fg.logitEffects(lmA, push(), ['3 4 5', '7 8'], { tokens: ['7', '9'], nulls: { runs: 2, seed: 1 } }),
  ],
  [
    "logitEffects(lm, push, text, { sequences: 3, nulls: 1, nullKinds: ['isotropic'], positions: 'last' })",
    'logit-effects 00189b1bdbd247c4',
    (fg) =>
      fg.logitEffects(lmA, push(), data(), {
        samples: 3,
        positions: 'last',
        nulls: { kind: ['isotropic'], runs: 1 },
      }),
  ],
  [
    "logitEffects(lm, push, '3 4', { nulls: 0 })",
    'logit-effects b49f04d6dfa7d623',
    (fg) => fg.logitEffects(lmA, push(), '3 4', { nulls: 0 }),
  ],
  [
    "attribution(lm, sae, '3 4 5 6', { token: '7', minus: '8' }, { verify: 8 })",
    'attribution d8834b22f4ed3408',
    (fg) => fg.attribution(lmA, saeA, '3 4 5 6', { token: '7', minus: '8' }, { verify: 8 }),
  ],
  [
    "attribution(lm, sae, text, 'loss', { sequences: 2, method: 'integrated', steps: 4, verify: 6, permutations: 49, seed: 3 })",
    'attribution 2272667829c00bed',
    (fg) =>
      fg.attribution(lmA, saeA, data(), 'loss', {
        samples: 2,
        method: 'integrated',
        steps: 4,
        verify: 6,
        seed: 3,
        nulls: 49,
      }),
  ],
  [
    'transfer(a, b, map, text, { pairs: 4, nulls: 19, sequences: 6 })',
    'transfer 9dded89140fa7001',
    (fg) => fg.transfer(a, b, data(), map, { pairs: 4, nulls: 19, samples: 6 }),
  ],
  [
    "transfer(a, b, map, text, { pairs: 3, nulls: 9, seed: 4, choose: 'random', watchMap: map, sequences: 6 })",
    'transfer 02b203d70b441ae1',
    (fg) =>
      fg.transfer(watched.a, watched.b, data(), map, {
        pairs: 3,
        nulls: 9,
        seed: 4,
        choose: 'random',
        samples: 6,
        watchMap: map,
      }),
  ],
  [
    "circuit(lm, sae, late, '3 4 5 6', { targets: 3, sources: 4 })",
    'circuit db057d9dfd8ea7bf',
    (fg) => fg.circuit(lmA, saeA, late, '3 4 5 6', { targets: 3, sources: 4 }),
  ],
  [
    "circuit(lm, sae, late, '3 4 5 6', { targets: 2, sources: 4, permutations: 19, seed: 1 })",
    'circuit 817d8d0df7aff59c',
    (fg) => fg.circuit(lmA, saeA, late, '3 4 5 6', { targets: 2, sources: 4, nulls: { runs: 19, seed: 1 } }),
  ],
  [
    'jointMap(lm, push, text, { hook, sequences: 4, nulls: 3 })',
    'joint-map aac39bfebe2a4e3d',
    (fg) => fg.jointMap(lmA, push(), data(), { hook: atEnd, samples: 4, nulls: 3 }),
  ],
];

describe('identities of fg.interventions', () => {
  it.each(CALLS)('%s is found under the id that it had', async (_, id, call) => {
    expect(await identity(call)).toBe(id);
  });

  it('a map by UMAP and its pictures are found under the ids that they had', async () => {
    // jointMap(lm, push, text, { sae: late, sequences: 4, nulls: 2, nullKinds: 'isotropic', seed: 1, points: 20,
    // method: 'umap', nNeighbors: 5 }) and showArrows(moved, { null: false, title: 'alone' })
    const moved = await world.fg.interventions.jointMap(lmA, push(), data(), {
      sae: late,
      samples: 4,
      seed: 1,
      points: 20,
      method: 'umap',
      umap: { nNeighbors: 5 },
      nulls: { kind: 'isotropic', runs: 2 },
    });
    expect(moved.id.slice(0, 16)).toBe('6e670beb03a0d38c');
    expect(await identity(() => world.fg.show(moved))).toBe('map b33e32c26b9d3cf5');
    expect(await identity(() => world.fg.show(moved, { beside: false, title: 'alone' }))).toBe('map c6ad789efc52db16');
  });
});
