/** fg.correlation: filters of pairs from a cell, and options that would have no effect. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { listsOf } from '#kernel/correlation/restrict.js';
import { DISPLAY } from '#kernel/present/items.js';
import type { LinkedLabel } from '#protocol/bundle.js';
import type { FeatureCards, TableDescriptor } from '#protocol/display.js';
import type { MapDescriptor } from '#protocol/map.js';
import { MIME } from '#protocol/mime.js';
import type { OutputItem } from '#protocol/notebook.js';
import { normalizeToken, type FeatureLabel } from '#protocol/tokens.js';
import { shownJson } from '#test/kit/context.js';
import { freshFg, lmA, lmB, saeA, saeB, texts } from '#test/kit/fg.js';

const world = freshFg();

async function mapped() {
  const { fg } = world;
  const text = fg.datasets.fromTexts(texts, { context: 10 });
  const a = await fg.activations.save(lmA, saeA, text);
  const b = await fg.activations.save(lmB, saeB, text);
  const map = await fg.correlation.map(a, b, { minFirings: 2 });
  const [labelsA, labelsB] = [await fg.activations.labels(a), await fg.activations.labels(b)];
  return { map, labelsA: labelsA.map(({ peaks }) => peaks), labelsB: labelsB.map(({ peaks }) => peaks) };
}

const table = async (value: object): Promise<TableDescriptor> => {
  const items = await (value as { [DISPLAY](): OutputItem[] | Promise<OutputItem[]> })[DISPLAY]();
  return items[0].json as unknown as TableDescriptor;
};

describe('fg.correlation.filter', () => {
  it('keeps the pairs that a filter written by hand keeps, and shows what each step left', async () => {
    const { fg } = world;
    const { map, labelsA, labelsB } = await mapped();
    const { a, b, r } = map.pairs;
    const odd = (token: string): boolean => /^ ?\d*[13579]$/.test(token);
    const byHand = [...r.keys()].filter((i) => labelsA[a[i]].every(odd) && labelsB[b[i]].every(odd));
    // With "g", each test would begin where the last one ended.
    const left = await fg.correlation.filter(map, { tokens: /^ ?\d*[13579]$/g });
    expect([...left.pairs.b]).toEqual(byHand.map((i) => b[i]));
    expect(byHand.length).toBeLessThan(r.length);
    const common = await fg.correlation.filter(map, { minR: 0.2, commonToken: 'normalized' });
    const shared = [...r.keys()].filter((i) => r[i] >= 0.2 && labelsA[a[i]].some((t) => labelsB[b[i]].includes(t)));
    expect([...common.pairs.a]).toEqual(shared.map((i) => a[i]));
    expect(common.pairs.r).toEqual(Float32Array.from(shared, (i) => r[i]));
    const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((s, v) => s + v, 0) / values.length;
    const strong = r.filter((v) => v >= 0.2);
    const all = { 'pairs before': r.length, 'mean r before': mean(r) };
    const then = { 'pairs before': strong.length, 'mean r before': mean(strong) };
    const last = shared.length > 0 ? mean(common.pairs.r) : null;
    expect((await table(common)).rows).toEqual([
      { step: 'matched', 'pairs before': null, pairs: r.length, 'mean r before': null, 'mean r': mean(r) },
      { step: 'r ≥ 0.2', ...all, pairs: strong.length, 'mean r': mean(strong) },
      { step: 'a common peak token', ...then, pairs: shared.length, 'mean r': last },
    ]);
  });

  it('gives a map of another identity, which scores and counterparts take', async () => {
    const { fg } = world;
    const { map, labelsA } = await mapped();
    const drop = [labelsA[map.pairs.a[0]][0].trim()];
    const made = [
      map,
      await fg.correlation.filter(map, { dropTokens: drop }),
      await fg.correlation.filter(map, { dropTokens: ['none such'] }),
      await fg.correlation.filter(map, { dropTokens: true }),
    ];
    expect(new Set(made.map(({ id }) => id)).size).toBe(4);
    expect((await fg.correlation.filter(map, { dropTokens: drop })).id).toBe(made[1].id);
    expect(made[1].pairs.r.length).toBeLessThan(map.pairs.r.length);
    // A counterpart is listed where the pair stayed, and nowhere else.
    const stayed = new Set(made[1].pairs.b);
    const listed = made[1].bestAofB.filter((_, i) => i % map.counterparts === 0);
    expect([...listed.keys()].filter((b) => listed[b] >= 0)).toEqual([...stayed].sort((x, y) => x - y));
    expect(made[2].pairs).toEqual(map.pairs);
    const [score] = await fg.correlation.scores(saeA, saeB, made[1], { metrics: ['cka'], nulls: 3 });
    expect(score.n).toBe(made[1].pairs.r.length);
  });

  it('says which words are in no label, and which step took the last pairs', async () => {
    const { fg } = world;
    const { map } = await mapped();
    const label = (await fg.activations.labels(map.a))[map.pairs.a[0]];
    const there = normalizeToken(label.tokens[0].token);
    const some = await map.restrict({ words: [there, 'nonesuch'] });
    expect(some.pairs.r.length).toBeGreaterThan(0);
    expect((await table(some)).note).toContain('no feature of A or B is called nonesuch');
    expect((await table(some)).note).not.toContain('took the last');
    const none = await map.restrict({ steps: [{ minR: -1 }, { words: ['nonesuch'], wordsIn: 'a' }, { minR: 0.5 }] });
    expect(none.counts.map(({ warning }) => warning)).toEqual([undefined, undefined, 'no feature of A is called nonesuch', undefined]); // prettier-ignore
    const { note } = await table(none);
    expect(note).toContain(
      `No pair is left behind “label of A has nonesuch”, which took the last ${map.pairs.r.length}`,
    );
  });

  it('of maps without pairs, or with one: scores are refused with the steps that led there, tables say why they are empty', async () => {
    const { fg, context } = world;
    const { map } = await mapped();
    const empty = await map.restrict({ words: ['nonesuch'] });
    const one = await map.restrict({ features: { b: [map.pairs.b[0]] } });
    expect([empty, one].map(({ pairs }) => pairs.r.length)).toEqual([0, 1]);
    for (const metric of ['svcca', 'rsa', 'jaccard'] as const) {
      const scores = (of: typeof map) => fg.correlation.scores(saeA, saeB, of, { metrics: [metric] });
      await expect(scores(empty)).rejects.toThrow(/the map has 0 pairs \(.*label of A or B has nonesuch\); 3 are needed at least/); // prettier-ignore
      await expect(scores(one)).rejects.toThrow('the map has 1 pair (');
    }
    const same = await fg.correlation.sameToken(empty, { nulls: 5 });
    expect((await table(same)).note).toContain('there is nothing to score');
    expect((await fg.correlation.sameToken(one, { nulls: 5 })).shared).toMatchObject({ p: 1, n: 1 });
    for (const found of [await fg.correlation.labels(empty), await fg.correlation.associations(empty)]) {
      expect(found).toHaveLength(0);
      expect((await table(found)).note).toBe('the map has no pairs');
    }
    expect(await fg.correlation.labels(one)).toHaveLength(1);
    expect((await table(await fg.correlation.hubs(empty))).title).toBe('No hub among 0 pairs');
    await fg.show(empty);
    expect(context.printed.at(-1)).toMatch(/^No pair in this map \(.*nonesuch\)$/);
    const [sideA, sideB] = [
      { sae: saeA, model: lmA },
      { sae: saeB, model: lmB },
    ];
    for (const [of, n] of [[empty, 0], [one, 1]] as const) // prettier-ignore
      await expect(fg.correlation.transfer(sideA, sideB, of)).rejects.toThrow(`there are ${n} pairs; give a map with more`); // prettier-ignore
  });

  it('refuses a call without a filter and values that are none', async () => {
    const { fg } = world;
    const { map } = await mapped();
    await expect(fg.correlation.filter(map)).rejects.toThrow(
      'no filter is given; give one of features, words, minFirings',
    );
    await expect(fg.correlation.filter(map, { tokens: '^a' as never })).rejects.toThrow(
      'expected a regular expression',
    );
    await expect(fg.correlation.filter(map, { dropTokens: [1] as never })).rejects.toThrow(
      'dropTokens[0] is 1; expected text',
    );
  });
});

describe('labels of the facade', () => {
  it('say what pairs do together, in the order of the map, as its pictures and cards do', async () => {
    const { fg, context } = world;
    const { map } = await mapped();
    const labels = await fg.correlation.labels(map);
    expect(labels).toHaveLength(map.pairs.r.length);
    expect(labels.filter((label) => label.length > 0).length).toBeGreaterThan(0);
    for (const label of labels) expect(label.reduce((s, { share }) => s + share, 0)).toBeLessThanOrEqual(1 + 1e-12);
    const rows = (await table(labels)).rows;
    expect(rows.map((row) => row.r)).toEqual([...map.pairs.r].sort((x, y) => y - x));
    await fg.show(map, { top: 3 });
    for (const { together, cards } of shownJson<FeatureCards>(context, MIME.features).groups) {
      const i = [...map.pairs.b.keys()].find(
        (k) => map.pairs.b[k] === cards[1].feature && map.pairs.a[k] === cards[0].feature,
      )!;
      expect(together).toEqual(labels[i]);
    }
    await fg.show([await fg.maps.pca(saeA.decoder), await fg.maps.pca(saeB.decoder)], { map });
    const { path: at } = shownJson<MapDescriptor>(context, MIME.map);
    const linked = listsOf(map.pairs, { ...map, counterparts: 1 });
    for (const [s, partner] of [linked.bestBofA, linked.bestAofB].entries()) {
      const file = path.join(context.outputFolder, at, `${s}.labels.json`);
      const kept = JSON.parse(fs.readFileSync(file, 'utf8')) as LinkedLabel[];
      const own = await fg.activations.labels(s === 0 ? map.a : map.b);
      kept.forEach(({ together, ...label }, i) => {
        expect(label).toEqual(own[i]);
        expect(together !== undefined).toBe(partner[i] >= 0);
        const k = [...map.pairs.r.keys()].find(
          (j) => map.pairs.a[j] === (s === 0 ? i : partner[i]) && map.pairs.b[j] === (s === 0 ? partner[i] : i),
        );
        if (k !== undefined && partner[i] >= 0) expect(together).toEqual(labels[k]);
      });
    }
  });

  it('are looked at by mass or by peaks: the same-token score by mass unless asked, filters by peaks', async () => {
    const { fg } = world;
    const { map } = await mapped();
    const [a, b] = [await fg.activations.labels(map.a), await fg.activations.labels(map.b)];
    const common = (x: readonly string[], y: readonly string[]) =>
      x.some((t) => y.map(normalizeToken).includes(normalizeToken(t)));
    const words = ({ tokens }: FeatureLabel) => tokens.map(({ token }) => token);
    const count = (of: (label: FeatureLabel) => readonly string[]) =>
      [...map.pairs.a.keys()].filter((i) => common(of(a[map.pairs.a[i]]), of(b[map.pairs.b[i]]))).length;
    const byMass = await fg.correlation.sameToken(map, { nulls: 5 });
    const byPeaks = await fg.correlation.sameToken(map, { nulls: 5, labels: 'peaks' });
    expect(byMass.shared.value).toBeCloseTo(count(words) / byMass.pairs, 12);
    expect(byPeaks.shared.value).toBeCloseTo(count(({ peaks }) => peaks) / byPeaks.pairs, 12);
    expect(byMass.shared.value).not.toBe(byPeaks.shared.value);
    // The published rule is what it was, whatever else is asked.
    expect(byMass.raw).toEqual(byPeaks.raw);
    const published = await fg.correlation.filter(map, { commonToken: 'normalized' });
    const mass = await fg.correlation.filter(map, { commonToken: 'normalized', labels: 'mass' });
    expect(published.pairs.r.length).toBe(count(({ peaks }) => peaks));
    expect(mass.pairs.r.length).toBe(count(words));
    expect(mass.method).toMatch(/, a common label token$/);
    expect(mass.id).not.toBe(published.id);
  });
});

describe('fg.correlation.scores', () => {
  it('draws random features from the two decoders unless told otherwise, and refuses options without effect', async () => {
    const { fg } = world;
    const { map } = await mapped();
    const metrics = ['cka'] as const;
    const nulls = { kind: 'random-features', runs: 4, seed: 2 } as const;
    const [own] = await fg.correlation.scores(saeA, saeB, map, { metrics, nulls });
    const pools = { x: saeA.decoder, y: saeB };
    const [given] = await fg.correlation.scores(saeA, saeB, map, { metrics, nulls, pools });
    expect(own.null).toMatchObject({ kind: 'random-features', runs: 4 });
    expect(given).toEqual(own);
    const [shuffled] = await fg.correlation.scores(saeA, saeB, map, { metrics, nulls: { runs: 4, seed: 2 } });
    expect(shuffled.null.mean).not.toBe(own.null.mean);
    const refused = (options: object) => expect(fg.correlation.scores(saeA, saeB, map, options)).rejects;
    await refused({ metrics, pools }).toThrow("pools are read by the null 'random-features' alone");
    await refused({ metrics, neighbors: 3 }).toThrow("neighbors is read by the metric 'jaccard' alone");
    await refused({ metrics: ['pearson'] }).toThrow("an array of some of 'svcca'");
    await refused({ neighbours: 3 }).toThrow('has no option "neighbours"');
  });
});
