/**
 * Keyword groups of a twin map of 16,384 features a side: n, mean r, SVCCA, RSA, Jaccard and the same-token score of a
 * group's pairs, as the view computes them whenever the group changes; median of all groups, against the aim of 25 ms. The
 * note says how long the same takes with the nulls of 100 shuffles, which follow.
 */
import { Random } from '#kernel/compute/random.js';
import type { MapColumns, MapMeta } from '#protocol/map.js';
import { scoreGroup, type Decoders } from '#webviews/map/groupScores.js';
import { linkedPairs, loadModel } from '#webviews/map/model.js';
import type { BenchResult } from './types.js';

const N = 16_384;
const AIM_MS = 25;
const GROUPS = 9;

const word = (i: number): string => ` word${i}`;

/** Every feature is called by one of `words` words, and its partner by the same in three of four cases. */
function columns(s: number, words: number): MapColumns {
  const random = new Random(s);
  const labels = Array.from({ length: N }, (_, i) => [word(s === 1 && i % 4 === 0 ? (i + 7) % words : i % words)]);
  const each = (of: (i: number) => number) => Float32Array.from({ length: N }, (_, i) => of(i));
  return {
    x: each(() => random.normal()),
    y: each(() => random.normal()),
    feature: Int32Array.from({ length: N }, (_, i) => i),
    firings: new Int32Array(N).fill(100),
    firingRate: new Float32Array(N).fill(0.01),
    partner: Int32Array.from({ length: N }, (_, i) => i),
    r: each(() => random.next()),
    column: [],
    ...{ other: [], otherR: [] },
    labels,
    shares: labels.map(() => null),
  };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

async function measure(words: number, width: number): Promise<BenchResult> {
  const set = (name: string) => ({ name, title: name, points: N, dead: 0, layout: 'UMAP', width });
  const meta: MapMeta = { version: 1, title: 'bench', sets: [set('A'), set('B')] };
  const model = await loadModel({ meta: () => Promise.resolve(meta), columns: (s) => Promise.resolve(columns(s, words)) }); // prettier-ignore
  const random = new Random(2);
  const a = Float32Array.from({ length: N * width }, () => random.normal());
  const decoders: Decoders = { widths: [width, width], rows: [a, a.map((v) => v + random.normal())] };
  const of = { model, links: linkedPairs(model), decoders, minR: 0 };
  const { signal } = new AbortController();
  const times: [number[], number[]] = [[], []];
  let pairs = 0;
  for (let g = 0; g < GROUPS + 2; g++)
    for (const [k, nulls] of [0, 100].entries()) {
      const start = performance.now();
      ({ pairs } = await scoreGroup(of, { name: 'group', words: [word(g).trim()] }, nulls, signal));
      // The first ones warm the code.
      if (g >= 2) times[k].push(performance.now() - start);
    }
  const [ours, nulls] = times.map(median);
  const size = `${N} features a side, a group of ${pairs} pairs, ${width} dimensions`;
  const note = `peer: the aim; with 100 nulls ${nulls.toFixed(0)} ms`;
  return { name: 'groups', size, ours, peer: AIM_MS, unit: 'ms', speedup: AIM_MS / ours, note };
}

export async function run(): Promise<BenchResult[]> {
  return [await measure(512, 128), await measure(128, 128), await measure(512, 768)];
}
