import { describe, expect, it } from 'vitest';
import type { InterventionsDescriptor, InterventionsMeta, InterventionsSetting } from '#protocol/interventions.js';
import {
  asked,
  cellCode,
  keptSnapshot,
  nameOf,
  rangeOf,
  reduce,
  startValue,
  whyNoPin,
  within,
} from '#webviews/interventions/model.js';
import { Latest } from '#webviews/interventions/source.js';

const setting: InterventionsSetting = {
  prompt: 'Once upon a time',
  current: { feature: 12, kind: 'steer', value: 3, positions: 'all' },
  pins: [],
  sampling: { tokens: 20, temperature: 0.7, seed: 3 },
};

describe('the interventions panel’s setting', () => {
  it('clicks choose tokens one by one, ascending; the last one taken away means all', () => {
    let s = reduce(setting, { type: 'token', index: 3 });
    s = reduce(s, { type: 'token', index: 1 });
    expect(s.current.positions).toEqual([1, 3]);
    s = reduce(reduce(s, { type: 'token', index: 3 }), { type: 'token', index: 1 });
    expect(s.current.positions).toBe('all');
  });

  it('another prompt has other tokens: chosen positions go, in pins too', () => {
    const chosen = reduce(reduce(setting, { type: 'token', index: 2 }), { type: 'pin' });
    const s = reduce(chosen, { type: 'prompt', prompt: 'The' });
    expect([s.current.positions, s.pins[0].positions]).toEqual(['all', 'all']);
  });

  it('pins four different interventions and says why not more', () => {
    let s = setting;
    for (const value of [1, 2, 3, 4]) s = reduce(reduce(s, { type: 'value', value }), { type: 'pin' });
    expect(s.pins.map((p) => p.value)).toEqual([1, 2, 3, 4]);
    expect(whyNoPin(s)).toMatch(/4 interventions are pinned/);
    expect(reduce(s, { type: 'pin' })).toBe(s);
    expect(asked(s)).toHaveLength(5);
    const three = reduce(s, { type: 'unpin', index: 0 });
    expect(whyNoPin(three)).toBe('This intervention is pinned');
    expect(reduce(three, { type: 'use', index: 0 }).current).toEqual({ ...setting.current, value: 2 });
  });

  it('a pin keeps its name until it is given one that says something', () => {
    const s = reduce(setting, { type: 'pin' });
    expect(s.pins[0].name).toBe('steer #12 α 3');
    expect(reduce(s, { type: 'rename', index: 0, name: '  ' }).pins[0].name).toBe('steer #12 α 3');
    expect(reduce(s, { type: 'rename', index: 0, name: ' strong ' }).pins[0].name).toBe('strong');
  });

  it('a value that is no number is not taken', () => {
    expect(reduce(setting, { type: 'value', value: NaN })).toBe(setting);
  });

  it('ranges come from the largest activation and hold the value that a kind starts with', () => {
    for (const kind of ['steer', 'clamp', 'scale'] as const)
      for (const largest of [null, 1e-3, 0.37, 2.39, 57, 12_000]) {
        const { min, max, step } = rangeOf(kind, largest);
        const start = startValue(kind, largest);
        expect(start).toBeGreaterThan(0);
        expect(start).toBeLessThanOrEqual(max);
        expect(min).toBeLessThanOrEqual(0);
        expect((max - min) / step).toBeLessThan(700);
        expect((max - min) / step).toBeGreaterThan(50);
      }
    expect(startValue('ablate', 5)).toBe(0);
  });

  it('positions beyond a shorter prompt are left out', () => {
    expect(within([0, 7], 3)).toEqual([0]);
    expect(within([7], 3)).toBe('all');
    expect(within('last', 3)).toBe('last');
  });

  it('names say kind, feature, amount and where', () => {
    expect(nameOf({ feature: 5, kind: 'ablate', value: 0, positions: 'last' })).toBe('ablate #5, last');
    expect(nameOf({ feature: 5, kind: 'steer', value: -2.5, positions: [1, 2] })).toBe('steer #5 α −2.5, 2 tokens');
  });
});

describe('what the panel exports', () => {
  const meta = {
    model: { name: 'tiny' },
    sae: { name: 's', hook: 'blocks.0.hook_mlp_out' },
  } as unknown as InterventionsMeta;

  it('the cell is TypeScript of every intervention, with the prompt as data', () => {
    const s = reduce({ ...setting, prompt: 'He said "`${x}`"\n' }, { type: 'pin' });
    const code = cellCode(meta, reduce(s, { type: 'kind', kind: 'ablate', max: 2 }));
    expect(code).toContain('const prompt = "He said \\"`${x}`\\"\\n"');
    expect(code).toContain(
      'fg.interventions.steerFeature(model, sae, 12, { scale: 3, hook: "blocks.0.hook_mlp_out" })',
    );
    expect(code).toContain('fg.interventions.ablate(model, sae, 12, { hook: "blocks.0.hook_mlp_out" })');
    expect(code).toContain('temperature: 0.7, seed: 3');
  });

  it('kept state is taken for its own panel alone', () => {
    const snapshot = { setting, card: {}, result: {}, generation: {}, hits: [] };
    const lab = { id: 'x' } as InterventionsDescriptor;
    expect(keptSnapshot({ lab: 'x', snapshot }, lab)).toEqual(snapshot);
    expect(keptSnapshot({ lab: 'y', snapshot }, lab)).toBeUndefined();
    expect(keptSnapshot({ lab: 'x', snapshot: { setting } }, lab)).toBeUndefined();
    expect(keptSnapshot(undefined, lab)).toBeUndefined();
  });
});

describe('a dragged slider', () => {
  it('asks once at a time, and the newest state last', async () => {
    let value = 0;
    let running = 0;
    const seen: number[] = [];
    const latest = new Latest(async () => {
      expect(++running).toBe(1);
      seen.push(value);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    });
    for (value = 1; value <= 50; value++) latest.trigger();
    value = 50;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(seen).toEqual([1, 50]);
  });
});
