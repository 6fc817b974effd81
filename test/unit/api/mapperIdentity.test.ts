/** Identities of fg.mapper as they were before its verbs were declared: an artifact that was made then is found now. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '../../../src/kernel/compute/device.js';
import type { PairedMap } from '../../../src/kernel/correlation/types.js';
import { mapper } from '../../../src/kernel/mapper/fg.js';
import { Environment } from '../../../src/kernel/verb/environment.js';
import { bind } from '../../../src/kernel/verb/namespace.js';
import { collectingContext, type CollectedContext } from '../../support/apiContext.js';
import { circle } from '../mapper/shapes.js';

const x = circle(40, 1);
const plan = {
  lens: { kind: 'dimensions', columns: [0] },
  clusterer: { kind: 'agglomerative', metric: 'euclidean', linkage: 'single', distanceThreshold: 0.6 },
} as const;
const pipeline = { ...plan, cover: { cubes: 6, overlap: 0.35 } };
const counting = Float64Array.from({ length: 40 }, (_, i) => i);

let context: CollectedContext;
let env: Environment;
beforeAll(async () => {
  await initDevice({ device: 'cpu' });
  context = collectingContext();
  env = new Environment(context);
});
afterAll(() => context.remove());

type Fg = ReturnType<typeof bind<typeof mapper>>;
async function identity(of: (fg: Fg) => Promise<unknown>): Promise<string> {
  const known = new Set((await env.store.list()).map((r) => r.id));
  await of(bind(env, mapper));
  const made = (await env.store.list()).filter((r) => !known.has(r.id));
  expect(made.length).toBe(1);
  return `${made[0].kind} ${made[0].id.slice(0, 16)}`;
}

/** Written down with the calls of that version in the comments, where the options were named otherwise. */
const CALLS: ReadonlyArray<[was: string, id: string, call: (fg: Fg) => Promise<unknown>]> = [
  ['graph(x, pipeline)', 'mapper 7a59719e45de90a9', (fg) => fg.graph(x, pipeline)],
  [
    'graph(x, { ...pipeline, seed: 0, minIntersection: 2, lens: column })',
    'mapper d7578f5f6d91d28f',
    (fg) => fg.graph(x, { ...pipeline, seed: 0, minIntersection: 2, lens: { kind: 'column', values: counting } }),
  ],
  ["lens(x, 'pca')", 'lens afeb6a3447382fa5', (fg) => fg.lens(x, 'pca')],
  ['lens(x, chain, { seed: 3 })', 'lens 24192ea602b19e16', (fg) => fg.lens(x, ['pca', 'minmax'], { seed: 3 })],
  [
    'persistence(x, { nulls: 3, landmarks: 20, seed: 3 })',
    'persistence 1d44c7bc85c1f689',
    (fg) => fg.persistence(x, { nulls: 3, landmarks: 20, seed: 3 }),
  ],
  [
    "persistence(x, { nulls: 2, null: 'shuffled', maxDim: 0, threshold: 2 })",
    'persistence c8d2ff977578656b',
    (fg) => fg.persistence(x, { nulls: { runs: 2, kind: 'shuffled' }, maxDim: 0, threshold: 2 }),
  ],
  [
    "nulls(x, pipeline, { kind: 'gaussian', runs: 3, seed: 1 })",
    'mapper-nulls 6c5f918ad51e232c',
    (fg) => fg.nulls(x, { ...pipeline, nulls: { kind: 'gaussian', runs: 3, seed: 1 } }),
  ],
  [
    'nulls(x, pipeline, { runs: 2, by: values })',
    'mapper-nulls 993403f27e3b36d8',
    (fg) => fg.nulls(x, { ...pipeline, nulls: 2, by: Float64Array.from(x.data.slice(0, 40)) }),
  ],
  [
    "nulls(x, { ...pipeline, seed: 5 }, { kind: 'rotated', runs: 2, seed: 0 })",
    'mapper-nulls ba8c6f665e5205c0',
    (fg) => fg.nulls(x, { ...pipeline, seed: 5, nulls: { kind: 'rotated', runs: 2, seed: 0 } }),
  ],
  [
    'sweep(x, plan, { cubes: [4, 6], overlaps: [0.3, 0.4] })',
    'mapper-sweep 3e8e720f49ec9100',
    (fg) => fg.sweep(x, { ...plan, cubes: [4, 6], overlaps: [0.3, 0.4] }),
  ],
  [
    "sweep(x, plan, { cubes: [4], overlaps: [0.3], bootstraps: 1, nulls: 1, null: 'gaussian', seed: 2, cover: 'balanced' })",
    'mapper-sweep c8f7a165563cb1d9',
    (fg) =>
      fg.sweep(x, {
        ...plan,
        cubes: [4],
        overlaps: [0.3],
        cover: 'balanced',
        draws: { runs: 1, seed: 2 },
        nulls: { kind: 'gaussian', runs: 1, seed: 2 },
      }),
  ],
  [
    'stability(x, pipeline, { runs: 2, seed: 0 })',
    'mapper-stability 85663ba7f621ff66',
    (fg) => fg.stability(x, { ...pipeline, draws: { runs: 2, seed: 0 } }),
  ],
  [
    "stability(x, pipeline, { runs: 2, resample: 'subsample', share: 0.7, pairs: 40, seed: 4 })",
    'mapper-stability 22133c2f54e164b7',
    (fg) => fg.stability(x, { ...pipeline, draws: { runs: 2, kind: 'subsample', share: 0.7, seed: 4 }, pairs: 40 }),
  ],
];

describe('identities of fg.mapper', () => {
  it.each(CALLS)('%s is found under the id that it had', async (_, id, call) => {
    expect(await identity(call)).toBe(id);
  });

  it('an overlap is found under the ids that it had', async () => {
    const fg = bind(env, mapper);
    const graph = await fg.graph(x, pipeline);
    const own = Int32Array.from(counting);
    const r = new Float32Array(40).fill(1);
    const side = { meta: { sae: { name: 'tiny', id: 'x', decoder: graph.rows } } };
    const best = { bestAofB: own, bestBofA: own, rAofB: r, rBofA: r, pairs: { a: own, b: own, r } };
    const map = {
      id: 'map',
      method: 'exact',
      a: side,
      b: side,
      featuresA: 40,
      featuresB: 40,
      counterparts: 1,
      ...best,
    };
    const of = (options?: object): Promise<string> =>
      identity((bound) => bound.overlap(graph, graph, map as unknown as PairedMap, options));
    expect(await of()).toBe('mapper-overlap a0b0cc3e48279b70');
    expect(await of({ by: 'pairs', nulls: { runs: 9, seed: 1 } })).toBe('mapper-overlap e4faa19182d7bed4');
  });

  it('a picture is found under the ids that it had', async () => {
    const fg = bind(env, mapper);
    const graph = await fg.graph(x, pipeline);
    const nulls = await fg.nulls(x, { ...pipeline, nulls: { kind: 'gaussian', runs: 3, seed: 1 } });
    const findings = fg.findings(graph, { beside: nulls });
    const columns = { c: Int32Array.from(counting) };
    expect(await identity(() => fg.show(graph))).toBe('graph 6bf8bab67cab9a4c');
    const options = { title: 'T', seed: 1, beside: [nulls], columns, groups: { a: ['b'] }, findings };
    expect(await identity(() => fg.show(graph, options))).toBe('graph b35b0945e49de4cd');
  });
});
