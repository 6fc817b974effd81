/** fg.show.feature: the page of a feature. */
import type { SparseActivations } from '../activations/types.js';
import { argOf, CALL, thing } from '../verb/common.js';
import { whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { featurePageItems, PAGE } from './featurePage.js';

/** One or several as several. */
const several = <T>(of: T | readonly T[] | undefined): readonly T[] =>
  of === undefined ? [] : Array.isArray(of) ? (of as readonly T[]) : [of as T];

export const feature = verb({
  doc: 'The page of a feature, and of every other one of its SAE by previous, next, search, or a click on any feature: label and rate; contexts of the largest activations, of bands and at random, every token shaded; histogram; tokens and positions; what it raises and lowers; neighbours, company and counterparts; its place on maps.',
  args: [
    thing<SparseActivations>('x', 'What fg.activations.save returned.'),
    argOf('feature', whole({ doc: 'The feature, a whole number from 0.', min: 0 })),
  ],
  options: { ...PAGE, ...CALL },
  errors: ['A feature that there is not, an SAE, a map or a layout of other features than those of x, are refused.'],
  kinds: ['feature'],
  run: async ({ env, options, call }, activations, id) => {
    const { sae, model, map, layouts, notes, carried, title, prompt } = options;
    const given = { sae, model, notes, carried, title, prompt, maps: several(map), layouts: several(layouts) };
    env.context.display(await featurePageItems(env, activations, id, given, call));
  },
});
