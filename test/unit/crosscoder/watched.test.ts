/** A crosscoder's training that is watched, logged and stopped. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { HistoryRow } from '#kernel/sae/train.js';
import { freshFg, lmA, lmB, texts } from '#test/kit/fg.js';

const world = freshFg();
const text = () => world.fg.datasets.fromTexts(texts, { context: 10 });
const call = {
  hooks: 'blocks.0.hook_mlp_out',
  ...{ features: 24, k: 4, steps: 12, trainBatchSizeTokens: 32, lr: 3e-3 },
} as const;

describe('a crosscoder that is watched', () => {
  it('stopped, it is kept as a crosscoder of its step, with what was logged; the same call goes on', async () => {
    const { fg, context } = world;
    const stop = new AbortController();
    const stopped = fg.crosscoder.train([lmA, lmB], text(), {
      ...call,
      logs: 'runs',
      signal: stop.signal,
      onProgress: ({ unit }) => unit === 'steps' && stop.abort(),
    });
    await expect(stopped).rejects.toThrow(/cancel/i);
    const said = context.printed.find((line) => line.includes('is kept: fg.crosscoder.load('))!;
    expect(said).toMatch(/^The crosscoder of step \d+ is kept/);
    const kept = await fg.crosscoder.load(JSON.parse(/load\((".*")\)/.exec(said)![1]) as string);
    expect(kept.sides.map(({ name, width }) => [name, width])).toEqual([
      ['A', 15],
      ['B', 15],
    ]);
    expect(kept.joined.history.length).toBeGreaterThan(0);
    const evaluation = await fg.crosscoder.evaluate(kept, [lmA, lmB], text(), { nulls: 1 });
    expect(evaluation.crosscoder.id).toBe(kept.id);

    const whole = await fg.crosscoder.train([lmA, lmB], text(), { ...call, logs: 'runs' });
    expect(whole.id).not.toBe(kept.id);
    expect(whole.joined.history.slice(0, kept.joined.history.length)).toEqual(kept.joined.history);
    const [folder, ...others] = fs.readdirSync(path.join(context.notebookFolder, 'runs'));
    expect(others).toEqual([]);
    const at = path.join(context.notebookFolder, 'runs', folder);
    expect(fs.readdirSync(at).sort()).toEqual(['events.out.tfevents.0.fgnb', 'metrics.jsonl']);
    const lines = fs.readFileSync(path.join(at, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as HistoryRow)).toEqual(whole.joined.history);
    // Where figures go changes no result.
    expect((await fg.crosscoder.train([lmA, lmB], text(), call)).id).toBe(whole.id);
    expect(context.printed.join('\n')).toContain('loaded from cache');
  });

  it('its curves are drawn while it runs, in one place, where the last ones stay', async () => {
    const { fg, context } = world;
    const drawn: Array<{ id?: string; words: string }> = [];
    vi.spyOn(context, 'display').mockImplementation((items, how) => {
      drawn.push({ id: how?.displayId, words: JSON.stringify(items) });
    });
    // Every look at the clock is four seconds later, so that each logged step is drawn.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 4000));
    const made = await fg.crosscoder.train([lmA, lmB], text(), call);
    clock.mockRestore();
    const curves = drawn.filter(({ words }) => words.includes('Training'));
    const live = curves.filter(({ words }) => words.includes('Training, under way'));
    expect(live.length).toBeGreaterThan(2);
    expect(new Set(live.map(({ id }) => id))).toEqual(new Set([expect.stringMatching(/^training \d+$/)]));
    const last = curves.filter(({ id }) => id === live[0].id).at(-1)!;
    expect(last.words).toContain(`Training of ${made.joined.name}`);
  });

  it('refuses a folder that holds none', async () => {
    await expect(world.fg.crosscoder.load('nowhere')).rejects.toThrow(/nowhere holds no crosscoder/);
  });
});
