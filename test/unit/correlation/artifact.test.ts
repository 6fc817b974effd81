import { describe, expect, it } from 'vitest';
import { memoryActivations } from '#kernel/activations/store.js';
import { correlateArtifact } from '#kernel/correlation/artifact.js';
import { correlate } from '#kernel/correlation/map.js';
import { randomRows, sparse } from '#test/kit/rows.js';
import { testStores } from '#test/kit/store.js';

const newStore = testStores();

describe('correlateArtifact', () => {
  const a = memoryActivations(randomRows(200, 12, 0.2, 1), { context: 10 });
  const b = memoryActivations(randomRows(200, 9, 0.2, 2), { context: 10 });

  it('keeps the map whole, loads it the second time, and makes another for other settings', async () => {
    const store = newStore();
    const made = await correlateArtifact(a, b, store);
    expect(made.cached).toBe(false);
    expect(made.value).toEqual({ ...(await correlate(a, b)), id: made.record.id });
    const loaded = await correlateArtifact(a, b, store, { counterparts: 3 });
    expect(loaded.cached).toBe(true);
    expect(loaded.value).toEqual(made.value);
    const other = await correlateArtifact(a, b, store, { match: 'mutual' });
    expect(other.cached).toBe(false);
    expect(other.value.id).not.toBe(made.value.id);
  });

  it('keeps a map without any pair', async () => {
    const store = newStore();
    const silent = memoryActivations(sparse(3, [[], [], []]), { context: 1 });
    const { value } = await correlateArtifact(silent, silent, store);
    expect(value.pairs.a).toEqual(new Int32Array(0));
    expect([...value.bestAofB].every((i) => i === -1)).toBe(true);
  });
});
