/** fg.show.prompt: its figures against saved activations of the same text, what it keeps, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { MIME } from '#protocol/mime.js';
import type { Json } from '#protocol/notebook.js';
import { asPrompt, isTry, type PromptDescriptor, type Try } from '#protocol/prompt.js';
import { along, firingOn, merged, together } from '#webviews/ui/tries.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();
const never = new AbortController().signal;
const ask = (view: string, method: string, params: Json = null) =>
  world.context.views.get(view)!(method, params, never);

describe('fg.show.prompt', () => {
  it('has the features and activations that fg.activations.save has of the same tokens, the strongest first', async () => {
    const { fg } = world;
    const box = await fg.show.prompt([lmA, lmB], [saeA, saeB], texts[3]);
    const [{ sides }] = box.tries;
    const text = fg.datasets.fromTexts([texts[3]], { context: 10, separator: 'none' });
    for (const [s, [lm, sae]] of [[lmA, saeA] as const, [lmB, saeB] as const].entries()) {
      const saved = await fg.activations.save(lm, sae, text);
      const side = sides[s];
      for await (const { rows } of saved.shards()) {
        expect(side.tokens).toHaveLength(rows.rows);
        for (let t = 0; t < rows.rows; t++) {
          const entries = Array.from(rows.indices.subarray(rows.indptr[t], rows.indptr[t + 1]), (feature, k) => {
            return { feature, value: rows.values[rows.indptr[t] + k] };
          }).sort((a, b) => b.value - a.value || a.feature - b.feature);
          const fired = firingOn(side, [t]);
          expect(fired.map(({ feature }) => feature)).toEqual(entries.map(({ feature }) => feature));
          fired.forEach(({ value }, k) => expect(value).toBeCloseTo(entries[k].value, 4));
        }
      }
    }
    expect(sides[0].at.at(-1)).toBeGreaterThan(0);
    expect(sides[1].stretches).toBeUndefined();
    const [first] = firingOn(sides[0], [2]);
    expect(along(sides[0], first.feature)[2]).toBe(first.value);
  });

  it('keeps what is tried in the box, each text once, for the same box of a later cell; what is seen is not kept', async () => {
    const { fg, context } = world;
    const box = await fg.show.prompt(lmA, saeA, ['3 17 5', '8 8 1']);
    const { meta } = shownJson<PromptDescriptor>(context, MIME.prompt);
    const { tried } = (await ask(meta.live, 'see', { text: '4 4' })) as unknown as { tried: Try };
    expect(tried.text).toBe('4 4');
    await ask(meta.live, 'try', { text: '9 2 2' });
    await ask(meta.live, 'try', { text: '3 17 5' });
    const texts_ = (tries: readonly Try[]) => tries.map(({ text }) => text);
    expect(texts_(box.tries)).toEqual(['8 8 1', '9 2 2', '3 17 5']);
    const again = await fg.show.prompt(lmA, saeA, '1 1');
    expect(texts_(again.tries)).toEqual(['8 8 1', '9 2 2', '3 17 5', '1 1']);
    expect(texts_((await ask(meta.live, 'tries')) as unknown as Try[])).toEqual(texts_(again.tries));
    expect(asPrompt(JSON.parse(JSON.stringify(again.meta)))?.tries).toHaveLength(4);
    expect(texts_(merged(meta.tries, again.tries))).toEqual(texts_(again.tries));
  });

  it('refuses what does not fit, in words', async () => {
    const { fg, context } = world;
    const prompt = fg.show.prompt as (...args: unknown[]) => Promise<{ meta: { live: string } }>;
    await expect(prompt([lmA, lmB], [saeA], '3')).rejects.toThrow('2 models and 1 SAEs; expected one model for all');
    await expect(prompt(lmB, saeA, '3')).rejects.toThrow('trained on another model');
    await expect(prompt(lmA, saeA, 3)).rejects.toThrow('is 3; expected a text, or several in an array');
    await expect(prompt(lmA, saeA, [])).rejects.toThrow('expected a text, or several in an array');
    await expect(prompt(lmA, saeA, '')).rejects.toThrow('no tokens: write at least one word');
    const long = Array.from({ length: 200 }, () => '3').join(' ');
    await expect(prompt(lmA, saeA, long)).rejects.toThrow(/tokens but .* reads \d+: shorten it/);
    const other = await fg.activations.save(lmB, saeB, fg.datasets.fromTexts(texts, { context: 8 }));
    await expect(prompt(lmA, saeA, '3', { activations: other })).rejects.toThrow('are of none of these SAEs');
    const { meta } = await prompt(lmA, saeA, '3');
    await expect(context.views.get(meta.live)!('try', { text: 7 }, never)).rejects.toThrow('takes { text }');
    await expect(context.views.get(meta.live)!('go', null, never)).rejects.toThrow('no method "go"');
    await expect(context.views.get(meta.live)!('try', { text: '3 '.repeat(20_000) }, never)).rejects.toThrow(
      'at most 20000',
    );
  });
});

describe('tries', () => {
  const tried: Try = {
    text: 'ab cd',
    sides: [
      { tokens: ['ab', ' cd'], at: [0, 1, 2], features: [4, 5], values: [1, 2], left: 0 },
      {
        ...{ tokens: ['a', 'b', ' cd'], at: [0, 2, 3, 3], features: [7, 8, 8], values: [3, 1, 4], left: 0 },
        stretches: { first: [0, 1], own: [0, 0, 1] },
      },
    ],
  };

  it('of two tokenizers go together by the text they stand on', () => {
    expect(together(tried, { side: 0, token: 0 }, 1)).toEqual([0, 1]);
    expect(together(tried, { side: 1, token: 1 }, 0)).toEqual([0]);
    expect(together(tried, { side: 1, token: 2 }, 0)).toEqual([1]);
    expect(firingOn(tried.sides[1], [0, 1])).toEqual([{ feature: 8, value: 4 }, { feature: 7, value: 3 }]); // prettier-ignore
  });

  it.each([
    ['no tokens', { tokens: null }],
    ['falling places', { at: [0, 2, 1] }],
    ['places beyond the features', { at: [0, 1, 9] }],
    ['fewer values than features', { values: [1] }],
    ['labels that are no pairs', { labels: [[1]] }],
  ])('that are damaged are not drawn: %s', (_, damage) => {
    const [a, b] = JSON.parse(JSON.stringify(tried.sides)) as object[];
    expect(isTry({ ...tried, sides: [a, b] }, 2)).toBe(true);
    expect(isTry({ ...tried, sides: [{ ...a, ...damage }, b] }, 2)).toBe(false);
    expect(isTry(tried, 1)).toBe(false);
  });
});
