/** What is selected in the views of a notebook, as a cell gets it. */
import { describe, expect, test } from 'vitest';
import type { LinkedSelection } from '#protocol/link.js';
import { SELECTION_VIEW } from '#protocol/live.js';
import { plainJson } from '#protocol/objects.js';
import { freshFg, lmA, saeA, texts } from '#test/kit/fg.js';
import { openSession } from '#test/kit/session.js';

const selected = (sae: string, features: number[]): LinkedSelection => ({
  ...{ source: 'v', kind: 'light', label: 'Royalty: 2 features' },
  sets: [{ sae, features, side: 'A' }],
});

describe('fg.show.selection', () => {
  const world = freshFg();

  test('gives the features of each side with the names that the session knows; nothing where nothing is selected', async () => {
    const { fg, context } = world;
    expect(await fg.show.selection()).toEqual({ label: '', sets: [] });
    const acts = await fg.activations.save(lmA, saeA, fg.datasets.fromTexts(texts, { context: 10 }));
    const { sae } = acts.meta;
    context.selection = () => ({ ...selected(sae.id, [7, 5]), sets: [...selected(sae.id, [7, 5]).sets, { sae: 'other', features: [1] }] }); // prettier-ignore
    const { label, sets } = await fg.show.selection();
    expect(label).toBe('Royalty: 2 features');
    expect(sets[0]).toMatchObject({ side: 'A', sae: sae.id, name: sae.name, features: [7, 5] });
    expect(sets[0].labels).toHaveLength(2);
    for (const each of sets[0].labels) expect(each).toMatch(/%/);
    expect(sets[1]).toEqual({ sae: 'other', features: [1], labels: [''] });
  });
});

describe('a session', () => {
  test('takes what is selected at once, also while a cell runs, and refuses what is no selection', async () => {
    const open = openSession();
    try {
      const { session } = open;
      const tell = (params: unknown) => session.liveCall({ view: SELECTION_VIEW, method: 'light', params: plainJson(params as object) }); // prettier-ignore
      const cell = open.run('await new Promise((go) => setTimeout(go, 200))');
      expect(await tell(selected('s', [3]))).toBeNull();
      expect(session.selection()).toEqual(selected('s', [3]));
      await expect(tell({ sets: 3 })).rejects.toThrow('no selection');
      await expect(tell({ ...selected('s', [3]), sets: [{ sae: 's', features: [3], side: 7 }] })).rejects.toThrow(
        'no selection',
      );
      expect(session.selection()).toEqual(selected('s', [3]));
      // Another view that is cleared leaves what this one has lit; the latest is given, and then the one before it.
      await tell({ ...selected('s', []), source: 'w' });
      expect(session.selection()).toEqual(selected('s', [3]));
      await tell({ ...selected('s', [9]), source: 'w' });
      expect(session.selection()?.sets[0].features).toEqual([9]);
      await tell({ ...selected('s', []), source: 'w' });
      expect(session.selection()).toEqual(selected('s', [3]));
      await session.liveCall({ view: SELECTION_VIEW, method: 'reset', params: null });
      expect(session.selection()).toBeNull();
      await tell(selected('s', [3]));
      await tell(selected('s', []));
      expect(session.selection()).toBeNull();
      await cell;
    } finally {
      open.close();
    }
  });
});
