/** Wherever a verb pairs an SAE with a model, conformance looks at the two: once, before anything else, and not when told. */
import { describe, expect, it } from 'vitest';
import { createFg } from '#kernel/api/index.js';
import { namespaces } from '#kernel/api/namespaces.js';
import type { Intervention } from '#kernel/models/types.js';
import type { AnyVerb } from '#kernel/verb/namespace.js';
import { collectingContext } from '#test/kit/context.js';
import { freshFg, lmA, lmB, randomSae, saeA, saeB, texts, type World } from '#test/kit/fg.js';

const world = freshFg();
const data = (fg: World['fg']) => fg.datasets.fromTexts(texts, { context: 8, separator: 'none' });

/** Verbs that take an SAE and a model, or interventions on features and a text; `silent` is { conformance: false } or {}. */
const CALLS: Record<string, (fg: World['fg'], silent: { conformance?: boolean }) => Promise<unknown>> = {
  'sae.evaluate': (fg, silent) => fg.sae.evaluate(lmA, saeA, data(fg), silent),
  'sae.probe': (fg, silent) =>
    fg.sae.probe(lmA, saeA, data(fg), { labels: { odd: (token) => /[13579]$/.test(token) }, minTokens: 2, ...silent }),
  'sae.compare': (fg, silent) => fg.sae.compare(lmA, [saeA], data(fg), silent),
  'activations.save': (fg, silent) => fg.activations.save(lmA, saeA, data(fg), silent),
  'interventions.effects': (fg, silent) =>
    fg.interventions.effects(lmA, fg.interventions.steerFeature(lmA, saeA, 5, { scale: 1 }), saeA, data(fg), silent),
  'interventions.densities': (fg, silent) =>
    fg.interventions.densities(lmA, fg.interventions.ablate(lmA, saeA, 5), saeA, data(fg), silent),
  'interventions.logitEffects': (fg, silent) =>
    fg.interventions.logitEffects(lmA, fg.interventions.steerFeature(lmA, saeA, 5, { scale: 1 }), data(fg), {
      nulls: 1,
      ...silent,
    }),
  'interventions.run': (fg, silent) =>
    fg.interventions.run(lmA, fg.interventions.clamp(lmA, saeA, 5, { value: 1 }), texts[0], silent),
  'sae.logitLens': (fg, silent) => fg.sae.logitLens(lmA, saeA, { top: 2, ...silent }),
  'interventions.compare': (fg, silent) =>
    fg.interventions.compare(lmA, fg.interventions.clamp(lmA, saeA, 5, { value: 1 }), texts.slice(0, 5), {
      tokens: 1,
      ...silent,
    }),
  'interventions.attribution': (fg, silent) =>
    fg.interventions.attribution(lmA, saeA, data(fg), 'loss', { verify: 0, ...silent }),
  'interventions.circuit': (fg, silent) =>
    fg.interventions.circuit(lmA, saeA, later, texts[0], { targets: 1, sources: 1, ...silent }),
  'interventions.jointMap': (fg, silent) =>
    fg.interventions.jointMap(lmA, fg.interventions.ablate(lmA, saeA, 5), data(fg), {
      ...{ hook: 'blocks.1.hook_resid_post', points: 20, nulls: 1 },
      ...silent,
    }),
  'interventions.source': (fg, silent) => fg.interventions.source(lmA, saeA, data(fg), silent),
  'interventions.panel': (fg, silent) => fg.interventions.panel(lmA, saeA, { prompt: texts[0], tokens: 1, ...silent }),
  'show.prompt': (fg, silent) => fg.show.prompt(lmA, saeA, texts, silent),
  'correlation.grid': (fg, silent) =>
    fg.correlation.grid({ model: lmA, saes: [saeA] }, { model: lmB, saes: [saeB] }, data(fg), {
      ...{ minFirings: 1, nulls: 1 },
      ...silent,
    }),
  'correlation.relations': async (fg, silent) =>
    fg.correlation.relations({ model: lmA, sae: saeA }, { model: lmB, sae: saeB }, await correlated(fg), {
      ...{ pairs: [['1', '2']], nulls: 1 },
      ...silent,
    }),
  'correlation.transfer': async (fg, silent) =>
    fg.correlation.transfer({ model: lmA, sae: saeA }, { model: lmB, sae: saeB }, await correlated(fg), {
      ...{ sequences: 4, nulls: 1 },
      ...silent,
    }),
  'interventions.transfer': async (fg, silent) => {
    const map = await correlated(fg);
    return fg.interventions.transfer({ model: lmA, sae: saeA }, { model: lmB, sae: saeB }, data(fg), map, {
      ...{ pairs: 2, nulls: 1 },
      ...silent,
    });
  },
};
const correlated = async (fg: World['fg']) => {
  const quiet = { conformance: false };
  const a = await fg.activations.save(lmA, saeA, data(fg), quiet);
  const b = await fg.activations.save(lmB, saeB, data(fg), quiet);
  return fg.correlation.map(a, b, { minFirings: 1 });
};
const later = {
  ...randomSae(13, 16, lmA.id),
  config: { ...randomSae(13, 16, lmA.id).config, hookName: 'blocks.1.hook_mlp_out' },
};

const warned = (printed: readonly string[]): string[] => printed.filter((line) => line.startsWith('Warning: SAE'));

describe('conformance', () => {
  it('is an option of every verb that is called here, and of no other', () => {
    const withOption = Object.entries(namespaces).flatMap(([name, { verbs }]) =>
      Object.entries<AnyVerb>(verbs).flatMap(([verb, { options }]) =>
        'conformance' in options ? [`${name}.${verb}`] : [],
      ),
    );
    expect(withOption.sort()).toEqual(Object.keys(CALLS).sort());
  });

  it('is asked for by every verb that takes a model, an SAE and a text', () => {
    // Those that make an intervention run nothing: the verbs that run it look.
    const others = ['interventions.steerFeature', 'interventions.clamp', 'interventions.scale', 'interventions.ablate'];
    others.push('interventions.patchFeatures');
    // It takes nothing but the text and the model of the SAE's own training.
    others.push('sae.baselines');
    for (const [name, { verbs }] of Object.entries(namespaces))
      for (const [verb, { args, options }] of Object.entries<AnyVerb>(verbs)) {
        const names = args.map((arg) => arg.name);
        if (!names.includes('model') || !names.some((n) => /^(saes?|upstream)$/.test(n))) continue;
        expect('conformance' in options || others.includes(`${name}.${verb}`), `${name}.${verb}`).toBe(true);
      }
  });

  it.each(Object.keys(CALLS))(
    '%s tells of an SAE that does not fit, once in a session, and not when silenced',
    async (name) => {
      const { fg, context } = world;
      // With a prompt alone, or no text, what an earlier session found is told.
      const short = /^(interventions\.(circuit|panel|run)|sae\.logitLens)$/.test(name);
      if (short) {
        const before = collectingContext(undefined, { artifactFolder: context.artifactFolder });
        const earlier = await createFg(before, { device: 'cpu' });
        await earlier.activations.save(lmA, saeA, data(earlier));
        expect(warned(before.printed)).toHaveLength(1);
        before.remove();
      }
      await CALLS[name](fg, { conformance: false });
      expect(warned(context.printed)).toEqual([]);
      await CALLS[name](fg, {});
      const told = /transfer|relations|grid/.test(name) ? 2 : 1;
      expect(warned(context.printed)).toHaveLength(told);
      expect(warned(context.printed)[0]).toMatch(/explains −?\d+ % at blocks\.0\.hook_mlp_out.*conformance: false/);
      await CALLS[name](fg, {});
      expect(warned(context.printed)).toHaveLength(told);
    },
  );

  it.each<[string, (fg: World['fg']) => Intervention]>([
    ['steerFeature', (fg) => fg.interventions.steerFeature(lmA, saeA, 5, { scale: 1 })],
    ['clamp', (fg) => fg.interventions.clamp(lmA, saeA, 5, { value: 1 })],
    ['scale', (fg) => fg.interventions.scale(lmA, saeA, 5, { by: 2 })],
    ['ablate', (fg) => fg.interventions.ablate(lmA, saeA, 5)],
    ['patchFeatures', (fg) => fg.interventions.patchFeatures(lmA, saeA, 5, { prompt: texts[0] })],
  ])('model.generate tells of it, where %s made the intervention, once and not when silenced', async (_, make) => {
    await world.fg.activations.save(lmA, saeA, data(world.fg));
    const next = collectingContext(undefined, { artifactFolder: world.context.artifactFolder });
    const interventions = make(await createFg(next, { device: 'cpu' }));
    const run = (more: object): Promise<string> => lmA.generate(texts[0], { tokens: 1, interventions, ...more });
    await run({ conformance: false });
    expect(warned(next.printed)).toEqual([]);
    await run({});
    await run({});
    expect(warned(next.printed)).toHaveLength(1);
    next.remove();
  });

  it('a result that is loaded does not silence it', async () => {
    const call = CALLS['interventions.attribution'];
    await call(world.fg, { conformance: false });
    const next = collectingContext(undefined, { artifactFolder: world.context.artifactFolder });
    await call(await createFg(next, { device: 'cpu' }), {});
    expect(next.printed.join('\n')).toMatch(/Warning: SAE[^]*loaded from cache/);
    next.remove();
  });

  it('says nothing on a few tokens when nothing was found before, and takes prompts longer than the context', async () => {
    const { fg, context } = world;
    await CALLS['interventions.panel'](fg, {});
    const clamp = fg.interventions.clamp(lmA, saeA, 5, { value: 1 });
    // What goes beyond the model's context is for the verb to judge, as without conformance.
    const long = texts.slice(0, 3).join(' ');
    const run = (silent: { conformance?: boolean }): Promise<unknown> =>
      fg.interventions.compare(lmA, clamp, long, { tokens: 1, ...silent }).catch((error: Error) => error.message);
    const first = await run({ conformance: false });
    expect(JSON.stringify(await run({}))).toBe(JSON.stringify(first));
    expect(warned(context.printed)).toEqual([]);
  });
});
