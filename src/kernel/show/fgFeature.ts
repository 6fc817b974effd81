/** fg.show.feature: the page of a feature. */
import type { SparseActivations } from '../activations/types.js';
import type { PairedMap } from '../correlation/types.js';
import type { Layout } from '../maps/types.js';
import type { LanguageModel } from '../models/types.js';
import type { Sae } from '../sae/types.js';
import { argOf, CALL, thing } from '../verb/common.js';
import { text, value, whole } from '../verb/option.js';
import { verb } from '../verb/verb.js';
import { featurePageItems } from './featurePage.js';
import { isThing } from './forms.js';
import { PROMPT } from './promptOption.js';

/** One or several as several. */
const several = <T>(of: T | readonly T[] | undefined): readonly T[] =>
  of === undefined ? [] : Array.isArray(of) ? (of as readonly T[]) : [of as T];

const PAGE = {
  sae: value<Sae>(
    'what fg.sae.train or fg.sae.load returned',
    { doc: 'The SAE itself: gives the nearest features by decoder cosine.', fallback: 'no neighbors by decoder' },
    isThing,
  ),
  model: value<LanguageModel>(
    'what fg.models.load returned',
    {
      doc: 'With `sae`: the tokens whose logits the feature raises and lowers most, where the SAE writes to the residual stream.',
      fallback: 'no promoted tokens',
    },
    isThing,
  ),
  map: value<PairedMap | readonly PairedMap[]>(
    'what fg.correlation.map returned, or an array of these',
    { doc: 'Counterparts in other SAEs, with r and their own examples.', fallback: 'none' },
    isThing,
  ),
  layouts: value<Layout | readonly Layout[]>(
    'what fg.maps.umap or fg.maps.pca returned, or an array of these',
    { doc: 'Maps on which the feature is shown.', fallback: 'none' },
    isThing,
  ),
  notes: value<Readonly<Record<string, string>>>(
    'an object such as { 12: "names of months" }',
    { doc: 'Notes on features by id.', fallback: 'none' },
    (v) => isThing(v) && !Array.isArray(v) && Object.values(v as object).every((note) => typeof note === 'string'),
  ),
  carried: whole({
    doc: 'Features whose contexts lie in the page: the one asked for, those near it, and those that fire most. The others the page asks of the kernel, while it lives.',
    min: 1,
    default: 1000,
  }),
  title: text({ doc: 'Of the panel.', fallback: '"Features of" the SAE' }),
  ...PROMPT,
} as const;

export const feature = verb({
  doc: 'The page of a feature, and of every other one of its SAE by previous, next, search, or a click on any feature: label and rate; contexts of the largest activations, of bands and at random, every token shaded; histogram; tokens and positions; what it raises and lowers; neighbors, company and counterparts; its place on maps.',
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
