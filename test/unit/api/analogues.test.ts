/** A feature beside its counterparts, and verdicts that stay with the pair. */
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { featuresHtml } from '#kernel/convert/html.js';
import { labelWords, normalizeToken } from '#protocol/tokens.js';
import { formatNumber, type FeatureCards } from '#protocol/display.js';
import { MIME } from '#protocol/mime.js';
import { collectingContext, shownJson } from '#test/kit/context.js';
import { freshFg, hook, lmA, lmB, saeA, saeB, texts, type World } from '#test/kit/fg.js';

const world = freshFg();

async function stores({ fg }: Pick<World, 'fg'>) {
  const text = fg.datasets.fromTexts(texts, { context: 8, separator: 'none' });
  const a = await fg.activations.save(lmA, saeA, text, { hook, conformance: false });
  return [a, await fg.activations.save(lmB, saeB, text, { hook, conformance: false })] as const;
}

async function mapOf(of: Pick<World, 'fg'>) {
  const { fg } = of;
  const [a, b] = await stores(of);
  return fg.correlation.map(a, b, { minFirings: 1, counterparts: 2 });
}

describe('analogues of a feature', () => {
  it('are its best counterparts in order, with r, shared words and those of one alone', async () => {
    const { fg, context } = world;
    const map = await mapOf(world);
    for (const side of ['A', 'B'] as const) {
      const [best, r] = side === 'A' ? [map.bestBofA, map.rBofA] : [map.bestAofB, map.rAofB];
      const feature = Array.from({ length: 16 }, (_, f) => f).find((f) => best[2 * f + 1] >= 0)!;
      context.shown.length = 0;
      await fg.show(map, { analogues: { feature, side, n: 2 } });
      const { title, subject, groups } = shownJson<FeatureCards>(context, MIME.features);
      expect(subject).toMatchObject({ side: `${side}: ${(side === 'A' ? saeA : saeB).name}`, feature });
      expect(subject!.examples.length).toBeGreaterThan(0);
      expect(title).toBe(`${side} #${feature} and its counterparts`);
      expect(groups.map((g) => g.r)).toEqual([r[2 * feature], r[2 * feature + 1]]);
      groups.forEach(({ cards, sharedTokens, subjectAlone, judgement }, k) => {
        expect(cards.map((c) => c.feature)).toEqual([best[2 * feature + k]]);
        const [own, other] = [subject!, cards[0]].map(({ label }) => labelWords(label).map(normalizeToken));
        expect([...sharedTokens!].sort()).toEqual(other.filter((w) => own.includes(w)).sort());
        expect(subjectAlone).toEqual(own.filter((w) => !other.includes(w)));
        expect(cards[0].alone).toEqual(other.filter((w) => !own.includes(w)));
        expect(judgement).toBeUndefined();
      });
    }
  });

  it.each([['pearson', 'r'] as const, ['cosine', 'cosine'] as const])(
    'of a map by %s carry its figure by name: %s',
    async (by, name) => {
      // prettier-ignore
      const { fg, context } = world;
      const [a, b] = await stores(world);
      const map = await fg.correlation.map(a, b, { minFirings: 1, counterparts: 2, by });
      await fg.show(map, { top: 1 });
      const { groups } = shownJson<FeatureCards>(context, MIME.features);
      expect(groups.map(({ r, measure }) => [r, measure])).toEqual([[Math.max(...map.pairs.r), name]]);
      const page = featuresHtml({ version: 1, groups });
      expect(page).toContain(`· ${name} ${formatNumber(groups[0].r!, 3)}</p>`);
      expect(featuresHtml({ version: 1, groups: [{ r: 0.5, cards: [] }] })).toContain('r 0.5');
    },
  );

  it('refuse a feature that there is not, and more counterparts than the map keeps; say when there is none', async () => {
    const { fg, context } = world;
    const map = await mapOf(world);
    await expect(fg.show(map, { analogues: 24 })).rejects.toThrow('side A of the map has features 0 to 23');
    await expect(fg.show(map, { analogues: { feature: 5, n: 3 } })).rejects.toThrow('make it with { counterparts: 3 }');
    await expect(fg.show(map, { analogues: { side: 'B' } })).rejects.toThrow('analogues.feature is missing');
    await fg.show(map, { analogues: 0 });
    expect(context.printed.join('\n')).toContain('A #0 has no counterpart in this map (dead or rare)');
  });
});

describe('a verdict', () => {
  it('is shown with the pair in a map of the two stores, in another session too, until a later one', async () => {
    const { fg, context } = world;
    const map = await mapOf(world);
    const [a, b] = [map.pairs.a[0], map.pairs.b[0]];
    expect(await fg.correlation.judgements(map)).toEqual([]);
    await fg.correlation.judge(map, { a, b, verdict: 'same' });
    await fg.correlation.judge(map, { a, b, verdict: 'similar', note: 'not <b>the same</b> words' });
    const elsewhere = collectingContext(context.notebookFolder, { artifactFolder: context.artifactFolder });
    try {
      const later = await createFg(elsewhere, { device: 'cpu' });
      const again = await mapOf({ fg: later });
      expect(await later.correlation.judgements(again)).toEqual([
        { a, b, verdict: 'similar', note: 'not <b>the same</b> words' },
      ]);
      await later.show(again, { b: [b] });
      const { groups } = shownJson<FeatureCards>(elsewhere, MIME.features);
      expect(groups.find((g) => g.heading === `A #${a} ↔ B #${b}`)!.judgement).toEqual({ verdict: 'similar', note: 'not <b>the same</b> words' }); // prettier-ignore
    } finally {
      elsewhere.remove();
    }
    await expect(fg.correlation.judge(map, { a: 24, b, verdict: 'same' })).rejects.toThrow('feature 24 does not exist: side A'); // prettier-ignore
    await expect(fg.correlation.judge(map, { a, b, verdict: 'maybe' as 'same' })).rejects.toThrow("'same', 'similar', 'different' or 'unsure'"); // prettier-ignore
  });
});
