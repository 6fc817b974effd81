import { describe, expect, it } from 'vitest';
import { topExamples, type TopExamplesOptions } from '#kernel/activations/examples.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { Random } from '#kernel/compute/random.js';
import { fromDense, randomRows, sparse, toDense } from '#test/kit/rows.js';

const piece = (t: number) => ` w${t}`;

/** All firings of a feature, sorted, deduplicated: the definition, spelled out. */
function bruteForce(
  dense: Float32Array,
  features: number,
  ids: Int32Array,
  context: number,
  f: number,
  o: TopExamplesOptions,
) {
  const { top: k = 5, before = 5, after = 4, dedupe = true } = o;
  const all = [];
  for (let t = 0; t < ids.length; t++) {
    if (dense[t * features + f] === 0) continue;
    const sequence = Math.floor(t / context);
    const start = Math.max(sequence * context, t - before);
    const end = Math.min((sequence + 1) * context, t + after + 1);
    const window = Array.from({ length: end - start }, (_, i) => start + i);
    all.push({
      sequence,
      position: t % context,
      value: dense[t * features + f],
      tokens: window.map((i) => piece(ids[i])),
      peak: t - start,
      activations: window.map((i) => dense[i * features + f]),
    });
  }
  all.sort((a, b) => b.value - a.value || a.sequence - b.sequence || a.position - b.position);
  const seen = new Set<string>();
  const kept = all.filter((e) => {
    const key = `${e.peak} ${e.tokens.join()}`;
    const fresh = !dedupe || !seen.has(key);
    seen.add(key);
    return fresh;
  });
  return kept.slice(0, k);
}

describe('topExamples', () => {
  it.each([
    [{}],
    [{ top: 3, before: 1, after: 0 }],
    [{ top: 2, before: 0, after: 0 }],
    [{ top: 50, before: 2, after: 1 }],
    [{ dedupe: false }],
  ])('equals sorting every firing: %o', async (options) => {
    const features = 12;
    const random = new Random(9);
    // Few distinct tokens and values: many equal contexts and many ties.
    const ids = Int32Array.from({ length: 600 }, () => random.int(3));
    const dense = toDense(randomRows(600, features, 0.3, 2)).map((v, i) => (i % features === 7 ? 0 : Math.ceil(v * 4)));
    const blocks = [0, 200, 230].map((from, i, list) => {
      const to = list[i + 1] ?? 600;
      return fromDense(dense.subarray(from * features, to * features), to - from, features);
    });
    const acts = memoryActivations(blocks, { tokenIds: ids, context: 20, piece });
    const examples = await topExamples(acts, options);
    expect(examples).toHaveLength(features);
    for (let f = 0; f < features; f++) {
      expect(examples[f], `feature ${f}`).toEqual(bruteForce(dense, features, ids, 20, f, options));
    }
    expect(examples[7]).toEqual([]);
  });

  it('reads only the features asked for, and refuses one that does not exist', async () => {
    const acts = memoryActivations(randomRows(50, 6, 0.5, 1), { context: 10 });
    const examples = await topExamples(acts, { features: Int32Array.of(4, 1) });
    expect(examples.map((list) => list.length)).toEqual([0, 5, 0, 0, 5, 0]);
    expect(examples[4]).toEqual((await topExamples(acts))[4]);
    await expect(topExamples(acts, { features: [6] })).rejects.toThrow(/feature 6.*0 to 5/);
  });

  it('clips windows at the bounds of the sequence', async () => {
    const rows = sparse(2, [[], [], [], [[0, 1]], [], [[1, 2]]]);
    const acts = memoryActivations(rows, { tokenIds: Int32Array.of(0, 1, 2, 3, 4, 5), context: 3, piece });
    const examples = await topExamples(acts);
    expect(examples[0][0]).toMatchObject({ sequence: 1, position: 0, peak: 0, tokens: [' w3', ' w4', ' w5'] });
    expect(examples[1][0]).toMatchObject({ sequence: 1, position: 2, peak: 2, tokens: [' w3', ' w4', ' w5'] });
  });

  it('refuses a negative window and stops when aborted', async () => {
    const acts = memoryActivations(sparse(2, [[]]));
    await expect(topExamples(acts, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
