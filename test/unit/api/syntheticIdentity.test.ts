/**
 * Identities of fg.synthetic as they were before its verbs were declared: an artifact that was made then is found now, and
 * a world is the world that it was.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFg, type Fg } from '#kernel/api/index.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { matrix } from '#kernel/compute/matrix.js';
import type { TokenSet } from '#kernel/models/types.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { fromRows } from '#test/kit/rows.js';
import { handSae } from '#test/kit/sae.js';
import { basis, directions, handWorld, independent } from '#test/kit/world.js';

let context: CollectedContext;
let fg: Fg;
beforeAll(async () => {
  context = collectingContext();
  fg = await createFg(context, { device: 'cpu' });
});
afterAll(() => context.remove());

/** Kinds and ids of what a call made anew, of the kinds asked for. */
async function made(kind: string, call: () => Promise<unknown>): Promise<string[]> {
  const known = new Set((await fg.artifacts.list()).map((r) => r.id));
  await call();
  const records = (await fg.artifacts.list()).filter((r) => !known.has(r.id) && r.kind === kind);
  return records.map((r) => r.id.slice(0, 16)).sort();
}

const small = { features: 12, dim: 6, frequencies: 0.1, seed: 3 } as const;
const hand = handWorld({ dictionary: basis(10, 12), codes: independent(10, 0.15) });
const base = handWorld({ dictionary: directions(24, 8, 1), codes: independent(24, 0.12), id: 'base' });
const twinOptions = { features: 12, shared: 0.5, dimB: 10 };
const lan = { features: 16, dim: 8, k: 3, clip: true };

/** Four tokens of two concepts, each with a feature. */
const ids = Uint8Array.from({ length: 40 }, (_, t) => 1 + (t % 2));
const rows = fromRows(Array.from(ids, (c) => [c === 1 ? 1 : 0, c === 2 ? 1 : 0]));
// The ids are of indices of this type.
const activations = memoryActivations(
  { ...rows, indices: Int32Array.from(rows.indices) },
  {
    tokenIds: Int32Array.from(ids),
    context: 10,
    meta: { tokenSet: { id: 'tokens', tokenizer: 'hand' } },
  },
);
const tokens = {
  id: 'tokens',
  tokens: Uint32Array.from(ids),
  context: 10,
  tokenizer: { id: 'hand', vocabSize: 3 },
  concepts: { names: ['none', 'odd', 'even'], ids },
} as unknown as TokenSet;

describe('identities of worlds', () => {
  it('are what they were', async () => {
    const worldIds = {
      plain: (await fg.synthetic.world(small)).id,
      built: (
        await fg.synthetic.world({
          features: 16,
          superposition: 2,
          l0: 2,
          maxFrequency: 0.4,
          frequencies: { kind: 'zipf' },
          geometry: { kind: 'clusters', clusters: 2 },
          correlations: { kind: 'block', size: 4, correlation: 0.1 },
          magnitudes: { kind: 'constant' },
          noise: { std: 0.1 },
          mean: 0.5,
        })
      ).id,
      marks: (await fg.synthetic.preset('marks-2024', { features: 48, dim: 8, groups: 4, k: 3, seed: 1 })).id,
      lan: (await fg.synthetic.preset('lan-2024', { ...lan, standardized: true })).id,
      corrected: (await fg.synthetic.preset('lan-2024-corrected', { features: 16, dim: 8 })).id,
      twins: (await fg.synthetic.twins(base, twinOptions)).id,
      moreTwins: (await fg.synthetic.twins(base, { ...twinOptions, splits: 1, absorptions: 1, noise: 0.1, seed: 2 }))
        .id,
    };
    const short = Object.fromEntries(Object.entries(worldIds).map(([name, id]) => [name, id.slice(0, 16)]));
    expect(short).toEqual({
      plain: '11b48e8073ce5163',
      built: 'aae76c4a7b5c5304',
      marks: 'bd25dc19b5f7b621',
      lan: 'db6fbb263c25e718',
      corrected: 'fa39ab32847436df',
      twins: '0d5235e5346c8e38',
      moreTwins: '6c0167bfb35a823f',
    });
  });
});

const train = { features: 12, architecture: 'topk', k: 2, steps: 3, trainBatchSizeTokens: 32 } as const;

/** Written down with the calls of that version in the comments, where the options were named otherwise. */
const CALLS: ReadonlyArray<[was: string, kind: string, ids: string[], call: () => Promise<unknown>]> = [
  [
    'world.activations(300)',
    'activations',
    ['7fe7132c02397923'],
    async () => fg.synthetic.activations(await fg.synthetic.world(small), { samples: 300 }),
  ],
  [
    'world.activations(300, { seed: 4 })',
    'activations',
    ['98c0ca20c563438c'],
    async () => fg.synthetic.activations(await fg.synthetic.world(small), { samples: 300, seed: 4 }),
  ],
  [
    'recovery(world, sae, { samples: 300, floors: 3, nulls: 2 })',
    'recovery',
    ['7f60dfd9b5b428d1'],
    () => fg.synthetic.recovery(hand, handSae(hand.dictionary), { samples: 300, nulls: { runs: 2, floors: 3 } }),
  ],
  [
    'recovery(world, dictionary, { floors: 3, seed: 5, recoveredAt: 0.8 })',
    'recovery',
    ['c91ddda26084482b'],
    () => fg.synthetic.recovery(hand, hand.dictionary, { nulls: { floors: 3, seed: 5 }, recoveredAt: 0.8 }),
  ],
  [
    'recovery(world, rows)',
    'recovery',
    ['de966467a7b2fda6'],
    () => fg.synthetic.recovery(hand, matrix(2, 12, new Float32Array(24).fill(1))),
  ],
  [
    'train(world, { …, samples: 128 })',
    'sae',
    ['fea81b0619e00523'],
    () => fg.synthetic.train(hand, { ...train, samples: 128 }),
  ],
  ['train(world, { …, seed: 2 })', 'sae', ['99b91d73bc1eea6f'], () => fg.synthetic.train(hand, { ...train, seed: 2 })],
  [
    'twinActivations(twins, { samples: 200 })',
    'activations',
    ['10435aa359916afe', 'f6d8201a3abef5fc'],
    async () => fg.synthetic.twinActivations(await fg.synthetic.twins(base, twinOptions), { samples: 200 }),
  ],
  [
    'twinActivations(twins, { samples: 100, seed: 1, saes })',
    'activations',
    ['018d75e3afcc566e', '3ae8c8e644dc628b'],
    async () => {
      const twins = await fg.synthetic.twins(base, twinOptions);
      return fg.synthetic.twinActivations(twins, {
        samples: 100,
        seed: 1,
        saes: { a: handSae(twins.a.dictionary), b: handSae(twins.b.dictionary) },
      });
    },
  ],
  [
    'calibrate(twins, { samples: 500, nulls: 5 })',
    'calibration',
    ['3a01145685bc8e1f'],
    async () => fg.synthetic.calibrate(await fg.synthetic.twins(base, twinOptions), { samples: 500, nulls: 5 }),
  ],
  [
    "calibrate(twins, { samples: 500, sampleSeed: 1, methods: ['argmax'], minFirings: 2, minCosine: 0.6, thresholds: [0.5], bin: 0.2, nulls: 4, seed: 7, saes })",
    'calibration',
    ['ad45b44819ae3a23'],
    async () => {
      const twins = await fg.synthetic.twins(base, twinOptions);
      return fg.synthetic.calibrate(twins, {
        samples: 500,
        sampleSeed: 1,
        methods: ['argmax'],
        minFirings: 2,
        minCosine: 0.6,
        thresholds: [0.5],
        bin: 0.2,
        nulls: { runs: 4, seed: 7 },
        saes: { a: handSae(twins.a.dictionary), b: handSae(twins.b.dictionary) },
      });
    },
  ],
  [
    "scoreResponse(world, { fractions: [0, 1], metrics: ['cka'], nulls: 3, twins: { features: 12 } })",
    'score-response',
    ['5342e81f0cdd00f1'],
    () => fg.synthetic.scoreResponse(base, { fractions: [0, 1], metrics: ['cka'], nulls: 3, twins: { features: 12 } }),
  ],
  [
    "scoreResponse(world, { fractions: [1], metrics: ['rsa'], pairing: 'argmax', samples: 200, nulls: 2, seed: 3 })",
    'score-response',
    ['2b5dc77c7bcf7925'],
    () =>
      fg.synthetic.scoreResponse(base, {
        fractions: [1],
        metrics: ['rsa'],
        pairing: 'argmax',
        samples: 200,
        nulls: 2,
        seed: 3,
      }),
  ],
  [
    'sweep({ world, correlations: [0, 1], saes, widths, ks, samples, recovery })',
    'sweep-cell',
    ['4716a416d55b4c09', '6e54e13a8782d8e5', '6f6b73ab6387d315', 'f86fd4934d0ff693'],
    () =>
      fg.synthetic.sweep((c) => handWorld({ dictionary: basis(6, 8), codes: independent(6, 0.2), id: `w${c}` }), {
        correlations: [0, 1],
        saes: [{ architecture: 'topk', steps: 2, trainBatchSizeTokens: 32 }],
        widths: [6],
        ks: [1],
        seeds: [0, 3],
        samples: 64,
        recovery: { samples: 50, nulls: 2 },
      }),
  ],
  [
    'mutualRegularization(world, { steps: 3, batchSize: 16, samples: 64, k: 2, recovery: { samples: 50, floors: 2, nulls: 2 } })',
    'mfr',
    ['a3c1302275606f62', 'c7d763d284b60ab9'],
    () =>
      fg.synthetic.mutualRegularization(hand, {
        steps: 3,
        batchSize: 16,
        samples: 64,
        k: 2,
        recovery: { samples: 50, nulls: 2 },
      }),
  ],
  ['concepts(activations, tokens)', 'concepts', ['fd279b6e99387760'], () => fg.synthetic.concepts(activations, tokens)],
  [
    "concepts(activations, tokens, { null: 'types', nulls: 4, seed: 2, minTokens: 5, labels: false })",
    'concepts',
    ['a56eb3d7f88323d5'],
    () =>
      fg.synthetic.concepts(activations, tokens, {
        nulls: { kind: 'types', runs: 4, seed: 2 },
        minTokens: 5,
        labels: false,
      }),
  ],
  [
    'concepts(activations, tokens, { labels: { minF1: 0.5, examples: 2, nulls: 3, seed: 1 } })',
    'concepts',
    ['18084083c46a8eef'],
    () => fg.synthetic.concepts(activations, tokens, { labels: { minF1: 0.5, top: 2, nulls: { runs: 3, seed: 1 } } }),
  ],
];

describe('identities of fg.synthetic', () => {
  it.each(CALLS)('%s is found under the id that it had', async (_, kind, expected, call) => {
    expect(await made(kind, call)).toEqual(expected);
  });
});
