/**
 * Identities of fg.mapper as they were before its verbs were declared, at code version 2: an artifact that was made then is
 * found now.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initDevice } from '#kernel/compute/device.js';
import type { PairedMap } from '#kernel/correlation/types.js';
import { mapper } from '#kernel/mapper/fg.js';
import { show } from '#kernel/show/fg.js';
import { bindCall } from '#kernel/verb/called.js';
import { Environment } from '#kernel/verb/environment.js';
import { bind } from '#kernel/verb/namespace.js';
import { collectingContext, type CollectedContext } from '#test/kit/context.js';
import { circle } from '#test/kit/shapes.js';

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
  ['graph(x, pipeline)', 'mapper f7d67c00f09814c4', (fg) => fg.graph(x, pipeline)],
  [
    'graph(x, { ...pipeline, seed: 0, minIntersection: 2, lens: column })',
    'mapper 4674bd24bdedab0f',
    (fg) => fg.graph(x, { ...pipeline, seed: 0, minIntersection: 2, lens: { kind: 'column', values: counting } }),
  ],
  ["lens(x, 'pca')", 'lens fce0036d31fb55d3', (fg) => fg.lens(x, 'pca')],
  ['lens(x, chain, { seed: 3 })', 'lens 13a5b4b7c4a35e90', (fg) => fg.lens(x, ['pca', 'minmax'], { seed: 3 })],
  [
    'persistence(x, { nulls: 3, landmarks: 20, seed: 3 })',
    'persistence f3b2f77048fbdc9c',
    (fg) => fg.persistence(x, { nulls: 3, landmarks: 20, seed: 3 }),
  ],
  [
    "persistence(x, { nulls: 2, null: 'shuffled', maxDim: 0, threshold: 2 })",
    'persistence 487c62a5de82ff70',
    (fg) => fg.persistence(x, { nulls: { runs: 2, kind: 'shuffled' }, maxDim: 0, threshold: 2 }),
  ],
  [
    "nulls(x, pipeline, { kind: 'gaussian', runs: 3, seed: 1 })",
    'mapper-nulls c18a90f21e56c99f',
    (fg) => fg.nulls(x, { ...pipeline, nulls: { kind: 'gaussian', runs: 3, seed: 1 } }),
  ],
  [
    'nulls(x, pipeline, { runs: 2, by: values })',
    'mapper-nulls bc4280cb6567e5b6',
    (fg) => fg.nulls(x, { ...pipeline, nulls: 2, by: Float64Array.from(x.data.slice(0, 40)) }),
  ],
  [
    "nulls(x, { ...pipeline, seed: 5 }, { kind: 'rotated', runs: 2, seed: 0 })",
    'mapper-nulls efcf2c07ca95f3a9',
    (fg) => fg.nulls(x, { ...pipeline, seed: 5, nulls: { kind: 'rotated', runs: 2, seed: 0 } }),
  ],
  [
    'sweep(x, plan, { cubes: [4, 6], overlaps: [0.3, 0.4] })',
    'mapper-sweep 070068e141c2d182',
    (fg) => fg.sweep(x, { ...plan, cubes: [4, 6], overlaps: [0.3, 0.4] }),
  ],
  [
    "sweep(x, plan, { cubes: [4], overlaps: [0.3], bootstraps: 1, nulls: 1, null: 'gaussian', seed: 2, cover: 'balanced' })",
    'mapper-sweep fdea68dbeedf90c7',
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
    'mapper-stability 8377eb6deb81cb51',
    (fg) => fg.stability(x, { ...pipeline, draws: { runs: 2, seed: 0 } }),
  ],
  [
    "stability(x, pipeline, { runs: 2, resample: 'subsample', share: 0.7, pairs: 40, seed: 4 })",
    'mapper-stability de3ae70af9bf5c34',
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
    expect(await of()).toBe('mapper-overlap efa0800fcf12d849');
    expect(await of({ by: 'pairs', nulls: { runs: 9, seed: 1 } })).toBe('mapper-overlap db1af15aec8086c9');
  });

  it('a picture is found under the ids that it had', async () => {
    const fg = bind(env, mapper);
    const graph = await fg.graph(x, pipeline);
    const nulls = await fg.nulls(x, { ...pipeline, nulls: { kind: 'gaussian', runs: 3, seed: 1 } });
    const findings = fg.findings(graph, { beside: nulls });
    const columns = { c: Int32Array.from(counting) };
    expect(await identity(() => bindCall(env, show)(graph))).toBe('graph 6bf8bab67cab9a4c');
    const options = { title: 'T', seed: 1, beside: [nulls], columns, groups: { a: ['b'] }, findings };
    expect(await identity(() => bindCall(env, show)(graph, options))).toBe('graph b35b0945e49de4cd');
  });
});
