import { expect, it } from 'vitest';
import { measureOf } from '#protocol/measure.js';
import { ASSOCIATIONS } from '#kernel/correlation/association.js';
import { memoryActivations } from '#kernel/activations/store.js';
import { correlate } from '#kernel/correlation/map.js';
import { filteredItems, hubItems } from '#kernel/present/correlation.js';
import { hubs } from '#kernel/correlation/hubs.js';
import { randomRows } from '#test/kit/rows.js';

it('calls the figures of a map by the measure it was made by, in its line and its tables', async () => {
  const a = memoryActivations(randomRows(200, 12, 0.2, 1), { context: 10 });
  const b = memoryActivations(randomRows(200, 9, 0.2, 2), { context: 10 });
  const names = { pearson: 'r', cosine: 'cosine', jaccard: 'Jaccard', phi: 'phi', 'mutual-information': 'bits' };
  for (const by of ASSOCIATIONS) {
    const map = { ...(await correlate(a, b, { by, minFirings: 1 })), a, b };
    const name = names[by];
    expect(measureOf(map.method)).toBe(name);
    const counts = [{ step: 'matched', pairs: 9, meanR: 0.5 }];
    const filtered = JSON.stringify(filteredItems({ ...map, counts } as never));
    const labels = Array.from({ length: 12 }, () => ({ tokens: [], peaks: [] }));
    const found = JSON.stringify(hubItems(hubs(map.pairs, 2), { A: labels, B: labels } as never, map));
    for (const text of [filtered, found]) expect(text).toContain(`mean ${name}`);
    if (by !== 'pearson') for (const text of [filtered, found]) expect(text).not.toMatch(/(mean|best) r\b/);
  }
});
